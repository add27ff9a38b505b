"""A disk that is full, read-only or broken: one clear line, the store as it was, and work goes on."""

import errno
import os
import subprocess
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from sort_drift.errors import StoreError
from sort_drift.store import Store, Writer, writing
from sort_drift.store.check import verify
from sort_drift.store.compaction import compact
from sort_drift.store.retention import expire
from tests.live.store.shim import failing
from tests.live.store.stores import DAY, files_of, live, lived, names_of, seal
from tests.store_frames import KEY, NOON, run, runs, trace

ERRORS = (errno.ENOSPC, errno.EROFS, errno.EIO)


def nothing(writer: Writer) -> None:
    """Leave the store as it is."""


PREPARED: dict[str, Callable[[Writer], None]] = {
    "seal": nothing,
    "runs": nothing,
    "compact": lambda writer: live(writer, "c"),
    "expire": lambda writer: live(writer, "o", day=-1),
}
DEEDS: dict[str, Callable[[Writer], object]] = {
    "seal": lambda writer: seal(writer, 1000 + writer.number, trace("a"), trace("z")),
    "runs": lambda writer: writer.write_runs([runs(run("a", retry_depth=2))]),
    "compact": lambda writer: compact(writer, grace_s=0),
    "expire": lambda writer: expire(writer, before_ns=NOON - DAY // 2, grace_s=0),
}


@pytest.mark.fault(45)
@pytest.mark.parametrize("deed", DEEDS)
def test_any_call_may_fail(tmp_path, deed):
    """One after the other fails: a StoreError with the errno, what counted before counts, the writer goes on.

    The last steps, making a name durable, come after the change: there the change may count.
    """
    path = lived(tmp_path / "s", "abc")
    with writing(path, fingerprint=KEY) as writer:
        for call in range(1, 60):
            PREPARED[deed](writer)
            error = ERRORS[call % len(ERRORS)]
            with failing(call, error) as shim:
                raised = failure(lambda: DEEDS[deed](writer))
            assert raised in {None, error}
            assert raised == error or shim.calls[call - 1 : call] not in (["write"], ["fsync"], ["replace"])
            assert writer.store.lines == Store.open(path).lines
            assert all((path / line.segment).exists() for line in writer.store.segments)
            if not shim.failed:
                break
        assert call > 5
        compact(writer, grace_s=0)
    assert set(names_of(path)) == set({"seal": "abcz"}.get(deed, "abc"))
    assert files_of(path) == {line.segment for line in Store.open(path).segments}
    assert verify(path).problems == ()


def failure(work: Callable[[], object]) -> int | None:
    """Return the errno of the StoreError that ``work`` raises."""
    try:
        work()
    except StoreError as error:
        cause = error.__cause__
        return cause.errno if isinstance(cause, OSError) and str(cause.strerror) in error.line() else -1
    return None


@pytest.mark.fault(45)
def test_a_failed_sync_is_not_tried_again(tmp_path):
    """After EIO nobody knows what is on the disk: one fsync, then the error; nothing else is tried."""
    path = lived(tmp_path / "s", "a")
    with writing(path, fingerprint=KEY) as writer, failing(99, errno.EIO) as whole:
        seal(writer, 98, trace("y"))
    synced = [number for number, name in enumerate(whole.calls, 1) if name == "fsync"]
    for number in synced[:-1]:
        with writing(path, fingerprint=KEY) as writer, failing(number, errno.EIO) as shim:
            with pytest.raises(StoreError, match="Input/output error"):
                seal(writer, 99, trace("z"))
            assert set(shim.calls[number:]) <= {"unlink"}
    assert set(names_of(path)) <= {"a", "y", "z"}


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """Return a folder on a disk of 400 kB, where this may be mounted; else one of an ordinary disk."""
    folder = tmp_path / "small"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", str(folder)]
    mounted = os.geteuid() == 0 and subprocess.run(command, check=False, capture_output=True).returncode == 0
    yield folder
    if mounted:
        subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.fault(45)
def test_a_disk_that_is_really_full(small):
    """Seals until there is no room: what counted is read; room is made by retention, and work goes on."""
    path = lived(small / "s", "abc")
    if not os.path.ismount(small):
        return  # the same with injected errors: test_any_call_may_fail
    filler = small / "filler"
    filler.write_bytes(bytes(100_000))
    done, refused = 0, list[int | None]()
    with writing(path, fingerprint=KEY) as writer:
        while len(refused) < 3:
            frame = trace(f"t{done}", 20, at=NOON + DAY)
            found = failure(partial(seal, writer, 100 + done + len(refused), frame))
            done += found is None
            refused += [] if found is None else [found]
        assert done > 5
        assert refused == [errno.ENOSPC] * 3
        assert failure(lambda: compact(writer)) == errno.ENOSPC
        assert set(names_of(path)) == set("abc")
        assert files_of(path) == {line.segment for line in writer.store.segments}
        filler.unlink()
        expire(writer, max_bytes=20_000, grace_s=0)
        live(writer, "z")
    assert "z" in names_of(path)
    assert verify(path).sound


@pytest.mark.fault(45)
def test_a_read_only_store_is_read(tmp_path):
    """Reading needs no lock and writes nothing; writing says why it cannot."""
    path = lived(tmp_path / "s", "ab")
    command = ["mount", "--bind", "-o", "ro", str(path), str(path)]
    mounted = os.geteuid() == 0 and subprocess.run(command, check=False, capture_output=True).returncode == 0
    try:
        assert names_of(path) == sorted("ab" * 3)
        assert verify(path).sound
        if mounted:
            with pytest.raises(StoreError, match="Read-only file system"), writing(path, fingerprint=KEY):
                pass
    finally:
        if mounted:
            subprocess.run(["umount", str(path)], check=True)
    with failing(1, errno.EROFS), pytest.raises(StoreError, match="Read-only file system"):
        lived(tmp_path / "new", "a")


class _Interrupted(BaseException):
    """What comes at any moment, as KeyboardInterrupt does."""


@pytest.mark.fault(37)
@pytest.mark.parametrize("deed", DEEDS)
def test_an_interrupt_after_the_change_takes_nothing_away(tmp_path, monkeypatch, deed):
    """Between writing the manifest and knowing that it is written: what counts then is never cleaned up."""
    path = lived(tmp_path / "s", "abc")

    def interrupted(*_: object) -> None:
        raise _Interrupted

    with writing(path, fingerprint=KEY) as writer:
        PREPARED[deed](writer)
        with monkeypatch.context() as patch:
            patch.setattr(Writer, "_certain", interrupted)
            with pytest.raises(_Interrupted):
                DEEDS[deed](writer)
        assert writer.store.lines == Store.open(path).lines
        assert verify(path).sound
        live(writer, "x")
        assert writer.store.lines == Store.open(path).lines
    assert set(names_of(path)) == set({"seal": "abczx"}.get(deed, "abcx"))
