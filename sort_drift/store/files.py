"""Files that survive a crash: written aside, synced, renamed; one writer at a time; readers never wait.

A name in the store is either complete or absent. Everything is private to its owner (0700, 0600), because
span names and attributes are.
"""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from uuid import uuid4

import msgspec

from sort_drift.errors import StoreError
from sort_drift.model import GEOMETRY_VERSION

FORMAT_FILE = "FORMAT.json"
FORMAT_NAME = "sort-drift store"
LOCK_FILE = "LOCK"
SCHEMA_VERSION = 1
"""Of the layout and of the SPANS columns; new nullable columns do not raise it (absent means null)."""

_SEGMENT = re.compile(r"(?:spans/date=(?:\d{4}-\d\d-\d\d|unknown)|runs)/(\d{10})-([0-9a-f]{8})\.parquet")
"""The only names a manifest may list: nothing in it can lead outside the store."""


class Format(msgspec.Struct, frozen=True):
    """What FORMAT.json says: which store this is and how to read it."""

    format: str = FORMAT_NAME
    schema: int = SCHEMA_VERSION
    geometry: int = GEOMETRY_VERSION  # when the store was made; each runs segment has its own
    uuid: str = ""
    hash_fingerprint: str = ""  # of the key of every hash in it


def digest(path: Path | str) -> str:
    """Return the sha256 of a file's bytes as 64 hex digits, read in pieces of 1 MiB."""
    state = sha256()
    with Path(path).open("rb") as file:
        while piece := file.read(1 << 20):
            state.update(piece)
    return state.hexdigest()


Data = bytes | memoryview


def write(path: Path, data: Data | Iterator[bytes] | Callable[[int], Data], *, mode: int = 0o600) -> None:
    """Make ``path`` hold ``data``, durably and in one step: tmp, fsync, rename, fsync of the directory.

    ``data`` may come in pieces, or be a function of the inode that the file will have.

    Raises
    ------
    StoreError
        If it cannot, for example because the disk is full; what was at ``path`` is then still there.

    """
    temporary = path.with_name(path.name + ".tmp")
    with writable(path):
        try:
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, mode)
            try:
                made = data(os.fstat(descriptor).st_ino) if callable(data) else data
                for piece in (made,) if isinstance(made, Data) else made:
                    write_all(descriptor, piece)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            temporary.replace(path)
        except OSError:
            with suppress(OSError):  # of a file system that became read-only, the first reason is said
                temporary.unlink(missing_ok=True)
            raise
        sync_folder(path.parent)


def write_all(descriptor: int, data: bytes | memoryview) -> None:
    """Write all of ``data``; a disk that fills up takes only the first part of it at once."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


@contextmanager
def writable(path: Path) -> Iterator[None]:
    """Turn what the operating system says about writing to ``path`` into the house form.

    The StoreError has the OSError as its cause: a service goes on after ENOSPC and ends after EIO.
    """
    try:
        yield
    except OSError as error:
        raise StoreError(
            f"this cannot be written: {error.strerror}",
            where=str(path),
            todo="Make room or name another place; what was stored before is unchanged",
        ) from error


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable (a rename alone is not, POSIX leaves it to fsync)."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def segment_name(kind: str, number: int, store: str, date: str = "") -> str:
    """Return a segment's path inside the store; the store's UUID keeps names apart when stores are merged.

    >>> segment_name("spans", 11, "1f0e2d3c-0000", "2026-11-22")
    'spans/date=2026-11-22/0000000011-1f0e2d3c.parquet'
    """
    folder = f"spans/date={date}" if kind == "spans" else "runs"
    return f"{folder}/{number:010d}-{store[:8]}.parquet"


def segment_number(name: str) -> int:
    """Return the number in a segment's name.

    Raises
    ------
    ValueError
        If it is no name of a segment, such as one that leads out of the store.

    >>> segment_number("runs/0000000011-1f0e2d3c.parquet")
    11
    """
    return int(_match(name)[1])


def segment_origin(name: str) -> str:
    """Return of which store a segment is: the first 8 digits of its UUID; raises like ``segment_number``.

    >>> segment_origin("runs/0000000011-1f0e2d3c.parquet")
    '1f0e2d3c'
    """
    return _match(name)[2]


def is_segment(name: str) -> bool:
    """Whether ``name`` is one that the store gives to a segment.

    >>> is_segment("runs/0000000011-1f0e2d3c.parquet"), is_segment("../../etc/passwd")
    (True, False)
    """
    return _SEGMENT.fullmatch(name) is not None


def _match(name: str) -> re.Match[str]:
    match = _SEGMENT.fullmatch(name)
    if match is None:
        raise ValueError(f"{name!r} is no segment name")
    return match


def is_store(path: Path | str) -> bool:
    """Whether ``path`` is a store directory."""
    return (Path(path) / FORMAT_FILE).is_file()


def read_format(path: Path) -> Format:
    """Return FORMAT.json of the store at ``path``.

    Raises
    ------
    StoreError
        If there is none, or one that this version cannot read.

    """
    file = path / FORMAT_FILE
    try:
        found = msgspec.json.decode(file.read_bytes(), type=Format)
    except FileNotFoundError:
        raise StoreError(
            "this is no store",
            where=str(path),
            todo="Make one with 'sort-drift ingest EXPORT --store DIR'",
        ) from None
    except msgspec.MsgspecError as error:
        raise StoreError(f"the store's description cannot be read: {error}", where=str(file)) from None
    if found.format != FORMAT_NAME:
        raise StoreError("this is no store", where=str(file), todo="Name a store or another directory")
    if found.schema > SCHEMA_VERSION:
        raise StoreError(
            f"the store has schema {found.schema}, this version reads up to {SCHEMA_VERSION}",
            where=str(file),
            todo="Use a newer sort-drift",
        )
    return found


def create_format(path: Path, fingerprint: str) -> Format:
    """Turn the empty directory ``path`` into an empty store, under the lock."""
    made = Format(uuid=str(uuid4()), hash_fingerprint=fingerprint)
    write(path / FORMAT_FILE, msgspec.json.format(msgspec.json.encode(made)) + b"\n")
    sync_folder(path.parent)
    return made


@contextmanager
def lock(path: Path, note: str = "") -> Iterator[None]:
    """Hold the one writer's lock of the store at ``path``; a process that dies lets go of it.

    ``note`` is what others are told beside the process id: where the page of a live service is.

    Raises
    ------
    StoreError
        If another process holds it; the message has its process id and its note.

    """
    with writable(path):
        descriptor = os.open(path / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StoreError(
                f"the store is being written by process {_holder(descriptor)}",
                where=str(path),
                todo="Wait until it has ended, then try again; reading works meanwhile",
            ) from None
        with writable(path):
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n{note}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)


def note(path: Path, text: str) -> None:
    """Change what others are told of the holder of the lock, who alone calls this."""
    with writable(path):
        (path / LOCK_FILE).write_bytes(f"{os.getpid()}\n{text}\n".encode())


def _holder(descriptor: int) -> str:
    """Return what the holder of a lock says of itself: "4711 (http://127.0.0.1:8321)"."""
    said = os.pread(descriptor, 1024, 0).decode("utf-8", "replace")
    pid, _, note = ("".join(c if c.isprintable() else "\n" for c in said)).partition("\n")
    note = note.strip().partition("\n")[0]
    return (pid.strip() or "unknown") + (f" ({note})" if note else "")
