"""What holds for any two populations, however odd."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from sort_drift.drift import compare, mix, permute
from sort_drift.drift.adjust import permutation_p
from sort_drift.drift.effects import effect
from sort_drift.drift.numerics import benjamini_hochberg, centred, fisher, midranks
from sort_drift.drift.strata import both, match
from sort_drift.model import EXIT_CODES, Options, Population
from tests.drift_runs import FAMILY, RETRY, population
from tests.examples import examples

FAST = Options(permutations=39)
numbers = st.one_of(
    st.none(),
    st.integers(0, 3).map(float),
    st.floats(-1e6, 1e6),
    st.just(float("nan")),
    st.just(float("inf")),
)
tools = st.one_of(st.none(), st.lists(st.sampled_from("abc"), max_size=4))
Row = tuple[str, float | None, float | None, list[str] | None]
run = st.tuples(st.sampled_from("wxyz"), numbers, numbers, tools)


def populations(rows: list[Row]) -> Population:
    columns = list(zip(*rows, strict=True)) or [(), (), (), ()]
    return population(
        list(columns[0]),
        {"retry_depth": list(columns[1]), "prompt_tokens_mean": list(columns[2])},
        tools=list(columns[3]),
    )


@examples(50)
@given(st.lists(run, max_size=14), st.lists(run, max_size=14))
def test_any_two_populations_get_a_whole_report(first: list[Row], second: list[Row]) -> None:
    """No input crashes, every variable is reported, and every number in it is one."""
    report = compare(populations(first), populations(second), FAST, FAMILY)
    assert report.verdict in EXIT_CODES
    assert report.reason
    everywhere = [f for f in report.findings if f.where == "all"]
    assert {f.variable for f in everywhere} == set(FAMILY)
    for f in everywhere:
        assert f.reason
        if f.p_adjusted is not None:
            assert 0 < f.p_adjusted <= 1
            assert f.effect is not None
            assert np.isfinite(f.effect)
            assert all(0 < p <= 1 for p in f.components.values())
        if f.interval is not None and f.interval_90 is not None:
            assert f.interval[0] <= f.interval_90[0] <= f.interval_90[1] <= f.interval[1]
        assert f.runs_needed is None or f.runs_needed > 0


@examples(30)
@given(st.lists(run, min_size=4, max_size=14), st.lists(run, min_size=4, max_size=14))
def test_swapping_the_sides_flips_the_effect(first: list[Row], second: list[Row]) -> None:
    """With equal task weights, baseline against current is minus current against baseline."""
    one, other = populations(first), populations(second)
    there, back = compare(one, other, FAST, FAMILY), compare(other, one, FAST, FAMILY)
    if not match(one, other).suite:
        return
    for f, g in zip(there.findings, back.findings, strict=True):
        if f.variable == "retry_depth" and f.effect is not None and g.effect is not None:
            assert f.effect == pytest.approx(-g.effect, rel=1e-9, abs=1e-9)


@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=60))
def test_permutation_p_is_the_share_at_least_as_large(values: list[float]) -> None:
    """Each permutation's p counts itself: between 1/P and 1, and ordered against the statistic."""
    statistic = np.round(np.array(values), 3)
    p = permutation_p(statistic)
    assert p.min() >= 1 / len(values)
    assert p.max() <= 1
    expected = [(statistic >= s).mean() for s in statistic]
    np.testing.assert_allclose(p, expected)


@given(
    st.lists(
        st.tuples(st.sampled_from("abcd"), st.integers(0, 1), st.floats(-1e3, 1e3)), min_size=2, max_size=40
    )
)
def test_mix_and_structure_add_up_to_the_raw_difference(rows: list[tuple[str, int, float]]) -> None:
    """Kitagawa's decomposition is exact, also for tasks on one side only."""
    sides = [
        population([t for t, s, _ in rows if s == k], {"retry_depth": [y for _, s, y in rows if s == k]})
        for k in (0, 1)
    ]
    found = mix.decompose(both(sides[0], sides[1]), RETRY)
    if found is None:
        assert not {t for t, s, _ in rows if s == 0} & {t for t, s, _ in rows if s == 1}
        return
    raw = [float(np.mean([y for _, s, y in rows if s == k])) for k in (0, 1)]
    assert found.raw == pytest.approx(raw[1] - raw[0], abs=1e-6)
    assert found.mix + found.within == pytest.approx(found.raw, abs=1e-6)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 5)), min_size=1, max_size=50))
