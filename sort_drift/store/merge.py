"""The stores of several clusters in one: segments are copied as they are, spans that both have count once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from msgspec import structs

from sort_drift.errors import StoreError
from sort_drift.store import compaction, counting, manifest, segments
from sort_drift.store.manifest import RunSegment, SpanSegment
from sort_drift.store.reader import Store
from sort_drift.store.writer import Writer


@dataclass(frozen=True, slots=True)
class Merged:
    """What came from one other store."""

    other: Path
    segments: int  # copied
    known: int  # of a copy of the same store: there already
    spans: int  # rows copied
    duplicates: int  # of these, spans that were there already; readers see them once
    runs: int  # rows copied; all are measured again where their spans are there
    sources: tuple[str, ...]  # exports that the store did not have, or not with all these tags
    journals: int  # of the other one's live service that are not sealed yet: their spans did not come


def merge(writer: Writer, other: Path | str) -> Merged:
    """Copy everything that counts in the store at ``other`` into that of ``writer``, in one step.

    The other store stays as it is and may be written meanwhile. What comes is pending (``Store.pending``): a
    run may have spans in both.

    Raises
    ------
    StoreError
        If it is no store, the same one, one whose hashes have another key, or something cannot be written.
    TamperedFile
        If a segment of it is damaged; nothing is copied then.

    """
    there = Store.open(other)
    _check(writer.store, there)
    lines: list[manifest.Line] = []
    try:
        lines += _copied(writer, there)
        spans = [line for line in lines if isinstance(line, SpanSegment)]
        duplicates = counting.duplicates(writer.store, spans)
        sources = list(_sources(writer.store, there))
        writer.add([*sources, *lines], duplicates)
    except BaseException:
        writer.discard(lines)
        raise
    runs = [line for line in lines if isinstance(line, RunSegment)]
    sealed = {journal.number for journal in there.journals}
    return Merged(
        other=there.path,
        segments=len(lines),
        known=len(there.segments) - len(lines),
        spans=sum(line.rows for line in spans),
        duplicates=duplicates,
        runs=sum(line.rows for line in runs),
        sources=tuple(source.source for source in sources),
        journals=len(compaction.journal_numbers(there.path) - sealed),
    )


def _check(into: Store, other: Store) -> None:
    if into.path == other.path:
        raise StoreError(
            "a store cannot be merged into itself", where=str(other.path), todo="Name another one"
        )
    key, theirs = into.format.hash_fingerprint, other.format.hash_fingerprint
    if key != theirs:
        raise StoreError(
            f"its hashes have another key ({theirs}; {key} in {into.path})",
            where=str(other.path),
            todo="Hashes of two keys never match: ingest its exports with the other SORT_DRIFT_HASH_KEY",
        )


def _copied(writer: Writer, there: Store) -> Iterator[SpanSegment | RunSegment]:
    """Copy the segments that the writer's store does not have; a name that is taken gets a new number."""
    mine = {line.segment: line.sha256 for line in writer.store.segments}
    for line in there.segments:
        if mine.get(line.segment) != line.sha256:
            yield writer.copy(line, segments.content(there.path, line))


def _sources(into: Store, there: Store) -> Iterator[manifest.Source]:
    for source in there.sources.values():
        known = into.sources.get(source.sha256)
        if known is None:
            yield source
        elif set(source.tags) - set(known.tags):
            tags = tuple(dict.fromkeys((*known.tags, *source.tags)))
            yield structs.replace(known, tags=tags)
