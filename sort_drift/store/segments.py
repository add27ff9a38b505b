"""One segment: a Parquet file that is written once, checked once per process, and never changed."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any, cast

import polars as pl

from sort_drift.errors import StoreError, TamperedFile
from sort_drift.model import GEOMETRY_VERSION
from sort_drift.store import files, manifest
from sort_drift.store.engine import query

ROW_GROUP = 122_880
"""Rows of a segment: DuckDB's row group, measured 3.1 times cheaper to load than 65,536."""

_NO_TIME = pl.Series([None], dtype=pl.Int64)

_GEOMETRY = "sort_drift.geometry"
"""Key in the footer: the version that a run table was measured with, for a store whose manifest is lost."""

_NEEDED: Mapping[str, Mapping[str, str | None]] = {
    "spans": {"trace_id": "BYTE_ARRAY", "span_id": "BYTE_ARRAY", "log": "INT64", "source": "BYTE_ARRAY"},
    "runs": {"run_id": "BYTE_ARRAY", "trace_ids": None},
}
"""Columns without which a segment is something else, and their types in Parquet; a list has none."""

_VERIFIED: set[tuple[Path, str]] = set()
"""(file, sha256) already checked in this process; segments never change."""


def write(store: Path, kind: str, number: int, origin: str, frame: pl.DataFrame) -> dict[str, Any]:
    """Write ``frame`` as a segment; return the fields of its manifest line (``manifest.Segment``).

    ``origin`` is the UUID of the store that it is of.

    Raises
    ------
    StoreError
        If it cannot be written.

    """
    times = [frame.get_column(name, default=_NO_TIME).cast(pl.Int64) for name in ("start_ns", "end_ns")]
    name = files.segment_name(kind, number, origin, day(cast("int | None", times[0].min())))
    buffer = BytesIO()
    frame.write_parquet(
        buffer, compression="zstd", row_group_size=ROW_GROUP, metadata={_GEOMETRY: str(GEOMETRY_VERSION)}
    )
    data = buffer.getbuffer()
    place(store, name, data)
    both = pl.concat(times)
    return {
        "segment": name,
        "rows": frame.height,
        "min_ns": both.min(),
        "max_ns": both.max(),
        "sha256": sha256(data).hexdigest(),
        "schema": files.SCHEMA_VERSION,
    }


def of_spans(frame: pl.DataFrame) -> dict[str, Any]:
    """Return the fields that a line has for a segment of spans only (``manifest.SpanSegment``)."""
    untimed = frame["start_ns"].null_count() if "start_ns" in frame.columns else frame.height
    return {"untimed": untimed, "sources": tuple(frame["source"].drop_nulls().unique().sort())}


def place(store: Path, name: str, data: bytes | memoryview) -> None:
    """Put a segment's bytes in their place, durably."""
    path = store / name
    with files.writable(path):
        for folder in (path.parent.parent, path.parent):
            folder.mkdir(mode=0o700, exist_ok=True)
        files.sync_folder(path.parent.parent)
    files.write(path, data)


def day(start_ns: int | None) -> str:
    """Return the UTC date of a time, as in the folders of span segments.

    >>> day(1_795_348_800_000_000_000), day(None)
    ('2026-11-22', 'unknown')
    """
    return "unknown" if start_ns is None else f"{datetime.fromtimestamp(start_ns // 10**9, UTC):%Y-%m-%d}"


def load(store: Path, line: manifest.Segment) -> pl.DataFrame:
    """Return a segment whose bytes were checked just now: what is written again from it is what it was.

    Raises
    ------
    TamperedFile
        If it is missing or differs.

    """
    return pl.read_parquet(BytesIO(content(store, line)))


def content(store: Path, line: manifest.Segment) -> bytes:
    """Return the bytes of a segment, checked."""
    file = store / line.segment
    _check_place(file, store)
    try:
        data = file.read_bytes()
    except FileNotFoundError:
        raise _missing(file, store) from None
    if sha256(data).hexdigest() != line.sha256:
        raise _changed(file, store)
    return data


