"""Stores as a live service fills them, and what a reader sees of one."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from string import ascii_lowercase
from typing import Any

import polars as pl

from sort_drift.store import Store, Writer, manifest, writing
from tests.store_frames import KEY, NOON, run, runs, spans, trace

SECOND = 10**9
DAY = 86_400 * SECOND


def seal(writer: Writer, number: int, *frames: pl.DataFrame) -> None:
    """Seal one journal; its digest follows from its number."""
    writer.seal(frames, journal=number, sha256=f"{number:064x}")


def lived(path: Path, names: Iterable[str] = "abcd", *, day: int = 0) -> Path:
    """Fill a store with a journal and a run table a trace, each measured when it came."""
    with writing(path, fingerprint=KEY) as writer:
        for name in names:
            live(writer, name, day=day)
    return path


def live(writer: Writer, name: str, *, day: int = 0) -> None:
    """Do what the service does for one trace: seal, measure."""
    at = NOON + day * DAY
    seal(writer, writer.number + 1, trace(name, at=at))
    writer.write_runs([runs(run(name, retry_depth=1, start_ns=at, end_ns=at + SECOND))])


def seen(path: Path) -> dict[str, Any]:
    """Return what readers see of a store: spans, runs, what is pending, the counts."""
    store = Store.open(path)
    frames = list(store.spans(detail=True))
    found = pl.concat(frames).sort("trace_id", "span_id") if frames else spans()
    return {
        "spans": found.rows(),
        "runs": store.runs().rows(),
        "pending": store.pending(),
        "count": store.provenance().spans,
    }


def names_of(path: Path) -> list[str]:
    """Return the trace of every span of the traces "a" to "z" that a reader finds."""
    return sorted(Store.open(path).spans_of(ascii_lowercase, None, None)["trace_id"])


def segment(path: Path, kind: type[manifest.Segment] = manifest.SpanSegment, place: int = 0) -> Path:
    """Return the file of one segment that counts."""
    return path / Store.open(path).of(kind)[place].segment


def flip(file: Path, at: float = 0.5) -> None:
    """Flip one bit."""
    data = bytearray(file.read_bytes())
    data[int(len(data) * at)] ^= 1
    file.write_bytes(data)


def files_of(path: Path) -> set[str]:
    """Return the Parquet files of a store that are not set aside."""
    return {
        str(file.relative_to(path))
        for folder in ("spans", "runs")
        for file in (path / folder).rglob("*.parquet")
    }
