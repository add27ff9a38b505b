"""Run tables go into a fleet, happenings come out: learning, alarms, their ends, what the page is told."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest

from sort_drift.live.settings import Watching
from sort_drift.live.watch import Fleet, rows
from sort_drift.live.watch import fleet as module
from sort_drift.monitor import Event, Evidence
from tests.live.watch.fleets import (
    NAMES,
    NOON,
    SECOND,
    VARIABLES,
    WATCHING,
    fleet,
    kinds,
    one,
    population,
    restored,
    state_of,
    table,
    together,
)


def test_an_agent_is_learnt_then_watched() -> None:
    """The first hundred runs are missing one by one, then there is an end to learning, and no event."""
    watched = fleet()
    assert watched.observe(table(40)) == []
    state = one(watched)
    assert (state.runs, state.learning, state.judged, state.e_value) == (40, 60, 0, 0.0)
    assert watched.observe(table(400, seed=2, first=40)) == []
    state = one(watched)
    assert (state.runs, state.learning) == (440, None)
    assert 330 <= state.judged <= 340
    assert 0 < state.e_value < 1e4
    assert [v.name for v in state.variables] == ["retry_depth", "busy_time"]


def test_an_alarm_says_when_and_how_much_and_its_end_names_it() -> None:
    """A shift of 1.5 sd at run 400: an alarm with onset and size in the unit, and later the end of it."""
    watched = fleet()
    events = watched.observe(table(700, shift=1.5, at=400))
    assert kinds(events) == ["alarm"]
    alarm = events[0]
    assert alarm.id == f"shop/coder/coder-{alarm.number}/alarm"
    assert (alarm.agent, alarm.run_id) == ("shop/coder", f"coder-{alarm.number}")
    assert 400 <= alarm.number < 460
    assert alarm.at_ns == NOON + alarm.number * 60 * SECOND
    shift = alarm.shifts[0]
    assert (shift.variable, shift.unit, shift.tolerance) == ("retry_depth", "re-attempts", 0.4)
    onset = int(shift.onset_run.removeprefix("coder-"))
    assert abs(onset - 400) <= 10
    assert shift.onset_ns == NOON + onset * 60 * SECOND - 30 * SECOND
    low, high = (int(run.removeprefix("coder-")) for run in shift.onset_interval)
    assert low <= 400 <= high
    assert shift.effect == pytest.approx(1.5, abs=0.8)
    assert shift.interval
    assert one(watched).variables[0].alarm == alarm.id
    assert one(watched).variables[1].alarm is None
    assert [*watched.open] == [alarm]
    events = watched.observe(table(400, seed=2, first=700))
    assert kinds(events) == ["resolved"]
    assert events[0].resolves == alarm.id
    assert events[0].id == f"shop/coder/coder-{events[0].number}/resolved"
    assert watched.open == ()
    assert one(watched).variables[0].alarm is None


def test_a_change_below_tolerance_is_minor() -> None:
    """It is said and opens nothing."""
    watched = fleet(replace(WATCHING, tolerances={"retry_depth": 3.0, "busy_time": 3.0}))
    events = watched.observe(table(700, shift=1.0, at=400))
    assert set(kinds(events)) == {"minor"}
    assert watched.open == ()


def test_latest_and_usual_differ_by_the_change_alone() -> None:
    """Means over the same twenty runs: of their values, and of what their tasks had before."""
    watched = fleet()
    watched.observe(table(600, shift=2.0, at=450))
    moved, other = one(watched).variables
    assert moved.latest is not None
    assert moved.usual is not None
    assert moved.latest - moved.usual == pytest.approx(2.0, abs=0.8)
    assert other.latest == pytest.approx(other.usual, abs=0.8)
    assert (moved.observed, moved.missing) == (600, "")


def test_what_is_missing_says_why() -> None:
    """The note of the last run without a value, and how many runs showed it."""
    watched = fleet()
    runs = table(150).with_columns(
        busy_time=pl.when(pl.int_range(pl.len()) % 3 > 0).then("busy_time"),
        **{"busy_time.note": pl.when(pl.int_range(pl.len()) % 3 == 0).then(pl.lit("no times shown"))},
    )
    watched.observe(runs)
    state = one(watched).variables[1]
    assert (state.observed, state.missing) == (100, "no times shown")


def test_a_run_counts_once() -> None:
    """The same table twice, or a preloaded id: observed once; that is how tables are replayed."""
    watched = fleet()
    watched.seen(["coder-0", "coder-1"])
    watched.observe(table(50))
    watched.observe(table(50))
    assert one(watched).runs == 48


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the limit the run observed longest ago is forgotten."""
    monkeypatch.setattr(module, "REMEMBERED", 30)
    watched = fleet()
    watched.observe(table(50))
    assert len(watched.known) == 30
    watched.observe(table(50)[30:])
    assert one(watched).runs == 50
    watched.observe(table(50)[:10])
    assert one(watched).runs == 60


