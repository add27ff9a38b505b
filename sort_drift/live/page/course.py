"""One variable of one agent over time, as plain values: runs, rolling mean, load regimes, what events say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import polars as pl

from sort_drift.live.board import Happening, Shift
from sort_drift.live.page import links
from sort_drift.live.page.view import View, series
from sort_drift.report.numbers import factor, is_ratio
from sort_drift.report.plain import clip, inert

WINDOW = 20
"""Runs of the rolling mean: as many as ``VariableState.latest``."""

BANDS = 100
"""Most stretches that are looked at for their commonest load: single runs would be a bar code."""

NAME = 60
"""Columns of a task in the chart."""


@dataclass(frozen=True, slots=True)
class Band:
    """A time in which most runs were in one load regime."""

    start_s: float
    end_s: float
    regime: str


@dataclass(frozen=True, slots=True)
class Mark:
    """What an event says of the variable, in time."""

    kind: str  # alarm | minor | resolved
    at_s: float | None  # end of the run that decided it
    onset_s: float | None
    interval_s: tuple[float, float] | None  # 95 %
    open: bool
    address: str


@dataclass(frozen=True, slots=True)
class Course:
    """Runs with a value and a time, oldest first; values in the variable's unit (logarithms as such)."""

    unit: str
    rows: pl.DataFrame  # run_id, task, load_name, at_ns, of the runs shown
    times_s: tuple[float, ...]
    values: tuple[float, ...]
    means: tuple[float | None, ...]  # of the last WINDOW values
    bands: tuple[Band, ...]
    marks: tuple[Mark, ...]
    usual: float | None
    untimed: int  # runs with a value, but no time: not drawn
    earlier: int  # runs with a value and a time before those


def course(view: View, agent: str, name: str, last: int) -> Course:
    """Return the last ``last`` runs of an agent that show a variable."""
    known = view.of_agent(agent)
    valued = known.with_columns(_v=pl.Series(series(known, name), dtype=pl.Float64)).drop_nulls("_v")
    timed = valued.drop_nulls("at_ns").sort("at_ns", maintain_order=True)
    shown = timed.tail(last)
    times = tuple((shown["at_ns"] / 1e9).to_list())
    state = next((v for a in view.agents if a.name == agent for v in a.variables if v.name == name), None)
    return Course(
        unit=view.unit(name),
        rows=shown.select("run_id", "task", "load_name", "at_ns"),
        times_s=times,
        values=tuple(shown["_v"].to_list()),
        means=tuple(shown["_v"].rolling_mean(WINDOW, min_samples=min(WINDOW, 5)).to_list()),
        bands=tuple(_bands(times, shown["load_name"].to_list())),
        marks=tuple(_marks(view, agent, name, dict(known.select("run_id", "at_ns").iter_rows()))),
        usual=state.usual if state else None,
        untimed=valued.height - timed.height,
        earlier=timed.height - shown.height,
    )


def _bands(times: Sequence[float], regimes: Sequence[str | None]) -> list[Band]:
    """Return stretches of one load regime, the commonest of each hundredth of the runs."""
    if not times:
        return []
    step = max(1, len(times) // BANDS)
    parts = []
    for i in range(0, len(times), step):
        (name, _), *_ = Counter(r or "unknown" for r in regimes[i : i + step]).most_common(1)
        parts.append((name, i, min(i + step, len(times)) - 1))
    out = []
    for name, group in groupby(parts, key=lambda part: part[0]):
        stretch = list(group)
        first, last = stretch[0][1], stretch[-1][2]
        begin = times[first] if first == 0 else (times[first - 1] + times[first]) / 2
        end = times[last] if last == len(times) - 1 else (times[last] + times[last + 1]) / 2
        out.append(Band(begin, end, name))
    return out


def _marks(view: View, agent: str, name: str, at: Mapping[str, int | None]) -> list[Mark]:
    """Return the events of the variable, oldest first."""
    out = []
    for event in reversed(view.events):
        shift = next((s for s in event.shifts if s.variable == name), None)
        if event.agent == agent and shift is not None:
            out.append(_mark(view, event, shift, at))
    return out


def _mark(view: View, event: Happening, shift: Shift, at: Mapping[str, int | None]) -> Mark:
    def seconds(run_id: str, other: int | None = None) -> float | None:
        ns = at.get(run_id, other)
        return None if ns is None else ns / 1e9

    ends = [seconds(run_id) for run_id in shift.onset_interval]
    low, high = ends
    return Mark(
        event.kind,
        seconds(event.run_id, event.at_ns),
        seconds(shift.onset_run, shift.onset_ns),
        (low, high) if low is not None and high is not None else None,
        view.still_open(event, shift),
        links.alarm(event.id),
    )


def plain(found: Course) -> dict[str, Any]:
    """Return what static/page.js draws; a logarithm as the quantity itself, on a logarithmic axis."""
    log = is_ratio(found.unit)

    def shown(v: float | None) -> float | None:
        return None if v is None else float(f"{factor(v) if log else v:.6g}")

    tasks = found.rows["task"].to_list()
    return {
        "unit": found.unit.removeprefix("ln "),
        "log": log,
        "window": WINDOW,
        "times": [round(t, 3) for t in found.times_s],
        "values": [shown(v) for v in found.values],
        "means": [shown(v) for v in found.means],
        "usual": shown(found.usual),
        "runs": [links.run(run_id) for run_id in found.rows["run_id"]],
        "ids": [clip(inert(run_id), 16) for run_id in found.rows["run_id"]],
        "tasks": [clip(inert(task or ""), NAME) for task in tasks],
        "bands": [[b.start_s, b.end_s, b.regime] for b in found.bands],
        "marks": [
            {"kind": m.kind, "at": m.at_s, "onset": m.onset_s, "interval": m.interval_s, "open": m.open,
             "href": m.address}
            for m in found.marks
        ],
    }  # fmt: skip
