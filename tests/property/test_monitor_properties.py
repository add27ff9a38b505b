"""What holds for any stream that is watched, however odd."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sort_drift.monitor import Event, Run, Settings, Watch, Watched, detector, locate, plain, restore
from tests.examples import examples

NAMES = ("a", "b")
EAGER = Settings(tuple(Watched(name, 0.1) for name in NAMES), rate=0.02, capacity=8, history=40, strata=4)
"""Alarms at 50, and everything bounded tightly: events and evictions within a few dozen runs."""

value = st.one_of(st.none(), st.integers(-3, 3).map(float), st.floats(allow_nan=True, allow_infinity=True))
run = st.builds(
    Run,
    run_id=st.text(max_size=3),
    task=st.one_of(st.none(), st.sampled_from("stuvw")),
    values=st.fixed_dictionaries({}, optional=dict.fromkeys(NAMES, value)),
    regime=st.sampled_from(["", "busy"]),
)
jump = st.tuples(st.integers(5, 40), st.integers(5, 40), st.sampled_from([0.0, 2.0, -5.0]))


def drifting(before: int, after: int, shift: float) -> list[Run]:
    rng = np.random.default_rng(before * 41 + after)
    values = rng.standard_normal((before + after, 2)) + shift * (np.arange(before + after) >= before)[:, None]
    tasks = rng.integers(3, size=before + after)
    return [
        Run(str(i), str(task), dict(zip(NAMES, row, strict=True)))
        for i, (task, row) in enumerate(zip(tasks, values.tolist(), strict=True))
    ]


def events(watch: Watch, runs: list[Run]) -> list[Event]:
    return [event for run in runs for event in watch.observe(run)]


@given(st.lists(run, max_size=60), st.lists(run, max_size=30), jump)
@examples(60)
def test_restore_equals_continue(odd: list[Run], more: list[Run], how: tuple[int, int, float]) -> None:
    """At any point of any stream: the same events and the same state to the last bit, through JSON."""
    watch = Watch("agent", EAGER)
    watch.learn(odd[:10])
    events(watch, [*odd[10:], *drifting(*how)])
    text = json.dumps(plain(watch), allow_nan=False)
    again = restore(json.loads(text), EAGER)
    assert json.dumps(plain(again)) == text
    further = [*more, *drifting(*how)]
    assert events(again, further) == events(watch, further)
    assert json.dumps(plain(again)) == json.dumps(plain(watch))


@given(st.lists(run, max_size=80))
@examples(100)
def test_bets_are_never_negative_and_memory_is_bounded(runs: list[Run]) -> None:
    """Whatever comes in: finite bets of at least 0, and no more kept than the settings say."""
    watch = Watch("agent", EAGER)
    for one in runs:
        watch.observe(one)
        assert all(0.0 <= bet < math.inf for track in watch.tracks for bet in track.bets)
        assert 0.0 <= watch.e_value < 1 / EAGER.rate
    assert len(watch.references) <= 4
    assert len(watch.history) <= 40
    assert all(
        len(reference.values) == len(reference.numbers) <= 8
        for references in watch.references.values()
        for reference in references
    )


MONOTONE = {"cubed": lambda x: x**3, "exponential": math.exp, "shrunk and moved": lambda x: x / 4 + 100}


@given(
    st.lists(st.tuples(st.sampled_from("stu"), st.integers(-40, 40).map(lambda k: k / 8)), max_size=80),
    st.sampled_from(sorted(MONOTONE)),
)
@examples(60)
def test_monotone_transformations_change_nothing(rows: list[tuple[str, float]], name: str) -> None:
    """Seconds or their logarithm: the bets, the alarms and their onsets are the same."""
    said = []
    for transform in (float, MONOTONE[name]):
        watch = Watch("agent", Settings((Watched("a"),), rate=0.02))
        found = events(watch, [Run(str(i), task, {"a": transform(x)}) for i, (task, x) in enumerate(rows)])
        bets = [track.bets for track in watch.tracks]
        said.append(([(e.kind, e.number, e.variables[0].onset) for e in found], bets))
    assert said[0] == said[1]


@given(st.lists(st.integers(-5, 5).map(float), min_size=20, max_size=60), st.data())
@examples(60)
def test_the_onset_is_invariant_too(values: list[float], data: st.DataObject) -> None:
    """Other units within each stratum give the same place, interval and p."""
    strata = np.array(data.draw(st.lists(st.integers(0, 2), min_size=len(values), max_size=len(values))))
    scale = np.array([1.0, 0.5, 3.0])[strata]
    one = locate(np.array(values), strata, permutations=49, resamples=49)
    two = locate(np.array(values) * scale + 7 * strata, strata, permutations=49, resamples=49)
    assert one == two


@given(st.lists(run, max_size=60), st.lists(value, min_size=1, max_size=30))
@examples(60)
def test_new_strata_never_raise_the_detector(runs: list[Run], values: list[float | None]) -> None:
    """Runs of tasks that nobody has seen before leave every bet exactly where it was."""
    watch = Watch("agent", EAGER)
    events(watch, runs)
    before = [(track.bets, track.e, track.open) for track in watch.tracks]
    unseen = [Run(str(i), f"new {i}", {"a": value, "b": 1e9}) for i, value in enumerate(values)]
    assert events(watch, unseen) == []
    assert [(track.bets, track.e, track.open) for track in watch.tracks] == before


@pytest.mark.parametrize(
    "draw",
    [
        lambda rng, n: rng.standard_cauchy((n, 2)),
        lambda rng, n: (rng.random((n, 2)) < 0.17).astype(float),
        lambda rng, n: np.repeat(rng.standard_normal((n, 1)), 2, axis=1),
    ],
    ids=["heavy tails", "mostly zeros", "one variable twice"],
)
def test_the_detector_is_a_fair_game(draw: object) -> None:
    """Nothing changes: after n runs e is n in expectation, so e / n is 1 on average over streams, at most."""
    assert callable(draw)
    never = Settings(tuple(map(Watched, NAMES)), rate=1e-12)
    n, found = 25, []
    for seed in range(1500):
        rng = np.random.default_rng(seed)
        watch = Watch(str(seed), never)
        rows = zip(rng.integers(4, size=n).tolist(), draw(rng, n).tolist(), strict=True)
        runs = [Run(str(i), str(t), dict(zip(NAMES, row, strict=True))) for i, (t, row) in enumerate(rows)]
        events(watch, runs)
        found.append(watch.e_value / n)
    mean, error = np.mean(found), np.std(found) / np.sqrt(len(found))
    assert mean <= 1.0 + 3 * error
    assert error < 0.1


@given(st.floats(-8.0, 8.0), st.lists(st.floats(0.0, 1e6), min_size=12, max_size=12))
def test_a_step_is_the_expected_one(z: float, bets: list[float]) -> None:
    """The ratio of a bet up and the same bet down is exp(2 theta z), whatever was before."""
    after = detector.step(bets, z)
    size = len(detector.SIZES)
    for k, theta in enumerate(detector.SIZES):
        ratio = (after[k] / (bets[k] + 1)) / (after[k + size] / (bets[k + size] + 1))
        assert ratio == pytest.approx(math.exp(2 * theta * z), rel=1e-9)