def test_agents_are_named_by_what_is_known() -> None:
    """Service and agent, or either, or neither."""
    watched = fleet()
    for service, agent in (("shop", "coder"), (None, "coder"), ("shop", None), (None, None)):
        watched.observe(
            table(3, service=service, agent=agent, run_id=[f"{service}{agent}{i}" for i in "abc"])
        )
    assert [agent.name for agent in watched.agents()] == ["shop/coder", "coder", "shop", "unnamed"]


def test_agents_beyond_the_limit_are_counted() -> None:
    """They are not watched, and those that are go on."""
    watched = fleet(replace(WATCHING, agents=2))
    watched.observe(together(*(table(10, agent=name) for name in "abc")))
    assert [agent.name for agent in watched.agents()] == ["shop/a", "shop/b"]
    assert watched.unwatched == 10
    watched.observe(table(5, agent="a", first=10))
    assert one(watched, "shop/a").runs == 15


def test_runs_without_a_task_are_counted_and_held_by_nobody() -> None:
    """There is nothing to compare them with: they teach nothing either."""
    watched = fleet()
    watched.observe(table(60, task=[None, "t1"] * 30))
    state = one(watched)
    assert (state.runs, state.taskless, state.learning) == (60, 30, 70)
    assert watched.taskless == 30


def test_agents_are_independent() -> None:
    """What one agent does changes nothing of another one's happenings or state."""
    runs = table(600, shift=1.5, at=400, order=True)
    alone, beside = fleet(), fleet()
    expected = alone.observe(runs)
    found = beside.observe(
        together(runs, *(table(600, agent=name, seed=7, shift=2.0, at=300) for name in "xy"))
    )
    assert [event for event in found if event.agent == "shop/coder"] == expected
    assert {event.agent for event in found} == {"shop/coder", "shop/x", "shop/y"}
    assert one(beside) == one(alone)


def test_new_strata_are_harmless() -> None:
    """Tasks, loads and hardware that nobody has seen leave every e-value where it was."""
    watched = fleet(replace(WATCHING, by=("load", "hardware")))
    watched.observe(table(300, hardware="h100"))
    before = [v.e_value for v in one(watched).variables]
    odd: dict[str, Any] = {"retry_depth": 1e6, "busy_time": -1e6}
    watched.observe(table(60, seed=2, first=300, task=[f"new {i}" for i in range(60)], **odd))
    assert [v.e_value for v in one(watched).variables] == before
    watched.observe(table(1, first=360, seed=2, open_runs=1e5, hardware="h100", **odd))
    watched.observe(table(1, first=361, seed=2, hardware="tpu", **odd))
    assert [v.e_value for v in one(watched).variables] == before


def test_a_change_is_accepted() -> None:
    """The alarm ends with the change as it is now, and a return to what was before is the next alarm."""
    watched = fleet()
    alarm = watched.observe(table(600, shift=1.5, at=300))[0]
    over = watched.accept("shop/coder", "retry_depth")
    assert (over.kind, over.resolves, over.number) == ("resolved", alarm.id, 599)
    assert (over.run_id, over.at_ns) == ("coder-599", NOON + 599 * 60 * SECOND)
    assert over.id == "shop/coder/coder-599/accepted/retry_depth"
    then, now = alarm.shifts[0], over.shifts[0]
    assert (now.onset_run, now.onset_ns, now.onset_interval) == (
        then.onset_run,
        then.onset_ns,
        then.onset_interval,
    )
    assert now.n[1] > then.n[1]
    assert now.effect == pytest.approx(1.5, abs=0.3)
    assert watched.open == ()
    again = restored(watched)
    events = watched.observe(table(300, seed=3, first=600))
    assert kinds(events) == ["alarm"]
    assert again.observe(table(300, seed=3, first=600)) == events
    assert (events[0].shifts[0].effect or 0) < -0.8


@pytest.mark.parametrize("who", [("shop/coder", "busy_time"), ("nobody", "retry_depth"), ("shop/coder", "x")])
def test_only_an_open_alarm_can_be_accepted(who: tuple[str, str]) -> None:
    """Anything else is a KeyError and changes nothing."""
    watched = fleet()
    watched.observe(table(600, shift=1.5, at=300))
    before = state_of(watched)
    with pytest.raises(KeyError):
        watched.accept(*who)
    assert state_of(watched) == before


