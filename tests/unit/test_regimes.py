"""Load regimes: found or inferred, cut where the baseline says, the same for both sides."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sort_drift import regimes as module
from sort_drift.model import Population
from sort_drift.regimes import (
    ABOVE,
    BELOW,
    assign,
    count_open,
    cut_points,
    describe,
    describe_cuts,
    in_tertile,
    load_name,
    tertiles,
)
from sort_drift.store import baseline as frozen_baseline
from tests.examples import examples
from tests.store_frames import run, runs


def declared(*loads: float | None) -> Population:
    source = ["declared" if load is not None else None for load in loads]
    rows = (run(str(i), load=load, load_source=source[i], start_ns=None) for i, load in enumerate(loads))
    return Population("p", runs(*rows))


def timed(*spans: tuple[int | None, int | None], service: str = "s") -> Population:
    rows = (run(str(i), start_ns=a, end_ns=b, service=service) for i, (a, b) in enumerate(spans))
    return Population("p", runs(*rows))


def classes(population: Population) -> list[str | None]:
    return population.runs["load_class"].to_list()


def names(population: Population) -> list[str | None]:
    return population.runs["load_name"].to_list()


# -- open runs


def test_runs_side_by_side_load_each_other():
    """Each run counts itself and what is still open when it starts."""
    table = count_open(timed((0, 10), (2, 4), (3, 20), (10, 12)).runs)
    assert table["open_runs"].to_list() == [1, 2, 3, 2]
    assert table["load"].to_list() == [1, 2, 3, 2]
    assert table["load_source"].unique().to_list() == ["inferred"]


def test_services_do_not_load_each_other():
    """Runs without a service name are a service of their own."""
    table = runs(*(run(str(i), start_ns=0, end_ns=9, service=s) for i, s in enumerate(["a", "b", "a", None])))
    assert count_open(table)["open_runs"].to_list() == [2, 1, 2, 1]


def test_a_run_without_a_start_has_no_inferred_load():
    """Missing stays missing, and does not load the others."""
    table = count_open(timed((None, 10), (2, 4), (None, None)).runs)
    assert table["open_runs"].to_list() == [None, 1, None]
    assert table["load_source"].to_list() == [None, "inferred", None]


def test_a_run_without_an_end_is_open_at_its_own_start_only():
    """How long it went on is not known."""
    assert count_open(timed((0, None), (0, 5), (1, 5)).runs)["open_runs"].to_list() == [2, 2, 2]


def test_declared_load_stays():
    """Inference fills what nobody declared, and tells which is which."""
    table = runs(run("a", load=7.0, load_source="declared"), run("b"))
    table = count_open(table)
    assert table.select("load", "load_source", "open_runs").rows() == [(7, "declared", 2), (2, "inferred", 2)]
    assert count_open(table).equals(table)


@given(st.lists(st.tuples(st.integers(0, 20), st.none() | st.integers(0, 30)), max_size=12))
def test_open_runs_equal_a_count_by_hand(spans):
    """All runs at once, against one run at a time."""
    table = count_open(timed(*spans).runs)
    ends = [(a, max(b or 0, a + 1)) for a, b in spans]
    assert table["open_runs"].to_list() == [sum(a <= start < b for a, b in ends) for start, _ in spans]


# -- classes and names


def test_cut_points_are_the_baselines_for_both_sides():
    """Quintiles of 1 to 10; the current side is placed among them, wherever its own quantiles are."""
    baseline, current = assign(declared(*range(1, 11)), declared(2, 3, 9, 10, 11, 0.5, None))
    assert baseline.load_cuts == current.load_cuts == (1, 2, 4, 5, 6, 8, 9, 10)
    strata = ["[1, 2]", "(2, 4]", "(4, 6]", "(6, 8]", "(8, 10]"]
    assert classes(baseline) == [name for name in strata for _ in range(2)]
    assert classes(current) == ["[1, 2]", "(2, 4]", "(8, 10]", "(8, 10]", ABOVE, BELOW, None]
    assert names(baseline) == ["normal"] * 5 + ["busy"] * 4 + ["saturated"]
    assert names(current) == ["normal", "normal", "busy", "saturated", ABOVE, BELOW, None]


def test_the_same_load_has_the_same_class_on_both_sides():
    """Per-population quantiles would give the middle of each side one class; frozen ones tell them apart."""
    rng = np.random.default_rng(7)
    baseline, current = assign(
        declared(*rng.lognormal(0, 1, 400), 5.0), declared(*rng.lognormal(1, 1, 400), 5.0)
    )
    assert classes(baseline)[-1] == classes(current)[-1]
    share = [pl.Series(names(side)).eq("normal").mean() for side in (baseline, current)]
    assert share[0] == pytest.approx(0.5, abs=0.01)
    assert share[1] == pytest.approx(0.16, abs=0.05)  # P(N(1, 1) < 0)


def test_a_baseline_of_one_load_has_one_class_and_what_lies_outside():
    """One client against eight: not the same regime, and said so."""
    baseline, current = assign(declared(1, 1, 1), declared(8, 1, 0))
    assert set(classes(baseline)) == {"1"}
    assert set(names(baseline)) == {"normal"}
    assert classes(current) == [ABOVE, "1", BELOW]
    assert names(current) == [ABOVE, "normal", BELOW]


def test_equal_quintiles_are_one_class():
    """Half the runs alone, the rest at two and four."""
    baseline, _ = assign(declared(1, 1, 1, 1, 1, 1, 2, 2, 4, 4), declared())
    assert sorted({str(one) for one in classes(baseline)}) == ["(1, 2]", "(2, 4]", "1"]


def test_frozen_cut_points_stay():
    """Cut points that came with the baseline are used, whichever of its runs were selected."""
    whole, _ = assign(declared(*range(1, 11)), declared())
    part = Population("part", whole.runs.filter(pl.col("load") > 8), load_cuts=whole.load_cuts)
    again, current = assign(part, declared(1, 5))
    assert again.load_cuts == whole.load_cuts
    assert classes(current) == ["[1, 2]", "(4, 6]"]


def test_without_any_load_there_are_no_classes():
    """Null everywhere and no cut points; not a class of its own."""
    baseline, current = assign(declared(None, None), declared(1, 2))
    assert baseline.load_cuts == current.load_cuts == ()
    assert classes(baseline) == [None, None]
    assert names(current) == [None, None]
    assert current.runs["load_basis"].to_list() == [None, None]


# -- both sides on the same basis


def test_declared_and_inferred_load_are_not_mixed():
    """One side declares, the other cannot: both rest on open runs."""
    with_load = timed((0, 9), (1, 9))
    with_load = Population(
        "b", with_load.runs.with_columns(load=pl.lit(50.0), load_source=pl.lit("declared"))
    )
    baseline, current = assign(with_load, timed((0, 9), (1, 9), (2, 9)))
    assert classes(baseline) == ["1", "(1, 2]"]
    assert classes(current) == ["1", "(1, 2]", ABOVE]
    assert baseline.runs["load_basis"].unique().to_list() == ["inferred"]
    assert baseline.runs["load"].to_list() == [50.0, 50.0]


def test_where_one_side_can_neither_declare_nor_infer_its_load_is_unknown():
    """No start times there: null, although the other side declares."""
    _, current = assign(declared(1, 2), Population("c", runs(run("x", start_ns=None))))
    assert classes(current) == [None]


def test_runs_that_do_not_declare_among_those_that_do_are_unknown():
    """On a declared basis an inferred value would be another unit."""
    mixed = count_open(runs(run("a", load=3.0, load_source="declared"), run("b")))
    baseline, _ = assign(Population("b", mixed), declared(3))
    assert classes(baseline) == ["3", None]


def test_cut_points_of_the_other_basis_are_made_anew():
    """Frozen on declared load, compared with a side that has only open runs."""
    table = timed((0, 9), (1, 9)).runs.with_columns(load=pl.lit(50.0), load_source=pl.lit("declared"))
    frozen, _ = assign(Population("b", table), Population("b", table))
    assert max(frozen.load_cuts) == 50
    again, _ = assign(frozen, timed((0, 9)))
    assert max(again.load_cuts) == 2


def test_assigning_twice_changes_nothing():
    """What is frozen and loaded again is compared alike."""
    first = assign(declared(*range(1, 11)), declared(3, 30))
    second = assign(*first)
    for one, other in zip(first, second, strict=True):
        assert one.runs.equals(other.runs)
        assert one.load_cuts == other.load_cuts


# -- tasks that are known by their template only


def templates(*lengths: int | None) -> Population:
    tasks = (f"agent|root|{'?' if length is None else length}" for length in lengths)
    return Population("t", runs(*(run(t, task=t, task_source="template") for t in tasks)))


def test_lengths_of_template_tasks_are_tertiles_of_the_baseline():
    """The current side is placed among the baseline's lengths; an unknown length stays as it is."""
    baseline, current = assign(templates(1, 2, 3, 4, 5, 6), templates(2, 4, 100, None))
    words = ["short"] * 2 + ["middle"] * 2 + ["long"] * 2
    assert baseline.runs["task"].to_list() == [f"agent|root|{word}" for word in words]
    found = [task.rpartition("|")[2] for task in current.runs["task"]]
    assert found == ["short", "middle", "long", "?"]


