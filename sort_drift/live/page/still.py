"""The picture of a variable over time that needs no script; static/page.js puts uPlot in its place."""

from __future__ import annotations

from datetime import UTC, datetime

from sort_drift.live.page.course import Band, Course, Mark
from sort_drift.report.markup import Html, tag
from sort_drift.report.numbers import is_ratio, plural
from sort_drift.report.svg import Scale, label, line, log_ticks, picture, rect, ticks, way
from sort_drift.report.svg_panels import value

WIDTH, HEIGHT = 1120.0, 300.0
LEFT, RIGHT, TOP, BASE = 62.0, 1112.0, 18.0, 268.0

DOTS = 400
"""Most runs drawn one by one; of more, every second, third, ..."""

LOADS = {
    "normal": "",
    "busy": "busy",
    "saturated": "saturated",
    "above baseline range": "beyond",
    "below baseline range": "",
    "unknown": "",
}
"""Load regime -> class of its background; what is usual has none."""


def still(found: Course, said: str) -> Html | None:
    """Return the picture; None where there are less than two runs at two times."""
    if len(found.times_s) < 2 or found.times_s[0] == found.times_s[-1]:
        return None
    x = Scale(found.times_s[0], found.times_s[-1], LEFT, RIGHT)
    seen = [*found.values, *([found.usual] if found.usual is not None else [])]
    low, high = min(seen), max(seen)
    spare = (high - low) * 0.06 or max(abs(high) * 0.1, 0.5)
    y = Scale(low - spare, high + spare, BASE, TOP)
    parts: list[Html | None] = [_band(band, x) for band in found.bands]
    parts += _axes(found, x, y)
    parts += [_interval(mark, x) for mark in found.marks]
    every = -(-len(found.values) // DOTS)
    dots = list(zip(found.times_s, found.values, strict=True))[::every]
    parts += [tag("circle", cx=x(t), cy=y(v), r=2.0, class_="dot") for t, v in dots]
    mean = [(x(t), y(m)) for t, m in zip(found.times_s, found.means, strict=True) if m is not None]
    parts.append(way(mean, "mean") if len(mean) > 1 else None)
    for mark in found.marks:
        parts += _mark(mark, x)
    return picture(WIDTH, HEIGHT, f"{said}, {plural(len(found.values), 'run')}.", parts, class_="still")


def _band(band: Band, x: Scale) -> Html | None:
    kind = LOADS.get(band.regime, "")
    if not kind:
        return None
    return rect(x(band.start_s), TOP, x(band.end_s) - x(band.start_s), BASE - TOP, f"load {kind}")


def _axes(found: Course, x: Scale, y: Scale) -> list[Html]:
    marks = log_ticks(y.low, y.high) if is_ratio(found.unit) else ticks(y.low, y.high)
    parts = [line(LEFT, BASE, RIGHT, BASE, "axis")]
    for t in marks:
        parts += [
            line(LEFT, y(t), RIGHT, y(t), "grid"),
            label(LEFT - 6, y(t) + 4, value(t, found.unit), "", "end"),
        ]
    if found.usual is not None:
        parts.append(line(LEFT, y(found.usual), RIGHT, y(found.usual), "usual"))
    long = x.high - x.low > 2 * 86400
    for i in range(6):
        at = x.low + (x.high - x.low) * i / 5
        shown = f"{datetime.fromtimestamp(at, UTC):{'%m-%d %H:%M' if long else '%H:%M:%S'}}"
        parts.append(label(x(at), BASE + 16, shown, "", "start" if i == 0 else "end" if i == 5 else "middle"))
    return parts


def _mark(mark: Mark, x: Scale) -> list[Html]:
    """Return the onset, and where the event was decided."""
    out: list[Html] = []
    kind = f"mark {mark.kind}"
    inside = [t is not None and x.low <= t <= x.high for t in (mark.onset_s, mark.at_s)]
    if inside[0] and mark.onset_s is not None and mark.kind != "resolved":
        out.append(line(x(mark.onset_s), TOP, x(mark.onset_s), BASE, f"{kind} onset"))
        out.append(_word(x(mark.onset_s), "onset", kind, left=True))
    if inside[1] and mark.at_s is not None:
        out.append(line(x(mark.at_s), TOP, x(mark.at_s), BASE, f"{kind} decided"))
        word = {"alarm": "alarm", "minor": "minor", "resolved": "back"}[mark.kind]
        out.append(_word(x(mark.at_s), word, kind, left=False))
    return out


def _word(at: float, said: str, kind: str, *, left: bool) -> Html:
    """Return what stands above a line, on its left or right: the two of one event do not meet."""
    room = at - LEFT > 40 if left else RIGHT - at < 40
    return label(at + (2 if room == left else 0), TOP - 6, said, kind, "end" if room else "start")


def _interval(mark: Mark, x: Scale) -> Html | None:
    """Return where the onset may lie, behind the runs."""
    if mark.interval_s is None or mark.kind == "resolved" or mark.interval_s[1] < x.low:
        return None
    low, high = (x(t) for t in mark.interval_s)
    return rect(low, TOP, max(high - low, 1.0), BASE - TOP, f"mark {mark.kind} interval")
