"""Retention: whole segments, the oldest first, by time and by bytes; it says what went."""

import pytest

from sort_drift.model import Population, Provenance
from sort_drift.store import Store, baseline, writing
from sort_drift.store.compaction import compact
from sort_drift.store.manifest import RunSegment, SpanSegment
from sort_drift.store.retention import Expired, expire
from tests.live.store.stores import DAY, files_of, lived, seal, seen, segment
from tests.store_frames import KEY, NOON, run, runs, spans, trace


@pytest.mark.fault(52)
def test_what_is_older_goes_with_its_runs(tmp_path):
    """Spans and runs of the first of three days; what went is told, and the others are read as before."""
    path = lived(lived(lived(tmp_path / "s", "a"), "b", day=1), "c", day=2)
    gone = {str(segment(path, kind).relative_to(path)) for kind in (SpanSegment, RunSegment)}
    with writing(path, fingerprint=KEY) as writer:
        done = expire(writer, before_ns=NOON + DAY, grace_s=0)
        assert set(done.segments) == gone
        assert (done.spans, done.runs, done.until_ns) == (3, 1, NOON + 3 * 10**9)
        assert done.bytes > 0
        assert not files_of(path) & gone
        assert expire(writer, before_ns=NOON + DAY) == Expired((), 0, 0, 0, None)
        assert writer.store.pending() == []
    found = seen(path)
    assert {row[0] for row in found["spans"]} == {"b", "c"}
    assert found["count"] == len(found["spans"]) == 6
    assert len(found["runs"]) == 2


@pytest.mark.fault(52)
def test_the_oldest_go_until_the_rest_fits(tmp_path):
    """A limit in bytes: the older one first; one without times is as old as its neighbours."""
    path = lived(lived(tmp_path / "s", "a", day=1), "b")
    with writing(path, fingerprint=KEY) as writer:
        seal(writer, 50, spans({"trace_id": "x", "span_id": "1"}))
        writer.write_runs([])
        sizes = {line.segment: (path / line.segment).stat().st_size for line in writer.store.segments}
        total = sum(sizes.values())
        assert expire(writer, max_bytes=total).segments == ()
        done = expire(writer, max_bytes=total - 1)
        assert [sizes[name] for name in done.segments] == [done.bytes]
        assert done.segments[0].rpartition("/")[2][:10] in {"0000000003", "0000000004"}
        expire(writer, max_bytes=0)
        assert writer.store.segments == []
    assert seen(path) == {"spans": [], "runs": [], "pending": [], "count": 0}


@pytest.mark.fault(52)
def test_a_frozen_baseline_stays_wherever_it_lies(tmp_path):
    """Retention to nothing, and no grace: the baselines in the store's own folders are still whole."""
    path = lived(tmp_path / "s", "ab")
    frozen = Population("v1", runs(run("a")), Provenance())
    places = [path / "baseline.parquet", path / "runs" / "baseline.parquet", path / "live" / "b.parquet"]
    for place in places:
        place.parent.mkdir(exist_ok=True)
        baseline.freeze(frozen, place)
    with writing(path, fingerprint=KEY) as writer:
        expire(writer, before_ns=NOON + 999 * DAY, max_bytes=0, grace_s=0)
    assert list(path.rglob("*-*.parquet")) == []
    for place in places:
        assert len(baseline.load(place)) == 1


def test_counts_stay_exact_over_duplicates(tmp_path):
    """A span that an expired and a kept segment both have is counted once before and after."""
    with writing(tmp_path / "s", fingerprint=KEY) as writer:
        seal(writer, 1, trace("a"), trace("a"), trace("b"))
        seal(writer, 2, trace("b"), trace("c", at=NOON + DAY))
        writer.write_runs([])
        assert (writer.store.provenance().spans, writer.store.provenance().duplicates) == (9, 6)
        expire(writer, before_ns=NOON + DAY)
    assert seen(tmp_path / "s")["count"] == len(seen(tmp_path / "s")["spans"]) == 6


def test_what_is_still_open_is_not_forgotten_by_the_lines(tmp_path):
    """Lines go, and what is pending stays pending."""
    with writing(tmp_path / "s", fingerprint=KEY) as writer:
        seal(writer, 1, trace("a"))
        seal(writer, 2, trace("b", at=NOON + DAY))
        seal(writer, 3, trace("c", at=NOON + DAY))
        writer.write_runs([runs(run("a")), runs(run("b"))], covers=writer.store.lines_before(3))
        expire(writer, before_ns=NOON + DAY, grace_s=0)
        assert writer.store.pending() == ["c"]
        compact(writer, grace_s=0)
        assert writer.store.pending() == Store.open(tmp_path / "s").pending() == ["c"]


def test_a_damaged_segment_expires_like_any_other(tmp_path):
    """Nobody has to repair what goes anyway."""
    path = lived(lived(tmp_path / "s", "a"), "b", day=1)
    segment(path).write_bytes(b"")
    with writing(path, fingerprint=KEY) as writer:
        assert expire(writer, before_ns=NOON + DAY).spans == 3
    assert {row[0] for row in seen(path)["spans"]} == {"b"}
