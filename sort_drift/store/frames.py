"""Frames as they come from segments: columns of the schema, one row a span."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl


def conform(frame: pl.DataFrame, schema: Mapping[str, Any]) -> pl.DataFrame:
    """Return ``frame`` with the columns of ``schema`` first, in its order and types, absent ones as nulls.

    >>> conform(pl.DataFrame({"x": [1], "b": [2]}), {"a": pl.String, "b": pl.Int8}).to_dicts()
    [{'a': None, 'b': 2, 'x': 1}]
    """
    known = [
        pl.col(name).cast(kind) if name in frame.columns else pl.lit(None, dtype=kind).alias(name)
        for name, kind in schema.items()
    ]
    return frame.select(*known, pl.exclude(*schema))


def newest(spans: pl.DataFrame) -> pl.DataFrame:
    """Keep one row a (trace_id, span_id, log): the newest end, the one ingested last among equals.

    Rows are in the order of ingestion afterwards, unless there was something to drop.
    """
    place = spans["file_index"].cast(pl.UInt64) * 2**32 + spans["file_row_number"]
    if not place.is_sorted():  # they mostly are, and sorting costs 0.6 us a span
        spans = spans[place.arg_sort()]
    key = ["trace_id", "span_id", *(["log"] if "log" in spans.columns else [])]
    if spans.select(key).is_duplicated().any():
        spans = spans.sort("end_ns", maintain_order=True).unique(key, keep="last", maintain_order=True)
    return spans
