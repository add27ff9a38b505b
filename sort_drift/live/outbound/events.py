"""events.jsonl: every happening, one JSON object a line, appended and synced; a torn last line is none.

The monitors replay what their checkpoint had not seen, and then say the same again: an id is written once.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from math import isfinite
from pathlib import Path
from typing import Any

import msgspec

from sort_drift.live.board import EVENTS_SHOWN, Happening
from sort_drift.store import files

ROTATE_BYTES = 64 << 20
"""About 100,000 alarms; then the file becomes ``events.jsonl.1``, in the place of the one before."""

_BLOCK = 1 << 16


class _Id(msgspec.Struct):
    id: str


class Events:
    """The file and the one before it. One writer; anybody may read meanwhile."""

    def __init__(self, path: Path, *, rotate_bytes: int = ROTATE_BYTES) -> None:
        self.path = path
        self._old = path.with_name(path.name + ".1")
        self._rotate_bytes = rotate_bytes
        self._ids: set[str] | None = None
        self.damaged = 0  # whole lines that cannot be read, as of the last reading

    def ids(self) -> frozenset[str]:
        """Return the id of every happening in both files."""
        return frozenset(self._known())

    def append(self, happenings: Iterable[Happening]) -> tuple[Happening, ...]:
        """Write those that are not there yet, durably, and return them: what is to be told.

        Raises
        ------
        StoreError
            If they cannot be written; then none of them counts as written.

        """
        known = self._known()
        new = tuple({h.id: h for h in happenings if h.id not in known}.values())
        if new:
            with files.writable(self.path):
                self._write(b"".join(encode(happening) + b"\n" for happening in new))
            known.update(happening.id for happening in new)
        return new

    def read(self, limit: int = EVENTS_SHOWN) -> tuple[Happening, ...]:
        """Return the last ``limit`` happenings, oldest first. An id that is there twice counts once."""
        found: dict[str, Happening] = {}
        self.damaged = 0
        for line in _backwards(self.path, self._old):
            if len(found) >= limit:
                break
            try:
                happening = decode(line)
            except (msgspec.MsgspecError, UnicodeDecodeError):
                self.damaged += 1
                continue
            found[happening.id] = happening
        return tuple(reversed(found.values()))

    def _known(self) -> set[str]:
        if self._ids is None:
            self._ids = set()
            for line in _backwards(self.path, self._old):
                try:
                    self._ids.add(msgspec.json.decode(line, type=_Id).id)
                except (msgspec.MsgspecError, UnicodeDecodeError):
                    continue
        return self._ids

    def _write(self, lines: bytes) -> None:
        """Append after the last whole line; what cannot be synced is taken back."""
        flags = os.O_RDWR | os.O_CREAT
        new = not self.path.exists()
        with os.fdopen(os.open(self.path, flags, 0o600), "r+b") as file:
            end = _whole(file.fileno())
            if end and end + len(lines) > self._rotate_bytes:
                os.ftruncate(file.fileno(), end)
                self.path.replace(self._old)
                files.sync_folder(self.path.parent)
                self._ids = None  # those of the oldest file are forgotten
                return self._write(lines)
            try:
                os.ftruncate(file.fileno(), end)
                file.seek(end)
                file.write(lines)
                file.flush()
                os.fsync(file.fileno())
            except OSError:
                os.ftruncate(file.fileno(), end)
                raise
        if new:
            files.sync_folder(self.path.parent)
        return None


def encode(happening: Happening) -> bytes:
    """Return a happening as one line of JSON. Numbers that JSON has not are written as text."""
    return msgspec.json.encode(_writable(msgspec.to_builtins(happening)))


def decode(line: bytes) -> Happening:
    """Return what ``encode`` was given.

    Raises
    ------
    msgspec.MsgspecError
        If the line is none of a happening.

    """
    return msgspec.json.decode(line, type=Happening, strict=False)


def _writable(value: Any) -> Any:
    if isinstance(value, float):
        return value if isfinite(value) else str(value)
    if isinstance(value, dict):
        return {key: _writable(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_writable(item) for item in value]
    return value


def _whole(descriptor: int) -> int:
    """Return where the last whole line ends."""
    size = os.fstat(descriptor).st_size
    while size:
        start = max(0, size - _BLOCK)
        at = os.pread(descriptor, size - start, start).rfind(b"\n")
        if at >= 0:
            return start + at + 1
        size = start
    return 0


def _backwards(*paths: Path) -> Iterator[bytes]:
    """Yield the whole lines of some files, the last one first; files that are not there have none."""
    for path in paths:
        try:
            file = path.open("rb")
        except FileNotFoundError:
            continue
        with file:
            end = _whole(file.fileno())
            rest = b""
            while end:
                start = max(0, end - _BLOCK)
                lines = (os.pread(file.fileno(), end - start, start) + rest).split(b"\n")
                rest, end = lines[0], start
                yield from (line for line in reversed(lines[1:]) if line)
            if rest:
                yield rest
