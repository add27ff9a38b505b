"""Kill -9 at every call that touches the disk: what was committed is there, once, and work goes on."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sort_drift.store import Store, writing
from sort_drift.store.check import verify
from sort_drift.store.compaction import compact
from tests.live.store.stores import files_of, names_of, seal
from tests.shared_data import ROOT
from tests.store_frames import KEY, trace

ABC = sorted("abc" * 3)


def killed(folder: Path, deed: str) -> list[Path]:
    """Return the stores of the processes that were killed, in the order of the calls."""
    command = [sys.executable, "-m", "tests.live.store.killed", str(folder), deed]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    return [Path(line) for line in done.stdout.splitlines()]


def again(path: Path) -> None:
    """Do what a service does after the crash: open, seal the journal again, compact."""
    with writing(path, fingerprint=KEY) as writer:
        seal(writer, 99, trace("a"), trace("z"))
        compact(writer, grace_s=0)
    named = {line.segment for line in Store.open(path).segments}
    assert files_of(path) == named
    assert verify(path).problems == ()


def sealed(names: list[str]) -> bool:
    """Whether all of the journal counts or nothing of it."""
    return names in (ABC, sorted("abcz" * 3))


@pytest.mark.fault(37)
@pytest.mark.parametrize(
    ("deed", "right", "calls"),
    [
        ("sealing", sealed, 8),
        ("measuring", lambda names: names == ABC, 8),
        ("compacting", lambda names: names == sorted("abcd" * 3), 15),
        ("expiring", lambda names: names in (ABC, []), 6),
    ],
)
def test_a_store_survives_a_kill_at_every_call(
    tmp_path: Path, deed: str, right: Callable[[list[str]], Any], calls: int
) -> None:
    """It opens, nothing is wrong with it, committed spans are there once, and the next writer goes on."""
    paths = killed(tmp_path, deed)
    assert len(paths) >= calls
    for i, path in enumerate(paths):
        assert verify(path).sound, path
        assert right(names_of(path)), path
        if i % 6 == 0 and deed != "expiring":
            again(path)
            assert set(names_of(path)) == {*"abcz", *("d" if deed == "compacting" else "")}
            assert len(names_of(path)) == len(set(names_of(path))) * 3