def test_midranks_within_groups_are_scipys(rows: list[tuple[int, int]]) -> None:
    """Ranks within each group, ties shared."""
    rows.sort(key=lambda r: r[0])
    group, value = (np.array(column) for column in zip(*rows, strict=True))
    bounds = np.flatnonzero(np.r_[True, group[1:] != group[:-1], True])
    expected = np.concatenate([stats.rankdata(value[group == g]) for g in np.unique(group)])
    np.testing.assert_allclose(midranks(value.astype(float), np.ones(len(value)), bounds), expected)


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(1, 9)), min_size=2, max_size=20))
def test_midranks_of_counted_cells_are_those_of_their_runs(cells: list[tuple[int, int]]) -> None:
    """A cell of n equal runs has the midrank that each of them has."""
    value = np.array([float(v) for v, _ in cells])
    count = np.array([float(n) for _, n in cells])
    runs = np.repeat(value, count.astype(int))
    expected = [stats.rankdata(runs)[runs == v][0] for v in value]
    np.testing.assert_allclose(midranks(value, count, np.array([0, len(cells)])), expected)


@given(st.integers(0, 30), st.integers(0, 30), st.integers(1, 30), st.integers(1, 30))
def test_fisher_is_scipys(a: int, b: int, m: int, n: int) -> None:
    """Two-sided exact p of a 2 x 2 table."""
    a, b = min(a, m), min(b, n)
    assert fisher(a, m, b, n) == pytest.approx(stats.fisher_exact(np.array([[a, m - a], [b, n - b]])).pvalue)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_false_discovery_rate_is_scipys(p: list[float]) -> None:
    """Benjamini-Hochberg adjusted p values."""
    np.testing.assert_allclose(
        benjamini_hochberg(np.array(p)), stats.false_discovery_control(np.array(p)), atol=1e-12
    )


@given(st.integers(1, 6), st.integers(2, 9), st.integers(0, 1000))
def test_centred_scores_turn_weighted_differences_into_sums(tasks: int, runs: int, seed: int) -> None:
    """The identity behind the components: sum w_s (y1_s - y0_s) is the current sum of centred values."""
    rng = np.random.default_rng(seed)
    side = np.concatenate([rng.permutation(np.r_[0, 1, rng.integers(0, 2, runs - 2)]) for _ in range(tasks)])
    y, bounds = rng.normal(size=tasks * runs), np.arange(0, tasks * runs + 1, runs)
    direct = 0.0
    for a in bounds[:-1]:
        ys, s = y[a : a + runs], side[a : a + runs]
        direct += s.sum() * (runs - s.sum()) / runs * (ys[s == 1].mean() - ys[s == 0].mean())
    assert side @ centred(y, np.ones(len(y)), bounds) == pytest.approx(direct)


@given(st.floats(-100, 100), st.floats(0.01, 100))
def test_effects_move_and_scale_with_the_values(shift: float, scale: float) -> None:
    """A change of unit changes effect and standard error by the same factor, a shift neither."""
    rng = np.random.default_rng(0)
    y, side, stratum = rng.normal(size=40), np.tile([0, 1], 20), np.repeat(np.arange(5), 8)
    one = effect(y, side, stratum, np.arange(5), suite=True)
    other = effect(scale * y + shift, side, stratum, np.arange(5), suite=True)
    assert one is not None
    assert other is not None
    assert one.decides is not None
    assert other.decides is not None
    assert other.estimate == pytest.approx(scale * one.estimate, rel=1e-6, abs=1e-9)
    assert other.decides.se == pytest.approx(scale * one.decides.se, rel=1e-6)


@given(st.data())
def test_labels_keep_margins(data: st.DataObject) -> None:
    """Any stratum sizes and sides: every row has the observed number of current runs in each stratum."""
    sizes = data.draw(st.lists(st.integers(1, 6), min_size=1, max_size=6))
    side = np.array(data.draw(st.lists(st.integers(0, 1), min_size=sum(sizes), max_size=sum(sizes))))
    bounds = np.r_[0, np.cumsum(sizes)]
    X = permute.labels(side, bounds, 9, np.random.default_rng(0))
    sums = np.add.reduceat(X, bounds[:-1], axis=1)
    np.testing.assert_array_equal(sums, np.tile(sums[0], (10, 1)))
    np.testing.assert_array_equal(X[0], side)


def test_row_order_within_a_task_does_not_matter_for_effects() -> None:
    """Shuffled input gives the same effects and intervals; only permutations differ."""
    rng = np.random.default_rng(3)
    tasks = [f"t{i % 5}" for i in range(60)]
    base = population(tasks, {"retry_depth": rng.poisson(1, 60).astype(float)})
    current = population(tasks, {"retry_depth": rng.poisson(2, 60).astype(float)})
    shuffled = Population("side", current.runs.select(pl.all().shuffle(seed=1)))
    one, two = (compare(base, c, FAST, {"retry_depth": RETRY}).findings[0] for c in (current, shuffled))
    assert one.effect == pytest.approx(two.effect)
    assert one.interval == pytest.approx(two.interval)
