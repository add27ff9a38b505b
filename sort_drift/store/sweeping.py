"""Files that no manifest line names: what compaction and retention replaced, what a crash left behind.

They go after a grace period, so that a reader of the old manifest, or a backup under way, still finds them.
Only names that the store gives itself are ever removed: a baseline that somebody keeps in there stays.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from sort_drift.store import files, manifest, segments

GRACE_S = 3600.0
"""The longest that one command reads: an hour is far beyond it."""

_TEMPORARY = ".tmp"


def release(store: Path, lines: Iterable[manifest.Segment]) -> None:
    """Let the grace period of segments begin: a file's time of change says since when it is not needed."""
    for line in lines:
        with suppress(OSError):
            os.utime(store / line.segment)


def orphans(store: Path, lines: Iterable[manifest.Line]) -> Iterator[Path]:
    """Yield the files of the store's own folders that no segment of ``lines`` is."""
    named = {store / line.segment for line in lines if isinstance(line, manifest.Segment)}
    folders = [store / "runs", *sorted((store / "spans").glob("date=*"))]
    for folder in folders:
        if folder.is_dir() and not folder.is_symlink():
            yield from (file for file in sorted(folder.iterdir()) if file not in named)
    yield from sorted(store.glob(f"*{_TEMPORARY}"))


def ours(store: Path, file: Path) -> bool:
    """Whether a name is one that the store gives: a segment, or something half written."""
    return file.name.endswith(_TEMPORARY) or files.is_segment(str(file.relative_to(store)))


def sweep(store: Path, lines: Iterable[manifest.Line], grace_s: float = GRACE_S) -> int:
    """Remove orphans of the store's own making that are older than the grace period; return their bytes.

    Only the holder of the lock comes here. What cannot be removed stays for the next time.
    """
    limit, freed = time.time() - grace_s, 0
    gone = []
    for file in list(orphans(store, lines)):
        with suppress(OSError):
            status = file.lstat()
            if status.st_mtime <= limit and ours(store, file) and not file.is_dir():
                file.unlink()
                freed += status.st_size
                gone.append(file)
    segments.forget(set(gone))
    for folder in (store / "spans").glob("date=*"):
        with suppress(OSError):  # it is not empty
            folder.rmdir()
    return freed
