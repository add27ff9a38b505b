"""Run the figures and print the results page: python -m benchmarks.live --quick | --full [--out FILE]."""

from __future__ import annotations

import argparse
import shlex
import sys
import time
from pathlib import Path

from benchmarks.live import delays, fleet, onsets, quiet
from benchmarks.live.harness import measure
from benchmarks.live.table import cell, page

SEED = 20261122


def main(argv: list[str]) -> int:
    """Return 0, or 1 if a bar is missed: its whole 95 % interval is on the wrong side."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.live", description=__doc__)
    size = parser.add_mutually_exclusive_group(required=True)
    size.add_argument("--quick", action="store_true", help="few replicates of the main figures: a minute")
    size.add_argument("--full", action="store_true", help="every figure: ten minutes of one core")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--out", type=Path, help="write the page here as well")
    chosen = parser.parse_args(argv)
    began = time.process_time()
    results = []
    for figure in (*quiet.figures(), *delays.figures(), *fleet.figures(), *onsets.figures()):
        outcomes = measure(figure, chosen.seed, quick=chosen.quick)
        results.append(outcomes)
        if outcomes:
            said = "  ".join(f"{m.outcome} {cell(m)} {m.verdict}".rstrip() for m in outcomes)
            spent = time.process_time() - began
            print(f"{spent:6.0f} s  {figure.kind}: {figure.name}: {said}", file=sys.stderr, flush=True)
    text = page(results, shlex.join(["python", "-m", "benchmarks.live", *argv]), chosen.seed, quiet.skipped())
    print(text)
    if chosen.out:
        chosen.out.write_text(text, encoding="utf-8")
    missed = [m for outcomes in results for m in outcomes if m.verdict == "missed"]
    for m in missed:
        print(f"missed: {m.figure.name}: {m.outcome} {cell(m)}, bar {m.limit}", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
