"""DuckDB at arm's length: one statement a .sql file, parameters only, frames out; no connection leaves.

A statement can read the files below one folder and nothing else: it writes, attaches, installs and changes
nothing, sees no Python variable, and has no network. Fixed statements do not try; whoever lets people write
their own, through ``select``, need not trust them.

A query gets its own in-memory database, so threads never share one (that raises ResourceInUseException) and
nothing is left open at exit (nanobind would print leaks). It costs 13 ms of CPU, for queries over 100,000
rows and more. Results come through the Arrow C stream: DuckDB's own ``.pl()`` needs pyarrow, 166 MB.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

import polars as pl

from sort_drift.errors import StoreError

if TYPE_CHECKING:
    from duckdb import DuckDBPyRelation

_CONFIG: dict[str, str | bool | int | float | list[str]] = {
    # no network at run time, whatever a query names
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    # a name in a statement is a table, never a variable of this process
    "python_enable_replacements": "false",
    # beyond it DuckDB spills what it can; a chunk of spans takes about 200 MB
    "memory_limit": "256MB",
    # each reads row groups of its own: 16 need more than that for the spans of a chunk among 7 million
    "threads": min(4, os.cpu_count() or 1),
    # the default is a folder in the current directory
    "temp_directory": f"{tempfile.gettempdir()}/sort-drift-spill",
}


class _Stream:
    """What polars needs of a relation; given the relation itself it makes a series of structs."""

    def __init__(self, relation: DuckDBPyRelation) -> None:
        self._relation = relation

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self._relation.__arrow_c_stream__(requested_schema)


@cache
def _statement(name: str) -> str:
    return (files("sort_drift.store") / "sql" / f"{name}.sql").read_text()


def query(statement: str, folder: str, **parameters: Sequence[str]) -> pl.DataFrame:
    """Return what ``sql/<statement>.sql`` gives; it can read nothing but the files below ``folder``.

    Raises
    ------
    StoreError
        If DuckDB cannot run it, for example because a segment was removed meanwhile.

    """
    return select(_statement(statement), folder, **parameters)


def select(text: str, folder: str, **parameters: Sequence[str]) -> pl.DataFrame:
    """Return what one SELECT gives, whoever wrote it; it can read nothing but the files below ``folder``.

    Raises
    ------
    StoreError
        If it is something else, or DuckDB cannot run it.

    """
    import duckdb  # noqa: PLC0415 - 0.1 s, which commands without a store do not pay

    try:
        with duckdb.connect(":memory:", config=_CONFIG) as connection:
            connection.execute("SET allowed_directories = [$folder]", {"folder": folder})
            connection.execute("SET enable_external_access = false")
            connection.execute("SET lock_configuration = true")
            # allowed directories can be written to as well, by COPY, EXPORT or ATTACH
            if [s.type for s in connection.extract_statements(text)] != [duckdb.StatementType.SELECT]:
                raise StoreError("only one SELECT can be run", where=folder)
            return pl.DataFrame(_Stream(connection.sql(text, params=parameters)))
    except (duckdb.Error, pl.exceptions.ComputeError) as error:  # the latter while the stream is read
        reason = str(error).partition("\n")[0]
    raise StoreError(f"the store cannot be queried: {reason}", where=folder)