def test_a_frozen_baseline_keeps_the_lengths(tmp_path):
    """Freezing assigns once, comparing again: current runs still find their tertile."""
    frozen, _ = assign(templates(1, 2, 3, 4, 5, 6), templates(1))
    frozen_baseline.freeze(frozen, tmp_path / "b.parquet")
    again, current = assign(frozen_baseline.load(tmp_path / "b.parquet"), templates(2, 4, 100))
    assert again.runs["task"].equals(frozen.runs["task"])
    assert current.runs["task"].to_list() == ["agent|root|short", "agent|root|middle", "agent|root|long"]


def test_other_tasks_stay_as_they_are():
    """Only templates have a length at their end; a declared task may end in anything."""
    table = runs(run("a", task="t|12", task_source="declared"), run("b", task="x|3", task_source="template"))
    both = Population("p", table)
    assert assign(both, both)[0].runs["task"].to_list() == ["t|12", "x|short"]


# -- words


def test_a_population_is_described():
    """Shares of the load names and hardware classes, largest first; unknown is a word."""
    baseline, _ = assign(declared(*range(1, 11)), declared())
    runs_ = baseline.runs.with_columns(hardware=pl.Series(["cpu"] * 9 + [None]))
    assert (
        describe(Population("b", runs_))
        == "load normal 50 %, busy 40 %, saturated 10 %; hardware cpu 90 %, unknown 10 %"
    )


