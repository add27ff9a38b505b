"""Spans and runs on disk: a directory of Parquet segments that one process writes and any number read.

    with writing("store", fingerprint=hasher.fingerprint) as writer:
        writer.append(frames, source="export.jsonl", sha256=digest("export.jsonl"), tags=["version=v2"])
        writer.commit()
        writer.write_runs(measure(spans) for spans in writer.store.spans(touching=writer.store.pending()))
    Store.open("store").runs()

    store/  FORMAT.json     which store this is: UUID, schema, geometry version, fingerprint of the hash key
            LOCK            held by the one writer
            MANIFEST.jsonl  what counts: segments with their sha256, exports with their tags, commits
            spans/date=2026-11-22/0000000011-1f0e2d3c.parquet   canonical spans, by the day of the earliest
            runs/0000000012-1f0e2d3c.parquet                    run tables; a run's newest revision counts

Polars writes the segments, DuckDB reads them; baseline.py keeps one frozen population in one file.
"""

from sort_drift.store.files import digest, is_store
from sort_drift.store.manifest import LIVE
from sort_drift.store.opening import writing
from sort_drift.store.reader import Store
from sort_drift.store.writer import Ingested, Sealed, Writer

__all__ = ["LIVE", "Ingested", "Sealed", "Store", "Writer", "digest", "is_store", "writing"]
