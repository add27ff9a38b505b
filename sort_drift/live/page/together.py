"""What else differs between the runs before and after an onset: as in a report, from what the board has."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from sort_drift.drift import comparability, strata
from sort_drift.live.board import Happening, Shift
from sort_drift.live.page.view import View
from sort_drift.model import RUNS, Population

MOST = 500
"""Runs before the onset that are looked at."""


@dataclass(frozen=True, slots=True)
class Together:
    """What changed about the same time, as far as runs record it."""

    before: pl.DataFrame
    after: pl.DataFrame
    compared: bool
    why: str = ""  # not
    differs: tuple[str, ...] = ()
    confounded: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()  # why values of both sides may not mean the same

    @property
    def causes(self) -> int:
        """How many things changed that may be a cause: no task mix, since tasks are compared one by one."""
        return sum(not said.startswith("task mix") for said in self.differs)


def together(view: View, event: Happening, shift: Shift) -> Together:
    """Compare the runs from the onset to the alarm with those before."""
    runs = view.runs.filter(agent_name=event.agent)
    at = runs.select(
        onset=pl.arg_where(pl.col("run_id") == shift.onset_run).first(),
        end=pl.arg_where(pl.col("run_id") == event.run_id).first(),
    ).row(0)
    nothing = runs.clear()
    if at[0] is None or at[1] is None or at[1] < at[0]:
        return Together(nothing, nothing, compared=False, why="The runs of it are not among the last ones.")
    before = runs.slice(max(0, at[0] - MOST), min(MOST, at[0]))
    after = runs.slice(at[0], at[1] - at[0] + 1)
    if not before.height or not set(RUNS) - {"run"} <= set(runs.columns):
        return Together(before, after, compared=False, why="No earlier run is among the last ones.")
    was, now = Population("", before), Population("", after)
    found = comparability.check(was, now, strata.match(was, now))
    days = "day or block: "  # of a stream the day always differs in the end
    differs = tuple(_sides(said) for said in found.differs if not said.startswith(days))
    apart = tuple(said for said in found.confounded if "day or block" not in said)
    return Together(before, after, True, "", differs, apart, tuple(map(_sides, found.reasons)))


def _sides(said: str) -> str:
    """Return a sentence of a report with the words of a stream."""
    return said.replace("in the baseline", "before").replace("in the current side", "after")
