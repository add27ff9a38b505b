"""Run tables of several segments in one: which revision a row is, and which rows nobody sees any more."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import polars as pl

from sort_drift.store import files, manifest

REVISION = "segment_number"
"""Column of merged run tables: the number of the segment that a row was written in. A run's highest one
counts."""


def numbered(table: pl.DataFrame, line: manifest.Segment) -> pl.DataFrame:
    """Return ``table`` with the number of its segment at each row that has none yet."""
    number = pl.lit(files.segment_number(line.segment), pl.Int64)
    known = pl.col(REVISION).fill_null(number) if REVISION in table.columns else number
    return table.with_columns(known.alias(REVISION))


def revisions(table: pl.DataFrame, line: manifest.Segment) -> Iterator[tuple[int, pl.DataFrame]]:
    """Yield (number, rows) of a segment as they were written, one table a number, in that order."""
    parts = (
        numbered(table, line)
        .sort(REVISION, maintain_order=True)
        .partition_by(REVISION, maintain_order=True, as_dict=True)
    )
    for (number,), rows in parts.items():
        yield int(number), rows.drop(REVISION)


def merged(tables: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Return numbered tables as one, without the rows that a later one of them replaces.

    A row goes where each of its traces is in a row with a higher number. So for every trace the highest
    number stays, and what it replaces elsewhere, in segments that are not merged here, stays replaced.

    >>> was = pl.DataFrame({"run_id": ["a"], "trace_ids": [["t"]], REVISION: [1]})
    >>> now = pl.DataFrame({"run_id": ["a"], "trace_ids": [["t"]], REVISION: [2]})
    >>> merged([was, now])[REVISION].to_list()
    [2]
    """
    whole = pl.concat(tables, how="diagonal_relaxed").with_row_index("row")
    traces = whole.select("row", REVISION, "trace_ids").explode("trace_ids")
    newest = traces.with_columns(newest=pl.col(REVISION).max().over("trace_ids"))
    stays = newest.filter(pl.col("trace_ids").is_null() | (pl.col(REVISION) >= pl.col("newest")))["row"]
    return whole.filter(pl.col("row").is_in(stays.unique().implode())).drop("row")
