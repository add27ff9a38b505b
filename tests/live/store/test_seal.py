"""One sealed journal becomes segments and counts once, whatever happens in between."""

from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from sort_drift.errors import StoreError
from sort_drift.store import LIVE, Sealed, Store, manifest, writing
from sort_drift.store.files import LOCK_FILE
from tests.store_frames import KEY, NOON, run, runs, spans, trace

SECOND = 10**9


def everything(path: Path) -> pl.DataFrame:
    """Return all spans of a store, sorted."""
    frames = list(Store.open(path).spans(detail=True))
    return pl.concat(frames).sort("trace_id", "seq") if frames else spans()


def test_a_sealed_journal_is_spans_of_the_source_live(tmp_path):
    """Rows and duplicates are told; the source is listed once however many journals there are."""
    with writing(tmp_path / "s", fingerprint=KEY) as writer:
        assert writer.seal([trace("a"), trace("b")], journal=1, sha256="1" * 64) == Sealed(6, 0, 1)
        assert writer.seal([trace("b"), trace("c")], journal=2, sha256="2" * 64) == Sealed(6, 3, 2)
    store = Store.open(tmp_path / "s")
    assert store.of(manifest.Source) == [LIVE]
    assert store.provenance().sources == (("live", LIVE.sha256),)
    assert (store.provenance().spans, store.provenance().duplicates) == (9, 3)
    assert everything(tmp_path / "s").equals(pl.concat([trace("a"), trace("b"), trace("c")]))
    assert store.label(runs(run("a")))["source"].to_list() == ["live"]


def test_a_journal_is_known_after_its_commit(tmp_path):
    """A crash before the file is removed: the next start sees that it counts already, and reads nothing."""

    def never() -> Iterator[pl.DataFrame]:
        raise AssertionError
        yield

    with writing(tmp_path / "s", fingerprint=KEY) as writer:
        writer.seal([trace("a")], journal=7, sha256="a" * 64)
        assert writer.seal(never(), journal=7, sha256="a" * 64) is None
    with writing(tmp_path / "s", fingerprint=KEY) as writer:
        assert writer.seal(never(), journal=7, sha256="a" * 64) is None
        assert writer.seal([trace("b")], journal=7, sha256="b" * 64) is not None
    assert everything(tmp_path / "s").height == 6


def test_a_journal_without_spans_is_known_too(tmp_path):
    """It needs no segment, but its file may go."""
    with writing(tmp_path / "s", fingerprint=KEY) as writer:
        assert writer.seal([], journal=1, sha256="1" * 64) == Sealed(0, 0, 0)
        assert writer.seal([], journal=1, sha256="1" * 64) is None
    assert list(Store.open(tmp_path / "s").spans()) == []


def test_frames_that_fail_leave_the_store_as_it_was(tmp_path):
    """A journal that cannot be read to its end does not count, and the writer goes on."""

    def broken() -> Iterator[pl.DataFrame]:
        yield trace("a")
        raise StoreError("broken")

    with writing(tmp_path / "s", fingerprint=KEY) as writer:
        with pytest.raises(StoreError, match="broken"):
            writer.seal(broken(), journal=1, sha256="1" * 64)
        assert writer.seal([trace("b")], journal=2, sha256="2" * 64) is not None
    assert everything(tmp_path / "s").equals(trace("b"))


def test_a_damaged_neighbour_does_not_stop_a_seal(tmp_path):
    """Counting duplicates reads other segments; one that is cut short is left out."""
    with writing(tmp_path / "s", fingerprint=KEY) as writer:
        writer.seal([trace("a")], journal=1, sha256="1" * 64)
        writer.seal([trace("b")], journal=2, sha256="2" * 64)
        first = tmp_path / "s" / writer.store.of(manifest.SpanSegment)[0].segment
        first.write_bytes(first.read_bytes()[:100])
        assert writer.seal([trace("a"), trace("b")], journal=3, sha256="3" * 64) == Sealed(6, 3, 3)


def test_duplicates_are_counted_exactly_though_far_segments_are_not_read(tmp_path):
    """Same start, other end, no end, no time at all: counted; segments of other hours are not even opened."""
    no_end = {"trace_id": "x", "span_id": "1", "start_ns": NOON + 50 * SECOND}
    no_time = {"trace_id": "y", "span_id": "1"}
    with writing(tmp_path / "s", fingerprint=KEY) as writer:
        writer.seal([trace("a"), spans(no_end)], journal=1, sha256="1" * 64)
        writer.seal([trace("b", at=NOON + 7200 * SECOND), spans(no_time)], journal=2, sha256="2" * 64)
        far, near = (tmp_path / "s" / line.segment for line in writer.store.of(manifest.SpanSegment))
        mixed = [trace("d", at=NOON + 20_000 * SECOND), spans(no_time)]
        assert writer.seal(mixed, journal=3, sha256="3" * 64) == Sealed(4, 1, 3)
        again = spans({**no_end, "end_ns": NOON + 9000 * SECOND})
        assert writer.seal([again], journal=4, sha256="4" * 64) == Sealed(1, 1, 4)
        untimed = spans({**no_time, "name": "late"})
        assert writer.seal([untimed], journal=5, sha256="5" * 64) == Sealed(1, 1, 5)
        far.rename(far.with_suffix(".away"))
        late = trace("c", at=NOON + 10_000 * SECOND)
        assert writer.seal([late, late], journal=6, sha256="6" * 64) == Sealed(6, 3, 6)
        far.with_suffix(".away").rename(far)
    assert near.exists()
    assert Store.open(tmp_path / "s").provenance().spans == everything(tmp_path / "s").height


