"""Traces that are quiet -> run tables, with what loaded the service when each run began."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from time import monotonic

import polars as pl

from sort_drift import pipeline, regimes
from sort_drift.live.board import Board
from sort_drift.live.keep.traces import Group, Traces
from sort_drift.live.settings import SELFTEST
from sort_drift.model import SERVICES

_INTERVALS = {
    "service": pl.String,
    "start_ns": pl.Int64,
    "end_ns": pl.Int64,
    "load": pl.Float64,
    "load_source": pl.String,
}
TOGETHER = 100_000
"""Spans measured at once: 0.5 GB at the peak."""

_KEPT = 20_000
"""Runs that are over whose times are kept, to count those that were open beside a later one."""


@dataclass(slots=True)
class Closing:
    """What measures; ``problems`` has what could not be measured, newest last."""

    traces: Traces
    board: Board
    problems: list[str] = field(default_factory=list)
    runs_of: dict[str, tuple[str, ...]] = field(default_factory=dict)  # trace -> the traces of its runs
    _over: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=_INTERVALS))

    def close(self, now: float) -> pl.DataFrame | None:
        """Return the run table of all runs that are over by now, in the order of their ends; None: no run."""
        tables = [table for groups in self._pieces(now) for table in self._measured(groups, now)]
        tables = [table for table in tables if table.height]
        if not tables:
            return None
        table = pl.concat(tables, how="diagonal_relaxed").sort("end_ns", "run_id", nulls_last=True)
        self.board.count("runs", table.height)
        return self._loaded(table)

    def _pieces(self, now: float) -> Iterator[list[Group]]:
        """Yield groups to measure at once: one alone costs 40 ms, whatever its size."""
        piece, spans = list[Group](), 0
        for group in self.traces.due(now):
            piece.append(group)
            spans += self.traces.size(group)
            if spans >= TOGETHER:
                yield piece
                piece, spans = [], 0
        if piece:
            yield piece

    def _measured(self, groups: list[Group], now: float) -> Iterator[pl.DataFrame]:
        """Yield the runs of some groups that are over; what fails is said, alone."""
        began = monotonic()
        frame = self.traces.frames([name for group in groups for name in group])
        try:
            table = pipeline.measure(frame)
        except Exception as error:  # noqa: BLE001 - one run must not end the service
            if len(groups) > 1:
                for group in groups:
                    yield from self._measured([group], now)
                return
            self.board.count("errors")
            why = f"trace {groups[0][0]} could not be measured: {type(error).__name__}: {error}"
            self.problems.append(why[:300])
            self.traces.over([name for name in groups[0] if self.traces.quiet(name, now)], now)
            return
        yield self._over_now(table, {name for group in groups for name in group}, now)
        span_s = (monotonic() - began) / max(frame.height, 1)
        for group in groups:
            self.traces.tried(group, now, span_s)

    def _over_now(self, table: pl.DataFrame, names: set[str], now: float) -> pl.DataFrame:
        """Return the rows of runs that are over since now, and call their traces so.

        Beside them there may be runs that were over before, which stay as they were measured.
        """
        quiet = {name for name in names if self.traces.quiet(name, now)}
        new = {name for name in quiet if self.traces.is_open(name)}
        lists = table["trace_ids"].to_list()
        waiting = {name for of in lists if not quiet.issuperset(of) for name in of}
        over = [quiet.issuperset(of) and not new.isdisjoint(of) for of in lists]
        table = table.filter(pl.Series(over, dtype=pl.Boolean))
        for of in table["trace_ids"].to_list():
            self.runs_of.update(dict.fromkeys(of, tuple(of)))
        self.board.count("revised", self.traces.over(new - waiting, now))
        return table

    def _loaded(self, table: pl.DataFrame) -> pl.DataFrame:
        """Return ``table`` with ``open_runs``: runs of the service that were open when each of them began."""
        mine = table.select(list(_INTERVALS))
        beside = self._beside(mine)
        counted = regimes.count_open(pl.concat([mine, beside], how="vertical"))["open_runs"][: table.height]
        self._over = pl.concat([self._over, mine.filter(pl.col("start_ns").is_not_null())]).tail(_KEPT)
        return table.with_columns(counted)

    def _beside(self, mine: pl.DataFrame) -> pl.DataFrame:
        """Return the times of the other runs: those that are over, and those that are not."""
        last = max((end for end in mine["end_ns"].to_list() if end is not None), default=0)
        rows = [(service, start, max(last, start) + 1, None, None) for service, start in self.traces.starts()]
        still = pl.DataFrame(rows, schema=_INTERVALS, orient="row")
        return pl.concat([self._over, still])

    def forget(self, now: float) -> None:
        """Let go of what was over for long."""
        for name in self.traces.forget(now, self.runs_of):
            self.runs_of.pop(name, None)


def of_agents(table: pl.DataFrame) -> pl.DataFrame:
    """Return the runs to watch: requests through services without an agent, and probes, are only stored."""
    watched = (pl.col("dialect") != SERVICES) & (pl.col("service") != SELFTEST)
    return table.filter(watched.fill_null(value=True))
