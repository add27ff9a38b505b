"""However spans come in (order, batches, repeats), the store gives back the same ones, once."""

import tempfile
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sort_drift.store import Store, grouping, writing
from tests.examples import examples
from tests.store_frames import KEY, NOON, spans

span = st.builds(
    lambda trace, number, end, key: {
        "trace_id": f"t{trace}",
        "span_id": f"s{number}",
        "seq": number,
        "cls": "agent",
        "start_ns": NOON,
        "end_ns": end,
        # the content follows from identity and end, as it does where a span is sent again
        "name": f"{trace}/{number}/{end}",
        "run_key": key and f"k{key % 2}",
        "conversation": key and f"c{key // 2}",
    },
    st.integers(0, 5),
    st.integers(0, 3),
    st.none() | st.integers(NOON, NOON + 3),
    st.none() | st.integers(1, 5),
)


def newest(rows: list[dict[str, Any]]) -> dict[tuple[str, str], dict[str, Any]]:
    """What a reader has to see: in plain Python, one row a (trace, span)."""
    seen: dict[tuple[str, str], dict[str, Any]] = {}
    for row in rows:
        key = (row["trace_id"], row["span_id"])
        if key not in seen or (row["end_ns"] or -1) >= (seen[key]["end_ns"] or -1):
            seen[key] = row
    return seen


@pytest.mark.fault(39)
@examples(25)
@given(st.lists(st.lists(span, max_size=8), min_size=1, max_size=4), st.integers(1, 9))
def test_each_span_comes_back_once_with_its_newest_end(exports, rows):
    """For any exports, in any pieces; a later ingest wins among equal ends, and duplicates are counted."""
    with tempfile.TemporaryDirectory() as folder:
        with writing(folder + "/s", fingerprint=KEY) as writer:
            for i, export in enumerate(exports):
                writer.append([spans(row) for row in export], source=str(i), sha256=f"{i}" * 64)
                writer.commit()
        pieces = list(Store.open(Path(folder) / "s").spans(rows=rows))
        provenance = Store.open(Path(folder) / "s").provenance()
    flat = [row for export in exports for row in export]
    expected = newest(flat)
    found = {
        (row["trace_id"], row["span_id"]): row for piece in pieces for row in piece.iter_rows(named=True)
    }
    assert {key: row["name"] for key, row in found.items()} == {
        key: row["name"] for key, row in expected.items()
    }
    assert sum(piece.height for piece in pieces) == len(expected) == provenance.spans
    assert provenance.duplicates == len(flat) - len(expected)
    for name in ("trace_id", "run_key", "conversation"):
        where = [piece.select(pl.col(name).drop_nulls().unique()) for piece in pieces]
        assert not pl.concat(where).is_duplicated().any() if where else True


@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=20),
    st.permutations(list(range(10))),
)
def test_groups_are_the_connected_components(links, order):
    """Against a union by hand; numbers follow the first trace, whatever the order of the links."""
    traces = pl.DataFrame({"trace_id": [f"t{i}" for i in order]})
    table = pl.DataFrame(
        {"trace_id": [f"t{t}" for t, _ in links], "key": [f"k{k}" for _, k in links]},
        schema={"trace_id": pl.String, "key": pl.String},
    )
    found = dict(grouping.groups(traces, table).rows())
    component = {f"t{i}": {f"t{i}"} for i in order}
    for trace, key in links:
        for other, same in links:
            if key == same:
                together = component[f"t{trace}"] | component[f"t{other}"]
                for one in together:
                    component[one] = together
    names = list(found)
    assert all((found[a] == found[b]) == (b in component[a]) for a in names for b in names)
    firsts = list(dict.fromkeys(found.values()))
    assert firsts == sorted(firsts)
