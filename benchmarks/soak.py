"""Minutes of steady load: memory flat, descriptors flat, everything that is written is read back.

    python -m benchmarks.soak [--minutes 10] [--rate SPANS/S] [--seed N] [--out FILE]

Four agents, protobuf and JSON, spans that come after their run was over, requests that come twice, at 30 % of
what the service took just before (or --rate). Meanwhile its memory, descriptors and threads are looked at, a
prober writes runs and reads them back, pages, /metrics and a stream of events are open, and three commands
read the store at once now and then. At the end the service is stopped; what was acknowledged has to be in the
store, each span once. The slope of memory is Theil and Sen's, over the second half.
"""

from __future__ import annotations

import argparse
import shlex
import statistics
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.service import table, watching
from benchmarks.service.process import Look
from benchmarks.service.soaking import SETTINGS, SHARE, Result, quarters, run

SEED = 20261122
GROWTH = 0.05
"""Of its memory, that it may grow by in ten minutes."""


@dataclass(frozen=True, slots=True)
class Slope:
    """A robust slope, in units a minute, with its 95 % interval."""

    value: float
    low: float
    high: float


def slope(points: Sequence[tuple[float, float]]) -> Slope:
    """Return the slope of (seconds, value), a minute; the interval takes points as independent.

    Memory is not: it moves in steps, which makes the true interval wider.
    """
    from scipy.stats import theilslopes

    times, values = np.array([t for t, _ in points]) / 60, np.array([v for _, v in points])
    found = theilslopes(values, times, 0.95)
    return Slope(float(found[0]), float(found[2]), float(found[3]))


# ---------------------------------------------------------------------------------------------------------
# the page


def memory(result: Result) -> tuple[Slope, float]:
    """Return the slope of memory over the second half in MiB a minute, and the median there in MiB."""
    half = result.plan.minutes * 30
    points = [(t, look.rss / table.MIB) for t, look in result.seen.looks if t >= half]
    return slope(points), statistics.median(value for _, value in points)


def verdict(found: Slope, mib: float) -> str:
    """Say whether memory is flat: less than GROWTH of it in ten minutes.

    >>> verdict(Slope(0.1, -1, 1), 400), verdict(Slope(3, 1, 5), 400), verdict(Slope(3, 2.5, 5), 400)
    ('met', 'near', 'missed')
    """
    allowed = GROWTH * mib / 10
    return "met" if found.value <= allowed else "near" if found.low <= allowed else "missed"


def page(result: Result, command: str) -> str:
    """Write the page."""
    fed, seen = result.fed, result.seen
    found, mib = memory(result)
    took = sorted(fed.sent.took_s) or [0.0]
    descriptors = quarters([look.descriptors for _, look in seen.looks])
    threads = quarters([look.threads for _, look in seen.looks])
    rows = [
        ["spans acknowledged, each counted once", f"{len(fed.acknowledged()):,}"],
        ["stored", f"{result.stored:,}"],
        ["lost / double / never sent", f"{result.lost} / {result.double} / {result.invented}"],
        ["of them as JSON / late / sent twice", f"{fed.json:,} / {fed.late:,} / {fed.twice:,}"],
        ["duplicates recognised", f"{result.duplicates:,}"],
        ["runs", f"{result.runs:,}"],
        ["answer to a request, median / 99 % / slowest", _times(took)],
        ["requests sent again (503) / lost", f"{fed.sent.again:,} / {len(fed.sent.lost):,}"],
        ["the load was late by, at most", f"{fed.behind_s:.1f} s"],
        ["probes read back / failed", f"{len(seen.probes):,} / {len(seen.probes_failed):,}"],
        ["readable after, median / slowest", _two(seen.probes)],
        ["pages answered / failed", f"{seen.pages.total():,} / {len(seen.pages_failed):,}"],
        ["slowest page", f"{seen.slowest_page_s:.1f} s"],
        ["events of the open stream", f"{seen.events:,}"],
        ["commands reading meanwhile / failed", f"{seen.readers:,} / {len(seen.readers_failed):,}"],
        ["slowest three of them", f"{seen.slowest_reader_s:.1f} s"],
        ["exit code of the stop (SIGTERM)", f"{result.exit}"],
    ]
    flat = [
        ["memory, second half", f"{mib:,.0f} MiB"],
        ["its slope", f"{found.value:.2f} MiB/min [{found.low:.2f}, {found.high:.2f}]"],
        [f"bar: at most {GROWTH:.0%} of it in ten minutes", verdict(found, mib)],
        ["descriptors, second and last quarter", f"{descriptors[0]:g}, {descriptors[1]:g}"],
        ["threads, second and last quarter", f"{threads[0]:g}, {threads[1]:g}"],
    ]
    course = [[f"{t / 60:.0f}", f"{look.rss / table.MIB:,.0f}"] for t, look in minutely(seen.looks)]
    share = f", {SHARE:.0%} of {result.plan.capacity:,.0f}" if result.plan.capacity else ""
    parts = [
        f"# {result.plan.minutes:g} minutes of load",
        table.made(command),
        HEAD.format(
            rate=result.plan.rate, share=share, settings=", ".join(f"{k} = {v}" for k, v in SETTINGS.items())
        ),
        "**Nothing is wrong.**" if not result.wrong else "**Wrong:** " + "; ".join(result.wrong),
        table.table(["", "flat?"], flat),
        table.table(["", "found"], rows),
        table.table(["minute", "MiB"], course),
    ]
    return "\n\n".join(parts) + "\n"


HEAD = """\
{rate:,.0f} spans a second{share} that it took at full speed: four agents, 30 spans a run, requests of 512
spans. A service under load, probed, polled and read from the command line at the same time. Memory is the
resident set of its process. The interval of the slope takes looks as independent, which makes it too short.
Settings: {settings}."""


def minutely(looks: Sequence[tuple[float, Look]]) -> list[tuple[float, Look]]:
    """Return the first look of every minute."""
    first: dict[int, tuple[float, Look]] = {}
    for t, look in looks:
        first.setdefault(int(t // 60), (t, look))
    return list(first.values())


def _times(took: Sequence[float]) -> str:
    at = [took[len(took) // 2], took[min(len(took) * 99 // 100, len(took) - 1)], took[-1]]
    return " / ".join(f"{1000 * value:,.0f}" for value in at) + " ms"


def _two(values: Sequence[float]) -> str:
    return f"{statistics.median(values):.1f} / {max(values):.1f} s" if values else ""


def main(argv: list[str]) -> int:
    """Load, look, print; 1 if anything is wrong or memory grows."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.soak",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--rate", type=float, help="spans a second")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--out", type=Path, help="write the page here as well")
    chosen = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        result = run(Path(folder), chosen.minutes, chosen.rate, chosen.seed, watching.Every())
    text = page(result, shlex.join(["python", "-m", "benchmarks.soak", *argv]))
    print(text)
    if chosen.out:
        chosen.out.write_text(text, encoding="utf-8")
    return 1 if result.wrong or verdict(*memory(result)) == "missed" else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
