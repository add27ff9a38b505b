"""What is wrong with a store: every problem, not the first one. It only reads; a service may write on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sort_drift.errors import SortDriftError, StoreError
from sort_drift.model import GEOMETRY_VERSION
from sort_drift.store import files, manifest, segments, sweeping
from sort_drift.store.reader import Store

QUARANTINE = "quarantine"
"""Folder of segments that repair took out: kept, and read by nobody."""

Kind = Literal[
    "format", "manifest", "missing", "empty", "cut", "changed", "link", "foreign", "version",
    "copy", "orphan", "quarantine", "journal",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is not as it should be."""

    kind: Kind
    where: str  # path inside the store
    what: str
    todo: str = ""
    serious: bool = True  # False: worth knowing, but what is read is right


Journals = Callable[[Path], Iterable[Problem]]
"""Looks at the journals of the store at a path: the live service knows how they are framed."""


@dataclass(frozen=True, slots=True)
class Checked:
    """The result of one look at everything."""

    store: Path
    segments: int
    bytes: int
    problems: tuple[Problem, ...]

    @property
    def sound(self) -> bool:
        """Whether nothing serious was found."""
        return not any(problem.serious for problem in self.problems)


def verify(path: Path | str, *, journals: Journals = lambda _: ()) -> Checked:
    """Look at every file of the store at ``path`` and compare it with what the manifest says of it.

    Raises
    ------
    StoreError
        If there is no store.

    """
    path = Path(path).resolve()
    if not files.is_store(path) and not (path / manifest.MANIFEST_FILE).exists():
        files.read_format(path)  # it says that there is none
    while True:
        lines, problems = _open(path)
        listed = [line for line in lines if isinstance(line, manifest.SpanSegment | manifest.RunSegment)]
        problems += look(path, listed)
        if all(problem.kind != "missing" for problem in problems) or _open(path)[0] == lines:
            break  # else retention went over it meanwhile
    problems += [*_beside(path, lines), *journals(path)]
    return Checked(path, len(listed), sum(_size(path / line.segment) for line in listed), tuple(problems))


def _open(path: Path) -> tuple[Sequence[manifest.Line], list[Problem]]:
    try:
        store = Store.open(path)
    except SortDriftError as error:
        return manifest.salvage(path), [_closed(path, error)]
    return store.lines, list(_left_out(store))


def _closed(path: Path, error: SortDriftError) -> Problem:
    """Return why a store cannot be opened: its description or its manifest."""
    try:
        files.read_format(path)
    except StoreError:
        todo = f"Restore {files.FORMAT_FILE} from a copy: nothing else says which hash key the store has"
        return Problem("format", files.FORMAT_FILE, error.what, todo)
    return Problem("manifest", manifest.MANIFEST_FILE, error.what, _repair(path))


def look(path: Path, lines: Iterable[manifest.SpanSegment | manifest.RunSegment]) -> Iterator[Problem]:
    """Yield what is wrong with some segments; nothing of those that are as they were written."""
    whole = []
    for line in lines:
        if found := _damage(path, line):
            yield Problem(found[0], line.segment, found[1], _repair(path))
        else:
            whole.append(line)
            yield from _version(path, line)
    for name, why in segments.foreign(path, [line.segment for line in whole]).items():
        yield Problem("foreign", name, f"it is no segment: {why}", _repair(path))


def _version(path: Path, line: manifest.SpanSegment | manifest.RunSegment) -> Iterator[Problem]:
    if line.schema > files.SCHEMA_VERSION:
        what = f"it has schema {line.schema}, this version reads up to {files.SCHEMA_VERSION}"
        yield Problem("version", line.segment, what, "Use a newer sort-drift")
    elif isinstance(line, manifest.RunSegment) and line.geometry != GEOMETRY_VERSION:
        what = (
            f"its runs have geometry version {line.geometry}, not {GEOMETRY_VERSION}: they are measured again"
        )
        yield Problem("version", line.segment, what, _repair(path), serious=False)


def _damage(path: Path, line: manifest.Segment) -> tuple[Kind, str] | None:
    file = path / line.segment
    if file.resolve() != file:
        return "link", "it is a link to another place"
    if not file.is_file():
        return "missing", "it is missing"
    if segments.is_whole(path, line):
        return None
    if not file.stat().st_size:
        return "empty", "it is empty"
    if not _ends(file):
        return "cut", "its end is missing: it was cut short, or added to"
    try:
        why = segments.foreign(path, [line.segment])
    except StoreError:
        why = {}
    return (
        ("foreign", f"it is another file: {why[line.segment]}") if why else ("changed", "its sha256 differs")
    )


def _ends(file: Path) -> bool:
    with file.open("rb") as opened:
        opened.seek(-min(4, file.stat().st_size), 2)
        return opened.read() == b"PAR1"


def _left_out(store: Store) -> Iterator[Problem]:
    """Yield what this copy of a store lacks because it was made while the store was written."""
    counted = {line.segment for line in store.segments}
    gone = [line.segment for line in store.listed if isinstance(line, manifest.Segment)]
    for name in gone:
        if name not in counted:
            what = "it was written while this copy was made, and is not in it"
            yield Problem("copy", name, what, serious=False)


def _beside(path: Path, lines: Iterable[manifest.Line]) -> Iterator[Problem]:
    """Yield the files that nothing names."""
    replaced = {line.line.segment for line in lines if isinstance(line, manifest.Replaced)}
    for file in sweeping.orphans(path, lines):
        name = str(file.relative_to(path))
        if name in replaced:
            continue  # it goes when its grace period is over
        known = sweeping.ours(path, file)
        what = (
            "nothing names it: left by a crash, or of an append under way"
            if known
            else "it is not of this store"
        )
        todo = "Compaction removes it once it is old enough" if known else "Put it elsewhere; it does no harm"
        yield Problem("orphan", name, what, todo, serious=False)
    for file in sorted((path / QUARANTINE).glob("*")):
        what = "it was set aside by repair"
        yield Problem(
            "quarantine",
            f"{QUARANTINE}/{file.name}",
            what,
            "Remove it once you need it no more",
            serious=False,
        )


def _size(file: Path) -> int:
    try:
        return file.lstat().st_size
    except OSError:
        return 0


def _repair(path: Path) -> str:
    return f"Run 'sort-drift store repair {path}'"
