"""Rows of a run table as monitors take them: only what is needed, and numbers that can be reckoned with.

Whatever a table holds, its rows come: a column that is missing or of another type is one of nulls, a value
that is infinite, NaN or beyond 1e100 is none.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import polars as pl

from sort_drift.monitor.feed import INSTEAD
from sort_drift.monitor.watch import LARGEST

NO_NUMBER = "not a number"
"""Why a value is missing that the table has: NaN, infinite, too large."""

NOT_OBSERVABLE = "not observable"

ORDER = INSTEAD["tool_order"]
"""The variable that the table never has: it is scored here."""


class Row(NamedTuple):
    """One run. ``values`` and ``notes`` are those of the variables watched, in their order."""

    run_id: str
    service: str | None
    agent: str | None
    task: str | None
    template: bool  # the task is a template with the length of user input
    declared: float | None  # load, where it is declared
    open_runs: float | None
    hardware: str | None
    tools: list[str] | None
    start_ns: int | None
    end_ns: int | None
    values: tuple[float | None, ...]
    notes: tuple[str, ...]  # of a missing value, why

    @property
    def name(self) -> str:
        """The agent's key: "<service>/<agent>" without what is not known.

        >>> empty = Row("r", None, None, *[None] * 8, (), ())
        >>> empty.name, empty._replace(agent="planner").name, empty._replace(service="s", agent="a").name
        ('unnamed', 'planner', 's/a')
        """
        return "/".join(filter(None, (self.service, self.agent))) or "unnamed"


def read(table: pl.DataFrame, names: Sequence[str]) -> Iterator[Row]:
    """Yield the rows of a run table in its order, with ``names`` as values."""
    source = _text(table, "load_source")
    template = _text(table, "task_source") == "template"
    facts = {
        "run_id": _text(table, "run_id"),
        "service": _text(table, "service"),
        "agent": _text(table, "agent"),
        "task": _text(table, "task"),
        "template": template.fill_null(value=False),
        "declared": pl.when(source == "declared").then(_number(table, "load")),
        "open_runs": _number(table, "open_runs"),
        "hardware": _text(table, "hardware"),
        "tools": _tools(table),
        "start_ns": _time(table, "start_ns"),
        "end_ns": _time(table, "end_ns"),
    }
    values = {f"value of {name}": _number(table, name) for name in names}
    notes = {f"note of {name}": _note(table, name) for name in names}
    place = pl.int_range(pl.len()).alias("place")  # literals alone would be one row
    frame = table.select(place, **facts, **values, **notes)
    none: list[tuple[object, ...]] = [()] * frame.height  # no columns would be no rows
    several = [frame.select(columns).rows() if names else none for columns in (values.keys(), notes.keys())]
    yield from map(Row, *(frame[name].to_list() for name in facts), *several)


def unusable(table: pl.DataFrame, names: Sequence[str]) -> list[str]:
    """Say which columns have another type than they should: they are read as nulls.

    >>> unusable(pl.DataFrame({"run_id": ["a"], "width": ["wide"]}), ["width"])
    ['column width has type String']
    """
    texts = ("run_id", "service", "agent", "task", "task_source", "load_source", "hardware")
    numbers = ("load", "open_runs", "start_ns", "end_ns", *names)
    found = [name for name in texts if not _has(table, name, text=True)]
    found += [name for name in numbers if not _has(table, name, text=False)]
    return [f"column {name} has type {table.schema[name]}" for name in found if name in table.columns]


def _has(table: pl.DataFrame, name: str, *, text: bool) -> bool:
    kind = table.schema.get(name)
    if kind is None:
        return False
    return kind == pl.Null or (kind == pl.String if text else kind.is_numeric() or kind == pl.Boolean)


def _text(table: pl.DataFrame, name: str) -> pl.Expr:
    return pl.col(name).cast(pl.String) if _has(table, name, text=True) else pl.lit(None, pl.String)


def _time(table: pl.DataFrame, name: str) -> pl.Expr:
    known = _has(table, name, text=False)
    return pl.col(name).cast(pl.Int64, strict=False) if known else pl.lit(None, pl.Int64)


def _number(table: pl.DataFrame, name: str) -> pl.Expr:
    if not _has(table, name, text=False):
        return pl.lit(None, pl.Float64)
    value = pl.col(name).cast(pl.Float64, strict=False)
    return pl.when(value.abs() <= LARGEST).then(value)  # NaN is larger than every number


def _note(table: pl.DataFrame, name: str) -> pl.Expr:
    said = _text(table, f"{name}.note").fill_null(NOT_OBSERVABLE)
    value = _number(table, name)
    there = pl.col(name).is_not_null() if _has(table, name, text=False) else pl.lit(value=False)
    return pl.when(there & value.is_null()).then(pl.lit(NO_NUMBER)).otherwise(said)


def _tools(table: pl.DataFrame) -> pl.Expr:
    known = table.schema.get("tools") == pl.List(pl.String)
    return pl.col("tools") if known else pl.lit(None, pl.List(pl.String))
