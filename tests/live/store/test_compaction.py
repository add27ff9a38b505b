"""Compaction: fewer files, the same store, and nobody who reads meanwhile notices."""

import os
import subprocess
import sys
import time
from pathlib import Path

import polars as pl
import pytest

from sort_drift.errors import TamperedFile
from sort_drift.store import Store, manifest, segments, writing
from sort_drift.store.compaction import Compacted, compact
from sort_drift.store.manifest import Journal, Replaced, RunSegment, SpanSegment
from tests.live.store.stores import DAY, SECOND, files_of, flip, live, lived, names_of, seal, seen, segment
from tests.shared_data import ROOT
from tests.store_frames import KEY, NOON, run, runs, spans, trace


@pytest.fixture(autouse=True)
def _unverified(monkeypatch):
    """Each test looks at its files as a new process would."""
    monkeypatch.setattr(segments, "_VERIFIED", set())


def compacted(path: Path, grace_s: float = 0, **more: int) -> Compacted:
    """Compact a store as a process of its own would."""
    with writing(path, fingerprint=KEY) as writer:
        return compact(writer, grace_s=grace_s, **more)


def test_segments_of_a_day_become_one(tmp_path):
    """Journals and their run tables of two days: a segment of each kind a day, all of it read as before."""
    path = lived(lived(tmp_path / "s", "abcd"), "ef", day=1)
    before = seen(path)
    done = compacted(path)
    assert (done.before, done.after, done.duplicates, done.revisions) == (12, 4, 0, 0)
    assert done.freed_bytes > 0
    store = Store.open(path)
    assert [line.rows for line in store.of(SpanSegment)] == [12, 6]
    assert [line.rows for line in store.of(RunSegment)] == [4, 2]
    assert seen(path) == before
    assert files_of(path) == {line.segment for line in store.segments}
    assert compacted(path) == Compacted(4, 4, 0, 0, 0, ())


def test_what_nobody_sees_any_more_goes(tmp_path):
    """Duplicates and replaced revisions; the counts of the store stay what they were."""
    with writing(tmp_path / "s", fingerprint=KEY) as writer:
        open_root = {"trace_id": "a", "span_id": "a-0", "start_ns": NOON}
        seal(writer, 1, spans(open_root), trace("b"))
        writer.write_runs([runs(run("a", retry_depth=1))])
        seal(writer, 2, trace("a"), trace("b"))
        writer.write_runs([runs(run("a", retry_depth=2))])
        before, about = seen(tmp_path / "s"), writer.store.provenance()
        done = compact(writer, grace_s=0)
        assert (done.duplicates, done.revisions) == (4, 1)
        assert writer.store.provenance() == about
    assert (about.spans, about.duplicates) == (6, 4)
    assert seen(tmp_path / "s") == before


def test_a_newer_version_in_a_large_segment_keeps_winning(tmp_path, monkeypatch):
    """A segment that is not merged stands between two that are; its versions are later, or earlier."""
    monkeypatch.setattr("sort_drift.store.compaction._SMALL", 3)
    same = {"trace_id": "a", "start_ns": NOON, "end_ns": NOON + 9}
    was, is_ = {**same, "name": "was"}, {**same, "name": "is"}
    fill = [{"trace_id": "x", "span_id": str(i), "start_ns": NOON} for i in range(5)]
    with writing(tmp_path / "s", fingerprint=KEY) as writer:
        seal(writer, 1, spans({**was, "span_id": "1"}, {**is_, "span_id": "2"}))
        older = {**was, "span_id": "2", "end_ns": 1}
        seal(writer, 2, spans({**is_, "span_id": "1"}, older, {**was, "span_id": "3"}, *fill))
        seal(writer, 3, spans({**is_, "span_id": "3"}))
        writer.write_runs([])
        before = seen(tmp_path / "s")
        assert compact(writer, grace_s=0).duplicates == 1
        assert [line.rows for line in writer.store.of(SpanSegment)] == [8, 2]
    assert seen(tmp_path / "s") == before
    found = pl.concat(Store.open(tmp_path / "s").spans()).filter(trace_id="a")
    assert found["name"].to_list() == ["is"] * 3


