"""The lines of a manifest, changed: what compaction, retention and repair make of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import accumulate

from msgspec import structs

from sort_drift.model import GEOMETRY_VERSION
from sort_drift.store import files
from sort_drift.store.manifest import (
    LIVE,
    Commit,
    Journal,
    Line,
    Measured,
    Replaced,
    Rewritten,
    Segment,
    Source,
)


def edit(lines: Sequence[Line], change: Callable[[Line], Iterable[Line]]) -> list[Line]:
    """Return ``lines`` with what ``change`` puts in the place of each; "covers" still means the same lines.

    >>> from sort_drift.store.manifest import Source
    >>> a, b = Source("a", "1", ()), Source("b", "2", ())
    >>> edit([a, b, Measured(1, covers=2)], lambda line: () if line == a else (line,))[-1]
    Measured(geometry=1, covers=1)
    """
    parts = [list(change(line)) for line in lines]
    before = _before(parts)
    return [
        Measured(line.geometry, before[min(line.covers, len(lines))]) if isinstance(line, Measured) else line
        for part in parts
        for line in part
    ]


def _before(parts: Iterable[Sequence[Line]]) -> list[int]:
    """Return how many lines stand before each part, and all of them."""
    return list(accumulate((len(part) for part in parts), initial=0))


def covered(lines: Sequence[Line], geometry: int = GEOMETRY_VERSION) -> int:
    """Return how many lines the run tables of a geometry version are complete for."""
    measured = [line for line in lines if isinstance(line, Measured) and line.geometry == geometry]
    return max((line.covers for line in measured), default=0)


def highest(lines: Iterable[Line]) -> int:
    """Return the highest number that a segment ever had."""
    numbers = [0]
    for line in lines:
        if isinstance(line, Rewritten):
            numbers.append(line.number)
        elif isinstance(line, Replaced):
            numbers.append(files.segment_number(line.line.segment))
        elif isinstance(line, Segment):
            numbers.append(files.segment_number(line.segment))
    return max(numbers)


def rewritten(
    lines: Sequence[Line],
    change: Mapping[str, Sequence[Line]],
    *,
    dropped: int = 0,
    lost: int = 0,
    kept: Callable[[Journal | Replaced], bool] = lambda _: True,
) -> tuple[list[Line], int]:
    """Return the lines of a new manifest and the duplicates that it counts.

    ``change`` has what comes in the place of a segment. ``dropped`` duplicates are in no segment any more
    while their spans are, ``lost`` ones went with a segment. Journals and replaced segments stay where they
    are ``kept``.
    """
    number = highest([*lines, *(line for new in change.values() for line in new)])
    before = sum(line.dropped for line in lines if isinstance(line, Rewritten))

    def put(line: Line) -> Sequence[Line]:
        if isinstance(line, (Commit, Rewritten, Measured)):
            return ()
        if isinstance(line, (Journal, Replaced)):
            return (line,) if kept(line) else ()
        return change.get(line.segment, (line,)) if isinstance(line, Segment) else (line,)

    parts = [put(line) for line in lines]
    covers = 1 + _before(parts)[min(covered(lines), len(lines))]
    new: list[Line] = [Rewritten(number, before + dropped), *(line for part in parts for line in part)]
    return [*new, Measured(GEOMETRY_VERSION, covers)], _duplicates(lines) - lost


def _duplicates(lines: Iterable[Line]) -> int:
    return sum(line.duplicates for line in lines if isinstance(line, Commit))


def incomplete(source: Source) -> Source:
    """Return the line of an export of which spans are lost: it may be ingested again. A journal cannot."""
    return source if source == LIVE else structs.replace(source, whole=False)
