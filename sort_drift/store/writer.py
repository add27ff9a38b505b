"""The one writer: spans and run tables into segments, made to count by one append to the manifest.

A writer may live for days: what an append costs does not grow with the store (benchmarks/store_growth.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass

import msgspec
import polars as pl

from sort_drift.errors import SortDriftError, StoreError
from sort_drift.model import GEOMETRY_VERSION
from sort_drift.store import counting, editing, files, manifest, segments
from sort_drift.store.manifest import LIVE
from sort_drift.store.reader import Store
from sort_drift.store.segments import ROW_GROUP

_KEYS = ("run_key", "conversation", "invocation", "links", "task_hash", "prompt_hash", "service")
_QUERIED = frozenset(("trace_id", "span_id", "log", "source", "end_ns", "cls", *_KEYS))
"""Columns that reading names: always in a segment of spans. The others stay away where they are all null,
which most are in any one export: 1.1 -> 0.6 us of CPU a span to read."""


@dataclass(frozen=True, slots=True)
class Ingested:
    """What one commit added."""

    spans: int  # rows stored, duplicates among them
    duplicates: int  # of these, spans that were there already or twice; readers see them once
    segments: int
    sources: int  # exports stored
    known: tuple[str, ...]  # exports that the store had already, with these tags
    retagged: tuple[str, ...]  # exports that the store had already and that only got further tags


@dataclass(frozen=True, slots=True)
class Sealed:
    """What became of one journal."""

    spans: int  # rows stored, duplicates among them
    duplicates: int  # of these, spans that were there already or twice; readers see them once
    segment: int  # number of its first segment (``Store.lines_before``); 0: it had no spans


class Writer:
    """Adds to a store, see ``writing``. Nothing counts before ``commit``; an error drops what came since."""

    def __init__(self, store: Store) -> None:
        self._store, self._doubtful = store, False
        self._path, self._format = store.path, store.format
        self._number = editing.highest(store.lines)
        self._end: int | None = None  # of the manifest, once this writer has written to it
        self._clear()

    @property
    def store(self) -> Store:
        """As of the last commit; read again while a write, under way or failed, leaves doubt about it."""
        return Store.open(self._path) if self._doubtful else self._store

    @property
    def number(self) -> int:
        """Number of the segment that was written last."""
        return self._number

    def _clear(self) -> None:
        self._buffer: list[pl.DataFrame] = []
        self._segments: list[manifest.SpanSegment] = []
        self._sources: dict[str, manifest.Source] = {}
        self._known: list[str] = []
        self._retagged: list[str] = []

    def append(
        self,
        frames: Iterable[pl.DataFrame],
        *,
        source: str,
        sha256: str,
        tags: Sequence[str] = (),
        read_with: Sequence[str] = (),
    ) -> bool:
        """Add the spans of one export (frames of schema SPANS); return False where the store has it already.

        An export is known by the sha256 of its bytes, under whatever name. A known one is not read again;
        tags that it does not have are added to those it has, so its runs are found under either.

        Raises
        ------
        StoreError
            If the store has it, read with something else (``Provenance.read_with``).

        """
        known = self._sources.get(sha256) or self.store.sources.get(sha256)
        if known is not None:
            if known.read_with != tuple(read_with):
                self._clear()
                before = ", ".join(known.read_with) or "no vocabulary or column of your own"
                raise StoreError(
                    f"the store has this export already, read with {before}",
                    where=source,
                    todo="Read it the same way, or name a new store",
                )
            if known.whole:
                self._tag(known, source, tags)
                return False
            tags = (*known.tags, *tags)
        entry = manifest.Source(source, sha256, tuple(dict.fromkeys(tags)), tuple(read_with))
        try:
            for frame in frames:
                self._buffer.append(frame.with_columns(source=pl.lit(entry.key)))
                self._flush(ROW_GROUP)
        except BaseException:
            self._clear()
            raise
        self._sources[sha256] = entry
        return True

    def _tag(self, known: manifest.Source, source: str, tags: Sequence[str]) -> None:
        together = tuple(dict.fromkeys((*known.tags, *tags)))
        if together == known.tags:
            self._known.append(source)
        else:
            self._sources[known.sha256] = manifest.Source(
                known.source, known.sha256, together, known.read_with
            )
            self._retagged.append(source)

    def commit(self) -> Ingested:
        """Make everything appended count, durably and in one step, and say what it was."""
        self._flush(1)
        done = Ingested(
            spans=sum(line.rows for line in self._segments),
            duplicates=counting.duplicates(self.store, self._segments),
            segments=len(self._segments),
            sources=sum(s.whole and not self._has(sha256) for sha256, s in self._sources.items()),
            known=tuple(self._known),
            retagged=tuple(self._retagged),
        )
        if self._sources:
            self.add([*self._segments, *self._sources.values()], done.duplicates)
        self._clear()
        return done

    def _has(self, sha256: str) -> bool:
        """Whether an export is in the store, whole."""
        known = self.store.sources.get(sha256)
        return known is not None and known.whole

    def seal(self, frames: Iterable[pl.DataFrame], *, journal: int, sha256: str) -> Sealed | None:
        """Make the spans of one journal of the live service count, durably and in one step.

        ``frames`` have the schema SPANS; ``sha256`` is that of the journal's file. A journal that the store
        has already gives None and is not read: a crash came between this and the removal of its file.

        Raises
        ------
        StoreError
            If it cannot be written; the store is then as it was, and the journal is still needed.

        """
        line = manifest.Journal(journal, sha256)
        if line in self.store.journals:
            return None
        self._clear()
        try:
            self._buffer = [frame.with_columns(source=pl.lit(LIVE.key)) for frame in frames]
            self._flush(1)
            added = self._segments
            duplicates = counting.duplicates(self.store, added)
            first = [] if LIVE.sha256 in self.store.sources or not added else [LIVE]
            self.add([*first, *added, line], duplicates)
        except BaseException:
            self.discard(self._segments)
            raise
        finally:
            self._clear()
        number = files.segment_number(added[0].segment) if added else 0
        return Sealed(sum(line.rows for line in added), duplicates, number)

    def write_runs(self, tables: Iterable[pl.DataFrame], covers: int | None = None) -> int:
        """Store run tables, a segment each, in one step; return their rows.

        A table replaces all earlier rows of the runs whose traces it has; columns beside those of RUNS are
        kept. From then on the run tables are complete for the first ``covers`` lines of the manifest: all,
        which is what ``store.pending()`` named, or fewer where runs are still open that have spans in later
        segments (``Store.lines_before``).
        """
        covers = len(self.store.lines) if covers is None else min(covers, len(self.store.lines))
        lines = [self.write_run_table(table) for table in tables]
        self.add([*lines, manifest.Measured(GEOMETRY_VERSION, covers)], 0)
        return sum(line.rows for line in lines)

    def discard(self, lines: Iterable[manifest.Line | manifest.Segment]) -> None:
        """Remove segments that do not count: on a full disk each try would leave some behind."""
        with suppress(SortDriftError, OSError):  # where nobody can tell what counts, everything stays
            counted = {line.segment for line in self.store.of(manifest.Segment)}
            for line in lines:
                if isinstance(line, manifest.Segment) and line.segment not in counted:
                    (self._path / line.segment).unlink(missing_ok=True)

    # -- what compaction, retention and merging are made of: segments first, then the manifest

    def write_spans(self, frame: pl.DataFrame, origin: str = "") -> manifest.SpanSegment:
        """Write a segment of spans, which does not count before the manifest has its line."""
        line = segments.write(self._path, "spans", self._next(), origin or self._format.uuid, frame)
        return manifest.SpanSegment(**line, **segments.of_spans(frame))

    def write_run_table(self, table: pl.DataFrame, origin: str = "") -> manifest.RunSegment:
        """Write a segment of runs, which does not count before the manifest has its line."""
        line = segments.write(self._path, "runs", self._next(), origin or self._format.uuid, table)
        return manifest.RunSegment(**line, geometry=GEOMETRY_VERSION)

    def _next(self) -> int:
        self._number += 1
        return self._number

    def copy(
        self, line: manifest.SpanSegment | manifest.RunSegment, data: bytes
    ) -> manifest.SpanSegment | manifest.RunSegment:
        """Write a segment of another store; it keeps its name, or gets a new number where that is taken."""
        name, number = line.segment, files.segment_number(line.segment)
        if (self._path / name).exists():
            number = max(self._number, number) + 1
            folder, _, last = name.rpartition("/")
            name = f"{folder}/{number:010d}{last[10:]}"
        segments.place(self._path, name, data)
        self._number = max(self._number, number)
        return msgspec.structs.replace(line, segment=name)

    def add(self, lines: Sequence[manifest.Line], duplicates: int) -> None:
        """Make segments that were written count, with the lines that tell about them, in one step.

        Raises
        ------
        StoreError
            If the manifest cannot be written; ``store`` says what counts then, and the others are removed.

        """
        before = self.store.lines
        try:
            end, self._end, self._doubtful = self._end, None, True
            added, end = manifest.append(self._path, lines, duplicates, end=end)
            self._certain((*before, *added), end)
        except BaseException:
            self.discard(lines)
            raise

    def replace(self, lines: Sequence[manifest.Line], duplicates: int) -> None:
        """Put a new manifest in the place of the old one, in one step.

        Raises
        ------
        StoreError
            If it cannot be written; the old one or the new one counts, and ``store`` is the one that does.

        """
        self._clear()
        self._end, self._doubtful = None, True
        self._certain(*manifest.rewrite(self._path, lines, duplicates))

    def _certain(self, lines: Iterable[manifest.Line], end: int) -> None:
        """Go on with these lines: reading the manifest again would take longer the larger it is."""
        self._store = Store.showing(self._path, self._format, lines)
        self._end, self._doubtful = end, False

    def _flush(self, at_least: int) -> None:
        """Write whole segments while ``at_least`` rows wait."""
        if sum(frame.height for frame in self._buffer) < at_least:
            return
        waiting = pl.concat(self._buffer)
        while waiting.height >= at_least:
            rows, waiting = waiting[:ROW_GROUP], waiting[ROW_GROUP:]
            present = [s.name for s in rows if s.name in _QUERIED or s.null_count() < s.len()]
            self._segments.append(self.write_spans(rows.select(present)))
        self._buffer = [waiting]