def test_segments_with_open_runs_stay_as_they_are(tmp_path):
    """What is not covered may still be needed under its number, and stays pending."""
    with writing(tmp_path / "s", fingerprint=KEY) as writer:
        for number, name in enumerate("abcd", 1):
            seal(writer, number, trace(name))
        writer.write_runs([runs(run("a"), run("b"))], covers=writer.store.lines_before(3))
        assert writer.store.pending() == ["c", "d"]
        compact(writer, grace_s=0)
        assert [line.rows for line in writer.store.of(SpanSegment)] == [6, 3, 3]
        assert writer.store.pending() == Store.open(tmp_path / "s").pending() == ["c", "d"]
        writer.write_runs([runs(run("c"))], covers=writer.store.lines_before(4))
        assert writer.store.pending() == ["d"]
        writer.write_runs([], covers=writer.store.lines_before(writer.number + 1))
        assert writer.store.pending() == []


def test_runs_that_the_monitors_have_not_saved_can_be_replayed(tmp_path):
    """Tables above the number stay; of merged ones the rows keep the number that they were written with."""
    path = lived(tmp_path / "s", "abc")
    numbers = [number for number, _ in Store.open(path).run_tables()]
    compacted(path, runs_upto=numbers[1])
    store = Store.open(path)
    assert [line.rows for line in store.of(RunSegment)] == [2, 1]
    assert [number for number, _ in store.run_tables(numbers[1])] == numbers[2:]
    found = [(number, table["run_id"].to_list()) for number, table in store.run_tables()]
    assert found == [(number, [name]) for number, name in zip(numbers, "abc", strict=True)]
    assert all(table.columns == runs(run("a")).columns for _, table in store.run_tables())


def test_replaced_files_stay_for_the_grace_period(tmp_path):
    """Time of the replacement counts, not that of writing; unlisted files of a crash go the same way."""
    path = lived(tmp_path / "s", "ab")
    old = files_of(path)
    for name in old:
        aged(path / name, 7200)
    leftover = path / "runs" / "0000000099-00000000.parquet"
    for file in (leftover, path / "FORMAT.json.tmp"):
        file.write_bytes(b"x")
        aged(file, 7200)
    assert compacted(path, grace_s=3600).freed_bytes == 2
    assert files_of(path) > old
    assert {line.line.segment for line in Store.open(path).of(Replaced)} == old
    for name in old:
        aged(path / name, 7200)
    assert compacted(path, grace_s=3600).freed_bytes > 0
    assert not files_of(path) & old


def aged(file: Path, seconds: float) -> None:
    """Make a file older."""
    os.utime(file, (time.time() - seconds,) * 2)


def test_what_is_not_of_the_store_is_never_removed(tmp_path):
    """A baseline, notes and a folder among the segments stay, however old."""
    path = lived(tmp_path / "s", "ab")
    (path / "baseline.parquet").write_bytes(b"x")
    (path / "runs" / "baseline.parquet").write_bytes(b"x")
    (path / "spans" / "date=2026-11-22" / "0000000001-00000000.parquet").mkdir()
    compacted(path)
    assert (path / "baseline.parquet").exists()
    assert (path / "runs" / "baseline.parquet").exists()
    assert (path / "spans" / "date=2026-11-22" / "0000000001-00000000.parquet").is_dir()


def test_journals_are_remembered_while_their_files_are_there(tmp_path):
    """A journal whose file could not be removed is not sealed twice; the others are forgotten."""
    path = lived(tmp_path / "s", "ab")
    known = sorted(line.number for line in Store.open(path).journals)
    (path / "journal").mkdir()
    (path / "journal" / f"{known[1]:010d}.j").write_bytes(b"x")
    compacted(path)
    assert [line.number for line in Store.open(path).of(Journal)] == known[1:]
    with writing(path, fingerprint=KEY) as writer:
        assert writer.seal([trace("b")], journal=known[1], sha256=f"{known[1]:064x}") is None


