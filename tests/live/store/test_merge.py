"""Stores of several clusters in one: everything is there once, whichever order they come in."""

import shutil

import pytest

from sort_drift import pipeline
from sort_drift.errors import StoreError, TamperedFile
from sort_drift.store import LIVE, Store, writing
from sort_drift.store.check import verify
from sort_drift.store.compaction import compact
from sort_drift.store.merge import merge
from tests.live.store.stores import flip, lived, names_of, seal, seen, segment
from tests.store_frames import KEY, run, runs, trace


@pytest.mark.fault(39)
def test_what_both_have_counts_once(tmp_path):
    """Spans that two services got, and the runs that they measured of them."""
    into, other = lived(tmp_path / "into", "abc"), lived(tmp_path / "other", "cde")
    before = seen(other)
    with writing(into, fingerprint=KEY) as writer:
        done = merge(writer, other)
        assert (done.segments, done.known, done.spans, done.duplicates, done.runs) == (6, 0, 9, 3, 3)
        assert done.sources == ()
        assert writer.store.pending() == list("cde")
        writer.write_runs(pipeline.measure(frame) for frame in writer.store.spans(touching=list("cde")))
        assert writer.store.pending() == []
        compact(writer, grace_s=0)
    assert names_of(into) == sorted("abcde" * 3)
    assert sorted(Store.open(into).runs()["trace_ids"].explode()) == list("abcde")
    assert Store.open(into).provenance().spans == 15
    assert Store.open(into).provenance().sources == (("live", LIVE.sha256),)
    assert seen(other) == before
    assert verify(into).sound


@pytest.mark.fault(39)
def test_merging_twice_or_a_copy_changes_nothing(tmp_path):
    """Segments that are there already are recognised by name and sha256; numbers stay apart."""
    into, other = lived(tmp_path / "into", "ab"), lived(tmp_path / "other", "cd")
    with writing(into, fingerprint=KEY) as writer:
        merge(writer, other)
        before = seen(into)
        again = merge(writer, other)
        assert (again.segments, again.known) == (0, 4)
        seal(writer, 99, trace("z"))
    assert seen(into)["spans"][: len(before["spans"])] == before["spans"]
    numbers = [number for number, _ in Store.open(into).run_tables()]
    assert len(numbers) == 2  # those of the other service are not replayed to the monitors of this one


def test_two_copies_of_one_store_that_went_their_ways(tmp_path):
    """The same names with other content: the copies get new numbers."""
    into = lived(tmp_path / "into", "ab")
    shutil.copytree(into, tmp_path / "other")
    lived(into, "c")
    lived(tmp_path / "other", "de")
    with writing(into, fingerprint=KEY) as writer:
        done = merge(writer, tmp_path / "other")
        assert (done.known, done.segments, done.duplicates) == (4, 4, 0)
    assert names_of(into) == sorted("abcde" * 3)
    assert sorted(Store.open(into).runs()["run_id"]) == list("abcde")
    assert verify(into).sound


def test_exports_and_tags_come_too(tmp_path):
    """An export that both have keeps the tags of both, and is known afterwards."""
    for name, exports in (("into", "ab"), ("other", "bc")):
        with writing(tmp_path / name, fingerprint=KEY) as writer:
            for export in exports:
                writer.append(
                    [trace(export)], source=f"{export}.jsonl", sha256=export * 64, tags=[f"from={name}"]
                )
            writer.commit()
    with writing(tmp_path / "into", fingerprint=KEY) as writer:
        assert merge(writer, tmp_path / "other").sources == ("b.jsonl", "c.jsonl")
        assert not writer.append([], source="c.jsonl", sha256="c" * 64, tags=["from=other"])
        labelled = writer.store.label(runs(run("b"), run("c")))
    assert labelled.select("source", "tags").rows() == [
        ("b.jsonl", ["from=into", "from=other"]),
        ("c.jsonl", ["from=other"]),
    ]


def test_journals_that_are_not_sealed_are_told(tmp_path):
    """Their spans do not come: the service has to stop first, or the store is merged again later."""
    into, other = lived(tmp_path / "into", "a"), lived(tmp_path / "other", "b")
    known = next(iter(Store.open(other).journals)).number
    (other / "journal").mkdir()
    for number in (known, 77):
        (other / "journal" / f"{number:010d}.j").write_bytes(b"x")
    with writing(into, fingerprint=KEY) as writer:
        assert merge(writer, other).journals == 1


def test_what_cannot_be_merged_is_refused_and_leaves_nothing(tmp_path):
    """Itself, another hash key, a damaged store, no store: each its line, and the store is as it was."""
    into, other = lived(tmp_path / "into", "a"), lived(tmp_path / "other", "bc")
    with writing(tmp_path / "key", fingerprint="other") as writer:
        seal(writer, 1, trace("x"))
    flip(segment(other, place=1))
    before = sorted(into.rglob("*"))
    with writing(into, fingerprint=KEY) as writer:
        for path, error, match in (
            (into, StoreError, "into itself"),
            (tmp_path / "key", StoreError, "its hashes have another key"),
            (tmp_path / "none", StoreError, "no store"),
            (other, TamperedFile, "sha256 differs"),
        ):
            with pytest.raises(error, match=match):
                merge(writer, path)
            assert sorted(into.rglob("*")) == before
    assert names_of(into) == ["a"] * 3
