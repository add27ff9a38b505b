"""Verify lists everything that is wrong; repair makes a store of what is left, and says what is not."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import msgspec
import polars as pl
import pytest

from sort_drift import pipeline
from sort_drift.errors import SortDriftError, StoreError, TamperedFile
from sort_drift.store import LIVE, Store, manifest, segments, writing
from sort_drift.store.check import Problem, verify
from sort_drift.store.compaction import compact
from sort_drift.store.manifest import RunSegment, SpanSegment
from sort_drift.store.repair import repair
from tests.live.store.stores import flip, lived, names_of, seal, seen, segment
from tests.store_frames import KEY, run, runs, trace


@pytest.fixture(autouse=True)
def _unverified(monkeypatch):
    """Each test looks at its files as a new process would."""
    monkeypatch.setattr(segments, "_VERIFIED", set())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return a store of four traces."""
    return lived(tmp_path / "s", "abcd")


def cut(file: Path) -> None:
    """Cut a file in half."""
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def foreign(file: Path) -> None:
    """Put another Parquet file there."""
    pl.DataFrame({"a": [1]}).write_parquet(file)


def link(file: Path) -> None:
    """Put a link to the same bytes elsewhere there."""
    elsewhere = file.parents[3] / "elsewhere"
    file.rename(elsewhere)
    file.symlink_to(elsewhere)


DAMAGE: dict[str, Callable[[Path], object]] = {
    "changed": flip,
    "cut": cut,
    "empty": lambda file: file.write_bytes(b""),
    "foreign": foreign,
    "missing": Path.unlink,
    "link": link,
}


@pytest.mark.fault(42)
@pytest.mark.parametrize("kind", DAMAGE)
def test_one_damaged_segment_is_named_and_set_aside(path, kind):
    """Reading names it with the remedy; repair quarantines that one and says what went; the rest is read."""
    bad = segment(path, place=1)
    name = str(bad.relative_to(path))
    DAMAGE[kind](bad)
    with pytest.raises(TamperedFile, match=rf"{bad.name}.*sort-drift store repair {path}"):
        list(Store.open(path).spans())
    (problem,) = verify(path).problems
    assert (problem.kind, problem.where, problem.serious) == (kind, name, True)
    assert f"sort-drift store repair {path}" in problem.todo
    done = repair(path)
    assert (done.lost_spans, done.lost_runs, done.remeasured, done.incomplete) == (3, 0, False, ())
    assert done.missing + done.quarantined == (name,)
    assert names_of(path) == sorted("acd" * 3)
    assert Store.open(path).provenance().spans == 9
    assert verify(path).sound
    assert (path / "quarantine" / bad.name).is_symlink() == (kind == "link")
    assert len(list((path / "quarantine").glob("*"))) == (kind != "missing")
    assert not repair(path).changed


def test_every_problem_is_listed_not_only_the_first(path):
    """Two damaged segments of each kind, what nothing names, and the journals that the service looks at."""
    flip(segment(path, SpanSegment, 0))
    segment(path, SpanSegment, 3).unlink()
    cut(segment(path, RunSegment, 1))
    (path / "runs" / "0000000099-00000000.parquet.tmp").write_bytes(b"x")
    (path / "runs" / "notes.txt").write_bytes(b"x")
    (path / "quarantine").mkdir()
    (path / "quarantine" / "old.parquet").write_bytes(b"x")
    bad = Problem("journal", "journal/0000000001.j", "its frame at byte 16 is damaged")
    done = verify(path, journals=lambda _: [bad])
    assert (done.segments, done.sound) == (8, False)
    kinds = [(problem.kind, problem.serious) for problem in done.problems]
    assert sorted(kinds) == sorted(
        [("changed", True), ("missing", True), ("cut", True), ("orphan", False), ("orphan", False),
         ("quarantine", False), ("journal", True)]
    )  # fmt: skip


def test_a_whole_store_has_no_problem(path):
    """Also with the folders of a live service beside, and with replaced segments in their grace period."""
    for name in ("journal", "live"):
        (path / name).mkdir()
    with writing(path, fingerprint=KEY) as writer:
        compact(writer)
    done = verify(path)
    assert (done.problems, done.segments) == ((), 2)
    assert done.bytes == sum((path / line.segment).stat().st_size for line in Store.open(path).segments)
    assert not repair(path).changed


def test_damage_after_the_first_look_is_named_where_it_stops_a_query(path):
    """A segment is checked once in a process; what fails later is looked at again, and named."""
    store = Store.open(path)
    list(store.spans())
    bad = segment(path, place=2)
    cut(bad)
    with pytest.raises(TamperedFile, match=bad.name):
        list(store.spans())


