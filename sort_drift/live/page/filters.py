"""Which runs a list shows: what the form says, as conditions on the run table; a bad value is said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from math import log

import polars as pl

from sort_drift.live.page.view import View
from sort_drift.report.numbers import is_ratio

OUTCOMES: Mapping[str, tuple[str, pl.Expr]] = {
    "right": ("correct (1)", pl.col("outcome") >= 1),
    "wrong": ("not correct (below 1)", pl.col("outcome") < 1),
    "unknown": ("not known", pl.col("outcome").is_null()),
}
"""Value of the form -> what it says, and the condition."""

OPERATORS = {"ge": ">=", "le": "<="}


@dataclass(frozen=True, slots=True)
class Chosen:
    """The rows of the runs that were asked for, newest first, and what could not be understood."""

    rows: pl.Series
    wrong: tuple[str, ...]


def choose(view: View, asked: Mapping[str, str]) -> Chosen:
    """Return the runs that a form asks for; every field is optional, an empty one asks for nothing."""
    wrong: list[str] = []
    wanted: list[pl.Expr] = []
    if key := asked.get("agent"):
        agent = view.keys.get(key)
        wanted.append(pl.col("agent_name") == agent.name if agent else pl.lit(value=False))
        wrong += [] if agent else ["no such agent"]
    if task := asked.get("task", "").strip():
        has = pl.col("task").str.to_lowercase().str.contains(task.lower(), literal=True)
        wanted.append(has.fill_null(value=False))
    if outcome := asked.get("outcome"):
        wrong += [] if outcome in OUTCOMES else ["no such outcome"]
        wanted.append(OUTCOMES[outcome][1] if outcome in OUTCOMES else pl.lit(value=False))
    if load := asked.get("load"):
        wanted.append(pl.col("load_name").fill_null("unknown") == load)
    wanted += _threshold(view, asked, wrong)
    for name, later in (("from", True), ("to", False)):
        if given := asked.get(name, "").strip():
            ns = instant(given)
            wrong += [] if ns is not None else [f"{given!r} is no time: write 2026-11-28T10:00"]
            start = pl.col("start_ns")
            wanted += [] if ns is None else [start >= ns if later else start < ns]
    whole = pl.all_horizontal(*wanted) if wanted else pl.lit(value=True)
    kept = (
        view.runs.lazy()
        .with_columns(load_name=view.loads)
        .with_row_index("_row")
        .filter(whole)
        .select("_row")
    )
    return Chosen(kept.collect()["_row"].reverse(), tuple(wrong))


def _threshold(view: View, asked: Mapping[str, str], wrong: list[str]) -> list[pl.Expr]:
    name, given = asked.get("variable"), asked.get("value", "").strip()
    if not name or not given:
        return []
    if name not in numeric(view):
        wrong.append(f"no variable {name!r} that is a number")
        return []
    try:
        limit = float(given.replace(",", "."))
        limit = log(limit) if is_ratio(view.unit(name)) else limit
    except ValueError:
        wrong.append(f"{given!r} is no number that {name} can have")
        return []
    operator = OPERATORS.get(asked.get("op", "ge"), ">=")
    return [pl.col(name) <= limit if operator == "<=" else pl.col(name) >= limit]


def numeric(view: View) -> list[str]:
    """Return the variables of which runs have a number."""
    schema = view.runs.schema
    return [
        n
        for n, v in view.variables.items()
        if v.scale != "sequence" and n in schema and schema[n].is_numeric()
    ]


def instant(text: str) -> int | None:
    """Return a time of UTC in nanoseconds; None where it is none.

    >>> instant("2026-11-28T10:00"), instant("2026-11-28"), instant("soon")
    (1795860000000000000, 1795824000000000000, None)
    """
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        return None
    read = read if read.tzinfo else read.replace(tzinfo=UTC)
    try:
        return int(read.timestamp()) * 1_000_000_000
    except (OverflowError, OSError, ValueError):
        return None