def test_run_tables_may_cover_less_than_everything(tmp_path):
    """While a run of a later segment is open, its traces and those after it stay pending."""
    with writing(tmp_path / "s", fingerprint=KEY) as writer:
        for number, name in enumerate("abc", 1):
            writer.seal([trace(name)], journal=number, sha256=name * 64)
        covers = writer.store.lines_before(2)
        assert writer.write_runs([runs(run("a")), runs(run("c"))], covers=covers) == 2
        assert writer.store.pending() == Store.open(tmp_path / "s").pending() == ["b", "c"]
        assert writer.store.lines_before(9) == len(writer.store.lines)
        writer.write_runs([], covers=writer.store.lines_before(9))
        assert writer.store.pending() == []


def test_columns_that_only_the_service_knows_survive(tmp_path):
    """The run table of the service has one more column, and older rows have nulls there."""
    with writing(tmp_path / "s", fingerprint=KEY) as writer:
        writer.seal([trace("a"), trace("b")], journal=1, sha256="1" * 64)
        writer.write_runs([runs(run("a"))])
        writer.write_runs([runs(run("b", start_ns=NOON + 1)).with_columns(open_runs=pl.lit(4))])
    assert Store.open(tmp_path / "s").runs()["open_runs"].to_list() == [None, 4]


def test_run_tables_are_replayed_in_order(tmp_path):
    """After a crash the monitors look at the tables again that they had not saved: revisions too."""
    with writing(tmp_path / "s", fingerprint=KEY) as writer:
        writer.seal([trace("a"), trace("b")], journal=1, sha256="1" * 64)
        writer.write_runs([runs(run("a", retry_depth=1)), runs(run("b", retry_depth=1))])
        writer.write_runs([runs(run("a", retry_depth=2))])
    store = Store.open(tmp_path / "s")
    found = [(number, table.select("run_id", "retry_depth").rows()) for number, table in store.run_tables()]
    assert found == [(2, [("a", 1.0)]), (3, [("b", 1.0)]), (4, [("a", 2.0)])]
    assert [number for number, _ in store.run_tables(after=3)] == [4]
    assert list(store.run_tables(after=4)) == []


def test_the_spans_of_one_run_come_from_the_segments_of_its_time(tmp_path):
    """Newest end wins; a segment of another hour may be missing; one without times is always read."""
    with writing(tmp_path / "s", fingerprint=KEY) as writer:
        open_root = spans({"trace_id": "a", "span_id": "a-0", "seq": 0, "start_ns": NOON, "tool": "open"})
        writer.seal([open_root, trace("b")], journal=1, sha256="1" * 64)
        writer.seal([trace("a", tool="whole")], journal=2, sha256="2" * 64)
        writer.seal([trace("z", at=NOON + 7200 * SECOND)], journal=3, sha256="3" * 64)
        writer.seal([spans({"trace_id": "a", "span_id": "x", "tool": "untimed"})], journal=4, sha256="4" * 64)
    store = Store.open(tmp_path / "s")
    (tmp_path / "s" / store.of(manifest.SpanSegment)[2].segment).unlink()
    found = store.spans_of(["a"], NOON, NOON + 60 * SECOND).sort("seq", "tool", nulls_last=True)
    assert found.select("trace_id", "tool").rows() == [("a", "whole")] * 3 + [("a", "untimed")]
    assert found.schema == trace("a").schema
    assert (
        store.spans_of(["a"], NOON, NOON, detail=True)["attributes"].drop_nulls().to_list()
        == ['{"a": 1}'] * 3
    )
    assert store.spans_of([], NOON, NOON).is_empty()
    assert store.spans_of(["nowhere"], None, NOON).is_empty()


@pytest.mark.fault(46)
def test_a_second_writer_is_told_who_and_where(tmp_path):
    """Process id and address of the page; a note with control characters stays one harmless line."""
    with writing(tmp_path / "s", fingerprint=KEY, note="http://127.0.0.1:8321"):
        lock = tmp_path / "s" / LOCK_FILE
        pid = int(lock.read_text().split()[0])
        expected = rf"written by process {pid} \(http://127\.0\.0\.1:8321\) \(.*reading works meanwhile"
        with pytest.raises(StoreError, match=expected), writing(tmp_path / "s", fingerprint=KEY):
            pass
        lock.write_text("4711\nhttp://a\x1b[31m\nb\n")
        with pytest.raises(StoreError, match=r"4711 \(http://a\) "), writing(tmp_path / "s", fingerprint=KEY):
            pass