def test_two_variables_that_are_over_with_one_run_have_two_ids() -> None:
    """Ids of happenings are unique, also where one run decides two ends."""
    watched = fleet()
    alarm = watched.observe(table(600, shift=1.5, at=300))[0]
    (agent,) = watched.watches.values()
    evidence = Evidence("retry_depth", 1e4, 590, "coder-590", (580, 595), 1.0, 0.0, -1.0, None, 0.4, (9, 9))
    events = [
        Event("resolved", "shop/coder", 599, "coder-599", (replace(evidence, variable=name),))
        for name in NAMES
    ]
    (row,) = rows.read(table(600)[-1:], NAMES)
    found = agent._happenings(events, row)
    assert [happening.id for happening in found] == [
        "shop/coder/coder-599/resolved",
        "shop/coder/coder-599/resolved/busy_time",
    ]
    assert [happening.resolves for happening in found] == [alarm.id, ""]


def test_the_pace_is_that_of_the_last_day() -> None:
    """One run a minute is 1,440 a day; less than an hour of runs says nothing."""
    watched = fleet()
    watched.observe(table(50))
    assert one(watched).per_day is None
    watched.observe(table(3000, first=50))
    assert one(watched).per_day == pytest.approx(1440, rel=0.01)
    assert one(watched).last_ns == NOON + 3049 * 60 * SECOND


def test_nothing_to_learn_is_watched_at_once() -> None:
    """Without learning the first runs of each task are what later ones are compared with."""
    watched = fleet(replace(WATCHING, learn=0))
    assert watched.observe(table(1)) == []
    assert one(watched).learning is None
    assert kinds(watched.observe(table(600, seed=3, shift=1.5, at=400, first=1)))[0] == "alarm"


def test_what_does_not_exist_cannot_be_watched() -> None:
    """A variable or regime with a typing mistake is found at the start."""
    for watching in (Watching(variables=("retry_dept",)), Watching(by=("loud",))):
        with pytest.raises(KeyError):
            Fleet(watching, VARIABLES)


def test_every_primary_variable_is_watched_by_default() -> None:
    """Budget and time are two variables, order is one that is scored here; with their own tolerances."""
    settings = fleet(Watching()).plan.settings
    assert [v.name for v in settings.variables] == [
        *("branching_width", "retry_depth", "context_retention", "order_surprise", "budget_used", "busy_time")
    ]
    assert settings.variables[-1].tolerance == pytest.approx(math.log(1.2))


def test_a_baseline_takes_the_place_of_learning() -> None:
    """Watched from the first run on, against the baseline, which is there in full."""
    watched = fleet(baseline=population(table(300, service="ci", run_id=[f"b{i}" for i in range(300)])))
    watched.observe(table(1, seed=2))
    state = one(watched)
    assert (state.learning, state.runs) == (None, 1)
    events = watched.observe(table(200, seed=3, first=1, shift=1.5))
    assert kinds(events) == ["alarm"]
    assert events[0].shifts[0].n[0] > 100
    assert events[0].number > 300


@pytest.mark.parametrize(
    ("frozen", "stream", "used"),
    [
        ([("shop", "coder")], ("shop", "coder"), 40),
        ([("ci", "coder")], ("shop", "coder"), 40),
        ([("ci", "coder"), ("shop", "coder")], ("shop", "coder"), 40),
        ([("ci", "coder"), ("eu", "coder")], ("shop", "coder"), 80),
        ([("ci", None)], ("shop", "coder"), 40),
        ([("ci", "coder")], (None, None), 40),
        ([("ci", "coder"), ("ci", "judge")], (None, None), 0),
        ([("ci", "coder")], ("ci", "judge"), 0),
    ],
    ids=["same", "elsewhere", "same first", "several", "no name", "no name now", "which", "another"],
)
def test_whose_baseline_it_is(
    frozen: list[tuple[str | None, str | None]], stream: tuple[str | None, str | None], used: int
) -> None:
    """By service and agent, by agent alone, or the only one where a name is missing; never another's."""
    parts = [
        table(40, service=service, agent=agent, run_id=[f"{service}{agent}{i}" for i in range(40)])
        for service, agent in frozen
    ]
    watched = fleet(baseline=population(pl.concat(parts)))
    watched.observe(table(1, service=stream[0], agent=stream[1]))
    (agent,) = watched.watches.values()
    assert agent.watch.learnt == used
    assert (agent.learning is None) is (used > 0)


def test_the_page_names_loads_as_the_monitor_does() -> None:
    """By the frozen cut points of each agent; not known while it learns."""
    watched = fleet()
    runs = table(101, open_runs=np.r_[np.arange(1.0, 101.0), 500.0])
    assert watched.load_names(runs).null_count() == 101
    watched.observe(runs)
    names = watched.load_names(runs)
    assert (names[0], names[49], names[89], names[99], names[100]) == (
        *("normal", "normal", "busy", "saturated", "above baseline range"),
    )
