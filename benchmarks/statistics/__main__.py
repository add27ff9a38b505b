"""Run the figures and print the results page: python -m benchmarks.statistics [--quick] [--bars 2,3]."""

from __future__ import annotations

import argparse
import shlex
import sys
import time
from importlib import import_module
from pathlib import Path

from polars.exceptions import PolarsError

from benchmarks.statistics.harness import Figure, Measured, measure
from benchmarks.statistics.table import TITLES, cell, page
from sort_drift.errors import SortDriftError

FILES = {
    "real": {"1"},
    "nulls": {"2", "3"},
    "power": {"4"},
    "intervals": {"6"},
    "verdicts": {"7", "8"},
    "regimes": {"13"},
    "coverage_gate": {"19"},
    "order": {"order"},
    "looks": {"looks"},
}
"""File -> the bars that it lists figures of."""

SEED = 20261122


def arguments() -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.statistics", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer replicates: about two minutes, two cores")
    parser.add_argument("--bars", default="", help="only these, as in 2,3,order")
    parser.add_argument(
        "--series",
        nargs="+",
        default=[],
        metavar="FILE",
        help="A/A splits of these instead: a table with a task column (csv, parquet, jsonl) or any export",
    )
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--out", type=Path, help="write the page here as well")
    parser.add_argument("--processes", type=int, default=2)
    return parser


def main(argv: list[str]) -> int:
    """Return 0, or 1 if a bar is missed: its whole 95 % interval is on the wrong side."""
    parser = arguments()
    chosen = parser.parse_args(argv)
    bars = set(filter(None, chosen.bars.split(",")))
    unknown = bars - {bar for shown in FILES.values() for bar in shown}
    if unknown:
        parser.error(f"no bar {', '.join(sorted(unknown))}; there are {', '.join(TITLES)}")
    figures: list[Figure] = []
    skipped: list[str] = []
    if chosen.series:
        real = import_module("benchmarks.statistics.real")
        try:
            figures = [figure for path in chosen.series for figure in real.series(Path(path))]
        except (SortDriftError, OSError, ValueError, PolarsError) as error:
            parser.error(f"{' '.join(chosen.series)}: {error}")
    else:
        for name, shown in FILES.items():
            if not bars or bars & shown:
                module = import_module(f"benchmarks.statistics.{name}")
                figures += [figure for figure in module.figures() if not bars or figure.bar in bars]
                skipped += module.skipped() if hasattr(module, "skipped") else []
    began = time.monotonic()
    results: list[list[Measured]] = []
    for outcomes in measure(figures, chosen.seed, quick=chosen.quick, processes=chosen.processes):
        results.append(outcomes)
        said = "  ".join(f"{m.outcome} {cell(m)} {m.verdict}".rstrip() for m in outcomes)
        print(
            f"{time.monotonic() - began:6.0f} s  bar {outcomes[0].bar}: {outcomes[0].name}: {said}",
            file=sys.stderr,
        )
    command = shlex.join(["python", "-m", "benchmarks.statistics", *argv])
    text = page(results, command, chosen.seed, skipped)
    print(text)
    if chosen.out:
        chosen.out.write_text(text, encoding="utf-8")
    missed = [m for outcomes in results for m in outcomes if m.verdict == "missed"]
    for m in missed:
        print(f"missed: bar {m.bar}: {m.name}: {m.outcome} {cell(m)}, bar {m.limit}", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
