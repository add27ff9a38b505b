"""The journal: what was acknowledged and is no segment yet. Frames in files, each synced before the answer.

journal/0000000012.j    header (magic, version), then frames: magic | length | crc32 | sequence | payload

A file that was cut or damaged keeps its valid beginning; the rest is put aside as ``<name>.bad-<offset>``,
never thrown away. A failed sync is not tried again: Linux may have dropped the pages that it was about, and a
second one would succeed (Rebello et al. 2020, https://www.usenix.org/conference/atc20/presentation/rebello).
"""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from zlib import crc32

from sort_drift.errors import StoreError
from sort_drift.store import files

FOLDER = "journal"
VERSION = 1
HEADER = struct.Struct("<8sI4x")
MAGIC = b"sdjournl"
FRAME = struct.Struct("<4sIIQ")
FRAME_MAGIC = b"SDF1"
LARGEST = 1 << 30
"""Bytes of a payload: a length beyond it is damage."""

_NAME = re.compile(r"(\d{10})\.j")

# What touches the disk, by a name of its own: tests put failing ones here.
_write = os.write
_sync = os.fdatasync


class JournalFailed(Exception):
    """A sync failed: nobody knows what is on the disk."""


class Full(Exception):
    """A frame could not be written; what was there before is as it was."""


@dataclass(slots=True)
class Journal:
    """One file that is being written."""

    path: Path
    number: int
    size: int = 0  # bytes, header included
    frames: int = 0
    _descriptor: int = -1
    _digest: object = field(default_factory=sha256)

    @classmethod
    def create(cls, folder: Path, number: int) -> Journal:
        """Make journal ``number``; its name is durable when this returns.

        Raises
        ------
        OSError
            If it cannot be made; no file of that name is left.

        """
        path = folder / f"{number:010d}.j"
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        made = cls(path, number, _descriptor=descriptor)
        try:
            made._put(HEADER.pack(MAGIC, VERSION))
            _sync(descriptor)
            files.sync_folder(folder)
        except BaseException:
            os.close(descriptor)
            path.unlink(missing_ok=True)
            raise
        return made

    @property
    def sha256(self) -> str:
        """Of all bytes in it."""
        return self._digest.hexdigest()  # type: ignore[attr-defined, no-any-return]

    def append(self, payloads: Sequence[bytes], sequence: int) -> None:
        """Write frames numbered from ``sequence`` and make them durable: all of them, or none.

        Raises
        ------
        Full
            If there is no room, or the file cannot be written; the file is as it was before.
        JournalFailed
            If the sync failed: the service has to stop.

        """
        data = b"".join(_framed(payload, sequence + i) for i, payload in enumerate(payloads))
        before, kept = self.size, self._digest.copy()  # type: ignore[attr-defined]
        try:
            self._put(data)
        except OSError as error:
            self._take_back(before, kept)
            raise Full(error.strerror or str(error)) from error
        try:
            _sync(self._descriptor)
        except OSError as error:
            raise JournalFailed(error.strerror or str(error)) from error
        self.frames += len(payloads)

    def close(self) -> None:
        """Close the file; nothing is pending, every append was synced."""
        os.close(self._descriptor)

    def _put(self, data: bytes) -> None:
        left = memoryview(data)
        while left:
            left = left[_write(self._descriptor, left) :]
        self._digest.update(data)  # type: ignore[attr-defined]
        self.size += len(data)

    def _take_back(self, size: int, digest: object) -> None:
        """Cut off what was half written; where even that fails, recovery will."""
        try:
            os.ftruncate(self._descriptor, size)
            os.lseek(self._descriptor, size, os.SEEK_SET)
        except OSError as error:
            raise JournalFailed(error.strerror or str(error)) from error
        self.size, self._digest = size, digest


def _framed(payload: bytes, sequence: int) -> bytes:
    return FRAME.pack(FRAME_MAGIC, len(payload), _crc(payload, sequence), sequence) + payload


def _crc(payload: bytes, sequence: int) -> int:
    return crc32(payload, crc32(sequence.to_bytes(8, "little")))


# ---------------------------------------------------------------------------------------------------------
# after a crash


@dataclass(frozen=True, slots=True)
class Found:
    """What one file holds."""

    path: Path
    number: int
    payloads: tuple[bytes, ...]
    valid: int  # bytes of header and whole frames
    bad: str  # why the rest is none, "" where there is no rest
    sha256: str  # of the valid bytes


def names(folder: Path) -> list[Path]:
    """Return the journals in a folder, oldest first."""
    found = folder.iterdir() if folder.is_dir() else ()
    return sorted(path for path in found if _NAME.fullmatch(path.name))


def next_number(folder: Path, taken: Iterable[int] = ()) -> int:
    """Return a number that no journal has: not those that are there, not those ``taken``."""
    return max([0, *taken, *(int(path.stem) for path in names(folder))]) + 1


def read(path: Path) -> Found:
    """Return the whole frames of a journal, up to the first one that is not.

    Raises
    ------
    StoreError
        If a newer version wrote it: it is left as it is.

    """
    data = path.read_bytes()
    payloads: list[bytes] = []
    valid, bad = 0, ""
    magic, version = HEADER.unpack_from(data) if len(data) >= HEADER.size else (b"", 0)
    if magic != MAGIC or not version:
        bad = "it is no journal" if data else ""
    elif version > VERSION:
        raise StoreError(
            f"the journal has version {version}, this version reads up to {VERSION}",
            where=str(path),
            todo="Use the sort-drift that wrote it",
        )
    else:
        valid = HEADER.size
        for valid, payload, bad in _frames(data):  # noqa: B007 - the last ones count
            if payload is not None:
                payloads.append(payload)
    number = int(path.stem)
    return Found(path, number, tuple(payloads), valid, bad, sha256(data[:valid]).hexdigest())


def _frames(data: bytes) -> Iterator[tuple[int, bytes | None, str]]:
    """Yield (end of the valid part, payload, ""), and at last (that end, None, why it ends there)."""
    at = HEADER.size
    while at < len(data):
        why = ""
        magic, size, crc, sequence = (
            FRAME.unpack_from(data, at) if at + FRAME.size <= len(data) else (b"", 0, 0, 0)
        )
        payload = data[at + FRAME.size : at + FRAME.size + size]
        if magic != FRAME_MAGIC or size > LARGEST:
            why = "zeros" if not any(data[at:]) else "this is no frame"
        elif len(payload) < size:
            why = "the last frame is cut"
        elif crc != _crc(payload, sequence):
            why = "the checksum of a frame is wrong"
        if why:
            yield at, None, f"{why} at byte {at}"
            return
        at += FRAME.size + size
        yield at, payload, ""


def set_aside(found: Found) -> Path | None:
    """Put what is no frame into a file beside the journal, and cut it off; return that file.

    A file without any valid byte becomes that file as a whole.
    """
    data = found.path.read_bytes()
    if len(data) == found.valid:
        return None
    aside = found.path.with_name(f"{found.path.name}.bad-{found.valid}")
    if not found.valid:
        found.path.replace(aside)
        files.sync_folder(aside.parent)
        return aside
    files.write(aside, data[found.valid :])
    descriptor = os.open(found.path, os.O_WRONLY)
    try:
        os.ftruncate(descriptor, found.valid)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    return aside
