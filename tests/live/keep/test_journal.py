"""The journal: what was appended is there after any crash, and nothing else is taken for it."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from random import Random

import pytest

from sort_drift.errors import StoreError
from sort_drift.live.keep import journal
from sort_drift.live.keep.journal import FRAME, HEADER, Full, Journal, JournalFailed


def written(folder: Path, *payloads: bytes, number: int = 1) -> Path:
    """Write one journal, a frame at a time, and close it."""
    made = Journal.create(folder, number)
    for payload in payloads:
        made.append([payload], made.frames)
    made.close()
    assert made.path.stat().st_size == made.size
    return made.path


def test_what_was_appended_comes_back(tmp_path: Path) -> None:
    """Every payload comes back in order, an empty one and a large one too, and the digest is the file's."""
    payloads = (b"a", b"", os.urandom(200_000))
    made = Journal.create(tmp_path, 7)
    made.append(payloads, 0)
    made.close()
    found = journal.read(made.path)
    assert (found.payloads, found.number, found.bad, found.sha256) == (payloads, 7, "", made.sha256)


@pytest.mark.fault(41)
def test_a_cut_anywhere_keeps_the_whole_frames_before_it(tmp_path: Path) -> None:
    """Cut at any byte, a journal gives the frames that are whole; the rest is set aside."""
    payloads = (b"first", b"second one", b"third")
    data = written(tmp_path, *payloads).read_bytes()
    ends = [HEADER.size]
    for payload in payloads:
        ends.append(ends[-1] + FRAME.size + len(payload))
    for cut in range(len(data)):
        path = tmp_path / "cut" / f"{1:010d}.j"
        path.parent.mkdir(exist_ok=True)
        for left in path.parent.iterdir():
            left.unlink()
        path.write_bytes(data[:cut])
        found = journal.read(path)
        whole = sum(end <= cut for end in ends[1:])
        assert found.payloads == payloads[:whole]
        aside = journal.set_aside(found)
        kept = path.read_bytes() if path.exists() else b""
        assert kept + (aside.read_bytes() if aside else b"") == data[:cut]
        assert (aside is None) == (cut in {0, *ends})


@pytest.mark.fault(41)
def test_a_flipped_bit_anywhere_is_found(tmp_path: Path) -> None:
    """Whatever bit flips, no frame comes back that was not written, and those before it do."""
    payloads = tuple(f"payload {i}".encode() * 3 for i in range(4))
    data = written(tmp_path, *payloads).read_bytes()
    rng = Random(1)
    for _ in range(400):
        at, bit = rng.randrange(len(data)), rng.randrange(8)
        if HEADER.size - 4 <= at < HEADER.size:  # padding of the header means nothing
            continue
        path = tmp_path / "0000000002.j"
        path.write_bytes(data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :])
        try:
            found = journal.read(path)
        except StoreError:  # a bit of the version: it says that a newer one wrote it
            assert len(journal.MAGIC) <= at < HEADER.size
            continue
        assert found.payloads == payloads[: len(found.payloads)]
        assert len(found.payloads) < len(payloads)


@pytest.mark.fault(41)
@pytest.mark.parametrize(
    ("tail", "why"),
    [(bytes(4096), "zeros"), (b"garbage" * 9, "no frame"), (b"SDF1" + bytes(40), "checksum")],
)
def test_what_is_no_frame_is_set_aside(tmp_path: Path, tail: bytes, why: str) -> None:
    """Zeros, garbage and a frame that nobody wrote end the valid part, and are kept beside it."""
    path = written(tmp_path, b"good")
    whole = path.read_bytes()
    path.write_bytes(whole + tail)
    found = journal.read(path)
    assert found.payloads == (b"good",)
    assert why in found.bad
    aside = journal.set_aside(found)
    assert aside is not None
    assert aside.name == f"{path.name}.bad-{len(whole)}"
    assert (aside.read_bytes(), path.read_bytes()) == (tail, whole)


@pytest.mark.fault(41)
def test_a_newer_version_is_refused_and_left_alone(tmp_path: Path) -> None:
    """A journal of a later version is neither read nor set aside."""
    path = written(tmp_path, b"x")
    data = bytearray(path.read_bytes())
    data[len(journal.MAGIC)] = 9
    path.write_bytes(data)
    with pytest.raises(StoreError, match="version 9"):
        journal.read(path)
    assert path.read_bytes() == data


@pytest.mark.fault(45)
def test_a_full_disk_leaves_the_journal_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A write that fails half-way is taken back; the next one is good, and both digests are the file's."""
    made = Journal.create(tmp_path, 1)
    made.append([b"before"], 0)
    real = os.write

    def full(descriptor: int, data: memoryview) -> int:
        if len(data) < 30:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(descriptor, data[:10])

    monkeypatch.setattr(journal, "_write", full)
    with pytest.raises(Full, match="No space"):
        made.append([b"too much" * 20], 1)
    monkeypatch.setattr(journal, "_write", real)
    made.append([b"after"], 1)
    made.close()
    found = journal.read(made.path)
    assert (found.payloads, found.bad, found.sha256) == ((b"before", b"after"), "", made.sha256)


@pytest.mark.fault(45)
def test_a_failed_sync_is_not_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """EIO from fdatasync ends the journal: the caller hears of it, and no second sync is made."""
    made = Journal.create(tmp_path, 1)
    calls = []

    def broken(descriptor: int) -> None:
        calls.append(descriptor)
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(journal, "_sync", broken)
    with pytest.raises(JournalFailed, match="Input/output"):
        made.append([b"x"], 0)
    assert len(calls) == 1
    made.close()


def test_numbers_go_on_after_those_that_are_gone(tmp_path: Path) -> None:
    """The next number is above every file's and above those that the store knows."""
    assert journal.next_number(tmp_path) == 1
    written(tmp_path, b"x", number=4)
    (tmp_path / "0000000009.j.bad-16").write_bytes(b"")
    assert journal.next_number(tmp_path) == 5
    assert journal.next_number(tmp_path, [11]) == 12
