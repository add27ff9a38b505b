"""One run for the page: its row, and its execution graph, from memory and from the store."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from sort_drift import assembly, executions
from sort_drift.errors import SortDriftError
from sort_drift.exhibits import Execution
from sort_drift.live.board import Board
from sort_drift.live.keep.keeper import Keeper
from sort_drift.model import SPANS
from sort_drift.store import Store

NS = 1_000_000_000
AROUND_NS = 60 * NS
"""Spans of a run may begin before it and end after it, where clocks differ."""


@dataclass(frozen=True, slots=True)
class Graphs:
    """Looks runs up; safe from any thread."""

    board: Board
    keeper: Keeper
    store: Path

    def of(self, run_id: str) -> tuple[dict[str, Any] | None, Execution | None, str]:
        """Return the row of a run, its execution graph, and why there is none."""
        found = (
            self.board.runs.filter(pl.col("run_id") == run_id) if self.board.runs.width else pl.DataFrame()
        )
        if found.is_empty():
            found = Store.open(self.store).runs().filter(pl.col("run_id") == run_id)
        if found.is_empty():
            return None, None, "there is no such run"
        row = found.row(found.height - 1, named=True)
        try:
            return row, *self._execution(row)
        except SortDriftError as error:
            return row, None, error.what

    def _execution(self, row: dict[str, Any]) -> tuple[Execution | None, str]:
        traces: list[str] = row["trace_ids"]
        since = (row["start_ns"] or AROUND_NS) - AROUND_NS
        until = (row["end_ns"] or 2**62) + AROUND_NS
        stored = Store.open(self.store).spans_of(traces, since, until)
        memory = self.keeper.spans(traces)
        frame = pl.concat([pl.DataFrame(schema=SPANS), stored.select(*SPANS), memory.select(*SPANS)])
        runs, ops = assembly.assemble(
            frame.unique(["trace_id", "span_id", "log"], keep="last", maintain_order=True)
        )
        rows = runs.filter(pl.col("run_id") == row["run_id"]).to_dicts()
        if not rows:
            return None, "its spans are no longer in the store"
        return executions.execution(rows[0], ops), ""