@pytest.mark.fault(42)
def test_a_lost_merged_segment_comes_back_from_its_parts(path):
    """While the grace period lasts nothing is lost at all."""
    before = seen(path)
    with writing(path, fingerprint=KEY) as writer:
        compact(writer)
    flip(segment(path, SpanSegment))
    segment(path, RunSegment).unlink()
    done = repair(path)
    assert (len(done.restored), done.lost_spans, done.lost_runs) == (8, 0, 0)
    assert seen(path) == before
    assert verify(path).sound


@pytest.mark.fault(43)
@pytest.mark.parametrize("harm", [flip, cut, Path.unlink, foreign])
def test_runs_that_are_lost_are_measured_again(path, harm):
    """A run table is derived: its traces are pending, and measuring gives the rows again."""
    with writing(path, fingerprint=KEY) as writer:
        tables = [pipeline.measure(frame) for frame in writer.store.spans()]
        writer.write_runs(tables)
    before = Store.open(path).runs()
    harm(segment(path, RunSegment, -1))
    segments._VERIFIED.clear()
    with pytest.raises(TamperedFile, match="store repair"):
        Store.open(path).runs()
    done = repair(path)
    assert (done.remeasured, done.lost_spans) == (True, 0)
    assert done.lost_runs == before.height
    with writing(path, fingerprint=KEY) as writer:
        assert writer.store.pending() == list("abcd")
        writer.write_runs(pipeline.measure(frame) for frame in writer.store.spans())
    after = Store.open(path).runs()
    assert after.select(before.columns).equals(before)


@pytest.mark.fault(43)
def test_runs_of_another_version_are_measured_again(path, monkeypatch):
    """They are no damage, are left out of reading, and repair takes them out."""
    monkeypatch.setattr("sort_drift.store.writer.GEOMETRY_VERSION", 99)
    with writing(path, fingerprint=KEY) as writer:
        writer.write_runs([runs(run("a"))])
    monkeypatch.undo()
    (problem,) = verify(path).problems
    assert (problem.kind, problem.serious) == ("version", False)
    assert repair(path).lost_runs == 1
    assert verify(path).sound
    assert Store.open(path).pending() == list("abcd")


def test_a_segment_of_a_newer_version_is_left_alone(path):
    """It is no damage, and a newer sort-drift can read it."""
    store = Store.open(path)
    lines = [line for line in store.lines if not isinstance(line, manifest.Commit)]
    place = next(i for i, line in enumerate(lines) if isinstance(line, SpanSegment))
    lines[place] = msgspec.structs.replace(lines[place], schema=9)
    manifest.rewrite(path, lines, 0)
    assert [(p.kind, p.serious) for p in verify(path).problems] == [("version", True)]
    assert not repair(path).changed


def lose(file: Path) -> None:
    """Remove a file."""
    file.unlink()


def spoil_first(file: Path) -> None:
    """Break the first line, which names a segment."""
    data = file.read_bytes()
    file.write_bytes(b"{" + data[:20] + b"\0" + data[21:])


def spoil_digest(file: Path) -> None:
    """Change a number in a line that still can be read."""
    data = file.read_bytes()
    file.write_bytes(data.replace(b'"rows":3', b'"rows":4', 1))


def zeros(file: Path) -> None:
    """Leave zeros in the place of everything, as some file systems do."""
    file.write_bytes(bytes(file.stat().st_size))


@pytest.mark.fault(44)
@pytest.mark.parametrize(
    ("harm", "merged"),
    [(lose, False), (lose, True), (spoil_first, False), (spoil_digest, True), (zeros, False)],
)
def test_a_lost_manifest_is_made_again_from_the_segments(path, harm, merged):
    """Spans, runs and counts are as they were; the runs are measured again to be sure."""
    with writing(path, fingerprint=KEY) as writer:
        seal(writer, 50, trace("a"))
        writer.write_runs([runs(run("a", retry_depth=2))])
        if merged:
            compact(writer)
    before = seen(path)
    harm(path / manifest.MANIFEST_FILE)
    with pytest.raises(TamperedFile, match="sort-drift store repair"):
        Store.open(path)
    assert [p.kind for p in verify(path).problems if p.serious] == ["manifest"]
    done = repair(path)
    assert done.remeasured
    assert (done.quarantined, done.missing, done.lost_spans) == ((), (), 0)
    after = seen(path)
    assert after.pop("pending") == list("abcd")
    assert before.pop("pending") == []
    assert after == before
    assert verify(path).sound
    store = Store.open(path)
    assert LIVE.key in {source.key for source in store.sources.values()}
    with writing(path, fingerprint=KEY) as writer:
        assert writer.number >= max(int(Path(line.segment).name[:10]) for line in store.segments)


