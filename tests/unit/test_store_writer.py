"""What is written once counts once, and only when it is whole."""

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from sort_drift.errors import StoreError
from sort_drift.model import SPANS
from sort_drift.store import Ingested, Store, writing
from sort_drift.store.segments import ROW_GROUP
from tests.shared_data import ROOT
from tests.store_frames import KEY, NOON, run, runs, trace


def ingest(path: Path, frame: pl.DataFrame, name: str, *tags: str) -> Ingested:
    with writing(path, fingerprint=KEY) as writer:
        writer.append([frame], source=f"exports/{name}.jsonl", sha256=name * 64, tags=tags)
        return writer.commit()


def everything(path: Path) -> pl.DataFrame:
    return pl.concat(list(Store.open(path).spans(detail=True))).sort("trace_id", "seq")


def test_spans_come_back_as_they_went_in(tmp_path):
    """Every column keeps its value and type: unsigned 64-bit hashes, lists, nulls."""
    frame = trace("a").with_columns(
        tool_calls=pl.Series(
            [[{"name": "x", "id": None, "args_hash": 2**64 - 1}], [], None], dtype=SPANS["tool_calls"]
        )
    )
    done = ingest(tmp_path / "store", frame, "1")
    assert done == Ingested(spans=3, duplicates=0, segments=1, sources=1, known=(), retagged=())
    assert everything(tmp_path / "store").equals(frame)


def test_the_same_export_twice_is_recognised_and_not_read(tmp_path):
    """The second time nothing is even iterated, whatever the file is called."""

    def never() -> Iterator[pl.DataFrame]:
        raise AssertionError
        yield

    ingest(tmp_path / "s", trace("a"), "1", "v=1")
    with writing(tmp_path / "s", fingerprint=KEY) as writer:
        assert not writer.append(never(), source="copy.jsonl", sha256="1" * 64, tags=["v=1"])
        assert writer.commit() == Ingested(0, 0, 0, 0, ("copy.jsonl",), ())
    assert everything(tmp_path / "s").height == 3


def test_the_same_export_named_twice_in_one_ingest_is_stored_once(tmp_path):
    """Overlapping globs are no duplicate runs."""
    with writing(tmp_path / "s", fingerprint=KEY) as writer:
        assert writer.append([trace("a")], source="a", sha256="1" * 64)
        assert not writer.append([trace("a")], source="a", sha256="1" * 64)
        assert writer.commit().known == ("a",)
    assert everything(tmp_path / "s").height == 3


@pytest.mark.fault(39)
def test_spans_in_two_exports_count_once_and_are_reported(tmp_path):
    """Duplicates are a property of OTLP: counted when written, dropped when read."""
    ingest(tmp_path / "s", trace("a"), "1")
    done = ingest(tmp_path / "s", pl.concat([trace("a"), trace("b")]), "2")
    assert (done.spans, done.duplicates) == (6, 3)
    provenance = Store.open(tmp_path / "s").provenance()
    assert (provenance.spans, provenance.duplicates) == (6, 3)
    assert everything(tmp_path / "s").equals(pl.concat([trace("a"), trace("b")]))


@pytest.mark.fault(39)
def test_spans_twice_within_one_export_are_counted_too(tmp_path):
    """A client that sends a batch again does so within one export."""
    assert ingest(tmp_path / "s", pl.concat([trace("a"), trace("a")]), "1").duplicates == 3


def test_new_tags_join_the_old_ones(tmp_path):
    """A known export under further tags is found under either; its runs are due again."""
    ingest(tmp_path / "s", trace("a"), "1", "v=1")
    with writing(tmp_path / "s", fingerprint=KEY) as writer:
        writer.write_runs([writer.store.label(runs(run("a")))])
        assert writer.store.pending() == []
        writer.append([trace("a")], source="again", sha256="1" * 64, tags=["v=2", "v=1"])
        done = writer.commit()
        assert (done.spans, done.sources, done.retagged) == (0, 0, ("again",))
        assert writer.store.pending() == ["a"]
        assert writer.store.label(runs(run("a")))["tags"].to_list() == [["v=1", "v=2"]]


def test_nothing_counts_before_the_commit(tmp_path):
    """Leaving without a commit leaves the store as it was, with files that nobody lists."""
    ingest(tmp_path / "s", trace("a"), "1")
    with writing(tmp_path / "s", fingerprint=KEY) as writer:
        writer.append([trace("b")], source="b", sha256="2" * 64)
        writer._flush(1)
        assert everything(tmp_path / "s").height == 3
    assert len(list((tmp_path / "s").rglob("*.parquet"))) == 2
    assert everything(tmp_path / "s").height == 3
    ingest(tmp_path / "s", trace("c"), "3")
    assert everything(tmp_path / "s")["trace_id"].unique().sort().to_list() == ["a", "c"]


