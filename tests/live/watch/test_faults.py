"""A run that cannot be judged is marked; every other one is observed as if it had not come."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import polars as pl
import pytest

from sort_drift.live.watch import agent as agents
from sort_drift.live.watch.footing import Footing
from sort_drift.monitor import conformal, detector, evidence
from sort_drift.monitor import watch as watches
from tests.live.watch.fleets import EAGER, NAMES, fleet, kinds, one, restored, state_of, table, together

ODD = [float("nan"), float("inf"), float("-inf"), 1e308, -1e308, 1e101, 0.0, -0.0, 5e-324]


@pytest.mark.fault(56)
def test_values_that_are_no_numbers_are_missing_ones() -> None:
    """NaN, infinite and absurd values anywhere: no run fails, the state is JSON, other values count."""
    watched = fleet()
    runs = table(600, shift=1.5, at=400)
    for i, odd in enumerate(ODD):
        hit = pl.int_range(pl.len()) % 100 == 10 + i
        runs = runs.with_columns(busy_time=pl.when(hit).then(odd).otherwise("busy_time"))
    odd_loads = pl.Series([*ODD, -3.0, None] * 60)[:600]
    assert kinds(watched.observe(runs.with_columns(open_runs=odd_loads))) == ["alarm"]
    assert watched.failed == 0
    state_of(watched)
    assert one(watched).variables[1].missing == "not a number"
    assert one(watched).variables[1].observed == 600 - 6 * 6


COLUMNS: dict[str, Any] = {
    "texts for numbers": {name: pl.lit("many") for name in NAMES},
    "lists for numbers": {name: pl.concat_list(pl.lit(1.0)) for name in NAMES},
    "structs for numbers": {name: pl.struct(a=1) for name in NAMES},
    "numbers for texts": {name: pl.lit(7) for name in ("task", "agent", "service", "hardware")},
    "numbers for tools": {"tools": pl.lit(1)},
    "texts for times": {"start_ns": pl.lit("noon"), "end_ns": pl.lit("noon"), "open_runs": pl.lit("2")},
    "integers and booleans": {"retry_depth": pl.lit(1), "busy_time": pl.lit(value=True)},
    "times that no integer holds": {"end_ns": pl.lit(1e300), "start_ns": pl.lit(2**64 - 1, pl.UInt64)},
    "nothing": {name: pl.lit(None) for name in (*NAMES, "task", "agent", "tools", "start_ns", "open_runs")},
    "no ids": {"run_id": pl.lit(None, pl.String)},
}


@pytest.mark.fault(56)
@pytest.mark.parametrize("columns", COLUMNS.values(), ids=COLUMNS)
def test_columns_of_another_type_are_nulls(columns: dict[str, Any]) -> None:
    """A table that is not as it should be: what can be read is observed, and it is said what cannot."""
    watched = fleet()
    watched.observe(table(120))
    assert watched.observe(table(30, first=120, seed=2).with_columns(**columns)) == []
    watched.observe(table(30, first=150, seed=3))
    assert {kind for state in watched.agents() for kind in map(type, (state.runs, state.e_value))} == {
        int,
        float,
    }
    assert sum(state.runs for state in watched.agents()) + watched.failed == 180
    assert state_of(restored(watched)) == state_of(watched)
    wrong = [
        name for name, column in columns.items() if f"column {name} has type" in " ".join(watched.problems)
    ]
    assert bool(wrong) == any(
        word in str(columns) for word in ("many", "noon", "concat", "struct", "dyn int: 7")
    )


@pytest.mark.fault(56)
def test_columns_that_are_missing_are_nulls() -> None:
    """Only ids: runs of an agent without a name and without tasks."""
    watched = fleet()
    watched.observe(table(30).select("run_id"))
    assert (one(watched, "unnamed").taskless, watched.failed, list(watched.problems)) == (30, 0, [])


def test_endless_tools_are_not_scored() -> None:
    """A run with 200,000 tool calls costs no more than others, and says why it has no score."""
    watched = fleet(EAGER)
    watched.observe(table(60, order=True))
    watched.observe(table(1, first=60, tools=[["search"] * 200_000]))
    assert one(watched).variables[-1].missing == "more than 10,000 tools"


Break = Callable[[pytest.MonkeyPatch, Callable[[], bool]], None]


def breaking(module: Any, name: str) -> Break:
    """Return what makes a function raise whenever the time has come."""

    def on(patch: pytest.MonkeyPatch, now: Callable[[], bool]) -> None:
        works = getattr(module, name)

        def broken(*args: Any, **more: Any) -> Any:
            if now():
                raise ZeroDivisionError("injected")
            return works(*args, **more)

        patch.setattr(module, name, broken)

    return on


PLACES: dict[str, Break] = {
    "placing": breaking(Footing, "surprise"),
    "ranking": breaking(conformal, "rank"),
    "betting": breaking(detector, "step"),
    "keeping": breaking(conformal, "add"),
}


@pytest.mark.fault(56)
@pytest.mark.parametrize("broken", PLACES.values(), ids=PLACES)
def test_a_run_that_raises_leaves_no_trace(monkeypatch: pytest.MonkeyPatch, broken: Break) -> None:
    """Wherever in the monitor it raises: that run is marked, and the fleet is what it is without it."""
    runs = together(table(300, shift=1.5, at=200, order=True), table(200, agent="judge", seed=4, order=True))
    bad = {"coder-250", "judge-60", "coder-180"}
    rest, without = fleet(EAGER), fleet(EAGER)
    expected = without.observe(runs.filter(~pl.col("run_id").is_in(bad)))
    current, calls = [""], [0]

    def now() -> bool:
        calls[0] += current[0] in bad
        return current[0] in bad and calls[0] % 2 == 0  # after the first variable of a run was taken

    works = agents.Agent.observe

    def told(agent: agents.Agent, row: Any) -> Any:
        current[0], calls[0] = row.run_id, 0
        return works(agent, row)

    monkeypatch.setattr(agents.Agent, "observe", told)
    broken(monkeypatch, now if broken is not PLACES["placing"] else lambda: current[0] in bad)
    found = rest.observe(runs)
    assert rest.failed == 3
    assert len(rest.problems) == 3
    assert all("ZeroDivisionError: injected" in problem for problem in rest.problems)
    assert [(e.id, e.run_id) for e in found] == [(e.id, e.run_id) for e in expected]
    assert rest.agents() == without.agents()
    assert state_of(restored(rest)) == state_of(rest)


@pytest.mark.fault(56)
@pytest.mark.parametrize("place", ["weigh", "locate"])
def test_an_alarm_that_raises_is_raised_again(monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    """Evidence that cannot be found marks the run; the change is still there with the next run."""
    watched = fleet()
    module: Any = watches if place == "weigh" else evidence
    with monkeypatch.context() as patch:
        breaking(module, place)(patch, lambda: True)
        assert watched.observe(table(500, shift=1.5, at=350)) == []
    assert watched.failed > 0
    state_of(watched)
    assert one(watched).e_value < 1e4
    assert watched.open == ()
    events = watched.observe(table(100, seed=2, first=500, shift=1.5))
    assert kinds(events) == ["alarm"]


@pytest.mark.fault(56)
def test_learning_that_raises_begins_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """What could not be learnt is not tried again with every run."""
    watched = fleet()
    with monkeypatch.context() as patch:
        breaking(agents, "found_in")(patch, lambda: True)
        watched.observe(table(100))
    assert watched.failed == 1
    assert one(watched).learning == 100
    watched.observe(table(100, seed=2, first=100))
    assert one(watched).learning is None
