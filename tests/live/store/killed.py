"""A process that does one thing to stores, killed one call later each time; see test_kill.py.

    python -m tests.live.store.killed FOLDER DEED

Each try is a fork of a process that has started no thread yet, on a copy of one store; it prints their paths.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from sort_drift.store import Writer, manifest, writing
from sort_drift.store.compaction import compact
from sort_drift.store.retention import expire
from tests.live.store.shim import failing
from tests.live.store.stores import live, lived, seal
from tests.store_frames import KEY, run, runs, trace


def sealing(writer: Writer) -> None:
    """Seal one journal whose spans are partly there."""
    seal(writer, 99, trace("a"), trace("z"))


def measuring(writer: Writer) -> None:
    """Write run tables."""
    writer.write_runs([runs(run("a", retry_depth=2)), runs(run("b", retry_depth=2))])


def compacting(writer: Writer) -> None:
    """Merge, write the manifest anew, and remove what an earlier compaction replaced."""
    compact(writer, grace_s=0)


def expiring(writer: Writer) -> None:
    """Drop the oldest segments."""
    expire(writer, max_bytes=1, grace_s=0)


DEEDS = {"sealing": sealing, "measuring": measuring, "compacting": compacting, "expiring": expiring}


def forked(work: Callable[[], None]) -> int:
    """Do something in a fork of this process; return its status."""
    child = os.fork()
    if child:
        return os.waitpid(child, 0)[1]
    try:
        work()
    except BaseException as error:  # a fork must not come back as the test
        print(repr(error), file=sys.stderr)
        os._exit(2)
    os._exit(0)


def prepare(path: Path, deed: str) -> None:
    """Make the store that every try gets a copy of."""
    lived(path, "abc")
    if deed == "compacting":
        with writing(path, fingerprint=KEY) as writer:
            compact(writer)
            live(writer, "d")


def attempt(path: Path, deed: str, call: int) -> None:
    """Do the deed, killed at the ``call``-th call."""
    manifest.append(path, ())  # from now on the copy is a store of its own
    with writing(path, fingerprint=KEY) as writer, failing(call, None):
        DEEDS[deed](writer)


def main() -> None:
    """Try until the deed is done."""
    folder, deed = Path(sys.argv[1]), sys.argv[2]
    forked(lambda: prepare(folder / "base", deed))
    for call in range(1, 200):
        path = folder / f"{call:03d}"
        shutil.copytree(folder / "base", path)
        status = forked(partial(attempt, path, deed, call))
        if os.WIFEXITED(status):
            sys.exit(os.WEXITSTATUS(status))
        print(path, flush=True)


if __name__ == "__main__":
    main()
