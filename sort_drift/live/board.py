"""What the service shows: runs of late, agents and their monitors, alarms, health. One writer, many readers.

The keeper's thread puts values here; page, metrics and webhooks take what is there. Everything that comes out
is immutable, so nobody waits for longer than a swap of references. ``version`` grows with every change.
"""

from __future__ import annotations

import asyncio
import threading
from collections import Counter, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import polars as pl

RUNS_SHOWN = 20_000
"""Runs that the page looks at; the store has all of them."""

EVENTS_SHOWN = 1_000


@dataclass(frozen=True, slots=True)
class Shift:
    """What an event says of one variable (``monitor.Evidence``, with the words of the variable)."""

    variable: str
    unit: str
    e_value: float
    onset_run: str
    onset_ns: int | None  # start of that run
    onset_interval: tuple[str, str]  # run ids, 95 %
    before: float | None
    after: float | None
    effect: float | None
    interval: tuple[float, float] | None  # 95 %
    tolerance: float
    n: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Happening:
    """An alarm, a change below its tolerance, or the end of an alarm."""

    id: str  # "<agent>/<run id>/<kind>": the same after a restart, and when monitors begin anew
    kind: Literal["alarm", "minor", "resolved"]
    agent: str
    run_id: str  # that decided it
    number: int  # of this run among those of the agent
    at_ns: int | None  # end of that run
    shifts: tuple[Shift, ...]  # the clearest first; of ``resolved`` the one that is back
    resolves: str = ""  # of ``resolved``: id of the alarm that is over


@dataclass(frozen=True, slots=True)
class VariableState:
    """One variable of one agent, as it is now."""

    name: str
    unit: str
    e_value: float
    alarm: str | None  # id of the open alarm
    latest: float | None  # mean of the last 20 runs that show it
    usual: float | None  # mean of what it is compared with
    observed: int  # runs that showed it
    missing: str  # why the last run without a value has none; "": all have


@dataclass(frozen=True, slots=True)
class AgentState:
    """One agent, as it is now."""

    name: str  # "<service>/<agent>", or what is known of it
    runs: int  # observed
    learning: int | None  # runs that are missing until it is watched; None: it is
    judged: int  # runs that had earlier ones of their task and regime
    taskless: int
    e_value: float
    variables: tuple[VariableState, ...]
    last_ns: int | None  # end of its last run
    per_day: float | None  # runs, over the last 24 hours of runs


@dataclass(frozen=True, slots=True)
class Health:
    """The service itself."""

    state: Literal["starting", "running", "draining", "failed"] = "starting"
    why: str = ""
    started_ns: int = 0
    spans_stored: int = 0  # in the store, sealed
    spans_waiting: int = 0  # in the journal: durable, not sealed yet
    runs_stored: int = 0
    runs_open: int = 0  # traces that are not over
    segments: int = 0
    store_bytes: int = 0
    flight_bytes: int = 0
    lag_s: float = 0.0  # age of the oldest journal that is not sealed
    assembly_lag_s: float = 0.0  # how late closed runs are measured
    last_ns: int | None = None  # when the last span came
    problems: tuple[str, ...] = ()  # segments in quarantine, webhooks that fail, ...


COUNTERS: Mapping[str, str] = {
    "requests": "requests answered with success",
    "refused": "requests refused as a whole: size, form, token, overload",
    "spans": "spans acknowledged",
    "logs": "log records acknowledged",
    "points": "metric data points used for load and hardware",
    "rejected": "spans, log records and data points rejected one by one",
    "deduplicated": "spans that had come before",
    "redacted": "spans whose content was replaced by hashes and lengths",
    "dropped_attributes": "attributes left out over the limit",
    "late": "spans of runs that were over",
    "runs": "runs measured",
    "revised": "runs measured again after late spans",
    "hurried": "runs called over early, because memory was short",
    "unwatched": "runs of agents over the limit, or that a monitor failed on",
    "errors": "runs that could not be measured",
    "webhooks": "webhook deliveries",
    "webhook_failures": "webhook deliveries that failed",
}
"""What is counted since the start -> what it is; a counter may have a reason as a label (``count``)."""


@dataclass(slots=True)
class Board:
    """The shared view. Writers call ``show`` and ``count``; readers read the attributes."""

    runs: pl.DataFrame = field(default_factory=pl.DataFrame)  # run table, oldest first
    agents: tuple[AgentState, ...] = ()
    health: Health = field(default_factory=Health)
    version: int = 0
    _events: deque[Happening] = field(default_factory=lambda: deque(maxlen=EVENTS_SHOWN))
    _counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _waiting: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = field(default_factory=list)

    @property
    def events(self) -> tuple[Happening, ...]:
        """Alarms and their ends, newest first."""
        with self._lock:
            return tuple(reversed(self._events))

    @property
    def open(self) -> tuple[Happening, ...]:
        """Alarms that are not over, newest first."""
        ids = {v.alarm for agent in self.agents for v in agent.variables if v.alarm}
        return tuple(event for event in self.events if event.id in ids)

    def count(self, name: str, by: int = 1, reason: str = "") -> None:
        """Add to a counter of COUNTERS."""
        if by:
            with self._lock:
                self._counts[name, reason] += by

    def counts(self) -> dict[str, int]:
        """Every counter of COUNTERS, over all reasons."""
        with self._lock:
            found = dict.fromkeys(COUNTERS, 0)
            for (name, _), value in self._counts.items():
                found[name] += value
            return found

    def reasons(self) -> dict[tuple[str, str], int]:
        """Every counter with its reasons."""
        with self._lock:
            return dict(self._counts)

    def show(
        self,
        *,
        runs: pl.DataFrame | None = None,
        agents: Iterable[AgentState] | None = None,
        events: Iterable[Happening] = (),
        health: Health | None = None,
    ) -> None:
        """Put new values on the board: ``runs`` in the place of the old ones, ``events`` beside them.

        Nobody is woken by a health that is as it was.
        """
        happened = tuple(events)
        if runs is None and agents is None and not happened and health == self.health:
            return
        with self._lock:
            if runs is not None:
                self.runs = runs.tail(RUNS_SHOWN)
            if agents is not None:
                self.agents = tuple(agents)
            if health is not None:
                self.health = health
            self._events.extend(happened)
            self.version += 1
            waiting, self._waiting = self._waiting, []
        for loop, event in waiting:
            try:
                loop.call_soon_threadsafe(event.set)
            except RuntimeError:  # its loop has ended
                continue

    async def change(self, version: int, patience_s: float) -> int:
        """Return the version once it is another than ``version``, or after ``patience_s`` seconds."""
        event = asyncio.Event()
        with self._lock:
            if self.version != version:
                return self.version
            self._waiting.append((asyncio.get_running_loop(), event))
        try:
            async with asyncio.timeout(patience_s):
                await event.wait()
        except TimeoutError:
            with self._lock:
                self._waiting = [(loop, e) for loop, e in self._waiting if e is not event]
        return self.version