def test_an_empty_population_is_described():
    """Nothing to say, no failure."""
    baseline, _ = assign(declared(), declared())
    assert describe(baseline) == "load unknown; hardware unknown"


@pytest.mark.parametrize(
    ("cuts", "words"),
    [
        ((), "load not known"),
        ((1.0,) * 8, "normal up to 1"),
        ((0.5, 1.0, 1.0, 1.0, 2.0, 2.5, 2.5, 4.0), "normal up to 1, busy up to 2.5, saturated up to 4"),
    ],
)
def test_cut_points_are_described(cuts, words):
    """The names with their upper limits; names that no load can have are left out."""
    assert describe_cuts(cuts) == words


def test_cut_points_are_loads_that_occurred():
    """Integers stay integers: no load of 2.6 runs."""
    assert set(cut_points(pl.Series([1.0, 4.0, 8.0, 8.0]))) <= {1.0, 4.0, 8.0}
    assert cut_points(pl.Series([None, None], dtype=pl.Float64)) == ()


def test_template_tasks_share_a_tertile_of_the_baselines_input_length() -> None:
    """Without task ids the stratum is the template and the baseline's tertile, not each exact length."""
    lengths = {"baseline": [10, 20, 30, 40, 50, 60], "current": [5, 35, 900]}
    sides = {
        name: pl.DataFrame(
            {
                "task": [*(f"agent|root|hash|{n}" for n in values), "t1"],
                "task_source": [*("template" for _ in values), "declared"],
            }
        )
        for name, values in lengths.items()
    }
    baseline, current = module._in_tertiles(sides["baseline"], sides["current"])
    tertiles = [task.rpartition("|")[2] for task in baseline["task"].to_list()]
    assert tertiles == ["short", "short", "middle", "middle", "long", "long", "t1"]
    assert current["task"].to_list() == [
        "agent|root|hash|short",
        "agent|root|hash|middle",
        "agent|root|hash|long",
        "t1",
    ]


# -- one run at a time


@given(
    st.lists(st.one_of(st.integers(0, 9).map(float), st.floats(-1e3, 1e3)), min_size=1, max_size=30),
    st.lists(st.one_of(st.none(), st.floats(-2e3, 2e3)), max_size=20),
)
@examples(100)
def test_one_load_is_named_as_all_are(before: list[float], after: list[float | None]):
    """By the same cut points a load has the same name alone as in a table."""
    one, two = assign(declared(*before), declared(*before, *after))
    assert names(two) == [load_name(load, one.load_cuts) for load in [*before, *after]]


@given(
    st.lists(st.integers(0, 2**63 - 1), min_size=1, max_size=20),
    st.lists(
        st.one_of(
            st.builds("{}|{}".format, st.text("a|\n1", max_size=5), st.integers(0, 10**22)),
            st.text("a|1\n\u0663", max_size=8),
        ),
        max_size=10,
    ),
)
@examples(100)
def test_one_template_task_is_placed_as_all_are(lengths: list[int], tasks: list[str]):
    """The tertile of one task alone is that in a table, whatever it looks like."""
    before = Population(
        "b", runs(*(run(str(i), task=f"a|{n}", task_source="template") for i, n in enumerate(lengths)))
    )
    after = Population(
        "a", runs(*(run(str(i), task=task, task_source="template") for i, task in enumerate(tasks)))
    )
    limits = tertiles(before.runs)
    assert limits is not None
    one, two = assign(before, after)
    assert two.runs["task"].to_list() == [in_tertile(task, limits) for task in tasks]
    assert one.runs["task"].to_list() == [in_tertile(f"a|{n}", limits) for n in lengths]


def test_without_template_tasks_there_are_no_tertiles():
    """Declared tasks may end in a number: it is part of their name."""
    assert tertiles(runs(run("r", task="a|7", task_source="declared"))) is None
