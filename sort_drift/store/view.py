"""What a store's manifest says, as it was when opened: segments, exports, journals."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Self, TypeVar

from sort_drift.model import Provenance
from sort_drift.store import copies, editing, files, manifest, segments

_L = TypeVar("_L")


class View:
    """The lines of a manifest that count, and what follows from them alone."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path).resolve()
        self.format = files.read_format(self.path)
        self.listed = manifest.read(self.path)
        """All lines. In a copy that was made while the store was written they may say more than there is."""
        self.lines = self.listed
        if manifest.is_copy(self.path, self.listed):
            self.lines = tuple(copies.settled(self.listed, lambda name: (self.path / name).is_file()))

    @classmethod
    def open(cls, path: Path | str) -> Self:
        """Return the store at ``path`` as it is now.

        Raises
        ------
        StoreError
            If there is none, or one of a newer version.
        TamperedFile
            If its manifest is damaged.

        """
        return cls(path)

    @classmethod
    def showing(cls, path: Path, form: files.Format, lines: Iterable[manifest.Line]) -> Self:
        """Return a view with these lines; nothing is read."""
        view = object.__new__(cls)
        view.path, view.format = path, form
        view.listed = view.lines = tuple(lines)
        return view

    def renew(self) -> bool:
        """Become what the store is now; whether that is something else."""
        now = type(self)(self.path)
        changed = now.listed != self.listed
        if changed:
            vars(self).clear()
            vars(self).update(vars(now))
        return changed

    @cached_property
    def sources(self) -> Mapping[str, manifest.Source]:
        """The exports in it, by the sha256 of their bytes."""
        return {line.sha256: line for line in self.of(manifest.Source)}

    def of(self, kind: type[_L]) -> list[_L]:
        """Return the manifest lines of one kind."""
        return [line for line in self.lines if isinstance(line, kind)]

    @property
    def segments(self) -> list[manifest.SpanSegment | manifest.RunSegment]:
        """The segments that count, in the order of ingestion."""
        return [line for line in self.lines if isinstance(line, manifest.SpanSegment | manifest.RunSegment)]

    @cached_property
    def journals(self) -> frozenset[manifest.Journal]:
        """The journals of the live service whose spans are in it."""
        return frozenset(self.of(manifest.Journal))

    def lines_before(self, segment: int) -> int:
        """Return how many lines stand before that of the span segment with this number; else all lines.

        It is what ``Writer.write_runs`` takes as ``covers`` while ``segment`` is the first one with spans of
        runs that are still open. Later where compaction put it into another one: the first after it.
        """
        places = {
            files.segment_number(line.segment): place
            for place, line in enumerate(self.lines)
            if isinstance(line, manifest.SpanSegment) and self.owns(line)
        }
        done = editing.covered(self.lines)
        later = [place for number, place in places.items() if number >= segment and place >= done]
        return places.get(segment, min(later, default=len(self.lines)))

    def owns(self, line: manifest.Segment) -> bool:
        """Whether a segment was written in this store, not in one that was merged into it."""
        return files.segment_origin(line.segment) == self.format.uuid[:8]

    def provenance(self) -> Provenance:
        """Where the store's content came from."""
        duplicates = sum(line.duplicates for line in self.of(manifest.Commit))
        dropped = sum(line.dropped for line in self.of(manifest.Rewritten))  # of those, by compaction
        return Provenance(
            sources=tuple((source.source, source.sha256) for source in self.sources.values()),
            hash_fingerprint=self.format.hash_fingerprint,
            spans=sum(line.rows for line in self.of(manifest.SpanSegment)) + dropped - duplicates,
            duplicates=duplicates,
            read_with=tuple(dict.fromkeys(way for s in self.sources.values() for way in s.read_with)),
        )

    def verify(self) -> None:
        """Check every segment's sha256, again even where that was done before.

        Raises
        ------
        TamperedFile
            Naming the first segment that is missing or differs.

        """
        for line in self.of(manifest.Segment):
            segments.verify(self.path, line, again=True)
