"""The frame: exact schema, clean text, and attributes as JSON that everybody can read."""

from __future__ import annotations

import json

import polars as pl
import pytest

from sort_drift.dialects import canonical
from sort_drift.model import SPANS, RawSpans
from tests.dialects_spans import HASHER, one, raw


def test_no_spans():
    """An empty batch is an empty frame of the schema."""
    rows = canonical(RawSpans(), HASHER)
    assert rows.height == 0
    assert rows.schema == pl.DataFrame(schema=SPANS).schema


@pytest.mark.fault(21)
def test_lone_surrogates_are_replaced():
    """Text that would break the batch downstream is cleaned, in columns and in JSON."""
    row = one({"sort_drift.run.id": "r\ud800", "x": "y\udfff", "k\ud800": 1}, name="n\ud800")
    assert (row["run_key"], row["name"]) == ("r?", "n?")
    row["attributes"].encode()


def test_attributes_are_json():
    """Bytes, nested values, NaN and integers beyond 64 bits are kept in JSON, long text as its length."""
    row = one({"b": b"\x01\xff", "nested": {"a": [1]}, "nan": float("nan"), "big": 2**70, "long": "x" * 300})
    kept = json.loads(row["attributes"])
    assert kept["b"] == "01ff"
    assert kept["nested"] == {"a": [1]}
    assert kept["big"] == 2**70
    assert kept["long"] == "(300 characters)"


def test_order_and_links():
    """Rows keep the export's order from ``seq`` on; links name trace and span."""
    rows = canonical(raw({}, {}, links=[("t1", "s1"), ("t2", "s2")]), HASHER, seq=40)
    assert rows["seq"].to_list() == [40, 41]
    assert rows["links"].to_list() == [["t1:s1", "t2:s2"]] * 2


def test_missing_times_stay_missing():
    """A span without a start is null there, not 0."""
    row = one({}, start_ns=None, end_ns=5)
    assert (row["start_ns"], row["end_ns"]) == (None, 5)
