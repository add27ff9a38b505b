"""Many small segments into few of the size of a row group; what readers get stays the same.

A live service seals four journals a minute. Merged are segments of one day, in the order of ingestion,
without the spans and revisions of runs that no reader sees any more. The manifest is then written anew, in
one step; the files that it does not name any more go after a grace period.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import polars as pl

from sort_drift.errors import TamperedFile
from sort_drift.model import GEOMETRY_VERSION
from sort_drift.store import editing, files, manifest, runtables, segments, sweeping
from sort_drift.store.engine import query
from sort_drift.store.manifest import RunSegment, SpanSegment
from sort_drift.store.reader import Store
from sort_drift.store.segments import ROW_GROUP
from sort_drift.store.writer import Writer

JOURNALS = "journal"
"""Folder of the live service's journals, whose names are their numbers."""

_IDLE = 200
"""Lines without any use from which on the manifest is written anew although there is nothing to merge."""

_S = TypeVar("_S", SpanSegment, RunSegment)

_SMALL = ROW_GROUP // 2
"""Rows below which a segment is merged: a row is written again about log2 of their number of times."""

_KEY = ("trace_id", "span_id", "log")


@dataclass(frozen=True, slots=True)
class Compacted:
    """What one compaction did."""

    before: int  # segments that counted
    after: int
    duplicates: int  # spans taken out: they were there twice
    revisions: int  # rows of runs taken out: they were measured again since
    freed_bytes: int  # of files whose grace period was over
    damaged: tuple[str, ...]  # segments left as they are; ``check.verify`` says more


def compact(writer: Writer, *, grace_s: float = sweeping.GRACE_S, runs_upto: int | None = None) -> Compacted:
    """Merge what is small, and remove what was replaced longer than ``grace_s`` seconds ago.

    Segments with runs that may still be open (``Measured.covers``) stay as they are, and so do run tables
    with a number above ``runs_upto``: a service that has taken note of them up to there can look at the
    others again (``Store.run_tables``). Nothing that was appended and not committed is kept.

    Raises
    ------
    StoreError
        If something cannot be written; what counted before still counts, and can be read.

    """
    before = len(writer.store.of(manifest.Segment))
    work = _Work(writer)
    try:
        for spans in _batches(_spans(work.lines), lambda line: line.segment.split("/")[1]):
            work.merge_spans(spans)
        for runs in _batches(_runs(work.lines, runs_upto), lambda line: segments.day(line.min_ns)):
            work.merge_runs(runs)
        if work.change or _worth_it(writer.store):
            work.finish()
    except BaseException:
        writer.discard(work.written)
        raise
    freed = sweeping.sweep(writer.store.path, writer.store.lines, grace_s)
    after = len(writer.store.of(manifest.Segment))
    return Compacted(before, after, work.duplicates, work.revisions, freed, tuple(work.damaged))


def _spans(lines: Sequence[manifest.Line]) -> Iterator[SpanSegment]:
    for line in lines[: editing.covered(lines)]:
        if isinstance(line, SpanSegment) and line.rows < _SMALL:
            yield line


def _runs(lines: Sequence[manifest.Line], upto: int | None) -> Iterator[RunSegment]:
    for line in lines:
        if not isinstance(line, RunSegment) or line.rows >= _SMALL or line.geometry != GEOMETRY_VERSION:
            continue
        if upto is None or files.segment_number(line.segment) <= upto:
            yield line


def _batches(lines: Iterable[_S], day: Callable[[_S], str]) -> Iterator[list[_S]]:
    """Yield what becomes one segment: two or more of one day and one store, in order, up to a row group."""
    open_: dict[tuple[str, str], list[_S]] = {}
    for line in lines:
        key = (day(line), files.segment_origin(line.segment))
        batch = open_.setdefault(key, [])
        if sum(part.rows for part in batch) + line.rows > ROW_GROUP:
            yield batch
            batch = open_[key] = []
        batch.append(line)
    yield from open_.values()