def test_a_bad_export_takes_back_what_came_since_the_last_commit(tmp_path):
    """Half an export never counts, even where the caller goes on after the error."""

    def broken() -> Iterator[pl.DataFrame]:
        yield trace("b")
        raise ValueError

    with writing(tmp_path / "s", fingerprint=KEY) as writer:
        with pytest.raises(ValueError):
            writer.append(broken(), source="b", sha256="2" * 64)
        writer.append([trace("a")], source="a", sha256="1" * 64)
        writer.commit()
    assert everything(tmp_path / "s").equals(trace("a"))


def test_segments_are_row_groups_named_by_day_and_store(tmp_path):
    """Whole row groups of 122,880 in date folders; the name has a number and the store's UUID."""
    big = (
        trace("a", 2)
        .select(pl.all().repeat_by(ROW_GROUP // 2 + 1).explode())
        .with_columns(span_id=pl.int_range(pl.len()).cast(pl.String))
    )
    done = ingest(tmp_path / "s", big, "1")
    assert (done.spans, done.segments) == (ROW_GROUP + 2, 2)
    store = Store.open(tmp_path / "s")
    names = sorted(str(p.relative_to(tmp_path / "s")) for p in (tmp_path / "s").rglob("*.parquet"))
    uuid = store.format.uuid[:8]
    assert names == [f"spans/date=2026-11-22/000000000{i}-{uuid}.parquet" for i in (1, 2)]
    assert [pl.scan_parquet(tmp_path / "s" / name).collect().height for name in names] == [ROW_GROUP, 2]


def test_spans_without_times_have_a_place(tmp_path):
    """An export without timestamps goes to date=unknown."""
    frame = trace("a").with_columns(start_ns=pl.lit(None, pl.Int64), end_ns=pl.lit(None, pl.Int64))
    ingest(tmp_path / "s", frame, "1")
    assert [p.name for p in (tmp_path / "s" / "spans").iterdir()] == ["date=unknown"]
    assert everything(tmp_path / "s").equals(frame)


def test_files_are_private(tmp_path):
    """Directories 0700, files 0600: names and attributes of spans are the user's."""
    ingest(tmp_path / "s", trace("a"), "1")
    for path in [tmp_path / "s", *(tmp_path / "s").rglob("*")]:
        assert path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o600)


def test_another_hash_key_is_refused(tmp_path):
    """Hashes of two keys never match, so they may not be in one store."""
    ingest(tmp_path / "s", trace("a"), "1")
    with pytest.raises(StoreError, match="another key"), writing(tmp_path / "s", fingerprint="other"):
        pass


def test_a_directory_with_other_things_is_refused(tmp_path):
    """A store is never made among somebody's files, nor in place of a file."""
    (tmp_path / "notes.txt").write_text("x")
    for path in (tmp_path, tmp_path / "notes.txt"):
        with (
            pytest.raises(StoreError, match="neither a store nor an empty directory"),
            writing(path, fingerprint=KEY),
        ):
            pass


@pytest.mark.fault(46)
def test_the_second_writer_is_refused_with_the_pid_of_the_first(tmp_path):
    """One writer at a time; the message says who."""
    with writing(tmp_path / "s", fingerprint=KEY):
        code = (
            "import sys; from sort_drift.store import writing\nwith writing(sys.argv[1], fingerprint=''): 0"
        )
        done = python(code, tmp_path / "s", check=False)
    assert done.returncode == 1
    assert f"written by process {os.getpid()} " in done.stderr
    assert "reading works meanwhile" in done.stderr


def python(code: str, *arguments: object, check: bool = True) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=check, cwd=ROOT)


APPEND = """
import itertools, sys
from sort_drift.store import writing
from tests.store_frames import KEY, trace
for i in itertools.count(int(sys.argv[2])):
    with writing(sys.argv[1], fingerprint=KEY) as writer:
        writer.append([trace(f"t{i}"), trace(f"u{i}")], source=f"{i}", sha256=f"{i:016x}" * 4)
        writer.commit()
    print(i, flush=True)
"""


