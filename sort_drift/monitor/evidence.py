"""What an alarm rests on: when the change began, and how large it is against what was before it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from sort_drift.drift.components import MIN_DF
from sort_drift.drift.effects import Interval
from sort_drift.drift.numerics import Floats
from sort_drift.monitor.conformal import Cell, Reference, cell
from sort_drift.monitor.events import Evidence, Stratum, Watched
from sort_drift.monitor.onset import LEAST, locate

RESAMPLES = 200
"""For the interval of an onset: 20 ms with 1,000 runs."""

Point = tuple[int, str, Stratum, float]
"""Number and id of a run, its stratum and its value."""


def weigh(
    watched: Watched,
    points: Sequence[Point],
    references: Mapping[Stratum, Reference],
    *,
    e_value: float,
    seed: int,
    onset: int | None = None,
) -> Evidence:
    """Locate the change in ``points`` (at least one, in order) and measure it; with ``onset`` it is known.

    The size is that of the runs after the onset against the baseline that was learnt, else against what the
    references kept from before it. Strata weigh n0 n1 / (n0 + n1), which varies least.
    """
    at, (low, high) = _found(points, seed) if onset is None else _known(points, onset)
    onset = points[at][0]
    sizes = _size(points[at:], references, onset)
    before, after, interval, n = sizes or (None, None, None, (0, 0))
    relative = abs(before or 0.0) if watched.relative else 1.0
    return Evidence(
        variable=watched.name,
        e_value=e_value,
        onset=onset,
        onset_run=points[at][1],
        onset_interval=(points[low][0], points[high][0]),
        before=before,
        after=after,
        effect=None if before is None or after is None else after - before,
        interval=interval,
        tolerance=watched.tolerance * relative,
        n=n,
    )


_Place = tuple[int, tuple[int, int]]
"""Where the change is among the points, and the interval of it."""


def _found(points: Sequence[Point], seed: int) -> _Place:
    codes: dict[Stratum, int] = {}
    strata = np.array([codes.setdefault(stratum, len(codes)) for *_, stratum, _ in points], np.int64)
    values = np.array([value for *_, value in points])
    change = locate(values, strata, permutations=0, resamples=RESAMPLES, seed=seed)
    last = len(points) - 1
    return (change.at, change.interval) if change else (max(0, last + 1 - LEAST), (0, last))


def _known(points: Sequence[Point], onset: int) -> _Place:
    at = next((i for i, (number, *_) in enumerate(points) if number >= onset), len(points) - 1)
    return at, (at, at)


def _size(
    after: Sequence[Point], references: Mapping[Stratum, Reference], onset: int
) -> tuple[float, float, tuple[float, float] | None, tuple[int, int]] | None:
    """Return the means before and after, the 95 % interval of their difference, and the runs."""
    values: dict[Stratum, list[float]] = {}
    for *_, stratum, value in after:
        values.setdefault(stratum, []).append(value)
    pairs = [
        (earlier, cell(found))
        for stratum, found in values.items()
        if stratum in references and (earlier := _before(references[stratum], onset)).n
    ]
    if not pairs:
        return None
    n = np.array([[one.n for one in pair] for pair in pairs], float)
    mean = np.array([[one.mean for one in pair] for pair in pairs])
    squares = np.array([[one.squares for one in pair] for pair in pairs])
    weight = n[:, 0] * n[:, 1] / n.sum(1)
    weight /= weight.sum()
    first, second = (float(x) for x in weight @ mean)
    spread = _pooled(n, squares, weight)
    low_high = spread.around(second - first, 0.95) if spread else None
    return first, second, low_high, (int(n[:, 0].sum()), int(n[:, 1].sum()))


def _pooled(n: Floats, squares: Floats, weight: Floats) -> Interval | None:
    """Return the interval with the variance within strata of both sides together: few runs are after."""
    df = float(n.sum() - n.size)
    if df < MIN_DF:
        return None
    variance = squares.sum() / df * (weight[:, None] ** 2 / n).sum()
    return Interval("pooled t", float(np.sqrt(variance)), df)


def _before(reference: Reference, onset: int) -> Cell:
    if reference.learnt.n:
        return reference.learnt
    pairs = zip(reference.values, reference.numbers, strict=True)
    return cell([value for value, number in pairs if number < onset])
