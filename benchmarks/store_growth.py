"""What a seal, and a run table, cost in a store that grows: it must not depend on how much is there.

    python -m benchmarks.store_growth            10, 100 and 1,000 segments of spans
    python -m benchmarks.store_growth --large    3,000 as well

A service of 100 spans a second: a journal of 1,500 spans every 15 seconds, of agent runs of 30 spans that
take a minute, and a run table after each. The cost is wall time and CPU, the median of 9 seals at each size;
nothing is compacted, so that the store of 1,000 segments is four hours old. Compaction is timed once, at the
end.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import polars as pl

from sort_drift.model import RUNS, SPANS
from sort_drift.store import Writer, writing
from sort_drift.store.compaction import compact

NOON = 1_795_348_800_000_000_000  # 2026-11-22T12:00:00Z
EVERY_S, SPANS_A_SEAL, SPANS_A_RUN, RUN_S = 15, 1_500, 30, 60
ROUNDS = 9


def journal(number: int) -> pl.DataFrame:
    """Return the spans of one journal: those of 50 runs that ended in its 15 seconds."""
    end = NOON + number * EVERY_S * 10**9
    rows = pl.int_range(SPANS_A_SEAL, eager=True)
    run = rows // SPANS_A_RUN
    start = end - RUN_S * 10**9 + (rows % SPANS_A_RUN) * (RUN_S * 10**9 // SPANS_A_RUN)
    known = {
        "trace_id": pl.Series([f"{number * 100 + r:032x}" for r in run]),
        "span_id": pl.Series([f"{r:016x}" for r in rows]),
        "cls": pl.Series(["agent" if r % SPANS_A_RUN == 0 else "llm" for r in rows]),
        "start_ns": start,
        "end_ns": start + 10**9,
        "in_tokens": rows * 37,
        "attributes": pl.Series(['{"a": "' + "x" * 200 + '"}'] * SPANS_A_SEAL),
    }
    frame = pl.DataFrame(known)
    return frame.select(
        pl.col(name).cast(kind) if name in known else pl.lit(None, dtype=kind).alias(name)
        for name, kind in SPANS.items()
    )


def table(number: int) -> pl.DataFrame:
    """Return the run table of one journal."""
    count = SPANS_A_SEAL // SPANS_A_RUN
    end = NOON + number * EVERY_S * 10**9
    rows = [
        {
            "run_id": f"{number}-{i}",
            "trace_ids": [f"{number * 100 + i:032x}"],
            "start_ns": end - RUN_S * 10**9,
            "end_ns": end,
        }
        for i in range(count)
    ]
    return pl.DataFrame([dict.fromkeys(RUNS) | row for row in rows], schema=dict(RUNS))


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Return the milliseconds of wall time and of CPU that ``work`` took."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return (time.perf_counter() - wall) * 1e3, (time.process_time() - cpu) * 1e3


def grow(writer: Writer, numbers: Iterator[int], segments: int) -> None:
    """Seal until the store has so many segments of spans."""
    frame, runs = journal(0), table(0)
    have = len(writer.store.segments) // 2
    for _ in range(segments - have):
        number = next(numbers)
        shift = number * EVERY_S * 10**9
        moved = frame.with_columns(
            pl.col("start_ns") + shift, pl.col("end_ns") + shift, trace_id=pl.col("trace_id") + f"-{number}"
        )
        writer.seal([moved], journal=number, sha256=f"{number:064x}")
        writer.write_runs([runs.with_columns(pl.col("start_ns") + shift, pl.col("end_ns") + shift)])


def measure(sizes: list[int], rounds: int = ROUNDS) -> Iterator[str]:
    """Yield the table, line by line."""
    yield "| segments of spans | seal, ms wall | ms CPU | run table, ms wall | ms CPU | manifest, kB |"
    yield "|---|---|---|---|---|---|"
    seals: list[float] = []
    numbers = iter(range(1, 1 << 30))
    with tempfile.TemporaryDirectory() as folder, writing(Path(folder) / "s", fingerprint="key") as writer:
        for size in sizes:
            grow(writer, numbers, size)
            seal, runs = [], []
            for number in (next(numbers) for _ in range(rounds)):
                frame, measured, digest = journal(number), table(number), f"{number:064x}"
                seal.append(timed(lambda: writer.seal([frame], journal=number, sha256=digest)))  # noqa: B023
                runs.append(timed(lambda: writer.write_runs([measured])))  # noqa: B023
            manifest = (writer.store.path / "MANIFEST.jsonl").stat().st_size / 1e3
            figures = [statistics.median(each) for pairs in (seal, runs) for each in zip(*pairs, strict=True)]
            seals.append(figures[1])
            yield f"| {size:,} | {' | '.join(f'{figure:.1f}' for figure in figures)} | {manifest:,.0f} |"
        yield ""
        growth = seals[-1] / seals[0]
        yield f"CPU of a seal at {sizes[-1]:,} segments, as a multiple of that at {sizes[0]:,}: {growth:.2f}"
        before = len(writer.store.segments)
        wall, cpu = timed(lambda: compact(writer, grace_s=0))
        after, spans = len(writer.store.segments), writer.store.provenance().spans
        took = f"{wall / 1e3:.1f} s wall, {cpu / 1e3:.1f} s CPU"
        yield f"Compaction of {before:,} segments ({spans:,} spans) into {after:,}: {took}"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--large", action="store_true", help="3,000 segments as well")
    sizes = [10, 100, 1_000, *([3_000] if parser.parse_args().large else [])]
    for line in measure(sizes):
        print(line, flush=True)


if __name__ == "__main__":
    main()
