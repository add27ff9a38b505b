"""Load regime and hardware class of each run: what a comparison may be stratified by, or is confounded with.

Load is what RUNS.load declares, else the number of runs open in the same service when a run starts, itself
among them. Cut points are quantiles of the baseline, frozen with it and used for both sides: computed per
population they turn every pure load shift into a finding (false alarms 1.0; .09 with frozen quintiles, .04
with a slope on log load within them). Hardware is compared as found.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
import polars as pl

from sort_drift.model import Population

QUANTILES = (0.0, 0.2, 0.4, 0.5, 0.6, 0.8, 0.9, 1.0)
"""What ``Population.load_cuts`` has, ascending: the range and the quintiles, which make the strata, and q50
and q90, which make the names people read."""

ABOVE, BELOW = "above baseline range", "below baseline range"
LOAD_NAMES = ("normal", "busy", "saturated", BELOW, ABOVE)
"""Up to the baseline's q50, up to its q90, up to its maximum, outside."""

_DECLARED_SHARE = 0.5  # of the runs of each side, from which on declared load is what both rest on


def count_open(runs: pl.DataFrame) -> pl.DataFrame:
    """Return ``runs`` with ``open_runs`` [runs] and with ``load`` filled from it where none is declared.

    A run is open from its start to its end, the end excluded, and counts itself; null where it has no start.
    Belongs before any selection: runs that are not selected load the service all the same.

    >>> runs = pl.DataFrame({"service": ["s", "s", "s"], "start_ns": [0, 5, 10], "end_ns": [10, 8, 20],
    ...     "load": [None, 7.0, None], "load_source": [None, "declared", None]})
    >>> count_open(runs).select("open_runs", "load", "load_source").rows()
    [(1.0, 1.0, 'inferred'), (2.0, 7.0, 'declared'), (1.0, 1.0, 'inferred')]
    """
    counted = pl.Series("open_runs", np.full(runs.height, np.nan), dtype=pl.Float64)
    timed = runs.select("service", "start_ns", "end_ns").with_row_index("row").drop_nulls("start_ns")
    for _, group in timed.group_by("service"):
        start = group["start_ns"].to_numpy()
        end = np.maximum(group["end_ns"].fill_null(0).to_numpy(), start + 1)
        begun = np.searchsorted(np.sort(start), start, side="right")
        ended = np.searchsorted(np.sort(end), start, side="right")
        counted[group["row"].to_numpy()] = (begun - ended).astype(float)
    counted = counted.fill_nan(None)
    inferred = pl.col("load").is_null() & pl.col("open_runs").is_not_null()
    return runs.with_columns(counted).with_columns(
        load=pl.col("load").fill_null(pl.col("open_runs")),
        load_source=pl.when(inferred).then(pl.lit("inferred")).otherwise("load_source"),
    )


def assign(baseline: Population, current: Population) -> tuple[Population, Population]:
    """Return both populations with ``load_basis``, ``load_class``, ``load_name`` and the same ``load_cuts``.

    ``load_class`` is the stratum, an interval of load as text, ``load_name`` one of LOAD_NAMES; both are null
    where a run's load is not known on this basis. The basis is "declared" where at least half the runs of
    each side declare their load, else "inferred" (open runs) for both. Cut points that the baseline brings
    along stay, unless they rest on the other basis.
    """
    sides = _in_tertiles(baseline.runs, current.runs)
    sides = [runs if "open_runs" in runs.columns else count_open(runs) for runs in sides]
    declared = all(_declared(runs).is_not_null().sum() >= _DECLARED_SHARE * runs.height for runs in sides)
    basis = "declared" if declared else "inferred"
    loads = [_declared(runs) if declared else runs["open_runs"] for runs in sides]
    frozen = baseline.load_cuts
    if "load_basis" in sides[0].columns and basis not in sides[0]["load_basis"]:
        frozen = ()
    cuts = frozen or cut_points(loads[0])
    first, second = (
        replace(population, runs=_classify(runs, load, basis, cuts), load_cuts=cuts)
        for population, runs, load in zip((baseline, current), sides, loads, strict=True)
    )
    return first, second


def _in_tertiles(baseline: pl.DataFrame, current: pl.DataFrame) -> list[pl.DataFrame]:
    """Return both run tables with the length of user input in template tasks as a tertile of the baseline.

    A template task ends in ``|<characters of user input>`` (assembly): every length would be a stratum of its
    own. ``task_found`` keeps the length, so a baseline can be frozen or selected from and placed again.
    """
    sides = [
        runs if "task_found" in runs.columns else runs.with_columns(task_found="task")
        for runs in (baseline, current)
    ]
    limits = tertiles(sides[0])
    if limits is None:
        return sides
    low, high = limits
    template = pl.col("task_source") == "template"
    parts = _parts("task_found")
    length = _length(parts)
    tertile = (
        pl.when(length <= low).then(pl.lit(_TERTILES[0])).when(length <= high).then(pl.lit(_TERTILES[1]))
    )
    task = pl.concat_str(parts.struct["stem"], tertile.otherwise(pl.lit(_TERTILES[2])), separator="|")
    binned = pl.when(template & length.is_not_null()).then(task).otherwise("task").alias("task")
    return [runs.with_columns(binned) for runs in sides]


_TERTILES = ("short", "middle", "long")
_TEMPLATE = re.compile(r"(.*)\|([0-9]{1,19})")


def _parts(column: str) -> pl.Expr:
    return pl.col(column).str.extract_groups(r"^(?<stem>.*)\|(?<length>[0-9]{1,19})$")


def _length(parts: pl.Expr) -> pl.Expr:
    return parts.struct["length"].cast(pl.Int64, strict=False)


