"""What one rendering sees: the board at one version, its runs with the columns that pages need.

Made once a version, whoever looks: 20,000 runs are placed in regimes and sorted by agent in about 0.1 s.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import polars as pl

from sort_drift import geometry, regimes
from sort_drift.live.board import AgentState, Board, Happening, Health, Shift, VariableState
from sort_drift.live.page import links
from sort_drift.live.settings import Settings
from sort_drift.model import RUNS, Variable
from sort_drift.monitor.feed import family
from sort_drift.report.markup import Html

RECENT = 120
"""Values of which a small line is made."""

UNNAMED = "unnamed"
"""An agent of which no span says anything."""


class NotThereError(Exception):
    """A page of something that the board does not have; the text says of what."""


@dataclass(frozen=True, slots=True)
class Screen:
    """One page before its frame."""

    title: str
    main: Html
    live: Literal["auto", "ask", "off"] = "auto"  # whether news replace it, are offered, or do not matter
    chart: bool = False  # it needs uPlot


@dataclass(frozen=True)
class View:
    """The board as it was at ``version``. Everything in it is immutable, or computed once."""

    settings: Settings
    version: int
    agents: tuple[AgentState, ...]
    health: Health
    events: tuple[Happening, ...]  # newest first
    open: tuple[Happening, ...]
    table: pl.DataFrame = field(repr=False)  # as the board has it
    reasons: Callable[[], Mapping[tuple[str, str], int]] = field(
        repr=False
    )  # Board.reasons: not of a version

    @cached_property
    def runs(self) -> pl.DataFrame:
        """The run table, oldest first, with ``agent_name`` and ``at_ns`` (end, else start)."""
        if not self.table.width:
            columns = {**RUNS, **dict.fromkeys(self.variables, pl.Float64)}
            return pl.DataFrame(schema={**columns, "agent_name": pl.String, "at_ns": pl.Int64})
        return self.table.with_columns(agent_name=agent_name(), at_ns=pl.coalesce("end_ns", "start_ns"))

    @cached_property
    def loads(self) -> pl.Series:
        """The names of the load of all runs, against the quantiles of each agent's own; some are None."""
        if "load_name" in self.runs.columns:
            return self.runs["load_name"]
        columns = ("load", "load_source", *(["open_runs"] if "open_runs" in self.runs.columns else []))
        facts = self.runs.select("agent_name", "service", "start_ns", "end_ns", *columns)
        named = facts.with_row_index("at").partition_by("agent_name")
        placed = [part.select("at", load_name=load_names(part)) for part in named]
        none = pl.DataFrame(schema={"at": pl.UInt32, "load_name": pl.String})
        return pl.concat([none, *placed]).sort("at")["load_name"]

    def of_agent(self, name: str) -> pl.DataFrame:
        """Return the runs of one agent, oldest first, with ``load_name``."""
        return self.runs.with_columns(load_name=self.loads).filter(agent_name=name)

    @cached_property
    def recent(self) -> Mapping[str, Mapping[str, list[float]]]:
        """The last values of each watched variable of each agent, oldest first: RECENT at most."""
        known = [n for n in names(self.agents) if n in self.runs.columns and self.runs.schema[n].is_numeric()]
        last = [pl.col(n).filter(pl.col(n).cast(pl.Float64).is_finite()).tail(RECENT) for n in known]
        found = self.runs.group_by("agent_name").agg(last) if known else self.runs.clear()
        return {row["agent_name"]: {n: row[n] for n in known} for row in found.iter_rows(named=True)}

    @cached_property
    def variables(self) -> Mapping[str, Variable]:
        """Every variable by name."""
        return geometry.variables()

    @cached_property
    def primary(self) -> tuple[str, ...]:
        """Variables that lists show: those that are watched."""
        return tuple(family(self.variables, self.settings.watching.variables))

    @cached_property
    def keys(self) -> Mapping[str, AgentState]:
        """Agents by their key in addresses."""
        return {links.key(agent.name): agent for agent in self.agents}

    def agent(self, given: str) -> AgentState:
        """Return the agent of a key, or of a name; NotThereError where the board has none."""
        found = self.keys.get(given) or next((a for a in self.agents if a.name == given), None)
        if found is None:
            raise NotThereError("No agent of this name has been seen since the service began.")
        return found

    def happening(self, given: str) -> Happening:
        """Return the event of a key, or of an id; NotThereError where the board has none."""
        for event in self.events:
            if given in (links.key(event.id), event.id):
                return event
        raise NotThereError("No alarm of this id is among the last events.")

    def still_open(self, event: Happening, shift: Shift) -> bool:
        """Say whether an alarm of a variable is not over."""
        states = (v for a in self.agents if a.name == event.agent for v in a.variables)
        return any(v.name == shift.variable and v.alarm == event.id for v in states)

    def end_of(self, event: Happening, shift: Shift) -> Happening | None:
        """Return what ended an alarm of a variable."""
        ends = (e for e in self.events if e.kind == "resolved" and e.resolves == event.id)
        return next((e for e in ends if any(s.variable == shift.variable for s in e.shifts)), None)

    def unit(self, name: str) -> str:
        """Return the unit of a variable."""
        known = self.variables.get(name)
        return known.unit if known else ""

    def tolerance(self, name: str, usual: float | None) -> float:
        """Return the smallest change of a variable that matters, in its unit."""
        given = self.settings.watching.tolerances.get(name)
        known = self.variables.get(name)
        if given is not None or known is None or known.tolerance is None:
            return given or 0.0
        return known.tolerance * (abs(usual or 0.0) if known.relative else 1.0)


