"""Whatever a vocabulary file holds: a vocabulary that reads spans, or mistakes in the house form."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sort_drift.dialects import canonical, own
from sort_drift.dialects.fields import FIELDS, FINISHES, KEYS, KINDS, READERS, ROLES, readers_of
from sort_drift.errors import BadVocabulary
from sort_drift.hashing import Hasher
from sort_drift.model import RawSpans
from tests.examples import examples

ATTRIBUTES = ("k", "v", "a.b", "a.0.content", "sort_drift.task.id", "a#/b", "")
WORDS = st.sampled_from(
    [*FIELDS, *KINDS, *READERS, *FINISHES, *ROLES, *ATTRIBUTES, "genai", "*", "x *", "wrong"]
)
SCALARS = WORDS | st.booleans() | st.integers(-3, 3) | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(WORDS | st.sampled_from(["from", "read", "on"]), inner, max_size=3)
    ),
    max_leaves=6,
)
FILES = st.dictionaries(
    st.sampled_from([*KEYS, "wrong"]), VALUES | st.dictionaries(WORDS, VALUES, max_size=4), max_size=8
)


NAMES = st.sampled_from(["k", "v", "a.b", "a#/b", "a.0.content"])
LINES = (
    NAMES
    | st.lists(NAMES, min_size=1, max_size=2)
    | st.fixed_dictionaries(
        {"from": NAMES},
        optional={
            "read": st.sampled_from([*READERS]),
            "on": st.lists(st.sampled_from(["llm", "tool"]), min_size=1),
        },
    )
)
SENSIBLE = st.fixed_dictionaries(
    {
        "name": st.just("acme"),
        "scopes": st.just(["wr"]),
        "kinds": st.dictionaries(
            NAMES, st.dictionaries(WORDS, st.sampled_from([*KINDS]), max_size=2), max_size=2
        ),
    },
    optional={
        "extends": st.sampled_from(["genai", "openinference", "traceloop", "strands"]),
        "names": st.dictionaries(WORDS, st.sampled_from([*KINDS]), min_size=1, max_size=3),
        "columns": st.dictionaries(st.sampled_from([*FIELDS]), LINES, max_size=3),
        "failed": st.dictionaries(NAMES, st.lists(SCALARS, min_size=1, max_size=2), max_size=2),
        "failed_results": st.just(["*"]),
        "finish": st.dictionaries(WORDS, st.sampled_from(FINISHES), max_size=2),
        "events": st.dictionaries(NAMES, st.sampled_from(ROLES), max_size=2),
        "flattened": st.just({"a.": "input"}),
        "blind_tools": st.booleans(),
        "cache_apart": st.booleans(),
    },
)


def toml(value: Any) -> str:
    """Return a value as TOML, tables inline; JSON's strings and numbers are TOML's."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {toml(v)}" for key, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    return json.dumps(value)


def spans() -> RawSpans:
    rows: list[dict[str, Any]] = [
        {},
        *({name: value} for name in ATTRIBUTES for value in ("llm", 1, True, None, "[]", {"b": 1})),
    ]
    n = len(rows)
    return RawSpans(
        trace_id=["t"] * n, span_id=[str(i) for i in range(n)], parent_id=[None, *["p"] * (n - 1)],
        name=["x y"] * n, kind=[1] * n, start_ns=[1] * n, end_ns=[2] * n, status=[0] * n,
        status_message=[""] * n, attributes=rows, events=[[("k", None, {"content": "c"})] for _ in rows],
        links=[[] for _ in rows], scope=[0] * n, resource=[0] * n, scopes=[("wrong", "1")], resources=[{}],
    )  # fmt: skip


@pytest.mark.parametrize("read", READERS)
def test_a_column_takes_what_its_reader_gives(read: str, tmp_path: Path) -> None:
    """Each reader for each column: refused in one line, or any value can be read with it."""
    path = tmp_path / "v.toml"
    for column, field in FIELDS.items():
        given = f'columns = {{{column} = {{from = "k", read = "{read}"}}}}'
        path.write_text(f'name = "acme"\nscopes = ["wr"]\nkinds = {{k = {{}}}}\n{given}\n', encoding="utf-8")
        if read in readers_of(field):
            assert canonical(spans(), Hasher(b"k"), own=own.read([path])).height == len(spans())
        else:
            with pytest.raises(BadVocabulary, match=f"{column} does not take what {read} gives"):
                own.read([path])


@examples(300)
@given(file=FILES | SENSIBLE)
def test_any_file_is_a_vocabulary_or_its_mistakes(file: dict[str, Any], tmp_path_factory: Any) -> None:
    """Nothing but a BadVocabulary comes out of a file that parses, and what is accepted reads any span."""
    path: Path = tmp_path_factory.mktemp("own") / "v.toml"
    path.write_text(
        "".join(f"{json.dumps(key)} = {toml(value)}\n" for key, value in file.items()), encoding="utf-8"
    )
    try:
        vocabularies = own.read([path])
    except BadVocabulary as error:
        lines = [mistake.line() for mistake in error.mistakes or [error]]
        assert all(line.endswith("[bad-vocabulary]") and "\n" not in line for line in lines)
        return
    assert canonical(spans(), Hasher(b"k"), own=vocabularies).height == len(spans())
