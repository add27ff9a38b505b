"""After a crash the service goes on from a state and gives stored tables again: nothing may differ."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sort_drift.live.board import Happening
from sort_drift.live.watch import Fleet
from tests.examples import examples
from tests.live.watch.fleets import (
    EAGER,
    VARIABLES,
    WATCHING,
    fleet,
    kinds,
    one,
    pieces,
    population,
    restored,
    state_of,
    table,
    together,
)

cuts = st.lists(st.integers(0, 10_000), max_size=6)
streams = st.builds(
    lambda seed, shift, at, turned, odd: together(
        table(90, seed=seed, shift=shift, at=at, order=True, turned=turned, gap=60),
        table(60, seed=seed + 1, agent="judge", shift=-shift, at=at // 2, gap=90, load_source="declared"),
        table(20, seed=seed + 2, agent=None, gap=300, task=odd * 10),
    ),
    st.integers(0, 50),
    st.sampled_from([0.0, 2.0, 5.0]),
    st.integers(24, 80),
    st.integers(30, 90),
    st.sampled_from([["a", None], ["u|r||12", "u|r||900"]]),
)


def observed(watched: Fleet, tables: list[pl.DataFrame]) -> list[Happening]:
    return [event for part in tables for event in watched.observe(part)]


@given(streams, cuts, cuts)
@examples(10)
def test_cut_anywhere_restored_anywhere(runs: pl.DataFrame, where: list[int], stops: list[int]) -> None:
    """One table, many tables, a fleet restored from JSON between them: same happenings, same state."""
    whole = fleet(EAGER)
    expected = whole.observe(runs)
    apart = fleet(EAGER)
    assert observed(apart, pieces(runs, where)) == expected
    assert state_of(apart) == state_of(whole)
    stopped, found = fleet(EAGER), []
    for part in pieces(runs, stops):
        stopped = restored(stopped)
        found += stopped.observe(part)
    assert found == expected
    assert state_of(stopped) == state_of(whole)
    assert restored(stopped).agents() == whole.agents()


@given(streams, st.integers(0, 170), st.integers(0, 170))
@examples(8)
def test_replayed_from_an_older_state(runs: pl.DataFrame, kept: int, crashed: int) -> None:
    """A state from before, then everything that was stored since, some of it known: nothing twice."""
    kept, crashed = sorted((min(kept, runs.height), min(crashed, runs.height)))
    whole = fleet(EAGER)
    expected = whole.observe(runs)
    first = fleet(EAGER)
    before = first.observe(runs[:kept])
    again = restored(first)
    first.observe(runs[kept:crashed])
    after = again.observe(runs[max(0, kept - 20) :])
    assert before + after == expected
    assert state_of(again) == state_of(whole)


def test_a_state_that_learns_from_a_baseline_goes_on() -> None:
    """With the same baseline, agents that come later are compared with it."""
    baseline = population(together(table(80, seed=8, order=True), table(80, seed=9, agent="judge")))
    runs = together(table(200, shift=2.0, at=100, order=True), table(60, seed=5, agent="judge", first=150))
    whole = fleet(WATCHING, baseline)
    expected = whole.observe(runs)
    assert "alarm" in kinds(expected)
    early = fleet(WATCHING, baseline)
    found = early.observe(runs[:140])
    again = restored(early, baseline=baseline)
    found += again.observe(runs[140:])
    assert found == expected
    assert state_of(again) == state_of(whole)


@pytest.mark.parametrize("runs", [60, 400])
def test_variables_tolerances_and_rates_may_change(runs: int) -> None:
    """What is no longer watched goes with its alarm, what is new begins empty, the others go on."""
    watched = fleet(replace(WATCHING, variables=("retry_depth", "busy_time"), by=("load",)))
    watched.observe(table(runs, shift=2.0, at=250, order=True))
    other = replace(watched.watching, variables=("tool_order", "busy_time"), tolerances={}, rate=1e-3)
    again = restored(watched, other)
    assert [v.name for v in one(again).variables] == ["order_surprise", "busy_time"]
    assert again.open == ()
    assert one(again).variables[1].observed == runs
    assert one(again).learning == one(watched).learning
    again.observe(table(200, seed=3, first=runs, order=True))
    assert one(again).variables[0].observed >= 140


def test_an_open_alarm_is_still_open_after_a_restart() -> None:
    """It is there to be shown, and its end names it."""
    watched = fleet()
    (alarm,) = watched.observe(table(500, shift=1.5, at=300))
    again = restored(watched)
    assert again.open == (alarm,)
    events = again.observe(table(300, seed=2, first=500))
    assert [(event.kind, event.resolves) for event in events] == [("resolved", alarm.id)]


DAMAGE: dict[str, Any] = {
    "version": {"version": 0},
    "geometry": {"geometry": 99},
    "no agents": {"agents": None},
    "an agent that is gone": {"agents": 2},
    "runs": {"failed": "many"},
    "hashes": {"known": "%%"},
    "half a hash": {"known": "AAAA"},
    "regimes": {"by": []},
    "baseline": {"baseline": "other"},
}


def lines(*values: Any) -> list[bytes]:
    """Return values as the lines of a state."""
    return [json.dumps(value).encode() for value in values]


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_state_is_refused(damage: dict[str, Any]) -> None:
    """A ValueError that says so: the service begins anew."""
    watched = fleet()
    watched.observe(table(30))
    head, agent = watched.lines()
    with pytest.raises(ValueError, match=r"the state of the monitors (is damaged|rests on another)"):
        Fleet.restore(lines({**json.loads(head), **damage}, json.loads(agent)), WATCHING, VARIABLES)
    for rest in ([], [head], [head, b"{}"], [head, agent[:-9]], [head, agent, agent[9:]], [agent]):
        with pytest.raises(ValueError, match="the state of the monitors"):
            Fleet.restore(rest, WATCHING, VARIABLES)


def test_another_baseline_is_another_state() -> None:
    """What was learnt from one baseline says nothing about another."""
    watched = fleet(baseline=population(table(50)))
    with pytest.raises(ValueError, match="another baseline"):
        restored(watched, baseline=population(table(51)))
    with pytest.raises(ValueError, match="another baseline"):
        restored(watched)


@given(st.data())
@examples(80)
def test_whatever_is_wrong_in_a_state_is_a_value_error(data: st.DataObject) -> None:
    """Any value anywhere in the state replaced by another: it is refused, or it is a fleet."""
    state = [json.loads(line) for line in STATE]
    place: Any = state
    for _ in range(data.draw(st.integers(0, 6))):
        children = list(place) if isinstance(place, dict) else list(range(len(place)))
        below = [key for key in children if isinstance(place[key], (dict, list)) and place[key]]
        if not below:
            break
        place = place[data.draw(st.sampled_from(below))]
    keys = list(place) if isinstance(place, dict) else list(range(len(place)))
    place[data.draw(st.sampled_from(keys))] = data.draw(
        st.sampled_from([None, "x", [], {}, [1], -1, 2**70, "\\ud800", [[1, 2, 3]]])
    )
    try:
        again = Fleet.restore(lines(*state), EAGER, VARIABLES)
    except ValueError:
        return
    assert isinstance(again.agents(), tuple)


def _state() -> list[bytes]:
    watched = fleet(EAGER)
    watched.observe(together(table(60, shift=5.0, at=40, order=True), table(10, agent="judge")))
    return state_of(watched)


STATE = _state()
