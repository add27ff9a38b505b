"""What the runs of one agent are placed by, once and for all: cut points of load, lengths, order of tools.

Found in the runs that the agent is compared with, its baseline or the first that it made, and frozen: cut
points that move along with the load turn every change of load into a finding (regimes.py). Loads outside of
their range are compared with their like only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import log
from typing import Literal

import polars as pl

from sort_drift import regimes
from sort_drift.geometry import order
from sort_drift.live.watch.rows import ORDER, Row
from sort_drift.monitor import Run

Basis = Literal["declared", "inferred"]

FITTED = "the model was fitted on it"
LONGEST = 10_000
"""Tools in a row whose order is scored: 10 ms. A run can have 200,000."""

TOO_LONG = f"more than {LONGEST:,} tools"

_REMEMBERED = 50_000
"""Transitions whose score is kept at hand."""


STEP = 1.5
"""Loads of one band, each to the next."""

_MOST_STEPS = 1_700
"""A larger power of STEP is no float: a load of 1e299 times the median is a band of its own."""


def band(load: float | None, cuts: Sequence[float]) -> str | None:
    """Return the band of a load and the name of its middle (``regimes.load_name``); None: not known.

    Bands are a factor of STEP wide, around the frozen median: runs are compared at like load, whatever part
    of the day was learnt. The three names are too wide for that: with 200 runs learnt of days of 500 they
    raise 2.6 false alarms in 10,000 runs, 9 where there are three runs at a time, bands .65 and .90. Changes
    are found as soon (77 runs, of .5 sd); bands of 2 raise 1.4 and 2.0, quintiles .72 and 2.7.

    >>> cuts = (1.0, 2.0, 3.0, 4.0, 5.0, 8.0, 9.0, 12.0)
    >>> [band(load, cuts) for load in (4.0, 3.5, 9.0, 30.0, None)]
    ['normal about 4', 'normal about 4', 'busy about 9', 'above baseline range about 30.4', None]
    """
    if load is None or not cuts:
        return None
    median = cuts[regimes.QUANTILES.index(0.5)]
    middle = median if median > 0 else 1.0
    if load > 0:
        steps = round((log(load) - log(middle)) / log(STEP))
        load = middle * STEP**steps if steps < _MOST_STEPS else load
    return f"{regimes.load_name(load, cuts)} about {load:.3g}"


@dataclass(slots=True)
class Footing:
    """Frozen: only ``scores`` changes, which makes nothing but speed."""

    basis: Basis  # of load
    cuts: tuple[float, ...]  # quantiles of it (regimes.QUANTILES); empty: not known
    lengths: tuple[float, float] | None  # tertiles of user input in template tasks
    model: order.Markov | None  # of the order of tools
    scores: dict[tuple[str | None, str, str], float] = field(default_factory=dict)

    def task(self, row: Row) -> str | None:
        """Return the task within which a run is compared."""
        if row.template and row.task is not None and self.lengths:
            return regimes.in_tertile(row.task, self.lengths)
        return row.task

    def regime(self, row: Row, by: Sequence[str]) -> str:
        """Return the regime of a run, as ``monitor.feed.regime`` writes it, with the band of its load."""
        named = {"hardware": row.hardware, "load": band(self.load(row), self.cuts) if "load" in by else None}
        return ", ".join(f"{name}={named[name] or 'unknown'}" for name in by)

    def load(self, row: Row) -> float | None:
        """Return the load of a run on this basis; None: not known."""
        return row.declared if self.basis == "declared" else row.open_runs

    def place(self, row: Row, names: Sequence[str], by: Sequence[str], *, fitted: bool = False) -> Run:
        """Return a run as its monitor takes it; of ``fitted`` ones the order is not scored."""
        task = self.task(row)
        values = dict(zip(names, row.values, strict=True))
        if ORDER in values:
            values[ORDER] = None if fitted else self.surprise(row.tools, task)
        return Run(row.run_id, task, values, self.regime(row, by))

    def surprise(self, tools: Sequence[str] | None, task: str | None) -> float | None:
        """Return ``order.surprise`` of one sequence; None where there is no model, or no sequence."""
        if self.model is None or tools is None or len(tools) > LONGEST:
            return None
        total, current = 0.0, order.START
        for following in (*tools, order.END):
            step = (task, current, following)
            known = self.scores.get(step)
            if known is None:
                known = log(self.model.probability(current, following, task))
                if len(self.scores) < _REMEMBERED:
                    self.scores[step] = known
            total += known
            current = following
        return -total / (len(tools) + 1)

    def why_not(self, row: Row, note: str, *, fitted: bool = False) -> str:
        """Say why the order of a run is not scored; ``note`` is what the table says."""
        if row.tools is None:
            return note
        if fitted:
            return FITTED
        return TOO_LONG if len(row.tools) > LONGEST else order.FEW


def found_in(rows: Sequence[Row], at: Footing | None = None) -> tuple[Footing, set[str]]:
    """Return the footing that the runs give, and the ids of those that the model was fitted on.

    Of ``at`` basis, cut points and lengths are taken as they are, where it is given.
    """
    if at is None:
        declared = [row.declared for row in rows if row.declared is not None]
        basis: Basis = "declared" if declared and 2 * len(declared) >= len(rows) else "inferred"
        loads = declared if basis == "declared" else [row.open_runs for row in rows]
        at = Footing(basis, regimes.cut_points(pl.Series(loads, dtype=pl.Float64)), _lengths(rows), None)
    shown = [row for row in rows if row.tools is not None and len(row.tools) <= LONGEST]
    shown.sort(key=lambda row: ((task := at.task(row)) is None, task or "", row.run_id))
    if len(shown) < 2:
        return Footing(at.basis, at.cuts, at.lengths, None), set()
    half = shown[::2]
    model = order.fit([row.tools or [] for row in half], [at.task(row) for row in half])
    return Footing(at.basis, at.cuts, at.lengths, model), {row.run_id for row in half}


def _lengths(rows: Sequence[Row]) -> tuple[float, float] | None:
    tasks = [row.task for row in rows if row.template]
    table = pl.DataFrame({"task": tasks, "task_source": "template"}, schema_overrides={"task": pl.String})
    return regimes.tertiles(table)
