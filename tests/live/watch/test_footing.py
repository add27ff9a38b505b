"""What runs are placed by: load, task and order, found once and frozen."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sort_drift import regimes
from sort_drift.geometry import order
from sort_drift.live.watch import rows
from sort_drift.live.watch.footing import Footing, band, found_in
from sort_drift.live.watch.rows import ORDER
from tests.live.watch.fleets import EAGER, NAMES, WATCHING, fleet, kinds, one, population, restored, table

loads = st.one_of(st.integers(0, 40).map(float), st.floats(0, 1e6))


@example([1.0, 2.2e-313], [1.7e308])
@given(st.lists(loads, min_size=1, max_size=30), st.lists(loads, max_size=20))
def test_bands_are_narrow_and_ordered(learnt: list[float], later: list[float]) -> None:
    """Loads of one band differ by less than half; a higher band has higher loads; each has a name."""
    cuts = regimes.cut_points(pl.Series(learnt))
    by_band: dict[str, list[float]] = {}
    for load in sorted(load for load in [*learnt, *later] if load > 1e-6):
        found = band(load, cuts)
        assert found
        assert found.split(" about ")[0] in regimes.LOAD_NAMES
        by_band.setdefault(found, []).append(load)
    assert all(
        high <= 1.5 * low * (1 + 1e-9) for low, *_, high in (v for v in by_band.values() if len(v) > 1)
    )
    assert sorted(by_band.values()) == list(by_band.values())


def test_cut_points_are_frozen_with_learning() -> None:
    """A day that goes on to ten times the load moves nothing: those loads are named as what they are."""
    watched = fleet()
    watched.observe(table(100))
    (agent,) = watched.watches.values()
    footing = agent.footing
    assert footing
    before = footing.cuts
    watched.observe(table(200, seed=2, first=100, open_runs=np.full(200, 60.0)))
    assert footing.cuts == before
    assert restored(watched).watches["shop/coder"].footing == footing
    strata = {regime for _, regime in agent.watch.references}
    assert "load=above baseline range about 57" in strata or any("above baseline" in name for name in strata)


def test_a_change_of_load_alone_is_no_alarm() -> None:
    """Values that follow the load are compared at like load, so that a busy week is not a change."""
    rng = np.random.default_rng(5)
    told, untold = (
        fleet(),
        fleet(EAGER.__class__(variables=NAMES, learn=100, by=(), tolerances={"retry_depth": 0.4})),
    )
    for week in range(4):
        n = 300
        load = np.round(np.exp(rng.normal(1.0 + 0.8 * (week % 2), 0.3, n))).clip(1)
        runs = table(n, seed=week, first=week * n, open_runs=load)
        runs = runs.with_columns(retry_depth=pl.col("retry_depth") + np.log(load) * 1.5)
        events = told.observe(runs), untold.observe(runs)
        assert events[0] == []
    assert one(untold).variables[0].alarm


@pytest.mark.parametrize("share", [0.4, 0.5])
def test_declared_load_is_the_basis_where_half_declare_it(share: float) -> None:
    """Once for each agent; a run that does not declare it then has no known load."""
    runs = table(100)
    said = pl.int_range(pl.len()) < share * 100
    runs = runs.with_columns(
        load=pl.when(said).then(7.0),
        load_source=pl.when(said).then(pl.lit("declared")).otherwise(pl.lit("inferred")),
    )
    footing, _ = found_in(list(rows.read(runs, NAMES)))
    first, last = (next(rows.read(runs[at], NAMES)) for at in (0, 99))
    if share < 0.5:
        assert footing.basis == "inferred"
        assert footing.load(first) == runs["open_runs"][0]
    else:
        assert footing.basis == "declared"
        assert (footing.load(first), footing.load(last)) == (7.0, None)
        assert footing.regime(last, ("load", "hardware")) == "load=unknown, hardware=unknown"
        assert footing.regime(first, ("load",)) == "load=normal about 7"


def test_a_baseline_brings_its_cut_points() -> None:
    """Those frozen with it, not those of the stream, nor those of its runs."""
    frozen = (1.0, 2.0, 3.0, 4.0, 5.0, 8.0, 9.0, 12.0)
    watched = fleet(baseline=population(table(100), frozen))
    watched.observe(table(1, seed=2))
    (agent,) = watched.watches.values()
    assert agent.footing
    assert agent.footing.cuts == frozen
    assert watched.load_names(table(3, open_runs=[4.0, 9.0, 13.0])).to_list() == [
        *("normal", "busy", "above baseline range")
    ]


def test_template_tasks_are_told_apart_by_the_tertile_of_their_length() -> None:
    """Each length would be a task of its own; the tertiles are those of what was learnt."""
    lengths = np.arange(1, 101) * 10
    runs = table(100, task=[f"coder|run|9f|{n}" for n in lengths], task_source="template")
    watched = fleet()
    watched.observe(runs)
    later = table(
        3, seed=2, first=100, task=["coder|run|9f|5", "coder|run|9f|5000", "x|1"], task_source="template"
    )
    watched.observe(later)
    tasks = [row.stratum[0] for row in watched.watches["shop/coder"].watch.history]
    assert set(tasks[:100]) == {f"coder|run|9f|{name}" for name in ("short", "middle", "long")}
    assert tasks[100:] == ["coder|run|9f|short", "coder|run|9f|long", "x|short"]
    placed = regimes.assign(population(runs), population(later))
    assert tasks == [*placed[0].runs["task"], *placed[1].runs["task"]]


def test_order_is_scored_by_a_model_of_half_of_what_was_learnt() -> None:
    """As a comparison with that baseline scores it; the half it was fitted on has no score."""
    runs = table(100, order=True)
    later = table(50, seed=2, first=100, order=True)
    learnt = list(rows.read(runs, [ORDER]))
    footing, fitted = found_in(learnt)
    assert len(fitted) == 50
    expected = order.against(runs, later)
    ids = expected[0].filter(pl.col("order_surprise").is_null())["run_id"]
    assert set(ids) == fitted
    found = [footing.surprise(row.tools, footing.task(row)) for row in rows.read(later, [ORDER])]
    assert found == expected[1]["order_surprise"].to_list()
    placed = [footing.place(row, [ORDER], (), fitted=row.run_id in fitted).values[ORDER] for row in learnt]
    assert placed == expected[0]["order_surprise"].to_list()


@pytest.mark.parametrize("frozen", [True, False], ids=["with a baseline", "without"])
def test_another_order_of_tools_is_an_alarm(*, frozen: bool) -> None:
    """Tools the other way round: found within a hundred runs; until then nothing is said."""
    watching = WATCHING.__class__(variables=("tool_order",), learn=100)
    history = table(200, order=True, run_id=[f"b{i}" for i in range(200)])
    watched = fleet(watching, population(history) if frozen else None)
    assert watched.observe(table(400, seed=2, order=True)) == []
    events = watched.observe(table(100, seed=3, first=400, order=True, turned=0))
    assert kinds(events) == ["alarm"]
    assert events[0].shifts[0].variable == "order_surprise"
    assert events[0].shifts[0].unit == "nats per operation"


def test_what_has_no_score_says_why() -> None:
    """No tools shown, no model, or a run that the model was fitted on."""
    watching = WATCHING.__class__(variables=("tool_order",), learn=20)
    watched = fleet(watching)
    watched.observe(table(20))
    watched.observe(table(1, first=20, order=True))
    assert one(watched).variables[0].missing == order.FEW
    watched = fleet(watching)
    watched.observe(table(20, order=True))
    assert one(watched).variables[0].missing == "the model was fitted on it"
    assert one(watched).variables[0].observed == 10
    watched.observe(table(1, first=20).with_columns(pl.lit("no tools").alias("order_surprise.note")))
    assert one(watched).variables[0].missing == "no tools"


def test_a_footing_without_anything_places_runs_all_the_same() -> None:
    """Nothing known of load, lengths and order: the task is what is left."""
    (row,) = rows.read(table(1), NAMES)
    footing = Footing("inferred", (), None, None)
    assert footing.place(row, NAMES, ("load",)).regime == "load=unknown"
    assert footing.surprise(["a"], "t") is None