@pytest.mark.fault(48)
def test_reading_works_while_another_process_appends(tmp_path):
    """A reader sees a consistent store at any moment: whole exports, never an error."""
    ingest(tmp_path / "s", trace("a"), "1")
    command = [sys.executable, "-c", APPEND, str(tmp_path / "s"), "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as writer:
        try:
            assert writer.stdout is not None
            seen = []
            for _ in range(8):
                writer.stdout.readline()
                store = Store.open(tmp_path / "s")
                counts = pl.concat(list(store.spans())).group_by("trace_id").len()
                assert counts["len"].unique().to_list() == [3]
                assert counts.height == 1 + 2 * (len(store.sources) - 1)
                seen.append(counts.height)
        finally:
            writer.kill()
    assert seen == sorted(seen)
    assert seen[-1] > seen[0]


@pytest.mark.fault(37)
def test_a_killed_writer_loses_nothing_committed(tmp_path):
    """Kill -9 at any moment: what was acknowledged is there, once, and the next writer goes on."""
    acknowledged = 0
    for delay in (0.0, 0.003, 0.007, 0.013, 0.02):
        command = [sys.executable, "-c", APPEND, str(tmp_path / "s"), str(acknowledged)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as writer:
            assert writer.stdout is not None
            first = int(writer.stdout.readline())
            time.sleep(delay)
            writer.send_signal(signal.SIGKILL)
            acknowledged = max([first, *map(int, writer.stdout.read().splitlines())]) + 1
        found = set(everything(tmp_path / "s")["trace_id"])
        assert {f"t{i}" for i in range(acknowledged)} <= found
        assert len(found) == 2 * len(Store.open(tmp_path / "s").sources)
        acknowledged = len(Store.open(tmp_path / "s").sources)


@pytest.mark.fault(45)
def test_a_full_disk_is_one_clear_line_and_loses_nothing(tmp_path):
    """Writing beyond the limit of a file's size fails as on a full disk; the store is as before."""
    ingest(tmp_path / "s", trace("a"), "1")
    code = """
import resource, signal, sys
from sort_drift.store import writing
from tests.store_frames import KEY, trace
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
with writing(sys.argv[1], fingerprint=KEY) as writer:
    writer.append([trace("b")], source="b", sha256="2" * 64)
    writer.commit()
"""
    assert resource.RLIMIT_FSIZE
    done = python(code, tmp_path / "s", check=False)
    assert "StoreError: this cannot be written: File too large" in done.stderr
    assert not list((tmp_path / "s").rglob("*.tmp"))
    assert everything(tmp_path / "s").equals(trace("a"))
    assert ingest(tmp_path / "s", trace("b"), "2").spans == 3


def test_no_connection_is_left_at_exit(tmp_path):
    """DuckDB's binding prints what is still open when the process ends; it prints nothing."""
    ingest(tmp_path / "s", trace("a"), "1")
    code = "import sys; from sort_drift.store import Store\nprint(len(list(Store.open(sys.argv[1]).spans())))"
    done = python(code, tmp_path / "s")
    assert (done.stdout, done.stderr) == ("1\n", "")


@pytest.mark.fault(40)
def test_runs_are_replaced_by_their_newest_revision(tmp_path):
    """A run measured again counts once, with its new values; others stay."""
    ingest(tmp_path / "s", pl.concat([trace("a"), trace("b")]), "1")
    with writing(tmp_path / "s", fingerprint=KEY) as writer:
        writer.write_runs([runs(run("a", retry_depth=1)), runs(run("b", retry_depth=1, start_ns=NOON - 1))])
        writer.write_runs([runs(run("a", retry_depth=2))])
    table = Store.open(tmp_path / "s").runs()
    assert table.select("run", "run_id", "retry_depth").rows() == [(0, "b", 1.0), (1, "a", 2.0)]


@pytest.mark.fault(40)
def test_a_run_that_swallows_others_replaces_them(tmp_path):
    """Late spans can show that two traces are one run: the two rows go."""
    ingest(tmp_path / "s", pl.concat([trace("a"), trace("b"), trace("c")]), "1")
    with writing(tmp_path / "s", fingerprint=KEY) as writer:
        writer.write_runs([runs(run("a"), run("b"), run("c"))])
        writer.write_runs([runs(run("ab", ["a", "b"]))])
    assert Store.open(tmp_path / "s").runs()["run_id"].to_list() == ["ab", "c"]


def test_what_is_not_measured_yet_is_pending(tmp_path):
    """New spans make their trace pending again; measuring covers all, also traces without runs."""
    ingest(tmp_path / "s", pl.concat([trace("a"), trace("b")]), "1")
    store = Store.open(tmp_path / "s")
    assert store.pending() == ["a", "b"]
    with writing(tmp_path / "s", fingerprint=KEY) as writer:
        writer.write_runs([runs(run("a"))])
        assert writer.store.pending() == []
        writer.append([trace("b", 4)], source="late", sha256="2" * 64)
        writer.commit()
        assert writer.store.pending() == ["b"]
        writer.write_runs([])
        assert writer.store.pending() == []


def test_runs_of_another_geometry_version_are_pending(tmp_path, monkeypatch):
    """Values of two versions are not mixed: the old ones are left out and everything is due again."""
    ingest(tmp_path / "s", trace("a"), "1")
    with writing(tmp_path / "s", fingerprint=KEY) as writer:
        writer.write_runs([runs(run("a"))])
    monkeypatch.setattr("sort_drift.store.reader.GEOMETRY_VERSION", 99)
    store = Store.open(tmp_path / "s")
    assert store.runs().is_empty()
    assert store.pending() == ["a"]