def tertiles(runs: pl.DataFrame) -> tuple[float, float] | None:
    """Return the tertiles of the length of user input in the template tasks of ``runs``; None without any."""
    column = "task_found" if "task_found" in runs.columns else "task"
    template = runs.filter(pl.col("task_source") == "template")
    known = template.select(_length(_parts(column))).to_series().drop_nulls()
    low, high = (known.quantile(q, "lower") for q in (1 / 3, 2 / 3))
    return None if low is None or high is None else (low, high)


def in_tertile(task: str, limits: tuple[float, float]) -> str:
    """Return one template task with its length as a tertile, as ``assign`` has it.

    >>> in_tertile("planner|run|9f|120", (80.0, 200.0)), in_tertile("no length", (80.0, 200.0))
    ('planner|run|9f|middle', 'no length')
    """
    parts = _TEMPLATE.fullmatch(task)
    if parts is None or int(parts[2]) >= 1 << 63:
        return task
    return f"{parts[1]}|{_TERTILES[bisect_left(limits, int(parts[2]))]}"


def cut_points(load: pl.Series) -> tuple[float, ...]:
    """Return the QUANTILES of the known loads, each a load that occurred; empty where none is known.

    >>> cut_points(pl.Series([1.0, 2.0, 3.0, None, 4.0, 5.0]))
    (1.0, 1.0, 2.0, 3.0, 3.0, 4.0, 5.0, 5.0)
    """
    known = load.drop_nulls().to_numpy()
    return tuple(np.quantile(known, QUANTILES, method="inverted_cdf").tolist()) if known.size else ()


def describe(population: Population) -> str:
    """Say in one line in which regimes the runs of a population were, largest first.

    >>> runs = pl.DataFrame({"load_name": ["normal", "busy", "normal"], "hardware": ["cpu", "cpu", "cpu"]})
    >>> describe(Population("b", runs))
    'load normal 67 %, busy 33 %; hardware cpu'
    """
    return "; ".join(
        f"{what} {_shares(population.runs[column])}"
        for what, column in (("load", "load_name"), ("hardware", "hardware"))
    )


def _shares(column: pl.Series) -> str:
    counts = (
        column.fill_null("unknown").value_counts(name="n").sort(["n", column.name], descending=[True, False])
    )
    if counts.height < 2:
        return str(counts[0, 0]) if counts.height else "unknown"
    return ", ".join(f"{name} {100 * n / len(column):.0f} %" for name, n in counts.rows())


def describe_cuts(cuts: Sequence[float]) -> str:
    """Say which loads the names mean.

    >>> describe_cuts((1.0, 1.0, 2.0, 3.0, 3.0, 4.0, 5.0, 8.0))
    'normal up to 3, busy up to 5, saturated up to 8'
    """
    limits: dict[float, str] = {}
    for name, limit in zip(LOAD_NAMES, _named(cuts), strict=False):
        limits.setdefault(limit, name)
    return ", ".join(f"{name} up to {limit:g}" for limit, name in limits.items()) or "load not known"


def _declared(runs: pl.DataFrame) -> pl.Series:
    declared = pl.col("load_source") == "declared"
    return runs.select(pl.when(declared).then("load")).to_series()


def _named(cuts: Sequence[float]) -> list[float]:
    """Upper limits of normal, busy and saturated: q50, q90, maximum."""
    return [cuts[QUANTILES.index(q)] for q in (0.5, 0.9, 1.0)] if cuts else []


def load_name(load: float | None, cuts: Sequence[float]) -> str | None:
    """Return the name of one load, as ``assign`` gives it; None where it or the cut points are not known.

    >>> [load_name(x, (1.0, 1.0, 2.0, 3.0, 3.0, 4.0, 5.0, 8.0)) for x in (0.5, 3.0, 4.0, 8.0, 9.0, None)]
    ['below baseline range', 'normal', 'busy', 'saturated', 'above baseline range', None]
    """
    if load is None or not cuts:
        return None
    if load < cuts[0]:
        return BELOW
    return (*LOAD_NAMES[:3], ABOVE)[bisect_left(_named(cuts), load)]


def _strata(cuts: Sequence[float]) -> tuple[list[float], list[str]]:
    """Upper limits and names of the strata between quintiles; equal quintiles are one.

    >>> _strata((1.0, 1.0, 1.0, 1.0, 2.0, 4.0, 4.0, 8.0))
    ([1.0, 2.0, 4.0, 8.0], ['1', '(1, 2]', '(2, 4]', '(4, 8]'])
    """
    uppers = sorted({cuts[QUANTILES.index(q)] for q in (0.2, 0.4, 0.6, 0.8, 1.0)}) if cuts else []
    names = [f"({low:g}, {high:g}]" for low, high in pairwise(uppers)]
    if uppers:
        first = f"{uppers[0]:g}" if cuts[0] == uppers[0] else f"[{cuts[0]:g}, {uppers[0]:g}]"
        names.insert(0, first)
    return uppers, names


def _classify(runs: pl.DataFrame, load: pl.Series, basis: str, cuts: Sequence[float]) -> pl.DataFrame:
    known = pl.lit(load.is_not_null() & bool(cuts))
    return runs.with_columns(
        load_basis=pl.when(known).then(pl.lit(basis)),
        load_class=pl.when(known).then(pl.lit(_place(load, cuts, *_strata(cuts)))),
        load_name=pl.when(known).then(pl.lit(_place(load, cuts, _named(cuts), LOAD_NAMES[:3]))),
    )


def _place(load: pl.Series, cuts: Sequence[float], uppers: list[float], names: Sequence[str]) -> pl.Series:
    values = load.fill_null(0).to_numpy()
    place = np.searchsorted(uppers, values, side="left")
    below = len(names) + 1
    return pl.Series([*names, ABOVE, BELOW]).gather(np.where(values < min(cuts, default=0), below, place))
