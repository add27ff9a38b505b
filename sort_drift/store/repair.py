"""A damaged store, usable again: nothing is lost quietly, and what is set aside is kept.

A damaged segment goes to ``quarantine/``; those that were merged into it a short while ago take its place
again. Run tables that are damaged, or of another geometry version, go too: their traces are pending and are
measured again by whoever reads or writes next. A manifest that is lost or damaged is made anew from segments.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from sort_drift.errors import SortDriftError, TamperedFile
from sort_drift.store import counting, editing, files, manifest, segments, sweeping
from sort_drift.store.check import QUARANTINE, look
from sort_drift.store.compaction import needed
from sort_drift.store.manifest import LIVE, RunSegment, SpanSegment
from sort_drift.store.reader import Store


@dataclass(frozen=True, slots=True)
class Repaired:
    """What one repair did."""

    store: Path
    quarantined: tuple[str, ...]  # segments set aside
    missing: tuple[str, ...]  # segments that were not there
    restored: tuple[str, ...]  # older segments that count again in the place of those
    adopted: tuple[str, ...]  # segments that the manifest did not name, or that it lost
    remeasured: bool  # all runs are pending
    lost_spans: int  # rows, duplicates among them
    lost_runs: int  # rows; they are measured again where their spans are still there
    incomplete: tuple[str, ...]  # exports to ingest again

    @property
    def changed(self) -> bool:
        """Whether there was anything to do."""
        return bool(self.quarantined or self.missing or self.restored or self.adopted or self.remeasured)


def repair(path: Path | str) -> Repaired:
    """Make the store at ``path`` one that opens and can be read; see ``check.verify`` for what is wrong.

    Raises
    ------
    StoreError
        If it is no store, another process writes to it, or its description (FORMAT.json) is lost.

    """
    path = Path(path).resolve()
    files.read_format(path)
    with files.lock(path):
        return _Repair(path).run()


@dataclass
class _Repair:
    path: Path
    quarantined: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    restored: list[str] = field(default_factory=list)
    adopted: list[str] = field(default_factory=list)
    lost: list[SpanSegment | RunSegment] = field(default_factory=list)
    remeasured: bool = False

    def run(self) -> Repaired:
        """Find what is wrong, set it aside, and write the manifest anew where that changes it."""
        try:
            store = Store.open(self.path)
        except TamperedFile:
            lines, new = self._rebuilt(), True
        else:
            lines, new = list(store.lines), store.lines != store.listed
        change = self._without_damage(lines)
        if change or new:
            self._write(lines, change)
        return Repaired(
            self.path,
            quarantined=tuple(self.quarantined),
            missing=tuple(self.missing),
            restored=tuple(self.restored),
            adopted=tuple(self.adopted),
            remeasured=self.remeasured,
            lost_spans=sum(line.rows for line in self.lost if isinstance(line, SpanSegment)),
            lost_runs=sum(line.rows for line in self.lost if isinstance(line, RunSegment)),
            incomplete=tuple(s.source for s in Store.open(self.path).sources.values() if not s.whole),
        )

    def _rebuilt(self) -> list[manifest.Line]:
        """Make lines from what is left of the manifest and from the segments that it does not name.

        Those of journals are not taken over: one that is sealed twice counts once, one that is taken for
        sealed is lost.
        """
        self.remeasured = True
        old = manifest.salvage(self.path)
        with suppress(OSError):
            self._keep(manifest.MANIFEST_FILE, (self.path / manifest.MANIFEST_FILE).read_bytes())
        replaced = [line for line in old if isinstance(line, manifest.Replaced)]
        found = [self._described(line) for line in {line.segment: line for line in _segments(old)}.values()]
        beside = [
            str(file.relative_to(self.path))
            for file in sweeping.orphans(self.path, [*found, *_parts(replaced)])
        ]
        for name in sorted(filter(files.is_segment, beside), key=files.segment_number):
            found += self._adopt(name)
        sources = {line.key: line for line in old if isinstance(line, manifest.Source)}
        for line in found:
            for key in line.sources if isinstance(line, SpanSegment) else ():
                sources.setdefault(key, LIVE if key == LIVE.key else _unknown(key))
        number = max((line.number for line in old if isinstance(line, manifest.Rewritten)), default=0)
        return [manifest.Rewritten(number, 0), *sources.values(), *found, *replaced]

    def _described(self, line: SpanSegment | RunSegment) -> SpanSegment | RunSegment:
        """Return a line of a damaged manifest as its segment says it; of a damaged one, as it is."""
        if not segments.is_whole(self.path, line):
            return line
        try:
            return segments.describe(self.path, line.segment)
        except SortDriftError:
            return line

    def _adopt(self, name: str) -> list[SpanSegment | RunSegment]:
        try:
            line = segments.describe(self.path, name)
        except SortDriftError:
            self._quarantine(name)
            return []
        self.adopted.append(name)
        return [line]

    # -- segments

    def _without_damage(self, lines: Sequence[manifest.Line]) -> dict[str, list[manifest.Line]]:
        """Set aside what is damaged; return what comes in its place."""
        listed = {line.segment: line for line in _segments(lines)}
        change: dict[str, list[manifest.Line]] = {}
        for problem in list(look(self.path, listed.values())):
            line = listed[problem.where]
            if problem.kind == "version" and problem.serious:
                continue  # of a newer sort-drift: nothing is wrong with it
            if problem.kind == "missing":
                self.missing.append(line.segment)
            else:
                self._quarantine(line.segment)
            change[line.segment] = [*self._parts_of(line, lines)]
        return change

    def _parts_of(
        self, line: SpanSegment | RunSegment, lines: Sequence[manifest.Line]
    ) -> list[SpanSegment | RunSegment]:
        """Return the segments that were merged into a lost one, if all of them are still there."""
        parts = _parts(old for old in lines if isinstance(old, manifest.Replaced) and old.by == line.segment)
        if parts and all(segments.is_whole(self.path, part) for part in parts):
            self.restored += [part.segment for part in parts]
            return parts
        self.lost.append(line)
        self.remeasured |= isinstance(line, RunSegment)
        return []

    def _quarantine(self, name: str) -> None:
        """Move a file out of everybody's way; its new name says nothing of where it was but its number."""
        source, target = self.path / name, self._free(name)
        with files.writable(target):
            source.rename(target)
            for folder in (target.parent, source.parent):
                files.sync_folder(folder)
        self.quarantined.append(name)

    def _keep(self, name: str, data: bytes) -> None:
        files.write(self._free(name), data)

    def _free(self, name: str) -> Path:
        folder = self.path / QUARANTINE
        with files.writable(folder):
            folder.mkdir(mode=0o700, exist_ok=True)
        names = [
            Path(name).name,
            *(f"{Path(name).name}.{i}" for i in range(1, 1 + len(list(folder.iterdir())))),
        ]
        return next(folder / each for each in names if not os.path.lexists(folder / each))

    # -- the new manifest

    def _write(self, lines: Sequence[manifest.Line], change: dict[str, list[manifest.Line]]) -> None:
        gone = {key for line in self.lost if isinstance(line, SpanSegment) for key in line.sources}
        useful = needed(self.path)

        def kept(line: manifest.Journal | manifest.Replaced) -> bool:
            return useful(line) and not (isinstance(line, manifest.Replaced) and line.by in change)

        before = [
            editing.incomplete(line) if isinstance(line, manifest.Source) and line.key in gone else line
            for line in lines
            if not (self.remeasured and isinstance(line, manifest.Measured))
        ]
        after, _ = editing.rewritten(before, change, kept=kept)
        view = Store.showing(self.path, files.read_format(self.path), after)
        dropped = sum(line.dropped for line in view.of(manifest.Rewritten))
        manifest.rewrite(self.path, after, dropped + counting.duplicates(view, view.of(SpanSegment)))


def _segments(lines: Iterable[manifest.Line]) -> list[SpanSegment | RunSegment]:
    return [line for line in lines if isinstance(line, SpanSegment | RunSegment)]


def _parts(lines: Iterable[manifest.Replaced]) -> list[SpanSegment | RunSegment]:
    return [line.line for line in lines]


def _unknown(key: str) -> manifest.Source:
    return manifest.Source(f"unknown export {key}", key.ljust(64, "0"), (), whole=False)
