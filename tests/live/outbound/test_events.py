"""The file of events: what was written is read back exactly, once, whatever a crash left."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from sort_drift.errors import StoreError
from sort_drift.live.board import Happening, Shift
from sort_drift.live.outbound.events import Events, decode, encode
from tests.examples import examples
from tests.live.outbound.fleets import alarm, resolved, shift

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
NUMBER = st.floats(allow_nan=False)  # infinities too
NS = st.none() | st.integers(-(2**63), 2**63 - 1)
SHIFT = st.builds(
    Shift,
    variable=TEXT,
    unit=TEXT,
    e_value=NUMBER,
    onset_run=TEXT,
    onset_ns=NS,
    onset_interval=st.tuples(TEXT, TEXT),
    before=st.none() | NUMBER,
    after=st.none() | NUMBER,
    effect=st.none() | NUMBER,
    interval=st.none() | st.tuples(NUMBER, NUMBER),
    tolerance=NUMBER,
    n=st.tuples(st.integers(0, 10**9), st.integers(0, 10**9)),
)
HAPPENING = st.builds(
    Happening,
    id=TEXT,
    kind=st.sampled_from(["alarm", "minor", "resolved"]),
    agent=TEXT,
    run_id=TEXT,
    number=st.integers(0, 2**53),
    at_ns=NS,
    shifts=st.lists(SHIFT, max_size=3).map(tuple),
    resolves=TEXT,
)


@given(HAPPENING)
def test_a_happening_survives_its_line(happening: Happening) -> None:
    """Every float, infinities and the last bit included, every id, and one line it is."""
    line = encode(happening)
    assert b"\n" not in line
    assert decode(line) == happening
    assert repr(decode(line)) == repr(happening)  # -0.0 too


@examples(30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(happenings=st.lists(HAPPENING, max_size=8), cut=st.integers(0, 400))
def test_a_file_cut_anywhere_has_its_whole_lines(
    tmp_path: Path, happenings: list[Happening], cut: int
) -> None:
    """Whatever a crash tore off, what stands before it is read, and the next append stands behind it."""
    path = tmp_path / "events.jsonl"
    path.unlink(missing_ok=True)
    written = Events(path).append(happenings)
    data = path.read_bytes() if path.exists() else b""
    path.write_bytes(data[: max(0, len(data) - cut)])
    whole = path.read_bytes().count(b"\n")
    assert Events(path).read() == written[:whole]
    assert Events(path).append(happenings) == written[whole:]
    assert Events(path).read() == written


def test_what_is_there_is_not_written_again(tmp_path: Path) -> None:
    """Monitors say again what their checkpoint had not seen; only what is new is to be told."""
    path = tmp_path / "live" / "events.jsonl"
    path.parent.mkdir()
    opened = alarm()
    over = resolved(opened)
    assert Events(path).append([opened]) == (opened,)
    later = Events(path)
    assert later.append([opened, over, over]) == (over,)
    assert later.append([over]) == ()
    assert later.ids() == {opened.id, over.id}
    assert later.read() == (opened, over)
    assert later.read(1) == (over,)
    assert later.read(0) == ()
    assert path.stat().st_mode & 0o777 == 0o600


def test_nothing_there_is_nothing(tmp_path: Path) -> None:
    """A service that never had an alarm has no file, and needs none."""
    found = Events(tmp_path / "events.jsonl")
    assert (found.read(), found.ids(), found.append([])) == ((), frozenset(), ())
    assert not list(tmp_path.iterdir())


def test_a_line_that_cannot_be_read_is_counted(tmp_path: Path) -> None:
    """A flipped bit costs its own line; the others are read."""
    path = tmp_path / "events.jsonl"
    opened, over = alarm(), resolved(alarm())
    path.write_bytes(encode(opened) + b"\n{\xff\x00garbage}\n\n{}\n" + encode(over) + b"\n")
    found = Events(path)
    assert found.read() == (opened, over)
    assert found.damaged == 2
    assert found.ids() == {opened.id, over.id}


def test_lines_longer_than_a_block_are_read(tmp_path: Path) -> None:
    """The file is read from its end in blocks of 64 KiB; a line may be longer, or end on the edge."""
    path = tmp_path / "events.jsonl"
    long = [alarm(shift("x" * size), number=size) for size in (10, 65_000, 65_536, 131_072, 200_000, 3)]
    Events(path).append(long)
    assert Events(path).read() == tuple(long)
    assert Events(path).read(2) == tuple(long[-2:])
    path.write_bytes(path.read_bytes() + b"torn" * 50_000)
    assert Events(path).read() == tuple(long)


def test_the_file_is_turned_over(tmp_path: Path) -> None:
    """A full file steps aside, the one before it goes: what is kept is bounded."""
    path = tmp_path / "events.jsonl"
    one = len(encode(alarm())) + 1
    found = Events(path, rotate_bytes=10 * one)
    for number in range(100, 136):
        assert len(found.append([alarm(number=number)])) == 1
    kept = found.read()
    assert [h.number for h in kept] == list(range(136 - len(kept), 136))
    assert 10 < len(kept) <= 20
    assert found.ids() == {h.id for h in kept} == Events(path).ids()
    assert {file.name for file in tmp_path.iterdir()} == {"events.jsonl", "events.jsonl.1"}
    assert found.append([kept[0]]) == ()  # also where it is in the older file


@pytest.mark.fault(45)
def test_a_disk_that_does_not_take_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """EIO on the sync: an error in the house form, nothing half written, and later it counts as new."""
    path = tmp_path / "events.jsonl"
    found = Events(path)
    opened, over = alarm(), resolved(alarm())
    found.append([opened])
    before = path.read_bytes()

    def broken(_: int) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", broken)
        with pytest.raises(StoreError, match="cannot be written"):
            found.append([over])
    assert path.read_bytes() == before
    assert found.append([over]) == (over,)
    assert Events(path).read() == (opened, over)


def test_a_folder_that_is_not_there_is_an_error_of_the_store(tmp_path: Path) -> None:
    """No traceback, and no folder made somewhere."""
    with pytest.raises(StoreError):
        Events(tmp_path / "gone" / "events.jsonl").append([alarm()])


def test_every_append_is_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line is durable before anybody is told: the file, and once its name in the folder."""
    synced: list[str] = []
    real = os.fsync

    def watched(descriptor: int) -> None:
        synced.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)
        real(descriptor)

    monkeypatch.setattr(os, "fsync", watched)
    found = Events(tmp_path / "events.jsonl")
    found.append([alarm()])
    found.append([resolved(alarm())])
    assert synced == ["events.jsonl", tmp_path.name, "events.jsonl"]


def test_fields_that_come_later_are_no_damage() -> None:
    """A file of a newer version is read as far as this one knows it."""
    opened = alarm()
    plain: dict[str, Any] = msgspec.json.decode(encode(opened))
    plain["later"] = {"x": 1}
    plain["shifts"][0]["later"] = 2
    assert decode(msgspec.json.encode(plain)) == opened
