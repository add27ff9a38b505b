"""All agents of the service, watched run by run. One thread.

A run belongs to the agent that made it, "<service>/<agent>"; each has a monitor, and a footing, of its own.
What one agent does changes nothing of another one's numbers, but for the limit on how many are watched.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from hashlib import blake2b
from typing import Any, Self

import msgspec
import numpy as np
import polars as pl

from sort_drift import regimes
from sort_drift.live.board import AgentState, Happening
from sort_drift.live.settings import Watching
from sort_drift.live.watch import rows, show, state
from sort_drift.live.watch.agent import Agent, Plan
from sort_drift.live.watch.baseline import Baseline
from sort_drift.live.watch.rows import ORDER, Row
from sort_drift.model import GEOMETRY_VERSION, Population, Variable
from sort_drift.monitor import Settings, Watch
from sort_drift.monitor.feed import REGIMES, watched
from sort_drift.regimes import load_name

VERSION = 1
"""Of the state."""

CAPACITY = 400
"""Values kept of a variable in a stratum: 20 MB an agent with six variables in 150 strata, where 1,000 would
take 51; 200 are enough (monitor-results.md)."""

REMEMBERED = 500_000
"""Runs known to have been observed, the last ones: 49 MB."""

_DAMAGE = (ValueError, LookupError, TypeError, AttributeError, OverflowError, msgspec.MsgspecError)
"""What a state that is not one raises."""

PROBLEMS = 100
"""Reasons kept; ``failed`` counts all."""


@contextmanager
def _undamaged() -> Iterator[None]:
    """Say of whatever a state that is not one raises that it is damaged."""
    try:
        yield
    except _DAMAGE as error:
        raise ValueError(f"the state of the monitors is damaged: {error!r}") from error


class Fleet:
    """The monitors of all agents.

    Attributes
    ----------
    failed
        Runs that a monitor raised on: marked, not observed, never tried again.
    unwatched
        Runs of agents beyond ``watching.agents``.
    problems
        Why runs failed, and columns that could not be read, the last 100.

    """

    def __init__(
        self, watching: Watching, variables: Mapping[str, Variable], baseline: Population | None = None
    ) -> None:
        """Watch nothing yet.

        Raises
        ------
        KeyError
            If a variable or a regime that is to be watched does not exist.

        """
        self.watching = watching
        family = watched(variables, watching.variables, watching.tolerances)
        for name in watching.by:
            REGIMES[name]
        self.plan = Plan(
            settings=Settings(family, rate=watching.rate, seed=watching.seed, capacity=CAPACITY),
            names=tuple(variable.name for variable in family),
            units={variable.name: variables[variable.name].unit for variable in family},
            by=watching.by,
            learn=watching.learn,
        )
        self.baseline = Baseline(baseline) if baseline is not None and len(baseline) else None
        self.watches: dict[str, Agent] = {}
        self.failed = 0
        self.unwatched = 0
        self.problems: deque[str] = deque(maxlen=PROBLEMS)
        self._states: dict[str, AgentState] = {}  # of agents that made no run since: 0.35 ms each
        self.known: dict[int, None] = {}  # 64-bit hashes of run ids, those observed last are last

    def observe(self, table: pl.DataFrame) -> list[Happening]:
        """Take the runs of a run table, in its order: that in which they were over.

        Columns: those of RUNS, three a variable, and ``open_runs``. However the same runs are cut into
        tables, the happenings are the same. A run that was observed before is left out, so that tables can
        be given again after a crash; a run measured anew after late spans counts as it was first.
        """
        for problem in rows.unusable(table, self.plan.names):
            self._said(problem)
        happenings: list[Happening] = []
        for row in rows.read(table, self.plan.names):
            if row.run_id is None:
                self._mark("?", ValueError("a run without an id"))
            elif self._first(row.run_id):
                try:
                    happenings += self._observe(row)
                except Exception as error:  # noqa: BLE001 one run that cannot be judged stops nobody
                    self._mark(row.run_id, error)
        return happenings

    def placed(self, table: pl.DataFrame) -> pl.DataFrame:
        """Return a run table, for people, with ``load_name`` and ``order_surprise`` as the monitors see them.

        Both are null while an agent learns.
        """
        found = list(map(self._placed, rows.read(table, ())))
        return table.with_columns(
            pl.Series("load_name", [name for name, _ in found], dtype=pl.String),
            pl.Series(ORDER, [surprise for _, surprise in found], dtype=pl.Float64),
        )

    def _placed(self, row: Row) -> tuple[str | None, float | None]:
        agent = self.watches.get(row.name)
        if agent is None or agent.footing is None:
            return None, None
        footing = agent.footing
        return regimes.load_name(footing.load(row), footing.cuts), footing.surprise(
            row.tools, footing.task(row)
        )

    def seen(self, run_ids: Iterable[str]) -> None:
        """Leave these runs out when they come."""
        for run_id in run_ids:
            self._first(run_id)

    def accept(self, agent: str, variable: str) -> Happening:
        """Make the change of an open alarm the normal from now on, and return the end of the alarm.

        It is no run, so it cannot be replayed: keep the state after it.

        Raises
        ------
        KeyError
            If there is no such agent, or no open alarm of the variable.

        """
        watched = self.watches[agent]
        self._states.pop(agent, None)
        return watched.accept(variable)

    def agents(self) -> tuple[AgentState, ...]:
        """Return every agent that is watched or learns, in the order in which they came."""
        for name, agent in self.watches.items():
            if name not in self._states:
                self._states[name] = show.state(agent)
        return tuple(self._states[name] for name in self.watches)

    def load_names(self, table: pl.DataFrame) -> pl.Series:
        """Return ``load_name`` of each run by the cut points of its agent; null where they are not known."""
        agents = [(self.watches.get(row.name), row) for row in rows.read(table, ())]
        footed = [(agent.footing if agent else None, row) for agent, row in agents]
        names = [footing and load_name(footing.load(row), footing.cuts) for footing, row in footed]
        return pl.Series("load_name", names, dtype=pl.String)

    @property
    def open(self) -> tuple[Happening, ...]:
        """Alarms that are not over, each once, by agent."""
        found = [alarm for agent in self.watches.values() for alarm in agent.alarms.values()]
        return tuple({alarm.id: alarm for alarm in found}.values())

    @property
    def taskless(self) -> int:
        """Runs that had no task, so that there is nothing to compare them with."""
        return sum(agent.watch.taskless for agent in self.watches.values())

    def lines(self) -> Iterator[bytes]:
        """Yield the whole state: a line of JSON of the fleet, and one of each agent (50 kB to 20 MB)."""
        yield msgspec.json.encode(
            {
                **self._stamp(),
                "failed": self.failed,
                "unwatched": self.unwatched,
                "problems": list(self.problems),
                "known": b64encode(np.fromiter(self.known, "<u8", len(self.known)).tobytes()).decode(),
                "agents": len(self.watches),
            }
        )
        yield from map(state.encode, self.watches.values())

    @classmethod
    def restore(
        cls,
        lines: Iterable[bytes],
        watching: Watching,
        variables: Mapping[str, Variable],
        baseline: Population | None = None,
    ) -> Self:
        """Return the fleet that ``lines`` described: it goes on as if it had never stopped.

        Rate, tolerances, limit and the runs to learn may differ. A variable that is new begins without
        earlier values, one that is no longer watched is dropped.

        Raises
        ------
        ValueError
            If the state is damaged, or rests on something else: another version, geometry, baseline, or
            other regimes. A new fleet has to begin then.

        """
        fleet = cls(watching, variables, baseline)
        rest = iter(lines)
        with _undamaged():
            head = msgspec.json.decode(next(rest, b""), type=dict[str, Any])
        for name, now in fleet._stamp().items():
            if head.get(name) != now:
                raise ValueError(f"the state of the monitors rests on another {name}: {head.get(name)!r}")
        with _undamaged():
            fleet._fill(head, rest)
        return fleet

    def _stamp(self) -> dict[str, Any]:
        """Return what must be the same for a state to go on."""
        return {
            "version": VERSION,
            "geometry": GEOMETRY_VERSION,
            "baseline": self.baseline.fingerprint if self.baseline else "",
            "by": list(self.plan.by),
        }

    def _fill(self, head: Mapping[str, Any], lines: Iterable[bytes]) -> None:
        self.failed, self.unwatched = int(head["failed"]), int(head["unwatched"])
        self.problems.extend(map(str, head["problems"]))
        self.known = dict.fromkeys(np.frombuffer(b64decode(head["known"], validate=True), "<u8").tolist())
        for line in lines:
            agent = state.decode(line, self.plan)
            self.watches[agent.name] = agent
        if len(self.watches) != head["agents"]:
            raise ValueError(f"{len(self.watches)} of {head['agents']} agents")

    def _observe(self, row: Row) -> list[Happening]:
        agent = self.watches.get(row.name)
        if agent is None:
            if len(self.watches) >= self.watching.agents:
                self.unwatched += 1
                return []
            agent = Agent(self.plan, Watch(row.name, self.plan.settings))
            earlier = self.baseline.of(row.service, row.agent, self.plan.names) if self.baseline else []
            if earlier and self.baseline:
                agent.begin(earlier, self.baseline.footing)
            elif not self.plan.learn:
                agent.begin([])
            self.watches[row.name] = agent
        self._states.pop(row.name, None)
        return agent.observe(row)

    def _first(self, run_id: str) -> bool:
        """Remember a run; true where it was not known."""
        key = int.from_bytes(blake2b(run_id.encode(), digest_size=8).digest(), "little")
        if key in self.known:
            return False
        self.known[key] = None
        if len(self.known) > REMEMBERED:
            del self.known[next(iter(self.known))]
        return True

    def _mark(self, run_id: str, error: Exception) -> None:
        self.failed += 1
        self._said(f"run {run_id}: {type(error).__name__}: {error}"[:300])

    def _said(self, problem: str) -> None:
        if problem not in self.problems:
            self.problems.append(problem)
