"""A copy of a store that was made while the store was written: `cp -r`, a backup. It opens, and is a store.

Files are copied one after the other, in any order. Where the manifest came last it names segments that are
not in the copy: those that were written meanwhile, and those into which others were merged meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from sort_drift.store import files
from sort_drift.store.editing import edit, incomplete
from sort_drift.store.manifest import (
    Journal,
    Line,
    Measured,
    Replaced,
    RunSegment,
    Segment,
    Source,
    SpanSegment,
)

_Segments = Sequence[SpanSegment | RunSegment]


def settled(lines: Sequence[Line], there: Callable[[str], bool]) -> list[Line]:
    """Return the lines of what came into the copy whole; ``there`` says whether a segment's file did.

    What was merged is what it was made of again. What is missing then must be what was written last; where
    it is something else, it was lost, nothing is changed, and reading says so.
    """
    merged: dict[str, list[SpanSegment | RunSegment]] = {}
    for line in lines:
        if isinstance(line, Replaced):
            merged.setdefault(line.by, []).append(line.line)

    def parts(line: SpanSegment | RunSegment) -> list[SpanSegment | RunSegment]:
        if there(line.segment) or line.segment not in merged:
            return [line]
        return [part for old in merged[line.segment] for part in parts(old)]

    listed = [line for line in lines if isinstance(line, SpanSegment | RunSegment)]
    now = {line.segment: parts(line) for line in listed}
    whole = [part for found in now.values() for part in found]
    gone = {line.segment for line in whole if not there(line.segment)}
    if not all(_written_last(whole, kind, gone) for kind in (SpanSegment, RunSegment)):
        return list(lines)
    return _without(lines, now, gone)


def _written_last(lines: Iterable[Segment], kind: type[Segment], gone: Collection[str]) -> bool:
    numbers: dict[bool, list[int]] = {True: [], False: []}
    for line in lines:
        if isinstance(line, kind):
            numbers[line.segment in gone].append(files.segment_number(line.segment))
    return not numbers[True] or min(numbers[True]) > max(numbers[False], default=0)


def _without(lines: Sequence[Line], now: Mapping[str, _Segments], gone: Collection[str]) -> list[Line]:
    """Put in what segments are ``now``; what is ``gone`` goes, with what says that it is there."""
    lacking = {name for name, found in now.items() if any(line.segment in gone for line in found)}
    first = next((i for i, line in enumerate(lines) if _name(line) in lacking), len(lines))
    claims = {id(line) for line in lines[first:] if isinstance(line, (Journal, Measured))}
    sources = {
        key
        for found in now.values()
        for line in found
        if isinstance(line, SpanSegment) and line.segment in gone
        for key in line.sources
    }

    back = {line.segment for found in now.values() for line in found}

    def change(line: Line) -> Sequence[Line]:
        if id(line) in claims or (isinstance(line, Replaced) and line.line.segment in back):
            return ()
        if isinstance(line, Source) and line.key in sources:
            return [incomplete(line)]
        if isinstance(line, SpanSegment | RunSegment):
            return [part for part in now[line.segment] if part.segment not in gone]
        return [line]

    return edit(lines, change)


def _name(line: Line) -> str:
    return line.segment if isinstance(line, Segment) else ""
