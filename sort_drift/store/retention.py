"""The oldest segments go, whole, once they are too old or the store is too large. A frozen baseline never.

A segment is as old as the latest time in it, so what is younger than the limit always stays; compaction
merges no segments of different days, so what is older goes at most about a day late.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path

from sort_drift.store import counting, editing, manifest, segments, sweeping
from sort_drift.store.compaction import needed
from sort_drift.store.manifest import RunSegment, SpanSegment
from sort_drift.store.reader import Store
from sort_drift.store.writer import Writer


@dataclass(frozen=True, slots=True)
class Expired:
    """What one call took out of the store."""

    segments: tuple[str, ...]  # their names
    spans: int  # rows
    runs: int  # rows
    bytes: int  # of their files, which go after the grace period
    until_ns: int | None  # the latest time in them


def expire(
    writer: Writer,
    *,
    before_ns: int | None = None,
    max_bytes: int | None = None,
    grace_s: float = sweeping.GRACE_S,
) -> Expired:
    """Take out the segments that end before ``before_ns``, then the oldest ones until ``max_bytes`` are left.

    Segments without times never get too old; they go by bytes, in the order of ingestion. Runs stay when
    their spans went, and the other way round. Files go at the first call after ``grace_s`` seconds.

    Raises
    ------
    StoreError
        If the manifest cannot be written; nothing went then.

    """
    store = writer.store
    sweeping.sweep(store.path, store.lines, grace_s)  # on a full disk it makes the room for a new manifest
    gone = [line for line in store.segments if _too_old(line, before_ns)]
    gone += _too_much(store, gone, max_bytes)
    size = sum(_size(store.path, line) for line in gone)
    if gone:
        spans = [line for line in gone if isinstance(line, SpanSegment)]
        lost = counting.duplicates(store, [line for line in spans if segments.is_whole(store.path, line)])
        sweeping.release(store.path, gone)
        change = {line.segment: [manifest.Replaced(line, "")] for line in gone}
        writer.replace(*editing.rewritten(store.lines, change, lost=lost, kept=needed(store.path)))
    sweeping.sweep(store.path, writer.store.lines, grace_s)
    return Expired(
        segments=tuple(line.segment for line in gone),
        spans=sum(line.rows for line in gone if isinstance(line, SpanSegment)),
        runs=sum(line.rows for line in gone if isinstance(line, RunSegment)),
        bytes=size,
        until_ns=max((line.max_ns for line in gone if line.max_ns is not None), default=None),
    )


def _too_old(line: manifest.Segment, before_ns: int | None) -> bool:
    return before_ns is not None and line.max_ns is not None and line.max_ns < before_ns


def _too_much(
    store: Store, gone: Sequence[SpanSegment | RunSegment], max_bytes: int | None
) -> list[SpanSegment | RunSegment]:
    """Return the oldest segments over the limit; one without times is as old as those before it."""
    if max_bytes is None:
        return []
    latest, aged = 0, []
    for line in store.segments:
        latest = max(latest, line.max_ns or 0)
        if line not in gone:
            aged.append((latest if line.max_ns is None else line.max_ns, line))
    left = sum(_size(store.path, line) for _, line in aged)
    found = []
    for _, line in sorted(aged, key=itemgetter(0)):
        if left <= max_bytes:
            break
        left -= _size(store.path, line)
        found.append(line)
    return found


def _size(store: Path, line: manifest.Segment) -> int:
    try:
        return (store / line.segment).lstat().st_size
    except OSError:
        return 0