@pytest.mark.fault(44)
def test_exports_that_the_manifest_told_about_can_be_ingested_again(tmp_path):
    """Names and tags are in the manifest alone: they are lost with it, the spans are not."""
    for name in "ab":
        with writing(tmp_path / "s", fingerprint=KEY) as writer:
            writer.append([trace(name)], source=f"{name}.jsonl", sha256=name * 64, tags=[f"v={name}"])
            writer.commit()
    lose(tmp_path / "s" / manifest.MANIFEST_FILE)
    done = repair(tmp_path / "s")
    assert done.incomplete == ("unknown export aaaaaaaaaaaaaaaa", "unknown export bbbbbbbbbbbbbbbb")
    with writing(tmp_path / "s", fingerprint=KEY) as writer:
        assert writer.append([trace("a")], source="a.jsonl", sha256="a" * 64, tags=["v=a"])
        assert writer.commit().duplicates == 3
    store = Store.open(tmp_path / "s")
    assert store.label(runs(run("a"))).select("source", "tags").rows() == [("a.jsonl", ["v=a"])]
    assert names_of(tmp_path / "s") == sorted("ab" * 3)


def test_an_export_in_a_lost_segment_can_be_ingested_again(tmp_path):
    """The store does not say any more that it has all of it; its tags stay."""
    for name in "ab":
        with writing(tmp_path / "s", fingerprint=KEY) as writer:
            writer.append([trace(name)], source=f"{name}.jsonl", sha256=name * 64, tags=[f"v={name}"])
            writer.commit()
    flip(segment(tmp_path / "s"))
    assert repair(tmp_path / "s").incomplete == ("a.jsonl",)
    with writing(tmp_path / "s", fingerprint=KEY) as writer:
        assert not writer.append([trace("b")], source="b.jsonl", sha256="b" * 64, tags=["v=b"])
        assert writer.append([trace("a")], source="a.jsonl", sha256="a" * 64, tags=["w=1"])
        assert writer.commit().sources == 1
    store = Store.open(tmp_path / "s")
    assert store.label(runs(run("a")))["tags"].to_list() == [["v=a", "w=1"]]
    assert not repair(tmp_path / "s").incomplete


def test_a_lost_description_cannot_be_made_up(path):
    """Which hash key the store has stands there alone: everything else is still checked."""
    (path / "FORMAT.json").write_text("{")
    flip(segment_of(path))
    kinds = [problem.kind for problem in verify(path).problems]
    assert kinds == ["format", "changed"]
    with pytest.raises(StoreError, match="description cannot be read"):
        repair(path)


def segment_of(path: Path) -> Path:
    """Return the first segment of spans of a store that does not open."""
    return min((path / "spans").rglob("*.parquet"))