def agent_name() -> pl.Expr:
    """Return what an agent is called, "<service>/<agent>" without what is not known (watch/rows.py).

    >>> frame = pl.DataFrame({"service": ["s", None, "s", ""], "agent": ["a", "a", None, None]})
    >>> frame.select(n=agent_name())["n"].to_list()
    ['s/a', 'a', 's', 'unnamed']
    """
    known = [pl.when(pl.col(name) != "").then(name) for name in ("service", "agent")]
    whole = pl.concat_str(known, separator="/", ignore_nulls=True)
    return pl.when(whole != "").then(whole).otherwise(pl.lit(UNNAMED))


def load_names(runs: pl.DataFrame) -> pl.Series:
    """Return what the load of each run is called, as ``regimes.assign`` does, against these runs."""
    counted = runs if "open_runs" in runs.columns else regimes.count_open(runs)
    declared = runs["load_source"].fill_null("") == "declared"
    load = runs["load"].set(~declared, None) if 2 * declared.sum() >= runs.height else counted["open_runs"]
    cuts = regimes.cut_points(load)
    return pl.Series("load_name", [regimes.load_name(x, cuts) for x in load], dtype=pl.String)


def series(runs: pl.DataFrame, name: str) -> list[float | None]:
    """Return the values of a variable, None where a run has no finite one."""
    if name not in runs.columns or not runs.schema[name].is_numeric():
        return [None] * runs.height
    value = pl.col(name).cast(pl.Float64)
    return runs.select(pl.when(value.is_finite()).then(value)).to_series().to_list()


def state_of(agent: AgentState, variable: str) -> VariableState | None:
    """Return a variable of an agent."""
    return next((v for v in agent.variables if v.name == variable), None)


def names(agents: Iterable[AgentState]) -> list[str]:
    """Return every variable that some agent has, in the order in which they come."""
    return list(dict.fromkeys(v.name for agent in agents for v in agent.variables))


class Look:
    """The last view, kept until the board changes."""

    def __init__(self, board: Board, settings: Settings) -> None:
        self._board, self._settings = board, settings
        self._lock = threading.Lock()
        self._last: View | None = None

    def __call__(self) -> View:
        """Return the board as it is now."""
        board = self._board
        with self._lock:
            if self._last is None or self._last.version != board.version:
                self._last = View(
                    self._settings,
                    board.version,
                    board.agents,
                    board.health,
                    board.events,
                    board.open,
                    board.runs,
                    board.reasons,
                )
            return self._last