def verify(store: Path, line: manifest.Segment, *, again: bool = False) -> None:
    """Check a segment's sha256, once in this process unless ``again``.

    Raises
    ------
    TamperedFile
        If it is missing, differs, or is a link out of the store.

    """
    file = store / line.segment
    if (file, line.sha256) in _VERIFIED and not again:
        return
    _check_place(file, store)
    try:
        found = files.digest(file)
    except FileNotFoundError:
        raise _missing(file, store) from None
    if found != line.sha256:
        raise _changed(file, store)
    _VERIFIED.add((file, line.sha256))


def forget(gone: Collection[Path]) -> None:
    """Remember no more that files were checked: a service lives for months."""
    if gone:
        _VERIFIED.difference_update([known for known in _VERIFIED if known[0] in gone])


def is_whole(store: Path, line: manifest.Segment) -> bool:
    """Whether a segment is there as it was written, looked at now."""
    try:
        verify(store, line, again=True)
    except (TamperedFile, OSError):
        return False
    return True


def foreign(store: Path, names: Sequence[str]) -> dict[str, str]:
    """Return which files cannot be segments of their kind: name -> why.

    Raises
    ------
    StoreError
        If one of them is no Parquet file.

    """
    if not names:
        return {}
    found: dict[str, dict[str, str]] = {}
    for file, column, kind in query(
        "columns", str(store), files=[str(store / name) for name in names]
    ).rows():
        found.setdefault(file, {})[column] = kind
    whys = {name: _misfit(name, found.get(str(store / name), {})) for name in names}
    return {name: why for name, why in whys.items() if why}


def _misfit(name: str, columns: Mapping[str, str | None]) -> str:
    for column, kind in _NEEDED[name.partition("/")[0]].items():
        if column not in columns:
            return f"it has no column {column}"
        if columns[column] != kind:
            return f"its column {column} has the type {columns[column]}"
    return ""


def describe(store: Path, name: str) -> manifest.SpanSegment | manifest.RunSegment:
    """Return the line of a segment whose line is lost, from what is in it.

    Raises
    ------
    StoreError
        If it cannot be read from its first to its last row, or is something else.

    """
    file = store / name
    _check_place(file, store)
    shape = query("shape", str(store), files=[str(file)]).row(0, named=True)
    for why in foreign(store, [name]).values():
        raise StoreError(f"this is no segment: {why}", where=str(file))
    facts = {key: shape[key] for key in ("rows", "min_ns", "max_ns")}
    facts |= {"segment": name, "sha256": files.digest(file), "schema": files.SCHEMA_VERSION}
    if name.startswith("runs/"):
        said = pl.read_parquet_metadata(file).get(_GEOMETRY, "0")
        return manifest.RunSegment(**facts, geometry=int(said) if said.isdecimal() else 0)
    sources = query("traces", str(store), files=[str(file)])["source"].drop_nulls().unique().sort()
    return manifest.SpanSegment(**facts, untimed=shape["rows"] - shape["timed"], sources=tuple(sources))


def overlap(line: manifest.Segment, since_ns: int | None, until_ns: int | None) -> bool:
    """Whether a segment may have something in this range; one without times may."""
    if line.min_ns is None or line.max_ns is None:
        return True
    return (since_ns is None or line.max_ns >= since_ns) and (until_ns is None or line.min_ns <= until_ns)


def near(line: manifest.SpanSegment, other: manifest.SpanSegment) -> bool:
    """Whether two segments may hold one span: when it is sent again it has the start that it had, or none."""
    return overlap(line, other.min_ns, other.max_ns) or bool(line.untimed and other.untimed)


def _check_place(file: Path, store: Path) -> None:
    """Refuse links: a segment lies in its store, whatever made the store."""
    if file.resolve() != file:
        raise TamperedFile(
            "a segment of the store is a link to another place", where=str(file), todo=_todo(store)
        )


def _missing(file: Path, store: Path) -> TamperedFile:
    return TamperedFile("a segment of the store is missing", where=str(file), todo=_todo(store))


def _changed(file: Path, store: Path) -> TamperedFile:
    return TamperedFile(
        "a segment of the store was changed: its sha256 differs", where=str(file), todo=_todo(store)
    )


def _todo(store: Path) -> str:
    return f"Restore it from a copy, or run 'sort-drift store repair {store}', which sets it aside"