class _Work:
    """A compaction under way: segments are written, and no manifest names them yet."""

    def __init__(self, writer: Writer) -> None:
        self.lines = list(writer.store.lines)  # as they will be, without what ``editing`` adds
        self.change: dict[str, list[manifest.Line]] = {}
        self.written: list[manifest.Segment] = []
        self.damaged: list[str] = []
        self.duplicates = self.revisions = 0
        self._writer, self._path = writer, writer.store.path

    def merge_spans(self, batch: Sequence[SpanSegment]) -> None:
        """Write the spans of some segments as one, each once, where no other segment has a newer version."""
        found = self._load(batch)
        if len(found) < 2:
            return
        places = {
            line.segment: place for place, line in enumerate(self.lines) if isinstance(line, SpanSegment)
        }
        frame = pl.concat(
            [frame.with_columns(place=pl.lit(places[line.segment])) for line, frame in found],
            how="diagonal_relaxed",
        )
        lines = [line for line, _ in found]
        stays = frame.filter(_stays(frame, self._rivals(lines, places)))
        self.duplicates += frame.height - stays.height
        self._put(
            lines, [self._writer.write_spans(stays.drop("place"), _origin(lines))] if len(stays) else []
        )

    def merge_runs(self, batch: Sequence[RunSegment]) -> None:
        """Write the runs of some segments as one, without the revisions that are replaced within them."""
        found = self._load(batch)
        if len(found) < 2:
            return
        tables = [runtables.numbered(table, line) for line, table in found]
        table, lines = runtables.merged(tables), [line for line, _ in found]
        self.revisions += sum(map(len, tables)) - len(table)
        self._put(lines, [self._writer.write_run_table(table, _origin(lines))])

    def _load(self, batch: Sequence[_S]) -> list[tuple[_S, pl.DataFrame]]:
        found = []
        for line in batch if len(batch) > 1 else ():
            try:
                found.append((line, segments.load(self._path, line)))
            except TamperedFile:
                self.damaged.append(line.segment)
        return found

    def _rivals(self, lines: Sequence[SpanSegment], places: Mapping[str, int]) -> pl.DataFrame:
        """Return (trace_id, span_id, log, end_ns, place) of what other segments have of the same spans."""
        names = {line.segment for line in lines}
        others = [
            line
            for line in self.lines
            if isinstance(line, SpanSegment)
            and line.segment not in names
            and any(segments.near(line, mine) for mine in lines)
        ]
        others = [line for line in others if segments.is_whole(self._path, line)]
        if not others:
            return pl.DataFrame()
        files_, added = ([str(self._path / line.segment) for line in some] for some in (others, lines))
        found = query("rivals", str(self._path), files=files_, added=added)
        place = pl.Series([places[line.segment] for line in others], dtype=pl.Int32)
        return found.with_columns(place=place.gather(found["file_index"])).drop("file_index")

    def _put(self, old: Sequence[SpanSegment | RunSegment], new: Sequence[SpanSegment | RunSegment]) -> None:
        """Note what comes in the place of the last of ``old``, so that it stays behind what it replaces."""
        name = new[0].segment if new else ""
        self.written += new
        for line in old:
            self.change[line.segment] = [manifest.Replaced(line, name)]
        self.change[old[-1].segment] += new
        gone = {line.segment for line in old[:-1]}
        at = self.lines.index(old[-1])
        self.lines[at : at + 1] = new
        self.lines = [x for x in self.lines if not (isinstance(x, manifest.Segment) and x.segment in gone)]

    def finish(self) -> None:
        """Make it count."""
        store = self._writer.store
        old = [line for line in store.of(manifest.Segment) if line.segment in self.change]
        sweeping.release(store.path, old)
        self._writer.replace(
            *editing.rewritten(store.lines, self.change, dropped=self.duplicates, kept=needed(store.path))
        )


def _stays(frame: pl.DataFrame, rivals: pl.DataFrame) -> pl.Series:
    """Return which rows are the version of their span that readers see, among them and ``rivals``."""
    mine = frame.select(*_KEY, "end_ns", "place").with_row_index("row")
    rows = pl.concat(
        [mine, rivals.with_columns(row=pl.lit(None, pl.UInt32))] if len(rivals) else [mine], how="diagonal"
    )
    last = rows.sort("end_ns", "place", "row", nulls_last=False).unique(_KEY, keep="last")
    return mine["row"].is_in(last["row"].drop_nulls().implode())


def _origin(lines: Sequence[manifest.Segment]) -> str:
    return files.segment_origin(lines[0].segment)


def needed(store: Path) -> Callable[[manifest.Journal | manifest.Replaced], bool]:
    """Return what says of a line that it still tells something: its journal, or its segment, has a file."""
    numbers = journal_numbers(store)

    def kept(line: manifest.Journal | manifest.Replaced) -> bool:
        if isinstance(line, manifest.Journal):
            return line.number in numbers
        return (store / line.line.segment).is_file()

    return kept


def journal_numbers(store: Path) -> set[int]:
    """Return the numbers of the journals that have a file."""
    folder = store / JOURNALS
    names = (re.fullmatch(r"(\d+)\.j", file.name) for file in folder.glob("*"))
    return {int(name[1]) for name in names if name}


def _worth_it(store: Store) -> bool:
    """Whether the manifest is mostly lines that nobody needs any more."""
    kept = needed(store.path)
    idle = sum(
        isinstance(line, (manifest.Commit, manifest.Measured))
        or (isinstance(line, (manifest.Journal, manifest.Replaced)) and not kept(line))
        for line in store.lines
    )
    return idle > _IDLE