def test_numbers_are_never_given_twice(tmp_path):
    """Also after everything was merged: a reader of the old manifest must not find another file there."""
    path = lived(tmp_path / "s", "ab")
    compacted(path)
    with writing(path, fingerprint=KEY) as writer:
        last = writer.number
        assert last == max(int(name.rpartition("/")[2][:10]) for name in files_of(path))
        seal(writer, 9, trace("c"))
    assert segment(path, place=-1).name.startswith(f"{last + 1:010d}")


def test_a_damaged_segment_is_left_for_repair(tmp_path):
    """The others are merged, it is named, and reading it says what is wrong as before."""
    path = lived(tmp_path / "s", "abc")
    bad = segment(path, place=1)
    flip(bad)
    done = compacted(path)
    assert done.damaged == (str(bad.relative_to(path)),)
    assert [line.rows for line in Store.open(path).of(SpanSegment)] == [3, 6]
    with pytest.raises(TamperedFile, match=bad.name):
        list(Store.open(path).spans())


@pytest.mark.fault(49)
def test_a_reader_goes_on_over_a_compaction(tmp_path):
    """Opened before and in the middle of reading; even where the grace period is over it finds everything."""
    path = lived(tmp_path / "s", "abcd")
    grace, none = Store.open(path), Store.open(path)
    reading, begun = grace.spans(rows=3), none.spans(rows=3)
    first = [next(reading), next(begun)]
    compacted(path, grace_s=3600)
    assert sorted(pl.concat([first[0], *reading])["trace_id"]) == sorted("abcd" * 3)
    compacted(path, grace_s=0)
    assert sorted(pl.concat([first[1], *begun])["trace_id"]) == sorted("abcd" * 3)
    late = Store.open(path)
    lived(path, "ef")
    compacted(path, grace_s=0)
    assert late.runs()["run_id"].to_list() == list("abcdef")
    assert late.spans_of(["a"], NOON, NOON).height == 3
    assert late.pending() == []


READER = """
import sys, time
from sort_drift.store import Store
end = time.monotonic() + 4
while time.monotonic() < end:
    store = Store.open(sys.argv[1])
    runs = store.runs()
    assert runs["run_id"].is_unique().all()
    names = store.spans_of(list(runs["run_id"]), None, None)["trace_id"].value_counts()
    assert names["count"].unique().to_list() == [3], names
    assert names.height == runs.height
    print(runs.height, flush=True)
"""


@pytest.mark.fault(48, 49)
def test_three_readers_while_a_service_writes_and_compacts(tmp_path):
    """No error, no half run, never fewer than before: 3 read while one seals, measures and compacts."""
    path = lived(tmp_path / "s", "ab")
    command = [sys.executable, "-W", "error", "-c", READER, str(path)]
    readers = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT)
        for _ in range(3)
    ]
    with writing(path, fingerprint=KEY) as writer:
        rounds = 0
        while any(reader.poll() is None for reader in readers):
            rounds += 1
            live(writer, f"t{rounds}")
            if rounds % 5 == 0:
                compact(writer, grace_s=2)
    for reader in readers:
        out, error = reader.communicate()
        assert (reader.returncode, error) == (0, "")
        heights = [int(line) for line in out.splitlines()]
        assert heights == sorted(heights)
        assert heights[-1] > heights[0]
    assert names_of(path) == sorted("ab" * 3)
    assert manifest.read(path)


def test_old_days_do_not_mix(tmp_path):
    """Retention drops whole segments: one with a span of today would keep last year's."""
    with writing(tmp_path / "s", fingerprint=KEY) as writer:
        seal(writer, 1, trace("a", at=NOON - 400 * DAY))
        seal(writer, 2, trace("b", at=NOON))
        seal(writer, 3, trace("c", at=NOON + 60 * SECOND))
        writer.write_runs([])
        compact(writer)
        assert [line.rows for line in writer.store.of(SpanSegment)] == [3, 6]
