"""Whatever attributes a span carries, the dialects give a frame of the schema, and the same one each time."""

from __future__ import annotations

from typing import Any

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from sort_drift import registry
from sort_drift.dialects import DIALECTS, canonical, frame, messages, values
from sort_drift.model import SPANS
from tests.dialects_spans import HASHER, raw
from tests.examples import examples

TABLES = [registry.load(DIALECTS, name, "dialect") for name in DIALECTS]
NAMES = sorted({name for v in TABLES for line in v.columns for name in line.names})
KINDS = [{attribute: value} for v in TABLES for attribute, table in v.kinds for value in table]
KEYS = (
    "role content parts type text tool_calls function name arguments args input lc kwargs id data message"
    " messages toolUse toolResult output status raw_output tool_name contents function_call"
)

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(alphabet=st.characters(), max_size=20)  # lone surrogates included
    | st.binary(max_size=8)
    | st.sampled_from(['{"', "[]", "{}", '[{"role": 1}]', '{"messages": [[null]]}', '["\\ud800"]'])
)


def trees(keys: st.SearchStrategy[str]) -> st.SearchStrategy[Any]:
    """Return nested lists and dicts of scalars."""
    return st.recursive(
        scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4)
    )


anything = trees(st.text(max_size=6)) | trees(st.sampled_from(KEYS.split()))
flattened = st.builds(
    "{}{}.message.{}".format,
    st.sampled_from(["llm.input_messages.", "llm.output_messages.", "gen_ai.prompt."]),
    st.integers(0, 3) | st.text(max_size=2),
    st.sampled_from(["role", "content", "tool_calls.0.tool_call", "tool_calls.0.tool_call.id", "0.1"]),
)
spans = st.builds(
    lambda kind, attributes: kind | attributes,
    st.sampled_from([*KINDS, {}, {"http.method": "GET"}]),
    st.dictionaries(st.sampled_from(NAMES) | flattened | st.text(max_size=8), anything, max_size=8),
)


@given(st.lists(spans, max_size=4), st.sampled_from([None, "x"]))
@examples(75)
def test_any_attributes_give_the_schema(attributes, parent):
    """No value raises, and the columns are exactly the schema's."""
    rows = canonical(raw(*attributes, parent=parent), HASHER)
    assert rows.schema == pl.DataFrame(schema=SPANS).schema
    assert rows.height == len(attributes)
    for name in ("in_tokens", "out_tokens", "cached_tokens", "choices", "attempt_number"):
        assert (rows[name].drop_nulls() >= 0).all()


@given(st.lists(spans, min_size=2, max_size=5), st.integers(1, 4))
@examples(40)
def test_how_an_export_is_cut_does_not_matter(attributes, cut):
    """A batch gives what its parts give: no span looks at its neighbours."""
    cut = min(cut, len(attributes) - 1)
    whole = canonical(raw(*attributes), HASHER).drop("span_id")
    first = canonical(raw(*attributes[:cut]), HASHER)
    second = canonical(raw(*attributes[cut:]), HASHER, seq=cut)
    assert whole.equals(pl.concat([first, second]).drop("span_id"))


@given(spans, st.randoms(use_true_random=False))
@examples(40)
def test_order_of_attributes_does_not_matter(attributes, random):
    """The exporter's order of attributes decides nothing."""
    items = list(attributes.items())
    random.shuffle(items)
    first, second = (canonical(raw(a), HASHER).drop("attributes") for a in (attributes, dict(items)))
    assert first.equals(second)


@given(anything)
@examples(100)
def test_normal_forms_never_raise(value):
    """Any value has a normal form, and its messages can be compared."""
    values.arguments(value)
    values.result(value)
    assert all(isinstance(hash(m), int) for m in messages.read(value))


plain = st.integers(-99, 99) | st.text("ab{[", max_size=3)


@given(st.recursive(plain, lambda inner: st.lists(inner, max_size=3)))
@examples(100)
def test_arguments_in_normal_form_stay(value):
    """The normal form of arguments is its own normal form."""
    once = values.arguments({"a": value})
    assert values.arguments(once) == once


@given(st.lists(st.none() | st.lists(st.integers(0, 2**64 - 1), max_size=4), max_size=8))
def test_list_columns_keep_their_rows(rows):
    """Lists, empty lists and nulls come back as they went in."""
    columns: dict[str, list[Any]] = {name: [None] * len(rows) for name in SPANS} | {"messages": rows}
    assert frame.build(columns)["messages"].to_list() == rows