def test_what_is_no_store_is_said(tmp_path):
    """Neither command makes anything out of an empty directory."""
    for command in (verify, repair):
        with pytest.raises(StoreError, match="this is no store"):
            command(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_repair_waits_for_nobody(path):
    """While a service writes, repair is refused; verify is not."""
    with writing(path, fingerprint=KEY, note="http://127.0.0.1:8321"):
        assert verify(path).sound
        with pytest.raises(StoreError, match=r"written by process \d+ \(http://127\.0\.0\.1:8321\)"):
            repair(path)


OUTSIDE = (
    "../../x",
    "/etc/passwd",
    "spans/date=2026-11-22/../../../x",
    "spans/date=2026-11-22/0000000001-00000000.parquet\0",
    "spans/date=../0000000001-00000000.parquet",
    "runs/../FORMAT.json",
)


@pytest.mark.fault(69)
def test_names_in_a_manifest_never_leave_the_store(path):
    """Such a manifest is damage, in the lines of replaced segments too; repair does not touch the place."""
    outside = path.parent / "x"
    outside.write_bytes(b"mine")
    whole = (path / manifest.MANIFEST_FILE).read_bytes()
    for name in OUTSIDE:
        line = SpanSegment(name, 1, None, None, "0" * 64, 1)
        for bad in (line, manifest.Replaced(line, "")):
            (path / manifest.MANIFEST_FILE).write_bytes(whole)
            manifest.append(path, [bad])
            with pytest.raises(TamperedFile, match="no segment name"):
                Store.open(path)
    assert [p.kind for p in verify(path).problems if p.serious] == ["manifest"]
    done = repair(path)
    assert (done.lost_spans, outside.read_bytes()) == (0, b"mine")
    assert names_of(path) == sorted("abcd" * 3)


@pytest.mark.fault(69)
def test_names_in_span_data_never_become_paths(tmp_path):
    """Trace ids, sources and tags like paths are text: every file lies in the store, under a name it gave."""
    nasty = ["../../x", "/etc/passwd", "a\0b", "..", "C:\\x", "date=2026-01-01/x", "x" * 5000]
    with writing(tmp_path / "s", fingerprint=KEY) as writer:
        for i, name in enumerate(nasty):
            writer.append([trace(name, service=name)], source=name, sha256=f"{i}" * 64, tags=[f"v={name}"])
        writer.commit()
        writer.write_runs([runs(run(name)) for name in nasty])
        compact(writer, grace_s=0)
    files = [file for file in tmp_path.rglob("*") if file.is_file()]
    inside = {str(file.relative_to(tmp_path / "s")) for file in files}
    assert {name for name in inside if name.endswith(".parquet")} == {
        line.segment for line in Store.open(tmp_path / "s").segments
    }
    assert inside - {n for n in inside if n.endswith(".parquet")} == {"FORMAT.json", "LOCK", "MANIFEST.jsonl"}
    assert sorted(Store.open(tmp_path / "s").runs()["run_id"]) == sorted(nasty)


@pytest.mark.fault(69)
def test_links_are_not_followed(path):
    """A link in the place of a date folder, of a segment, of the lock, or of a file half written."""
    outside = path.parent / "outside"
    folder = path / "spans" / "date=2026-11-22"
    folder.rename(outside)
    folder.symlink_to(outside)
    with pytest.raises(TamperedFile, match="link to another place"):
        list(Store.open(path).spans())
    assert {problem.kind for problem in verify(path).problems} == {"link"}
    folder.unlink()
    outside.rename(folder)
    victim = path.parent / "victim"
    victim.write_bytes(b"mine")
    (path / f"{manifest.MANIFEST_FILE}.tmp").symlink_to(victim)
    with writing(path, fingerprint=KEY) as writer, pytest.raises(StoreError, match="cannot be written"):
        compact(writer)
    assert victim.read_bytes() == b"mine"
    (path / "LOCK").unlink()
    (path / "LOCK").symlink_to(victim)
    with pytest.raises(StoreError, match="cannot be written"), writing(path, fingerprint=KEY):
        pass
    assert victim.read_bytes() == b"mine"


@pytest.mark.fault(50)
@pytest.mark.parametrize("last", ["MANIFEST.jsonl", "spans", "runs"])
def test_a_copy_made_while_the_store_was_written_opens_and_verifies(path, last):
    """Whatever is copied last: what came into the copy whole counts, pending what is not measured in it."""
    copy = path.parent / "copy"
    copy.mkdir()
    names = sorted((entry.name for entry in path.iterdir()), key=lambda name: name == last)
    for name in names:
        if name == last:
            lived(path, "ef")
            with writing(path, fingerprint=KEY) as writer:
                compact(writer)
                seal(writer, 99, trace("g"))
        if (path / name).is_dir():
            shutil.copytree(path / name, copy / name)
        else:
            shutil.copy(path / name, copy / name)
    assert verify(copy).sound
    found = set(names_of(copy))
    assert found >= set("abcd")
    assert found <= set("abcdefg")
    runs_ = set(Store.open(copy).runs()["run_id"])
    assert found <= runs_ | set(Store.open(copy).pending())
    with writing(copy, fingerprint=KEY) as writer:
        seal(writer, 100, trace("z"))
    assert set(names_of(copy)) == {*found, "z"}
    assert verify(copy).sound
    assert {problem.kind for problem in verify(copy).problems} <= {"orphan"}


@pytest.mark.fault(50)
def test_a_copy_with_a_hole_is_still_damaged(path):
    """What is missing in its middle was lost, not written meanwhile."""
    copy = path.parent / "copy"
    shutil.copytree(path, copy)
    segment(copy, place=1).unlink()
    with pytest.raises(SortDriftError, match="missing"):
        list(Store.open(copy).spans())
    assert not verify(copy).sound


@pytest.mark.fault(50)
def test_cp_of_a_store_under_load(path):
    """`cp -r` itself, again and again while a service seals, measures and compacts: each copy is a store."""
    copies = [path.parent / f"copy{i}" for i in range(6)]
    with writing(path, fingerprint=KEY) as writer:
        for i, copy in enumerate(copies):
            running = subprocess.Popen(["cp", "-r", str(path), str(copy)])
            while running.poll() is None:
                name = "efghijklmnopqrstuvwxyz"[writer.number % 20]
                seal(writer, 1000 + writer.number, trace(name))
                writer.write_runs([runs(run(name))])
            assert running.returncode == 0
            if i % 2:
                compact(writer)
    for copy in copies:
        assert verify(copy).sound, [p for p in verify(copy).problems if p.serious]
        assert set(names_of(copy)) >= set("abcd")
