"""Two runs of one task side by side: their execution graphs in aligned layers, changed operations marked.

The live page draws one run by itself, in the same boxes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sort_drift.exhibits import Execution, Operation, Pair
from sort_drift.report import layers
from sort_drift.report.layers import Box, Row
from sort_drift.report.markup import Html, tag
from sort_drift.report.numbers import plural
from sort_drift.report.plain import clip, columns, inert
from sort_drift.report.svg import label, picture, rect

WIDTH, PITCH, HEIGHT, GAP = 600.0, 46.0, 30.0, 8.0
"""Width of one side, from row to row, of a box, and between boxes."""

ALONE = 120
"""Layers that are drawn of a run by itself: 5,500 pixels."""

_LETTER = 6.4
"""Pixels of a column of text, rounded up."""

Link = Callable[[str | None, str | None], str | None]
"""(trace id, span id) -> address, or None."""


def executions(pair: Pair, link: Link) -> tuple[Html, Html, str]:
    """Return the two pictures, and what is left out of them."""
    whole = [e if e is not None else None for e in pair.executions]
    if None in whole:  # a side without spans: what both sides have is compared
        whole = [None if tools is None else chain(tools) for tools in pair.tools]
    runs = [e or Execution((), (), 0) for e in whole]
    aligned = layers.align(*(layers.layers(e) for e in runs))
    sides = ("baseline", "current")
    drawn = [
        _side(name, execution, [row[i] for row in aligned.rows], link)
        for i, (name, execution) in enumerate(zip(sides, runs, strict=True))
    ]
    cut = [e.total - len(e.operations) for e in runs]
    left = [f"{plural(aligned.left_out, 'further step')}"] if aligned.left_out else []
    left += [f"{plural(n, 'operation')} of the {side} run" for n, side in zip(cut, sides, strict=True) if n]
    return drawn[0], drawn[1], " and ".join(left)


def execution(run: Execution, link: Link) -> tuple[Html, str]:
    """Return the picture of one run by itself, and what is left out of it."""
    rows = layers.layers(run)
    shown = rows[:ALONE]
    drawn = sum(len(box.ops) for row in shown for box in row)
    left = run.total - drawn
    return _side("the", run, shown, link), plural(left, "operation") if left else ""


def chain(tools: Sequence[str]) -> Execution:
    """Return a run of which only the order of its operations is known.

    >>> chain(["get", "edit"]).edges
    ((0, 1, 'follows'),)
    """
    shown = tools[: 4 * layers.ROWS]
    operations = tuple(Operation(i, "tool", name, None) for i, name in enumerate(shown))
    follows = tuple((i, i + 1, "follows") for i in range(len(shown) - 1))
    return Execution(operations, follows, len(tools))


def _side(name: str, execution: Execution, rows: Sequence[Row], link: Link) -> Html:
    place: dict[int, tuple[float, float, int]] = {}  # op -> middle, top, row
    wide: dict[int, tuple[float, float]] = {}  # op -> the middle of its right side
    boxes: list[Html] = []
    for r, row in enumerate(rows):
        top = 6 + PITCH * r
        for box, left, width in _spread(row):
            place |= dict.fromkeys(box.ops, (left + width / 2, top, r))
            wide |= dict.fromkeys(box.ops, (left + width, top + HEIGHT / 2))
            boxes += _box(box, (left, top, width), name, link)
    lines: dict[tuple[float, ...], Html] = {}
    for a, b, kind in layers.edges(execution):
        if a not in place or b not in place or place[a][2] >= place[b][2]:
            continue
        (x1, y1, above), (x2, y2, below) = place[a], place[b]
        ends = (x1, y1 + HEIGHT, x2, y2)
        if kind == "retries" and below > above + 1:  # around what is between them
            lines.setdefault((a, b), _again(wide[a], wide[b]))
        else:
            lines.setdefault(ends, _edge(ends, kind))
    total = plural(execution.total, "operation")
    height = 6 + PITCH * max(1, len(rows))
    return picture(WIDTH, height, f"Execution graph, {name} run: {total}.", [*lines.values()], boxes)


def _edge(ends: tuple[float, float, float, float], kind: str) -> Html:
    x1, y1, x2, y2 = ends
    bend = min(18.0, (y2 - y1) / 2)
    way = f"M{x1:.0f} {y1:.0f}C{x1:.0f} {y1 + bend:.0f} {x2:.0f} {y2 - bend:.0f} {x2:.0f} {y2:.0f}"
    return tag("path", d=way, class_=f"edge {kind}")


def _again(first: tuple[float, float], then: tuple[float, float]) -> Html:
    """Return the arc from an attempt to the next, to the right of both."""
    (x1, y1), (x2, y2) = first, then
    out = min(max(x1, x2) + 46, WIDTH - 2)
    way = f"M{x1:.0f} {y1:.0f}C{out:.0f} {y1:.0f} {out:.0f} {y2:.0f} {x2:.0f} {y2:.0f}"
    return tag("path", d=way, class_="edge retries")


def _spread(row: Row) -> list[tuple[Box, float, float]]:
    """Return (box, left, width), in the middle of the side."""
    most = (WIDTH - GAP * (len(row) + 1)) / max(1, len(row))
    widths = [min(most, max(76.0, _LETTER * columns(_title(box)) + 22, _LETTER * columns(_facts(box)) + 16))
              for box in row]  # fmt: skip
    left = (WIDTH - sum(widths) - GAP * (len(row) - 1)) / 2
    out = []
    for box, width in zip(row, widths, strict=True):
        out.append((box, left, width))
        left += width + GAP
    return out


def _title(box: Box) -> str:
    if box.kind == "fold":
        return box.name
    times = f" x{len(box.ops)}" if len(box.ops) > 1 else ""
    return f"{box.kind} {inert(box.name)}{times}"


def _facts(box: Box) -> str:
    """Return what is known of the first operation of a box: failed, attempt, seconds, tokens."""
    o = box.first
    if o is None:
        return ""
    said = ["failed"] if o.failed else []
    said += [f"attempt {o.attempt + 1}"] if o.attempt else []
    said += [took(o.took_s)] if o.took_s is not None else []
    if o.tokens[0] is not None:
        said.append(f"{o.tokens[0]:,} > {'?' if o.tokens[1] is None else format(o.tokens[1], ',')} tok")
    return ", ".join(said)


def took(seconds: float) -> str:
    """Return a duration.

    >>> took(0.0042), took(1.27), took(312.4)
    ('4 ms', '1.27 s', '312 s')
    """
    if seconds < 0.1:
        return f"{1000 * seconds:.0f} ms"
    return f"{seconds:.2f} s" if seconds < 100 else f"{seconds:,.0f} s"


def _box(box: Box, at: tuple[float, float, float], side: str, link: Link) -> list[Html]:
    left, top, width = at
    room = int((width - 12) / _LETTER)
    facts = _facts(box)
    kind = f"node {box.kind}" + (" only" if box.changed else "")
    parts = [rect(left, top, width, HEIGHT, kind)]
    middle = left + width / 2
    parts.append(label(middle, top + (13 if facts else 19), clip(_title(box), room), "on", "middle"))
    if facts:
        parts.append(label(middle, top + 25, clip(facts, room), "", "middle"))
    if box.changed:
        sign = "-" if side == "baseline" else "+"
        parts.append(label(left + 5, top + 12, sign, "mark"))
    address = link(box.first.trace_id, box.first.span_id) if box.first else None
    return [tag("a", parts, href=address, rel="noreferrer")] if address else parts
