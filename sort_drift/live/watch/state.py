"""One agent as JSON and back: what comes next is the same, bit for bit.

What can be kept is declared (``Kept``) and checked on the way back, to the last value: a state comes from a
disk. The monitor's own part is made and read by ``monitor.state``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import msgspec

from sort_drift.geometry import order
from sort_drift.live.board import Happening
from sort_drift.live.watch.agent import Agent, Plan, Shown
from sort_drift.live.watch.footing import Basis, Footing
from sort_drift.live.watch.pace import Pace
from sort_drift.live.watch.rows import Row
from sort_drift.monitor import plain as plain_watch
from sort_drift.monitor import restore as restored_watch
from sort_drift.monitor.events import Stratum


class Track(msgspec.Struct):
    """A variable in ``monitor.plain``."""

    bets: list[float]
    e: float
    open: tuple[int, int, float, float] | None
    gaps: list[tuple[int, int]]


Values = tuple[int, list[float], list[int], tuple[int, float, float]]
"""A reference in ``monitor.plain``."""


class Monitor(msgspec.Struct):
    """What ``monitor.plain`` returns."""

    version: int
    agent: str
    variables: list[str]
    number: int
    learnt: int
    ranked: int
    taskless: int
    tracks: list[Track]
    references: list[tuple[str, str, list[Values]]]
    history: list[tuple[int, str, str, str, list[float | None]]]


class Footed(msgspec.Struct):
    """A footing; of the model of order the counts of each task, which sum up to those of all runs."""

    basis: Basis
    cuts: tuple[float, ...]
    lengths: tuple[float, float] | None
    transitions: list[tuple[str | None, list[tuple[str, str, int]]]] | None


class Kept(msgspec.Struct):
    """An agent."""

    watch: dict[str, Any]  # Monitor
    footing: Footed | None
    held: list[Row]
    runs: int
    last_run: str
    pace: Pace
    shown: dict[str, tuple[int, str, list[tuple[Stratum | None, float]]]]
    starts: list[tuple[int, int | None]]
    alarms: dict[str, str]
    happenings: list[Happening]


def encode(agent: Agent) -> bytes:
    """Return the whole state of an agent as a line of JSON; every float survives it exactly."""
    return msgspec.json.encode(kept(agent))


def kept(agent: Agent) -> Kept:
    """Return the whole state of an agent."""
    shown = zip(agent.plan.names, agent.shown, strict=True)
    return Kept(
        watch=plain_watch(agent.watch),
        footing=_footed(agent.footing) if agent.footing else None,
        held=agent.held,
        runs=agent.runs,
        last_run=agent.last_run,
        pace=agent.pace,
        shown={name: (one.observed, one.missing, list(one.recent)) for name, one in shown},
        starts=list(agent.starts),
        alarms={name: alarm.id for name, alarm in agent.alarms.items()},
        happenings=list({alarm.id: alarm for alarm in agent.alarms.values()}.values()),
    )


def decode(line: bytes, plan: Plan) -> Agent:
    """Return the agent that ``encode`` described, under ``plan``: its variables may come and go.

    Raises
    ------
    ValueError
        If the state is not one; LookupError, TypeError, AttributeError or msgspec's errors too.

    """
    found = msgspec.json.decode(line, type=Kept)
    had = msgspec.convert(found.watch, Monitor).variables
    agent = Agent(
        plan,
        restored_watch(found.watch, plan.settings),
        footing=_footing(found.footing) if found.footing else None,
        held=[_under(row, had, plan.names) for row in found.held],
        runs=found.runs,
        last_run=found.last_run,
        pace=found.pace,
        shown=[_shown(*found.shown[name]) if name in found.shown else Shown() for name in plan.names],
    )
    agent.starts.extend(found.starts)
    happenings = {happening.id: happening for happening in found.happenings}
    agent.alarms = {name: happenings[what] for name, what in found.alarms.items() if name in plan.names}
    if agent.alarms.keys() != agent.watch.open.keys():
        raise ValueError("open alarms without a monitor that has them, or the other way round")
    return agent


def _shown(observed: int, missing: str, recent: Sequence[tuple[Stratum | None, float]]) -> Shown:
    shown = Shown(observed, missing)
    shown.recent.extend(recent)
    return shown


def _under(row: Row, had: Sequence[str], names: Sequence[str]) -> Row:
    value, note = dict(zip(had, row.values, strict=True)), dict(zip(had, row.notes, strict=True))
    return row._replace(
        values=tuple(map(value.get, names)), notes=tuple(note.get(name, "") for name in names)
    )


def _footed(footing: Footing) -> Footed:
    model = footing.model
    counts = [
        (task, [(current, following, n) for (current, following), n in transitions.items()])
        for task, (transitions, _) in (model.by_task if model else {}).items()
    ]
    return Footed(footing.basis, footing.cuts, footing.lengths, counts if model else None)


def _footing(kept: Footed) -> Footing:
    model = None if kept.transitions is None else _model(kept.transitions)
    return Footing(kept.basis, kept.cuts, kept.lengths, model)


def _model(kept: Sequence[tuple[str | None, Sequence[tuple[str, str, int]]]]) -> order.Markov:
    everywhere: Counter[tuple[str, str]] = Counter()
    leaving: Counter[str] = Counter()
    by_task: dict[str | None, tuple[Counter[tuple[str, str]], Counter[str]]] = {}
    for task, counts in kept:
        transitions: Counter[tuple[str, str]] = Counter()
        left: Counter[str] = Counter()
        for current, following, n in counts:
            transitions[current, following] = n
            left[current] += n
        everywhere.update(transitions)
        leaving.update(left)
        by_task[task] = (transitions, left)
    states = len({following for _, following in everywhere} | {order.END}) + 1  # as order.fit has it
    return order.Markov(everywhere, leaving, by_task, states)
