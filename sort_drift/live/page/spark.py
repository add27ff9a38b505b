"""A small line of one variable of one agent: the last runs in a few steps, beside what is usual.

The height of a picture is at least four tolerances: what does not matter looks flat.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from sort_drift.report.markup import Html
from sort_drift.report.svg import Scale, line, picture, way

WIDTH, HEIGHT, PAD = 112.0, 22.0, 3.0
STEPS = 24


def steps(values: Sequence[float], most: int = STEPS) -> list[float]:
    """Return the means of ``most`` stretches of the values there are.

    >>> steps([1.0, 3.0, 5.0, 7.0], 2)
    [2.0, 6.0]
    """
    n = min(most, len(values))
    bounds = [i * len(values) // n for i in range(n + 1)] if n else []
    return [sum(values[a:b]) / (b - a) for a, b in pairwise(bounds)]


def spark(
    values: Sequence[float], usual: float | None, tolerance: float, said: str, *, alarm: bool = False
) -> Html | None:
    """Return the line, read out loud as ``said``; None where there are less than two steps."""
    points = steps(values)
    if len(points) < 2:
        return None
    low, high = min(points), max(points)
    if usual is not None:
        low, high = min(low, usual), max(high, usual)
    spare = max(4 * tolerance - (high - low), 0.0) / 2
    if high - low + 2 * spare <= 0:
        spare = 1.0
    y = Scale(low - spare, high + spare, HEIGHT - PAD, PAD)
    x = Scale(0.0, len(points) - 1.0, PAD, WIDTH - PAD)
    way_ = way([(x(float(i)), y(v)) for i, v in enumerate(points)], "spark changed" if alarm else "spark")
    dashed = line(PAD, y(usual), WIDTH - PAD, y(usual), "usual") if usual is not None else None
    return picture(WIDTH, HEIGHT, said, dashed, way_, class_="sparkline")
