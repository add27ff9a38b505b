"""Reading: each span once, what belongs together in one piece, damage noticed."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from sort_drift.errors import StoreError, TamperedFile
from sort_drift.model import RUNS, SPANS
from sort_drift.store import Store, is_store, segments, writing
from tests.store_frames import KEY, NOON, run, runs, spans, trace


@pytest.fixture(autouse=True)
def _unverified(monkeypatch):
    """Each test looks at its files as a new process would."""
    monkeypatch.setattr(segments, "_VERIFIED", set())


def fill(path: Path, *exports: pl.DataFrame, tags: tuple[str, ...] = ()) -> Store:
    for i, frame in enumerate(exports):
        with writing(path, fingerprint=KEY) as writer:
            writer.append([frame], source=f"exports/e{i}.jsonl", sha256=f"{i:x}" * 64, tags=[*tags, f"e={i}"])
            writer.commit()
    return Store.open(path)


def pieces(store: Store, *, rows: int, touching: list[str] | None = None) -> list[list[str]]:
    return [frame["trace_id"].unique().sort().to_list() for frame in store.spans(touching, rows=rows)]


def test_an_empty_store_has_no_spans_and_no_runs(tmp_path):
    """Empty frames have their schema."""
    store = fill(tmp_path / "s", SPANS_EMPTY)
    assert list(store.spans()) == []
    assert store.runs().schema == pl.Schema(RUNS)
    assert store.pending() == []
    assert store.label(runs()).height == 0


SPANS_EMPTY = pl.DataFrame(schema=dict(SPANS))


def test_frames_have_exactly_the_schema(tmp_path):
    """Columns that no export filled come back as nulls, of their type and in their order."""
    (frame,) = fill(tmp_path / "s", trace("a")).spans()
    assert frame.schema == pl.Schema(SPANS)


def test_columns_for_people_come_on_demand(tmp_path):
    """Attributes are read for one run that a person opens, not for geometry."""
    store = fill(tmp_path / "s", trace("a"))
    assert [next(store.spans(detail=d))["attributes"][0] for d in (False, True)] == [None, '{"a": 1}']


@pytest.mark.fault(39)
def test_of_two_versions_of_a_span_the_newest_end_wins(tmp_path):
    """Whatever the order of ingestion; a span without an end loses against any that has one."""
    old: dict[str, Any] = {"trace_id": "a", "span_id": "1", "end_ns": None, "name": "open"}
    mid = {**old, "end_ns": 5, "name": "mid"}
    new = {**old, "end_ns": 9, "name": "new"}
    for i, order in enumerate(([old, mid, new], [new, old, mid], [mid, new, old])):
        store = fill(tmp_path / str(i), *(spans(row) for row in order))
        assert pl.concat(store.spans())["name"].to_list() == ["new"]


def test_of_equal_ends_the_later_ingested_wins(tmp_path):
    """A corrected export of the same spans takes their place."""
    first, second = ({"trace_id": "a", "span_id": "1", "end_ns": 9, "name": name} for name in ("was", "is"))
    assert pl.concat(fill(tmp_path / "s", spans(first), spans(second)).spans())["name"].to_list() == ["is"]


def test_span_ids_are_unique_only_within_their_trace(tmp_path):
    """The same span id in another trace is another span."""
    store = fill(tmp_path / "s", spans({"trace_id": "a", "span_id": "1"}, {"trace_id": "b", "span_id": "1"}))
    assert pl.concat(store.spans()).height == 2


def test_pieces_are_bounded_and_keep_traces_whole(tmp_path):
    """Three spans a trace, pieces of six: two traces each, in the order of ingestion."""
    store = fill(
        tmp_path / "s", pl.concat([trace("b"), trace("a"), trace("d")]), pl.concat([trace("c"), trace("e")])
    )
    assert pieces(store, rows=6) == [["a", "b"], ["c", "d"], ["e"]]


@pytest.mark.parametrize("column", ["run_key", "conversation", "invocation"])
def test_traces_of_one_identity_come_together(tmp_path, column):
    """Also over exports, and through a third trace."""
    x: dict[str, Any] = {column: "x"}
    y: dict[str, Any] = {column: "y"}
    store = fill(
        tmp_path / "s",
        pl.concat([trace("a", **x), trace("b"), trace("c", **y)]),
        pl.concat([trace("d"), trace("e", **x)]),
    )
    assert pieces(store, rows=1) == [["a", "e"], ["b"], ["c"], ["d"]]


def test_keys_of_different_kinds_chain(tmp_path):
    """A conversation joins a and b, a run key b and c: one piece."""
    store = fill(
        tmp_path / "s",
        pl.concat(
            [trace("a", conversation="x"), trace("b", conversation="x", run_key="r"), trace("c", run_key="r")]
        ),
        trace("d", conversation="r"),
    )
    assert pieces(store, rows=1) == [["a", "b", "c"], ["d"]]


def test_linked_traces_come_together(tmp_path):
    """In either order, over exports; a link to a trace that is not there does nothing."""
    store = fill(
        tmp_path / "s",
        pl.concat([trace("a", links=["d:d-0", "nowhere:x"]), trace("b")]),
        pl.concat([trace("c"), trace("d"), trace("e", links=["a:a-1"])]),
    )
    assert pieces(store, rows=1) == [["a", "d", "e"], ["b"], ["c"]]


def test_traces_without_agents_come_together_by_their_first_message(tmp_path):
    """A plain client's calls of one run are traces of their own; an agent's trace stands for itself."""
    plain = [trace(name, cls="llm", task_hash=h) for name, h in (("a", 1), ("b", 2), ("c", 1))]
    agents = [trace(name, task_hash=1) for name in ("d", "e")]
    assert pieces(fill(tmp_path / "s", *plain, *agents), rows=1) == [["a", "c"], ["b"], ["d"], ["e"]]


def test_touching_gives_the_whole_groups_of_some_traces(tmp_path):
    """What has to be measured again is everything that may belong to the runs of these traces."""
    store = fill(tmp_path / "s", pl.concat([trace("a", run_key="x"), trace("b"), trace("c", run_key="x")]))
    assert pieces(store, rows=99, touching=["c"]) == [["a", "c"]]
    assert pieces(store, rows=99, touching=["nowhere"]) == []


def test_label_gives_source_and_tags_of_all_exports_of_a_run(tmp_path):
    """A run over two exports has the names and tags of both; one that the store does not know has none."""
    store = fill(tmp_path / "s", trace("a"), pl.concat([trace("a"), trace("b")]), tags=("v=1",))
    labelled = store.label(runs(run("x", ["nowhere"]), run("b"), run("a"), run("ab", ["a", "b"])))
    assert labelled.select("run_id", "source", "tags").rows() == [
        ("x", None, None),
        ("b", "e1.jsonl", ["e=1", "v=1"]),
        ("a", "e0.jsonl + e1.jsonl", ["e=0", "e=1", "v=1"]),
        ("ab", "e0.jsonl + e1.jsonl", ["e=0", "e=1", "v=1"]),
    ]
    assert labelled.columns == runs().columns


def test_run_tables_of_different_columns_come_together(tmp_path):
    """A variable added later is null for older rows."""
    fill(tmp_path / "s", pl.concat([trace("a"), trace("b")]))
    with writing(tmp_path / "s", fingerprint=KEY) as writer:
        writer.write_runs([runs(run("a", retry_depth=1))])
        new = runs(run("b", retry_depth=2, start_ns=NOON + 1)).with_columns(new=pl.lit(3.0))
        writer.write_runs([new])
    table = Store.open(tmp_path / "s").runs()
    assert table.select("run", "run_id", "retry_depth", "new").rows() == [
        (0, "a", 1.0, None),
        (1, "b", 2.0, 3.0),
    ]
    assert table.schema == new.schema


@pytest.mark.fault(48)
def test_a_store_does_not_change_under_its_reader(tmp_path):
    """What was opened stays as it was; opening again shows more."""
    store = fill(tmp_path / "s", trace("a"))
    with writing(tmp_path / "s", fingerprint=KEY) as writer:
        writer.append([trace("b")], source="b", sha256="b" * 64)
        writer.commit()
    assert pieces(store, rows=1) == [["a"]]
    assert pieces(Store.open(tmp_path / "s"), rows=1) == [["a"], ["b"]]


@pytest.mark.fault(42)
@pytest.mark.parametrize("at", [4, 0.5, -30])
def test_a_flipped_bit_is_noticed_and_the_segment_named(tmp_path, at):
    """Parquet pages have no checksum that DuckDB checks: 35 of 60 flips gave silently wrong results."""
    store = fill(tmp_path / "s", trace("a"))
    (segment,) = (tmp_path / "s").rglob("*.parquet")
    data = bytearray(segment.read_bytes())
    data[int(len(data) * at) if isinstance(at, float) else at] ^= 1
    segment.write_bytes(data)
    with pytest.raises(TamperedFile, match=segment.name):
        list(store.spans())
    with pytest.raises(TamperedFile, match=segment.name):
        store.verify()


@pytest.mark.fault(42)
def test_a_missing_segment_is_noticed(tmp_path):
    """A segment that the manifest lists must be there."""
    store = fill(tmp_path / "s", trace("a"))
    (segment,) = (tmp_path / "s").rglob("*.parquet")
    segment.unlink()
    with pytest.raises(TamperedFile, match=f"missing.*{segment.name}"):
        store.pending()


@pytest.mark.fault(43)
def test_a_damaged_run_table_is_noticed(tmp_path):
    """Run tables are checked like spans."""
    fill(tmp_path / "s", trace("a"))
    with writing(tmp_path / "s", fingerprint=KEY) as writer:
        writer.write_runs([runs(run("a"))])
    (segment,) = (tmp_path / "s" / "runs").iterdir()
    segment.write_bytes(segment.read_bytes()[:-1])
    with pytest.raises(TamperedFile, match=segment.name):
        Store.open(tmp_path / "s").runs()


def test_a_segment_is_checked_once_per_process(tmp_path):
    """Later reads do not pay again; verify does."""
    store = fill(tmp_path / "s", trace("a"))
    list(store.spans())
    assert len(segments._VERIFIED) == 1
    store.verify()
    list(store.spans())
    assert len(segments._VERIFIED) == 1


@pytest.mark.fault(42)
def test_orphans_are_ignored(tmp_path):
    """Leftovers of a crash (.tmp files, unlisted segments) change nothing."""
    store = fill(tmp_path / "s", trace("a"))
    folder = tmp_path / "s" / "spans" / "date=2026-11-22"
    (folder / "0000000009-00000000.parquet").write_bytes(b"x")
    (folder / "0000000009-00000000.parquet.tmp").write_bytes(b"x")
    (tmp_path / "s" / "FORMAT.json.tmp").write_bytes(b"x")
    assert pieces(Store.open(store.path), rows=1) == [["a"]]


def test_a_copied_store_opens_elsewhere(tmp_path):
    """Paths inside are relative: a backup by cp -r is a store."""
    fill(tmp_path / "s", trace("a"))
    (tmp_path / "s").rename(tmp_path / "elsewhere, with 'quotes'?")
    assert pieces(Store.open(tmp_path / "elsewhere, with 'quotes'?"), rows=1) == [["a"]]


@pytest.mark.fault(67)
def test_sql_and_glob_characters_are_only_text(tmp_path):
    """Names from spans and paths are parameters, never statements or patterns."""
    nasty = "a'; DROP TABLE x; --*?[]{}\"\\"
    store = fill(tmp_path / "s[1]*{a,b}", trace(nasty))
    assert pieces(store, rows=1, touching=[nasty]) == [[nasty]]


def test_what_is_no_store_is_said(tmp_path):
    """A directory, a foreign FORMAT.json, a newer store: each its line."""
    with pytest.raises(StoreError, match="this is no store"):
        Store.open(tmp_path)
    assert not is_store(tmp_path)
    format_file = tmp_path / "FORMAT.json"
    for text, message in (
        ('{"format": "other"}', "this is no store"),
        ("{", "cannot be read"),
        ('{"format": "sort-drift store", "schema": 9}', "newer sort-drift"),
    ):
        format_file.write_text(text)
        with pytest.raises(StoreError, match=message):
            Store.open(tmp_path)


def test_run_tables_may_be_larger_than_the_engine_s_memory(tmp_path):
    """160,000 rows of 3 KB are read, and the newest revision of each counts: DuckDB has 256 MB."""
    count, notes = 20_000, range(60)
    many = pl.concat([runs(run("r"))] * count)
    with writing(tmp_path / "s", fingerprint=KEY) as writer:
        for parts in ("abcde", "abc"):
            names = [pl.Series("run_id", [f"{part}{i}" for i in range(count)]) for part in parts]
            writer.write_runs(
                many.with_columns(
                    name,
                    name.reshape((-1, 1)).arr.to_list().alias("trace_ids"),
                    *((name + f"{note:040d}" + name).alias(f"note_{note}") for note in notes),
                )
                for name in names
            )
    found = Store.open(tmp_path / "s").runs()
    assert found.height == found["run_id"].n_unique() == 5 * count
