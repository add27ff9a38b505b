"""`sort-drift store`: what people and scripts get, and the exit codes."""

import json
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from sort_drift import cli
from sort_drift.hashing import Hasher
from sort_drift.live.keep.committer import encode
from sort_drift.live.keep.journal import Journal
from sort_drift.report.stores import SCHEMAS
from sort_drift.store import Store, manifest, segments, writing
from sort_drift.store.manifest import RunSegment
from tests.contract.test_json_schema import check as described
from tests.e2e.command import bundled
from tests.live.store.stores import flip, seal, segment
from tests.store_frames import trace


@pytest.fixture(autouse=True)
def _unverified(monkeypatch):
    """Each command looks at its files as a new process would."""
    monkeypatch.setattr(segments, "_VERIFIED", set())
    monkeypatch.setenv("COLUMNS", "110")


@pytest.fixture
def path(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """Return a store of one bundled recording, ingested as users do."""
    assert cli.run(["ingest", bundled("d_load1"), "--store", str(tmp_path / "s"), "--tag", "v=1"]) == 0
    with writing(tmp_path / "s", fingerprint=Hasher().fingerprint) as writer:
        for number, name in enumerate("abc", 1):
            seal(writer, number, trace(name))
        writer.write_runs([])
    capsys.readouterr()
    return tmp_path / "s"


def said(capsys, *arguments: object, code: int = 0) -> str:
    """Run a command; return what it says on the stream that its exit code goes with. JSON is as described."""
    assert cli.run(["store", *map(str, arguments)]) == code
    out, err = capsys.readouterr()
    assert not (out and err)
    if "--json" in arguments:
        described(f"store-{arguments[0]}", out)
    return str(out or err)


def test_verify_says_that_all_is_as_written(path, capsys):
    """One line a store; a service may hold the lock meanwhile."""
    with writing(path, fingerprint=Hasher().fingerprint):
        assert "all as written" in " ".join(said(capsys, "verify", path).split())
    assert " ".join(said(capsys, "verify", path, path).split()).count("all as written") == 2


@pytest.mark.fault(42)
def test_verify_lists_problems_and_ends_with_2(path, capsys):
    """Each with what to do; --json has the same, as one object."""
    flip(segment(path))
    segment(path, RunSegment).unlink()
    text = said(capsys, "verify", path, code=2)
    assert "2 problems in 5 segments" in text
    assert f"{segment(path).relative_to(path)}: its sha256 differs" in text
    assert f"sort-drift store repair {path}" in " ".join(text.split())
    found = json.loads(said(capsys, "verify", path, "--json", code=2))
    assert found["schema"] == SCHEMAS["verify"]
    (one,) = found["stores"]
    assert [problem["kind"] for problem in one["problems"]] == ["changed", "missing"]
    assert one["store"] == str(path)


@pytest.mark.fault(41)
def test_journals_are_verified_and_repaired(path, capsys):
    """What a service acknowledged and did not store is named; repair stores it and keeps the rest."""
    (path / "journal").mkdir()
    made = Journal.create(path / "journal", 9)
    made.append([encode(trace("late")), encode(trace("later"))], 0)
    made.close()
    text = " ".join(said(capsys, "verify", path).split())
    assert "2 frames are acknowledged and not in a segment yet" in text
    whole = made.path.read_bytes()
    made.path.write_bytes(whole[:-3])  # killed while it wrote: never acknowledged
    assert "the last frame is cut" in said(capsys, "verify", path)
    made.path.write_bytes(whole[:-3] + b"abc")
    assert "the checksum of a frame is wrong" in said(capsys, "verify", path, code=2)
    assert cli.run(["store", "repair", str(path)]) == 0
    done, note = capsys.readouterr()
    assert "3 spans of journals stored" in " ".join(done.split())
    assert "that part was kept as 0000000009.j.bad-" in note
    assert "all as written" in " ".join(said(capsys, "verify", path).split())
    assert "late" in Store.open(path).runs()["run_id"].to_list()
    (aside,) = (path / "journal").iterdir()
    assert ".bad-" in aside.name
    assert aside.read_bytes().endswith(b"abc")


def test_names_in_a_store_cannot_act_on_the_terminal(path, capsys):
    """A file somebody put there has a name with an escape sequence."""
    (path / "runs" / "\x1b[2J").write_bytes(b"x")
    text = said(capsys, "verify", path)
    assert "\x1b" not in text
    assert "\\x1b[2J" in text


def test_compact_merges(path, capsys):
    """The store reads the same; a second time there is nothing to do."""
    before = Store.open(path).runs().rows()
    assert "5 segments -> 2" in said(capsys, "compact", path)
    assert "freed" in said(capsys, "compact", path, "--grace", "0")
    done = json.loads(said(capsys, "compact", path, "--json"))
    assert (done["schema"], done["stores"][0]["before"]) == (SCHEMAS["compact"], 2)
    assert Store.open(path).runs().rows() == before


@pytest.mark.fault(43, 44)
def test_repair_measures_again_what_was_lost(path, capsys):
    """A lost manifest and a damaged segment: one command, and the runs are there as before."""
    before = Store.open(path).runs()
    (path / manifest.MANIFEST_FILE).unlink()
    flip(segment_on_disk(path))
    text = said(capsys, "repair", path)
    assert "repaired" in text
    assert "set aside in quarantine/" in text
    assert "not whole any more: ingest it again" in " ".join(text.split())
    after = Store.open(path).runs()
    assert [set(ids) for ids in after["trace_ids"] if set(ids) & set("abc")] == [{"a"}, {"b"}]
    columns = [name for name in before.columns if name not in {"run", "source", "tags"}]
    kept = after.filter(pl.col("run_id").is_in(before["run_id"].implode()))
    assert_frame_equal(kept.select(columns), before.select(columns), rel_tol=1e-12)
    assert json.loads(said(capsys, "repair", path, "--json"))["stores"][0]["quarantined"] == []
    assert "nothing to repair" in said(capsys, "repair", path)
    assert "measured again" in text
    assert Store.open(path).pending() == []


def segment_on_disk(path: Path) -> Path:
    """Return the segment of spans that was written last, of a store that does not open."""
    return max((path / "spans").rglob("*.parquet"), key=lambda file: file.name)


@pytest.mark.fault(39)
def test_merge_counts_once(path, capsys, tmp_path):
    """Two stores that have the same recording: its runs are there once, with the tags of both."""
    assert cli.run(["ingest", bundled("d_load1"), "--store", str(tmp_path / "t"), "--tag", "v=2"]) == 0
    capsys.readouterr()
    text = " ".join(said(capsys, "merge", tmp_path / "t", path).split())
    assert "were there already and count once" in text
    merged = Store.open(tmp_path / "t").runs()
    assert merged.height == 35 + 3
    assert {"v=1", "v=2"} in [set(tags) for tags in merged["tags"].drop_nulls()]
    (again,) = json.loads(said(capsys, "merge", tmp_path / "t", path, "--json"))["stores"]
    assert (again["segments"], again["known"]) == (0, 5)


def test_errors_have_the_house_form(path, capsys, tmp_path):
    """No store, itself, a store that is being written: one line on stderr, exit code 2, nothing made."""
    for command in ("verify", "compact", "repair", "merge"):
        arguments = [tmp_path / "none", *([path] if command == "merge" else [])]
        text = said(capsys, command, *arguments, code=2)
        assert text.startswith("sort-drift: this is no store (")
        assert text.endswith("[store]\n")
        assert not (tmp_path / "none").exists()
    assert "into itself" in said(capsys, "merge", path, path, code=2)
    with writing(path, fingerprint=Hasher().fingerprint, note="http://127.0.0.1:8321"):
        for command in ("compact", "repair"):
            assert "(http://127.0.0.1:8321)" in said(capsys, command, path, code=2)
