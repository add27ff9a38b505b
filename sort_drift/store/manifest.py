"""MANIFEST.jsonl: the list of what the store holds; what it does not list is not there.

One JSON object a line, appended and synced after the files it names. An append ends with a commit line that
has the sha256 of its lines: what follows the last commit is a crash in the middle of an append and does not
count, anything else that cannot be read or does not add up is damage. Compaction and retention write it anew.

The order of the segments is that of ingestion: among equal versions of a span the last one counts.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

import msgspec

from sort_drift.errors import TamperedFile
from sort_drift.store import files

MANIFEST_FILE = "MANIFEST.jsonl"


class Segment(msgspec.Struct, frozen=True, tag_field="kind"):
    """A Parquet file of the store."""

    segment: str  # path inside the store
    rows: int
    min_ns: int | None  # earliest start or end in it
    max_ns: int | None  # latest start or end in it: of a span without an end, its start
    sha256: str
    schema: int


class SpanSegment(Segment, frozen=True, tag_field="kind", tag="spans"):
    """Canonical spans, of one or several exports."""

    untimed: int = 0  # rows without a start
    sources: tuple[str, ...] = ()  # ``Source.key`` of its spans


class RunSegment(Segment, frozen=True, tag_field="kind", tag="runs"):
    """Run tables, of the geometry version they were measured with."""

    geometry: int


class Source(msgspec.Struct, frozen=True, tag_field="kind", tag="source"):
    """An export, whole in the store; listed again when it gets further tags, then with all of them."""

    source: str  # path as given
    sha256: str
    tags: tuple[str, ...]
    read_with: tuple[str, ...] = ()  # Provenance.read_with of its spans
    whole: bool = True  # False: repair took out a segment that it may be in; it may be ingested again

    @property
    def key(self) -> str:
        """What the ``source`` column of its spans says: 64 bits of its sha256."""
        return self.sha256[:16]


LIVE = Source("live", sha256(b"sort-drift live").hexdigest(), ())
"""Where the spans of a live service came from: listed once, whatever their number."""


class Journal(msgspec.Struct, frozen=True, tag_field="kind", tag="journal"):
    """A journal of the live service whose spans are in segments of the same append."""

    number: int
    sha256: str  # of the file


class Measured(msgspec.Struct, frozen=True, tag_field="kind", tag="measured"):
    """Run tables are complete for the first ``covers`` lines of the manifest."""

    geometry: int
    covers: int


class Rewritten(msgspec.Struct, frozen=True, tag_field="kind", tag="rewritten"):
    """What was before the manifest was written anew."""

    number: int  # the highest number that a segment had: never given again
    dropped: int  # duplicates that compaction took out of the segments


class Replaced(msgspec.Struct, frozen=True, tag_field="kind", tag="replaced"):
    """A segment that does not count any more; its file stays for a while, for readers under way."""

    line: SpanSegment | RunSegment
    by: str  # the segment that has its rows; "": retention or repair took it out


class Commit(msgspec.Struct, frozen=True, tag_field="kind", tag="commit"):
    """The end of one append: everything above it is whole."""

    sha256: str  # of the lines since the commit before it and of the other fields
    duplicates: int  # spans of this append that were in the store already, or twice in it
    inode: int = 0  # of the file it was written to: in a copy of the store another one


Line = SpanSegment | RunSegment | Source | Journal | Measured | Rewritten | Replaced | Commit


def salvage(path: Path) -> list[Line]:
    """Return what can be read of a damaged manifest: lines before its last commit, sha256 or not."""
    try:
        texts = (path / MANIFEST_FILE).read_bytes().splitlines()
    except OSError:
        return []
    lines = [line for text in texts if not isinstance(line := _decode(text), str)]
    commits = [place for place, line in enumerate(lines) if isinstance(line, Commit)]
    return lines[: commits[-1]] if commits else []


def read(path: Path) -> tuple[Line, ...]:
    """Return the lines of the manifest of the store at ``path``, up to its last commit.

    Raises
    ------
    TamperedFile
        If it is missing, a committed line cannot be read, or a commit does not match its lines.

    """
    lines, end = _read(path / MANIFEST_FILE)
    if not end:  # a store is made with one
        raise _damaged("it has no commit", str(path / MANIFEST_FILE))
    return lines


def is_copy(path: Path, lines: Sequence[Line]) -> bool:
    """Whether the manifest is not the file that its writer wrote, but a copy: cp, a backup, another disk."""
    commits = [line for line in lines if isinstance(line, Commit)]
    return bool(commits) and commits[-1].inode not in {0, (path / MANIFEST_FILE).stat().st_ino}


def append(
    path: Path, lines: Sequence[Line], duplicates: int = 0, *, end: int | None = None
) -> tuple[tuple[Line, ...], int]:
    """Add ``lines`` and their commit in one durable write, over whatever follows the last commit.

    Only the holder of the lock comes here. ``end`` is the byte where the last commit ends, if it is known:
    the manifest is not read again then. Returns what was added and where it ends.

    Raises
    ------
    StoreError
        If it cannot be written; the manifest is then as it was.
    TamperedFile
        If it is damaged, or shorter than ``end``.

    """
    file = path / MANIFEST_FILE
    if end is None:
        end = _read(file)[1] if file.exists() else 0
    with files.writable(file):
        with os.fdopen(os.open(file, os.O_RDWR | os.O_CREAT, 0o600), "r+b", buffering=0) as handle:
            status = os.fstat(handle.fileno())
            if status.st_size < end:
                raise _damaged("it became shorter while it was in use", str(file))
            added, data = _whole(lines, duplicates, status.st_ino)
            try:
                handle.truncate(end)
                handle.seek(end)
                files.write_all(handle.fileno(), data)
                os.fsync(handle.fileno())
            except OSError:
                with suppress(OSError):
                    handle.truncate(end)  # a commit that is not durable must not be seen
                raise
        files.sync_folder(path)
    return added, end + len(data)


def rewrite(path: Path, lines: Sequence[Line], duplicates: int) -> tuple[tuple[Line, ...], int]:
    """Put ``lines`` in the place of the manifest, in one step, as one append; returns what ``append`` does.

    Raises
    ------
    StoreError
        If it cannot be written; the old or the new one is there, whole.

    """
    written: list[tuple[tuple[Line, ...], bytes]] = []

    def content(inode: int) -> bytes:
        written.append(_whole(lines, duplicates, inode))
        return written[0][1]

    files.write(path / MANIFEST_FILE, content)
    return written[0][0], len(written[0][1])


def _whole(lines: Sequence[Line], duplicates: int, inode: int) -> tuple[tuple[Line, ...], bytes]:
    """Return ``lines`` with their commit, and the bytes of both."""
    data = b"".join(_encode(line) for line in lines)
    commit = Commit(_digest(data, duplicates, inode), duplicates, inode)
    return (*lines, commit), data + _encode(commit)


def _digest(lines: bytes, duplicates: int, inode: int) -> str:
    if not inode:  # as it was before there was one
        return sha256(b"%s%d" % (lines, duplicates)).hexdigest()
    return sha256(b"%s%d %d" % (lines, duplicates, inode)).hexdigest()


def _encode(line: Line) -> bytes:
    return msgspec.json.encode(line) + b"\n"


def _read(file: Path) -> tuple[tuple[Line, ...], int]:
    """Return the committed lines and the byte where they end."""
    try:
        data = file.read_bytes()
    except FileNotFoundError:
        raise _damaged("it is missing", str(file)) from None
    lines: list[Line] = []
    pending: list[Line] = []
    end, at, broken = 0, 0, ""
    for number, text in enumerate(data.splitlines(keepends=True), 1):
        at += len(text)
        line = _decode(text)
        if isinstance(line, str):
            broken = broken or f"line {number}: {line}"
            continue
        pending.append(line)
        if not isinstance(line, Commit) or not text.endswith(b"\n"):
            continue
        if broken or line.sha256 != _digest(data[end : at - len(text)], line.duplicates, line.inode):
            raise _damaged(broken or "its lines do not match their sha256", f"{file}:{number}")
        lines += pending
        pending, end = [], at
    return tuple(lines), end


def _decode(text: bytes) -> Line | str:
    """Return a line, or why it is none."""
    try:
        line: Line = msgspec.json.decode(text, type=Line)
        for segment in _segments(line):
            files.segment_number(segment)
    except (msgspec.MsgspecError, ValueError) as error:
        return str(error)
    return line


def _segments(line: Line) -> tuple[str, ...]:
    """Return the names of segments in a line."""
    if isinstance(line, Replaced):
        return (line.line.segment, *([line.by] if line.by else []))
    return (line.segment,) if isinstance(line, Segment) else ()


def _damaged(why: str, where: str) -> TamperedFile:
    return TamperedFile(
        f"the store's manifest is damaged: {why}",
        where=where,
        todo="Run 'sort-drift store repair DIR': it makes a new one from the segments",
    )
