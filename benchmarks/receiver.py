"""Spans really stored a second: `sort-drift live` beside arize-phoenix and mlflow, the same client for all.

    python -m benchmarks.receiver --phoenix PYTHON --mlflow PYTHON [--rounds 3] [--out FILE]
    python -m benchmarks.receiver --install     both into the user's cache first: minutes, 1.2 GB

A client on the same machine sends OTLP/HTTP protobuf over loopback, 512 spans a request, 8 connections,
bodies made before the clock starts. The clock stops when every span is in the server's store, counted there:
rows of the others' SQLite, spans that `sort_drift.store.Store` lists and afterwards really reads, each once.
CPU is that of the server's process tree, for ours until every run has been measured as well. Servers take
turns, each started on an empty store and warmed by one request; ratios are formed inside a round, so that a
busy machine slows all alike. An interpreter that is not given, or has not the package, is left out, by name.
"""

from __future__ import annotations

import argparse
import shlex
import statistics
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.service import peers, table
from benchmarks.service.turns import CONNECTIONS, OURS, SETTINGS, Figures, rounds

SEED = 20261122
SPANS = 200_000
BARS: Mapping[str, float] = {"arize-phoenix": 100, "mlflow": 25}
"""What to reach: spans stored a second, ours / theirs."""

# ---------------------------------------------------------------------------------------------------------
# the page


def ratios(taken: Sequence[Mapping[str, Figures]], name: str) -> tuple[list[float], list[float]]:
    """Return ours / theirs of spans stored a second, and theirs / ours of CPU a span, of each round."""
    rate = [one[OURS].rate / one[name].rate for one in taken if name in one]
    cpu = [one[name].us / one[OURS].us for one in taken if name in one]
    return rate, cpu


def verdict(values: Sequence[float], bar: float) -> str:
    """Say whether a bar is met: by the median, or by no round, or something between.

    >>> verdict([120, 90, 130], 100), verdict([90, 95, 99], 100), verdict([90, 95, 101], 100)
    ('met', 'missed', 'near')
    """
    if statistics.median(values) >= bar:
        return "met"
    return "missed" if max(values) < bar else "near"


def page(
    taken: Sequence[Mapping[str, Figures]],
    known: Mapping[str, peers.Peer],
    absent: Sequence[str],
    command: str,
) -> str:
    """Write the page."""
    names = list(taken[0])
    rows = []
    for name in names:
        all_of = [one[name] for one in taken]
        title = f"{name} {known[name].version}" if name in known else name
        rows.append(
            [
                title,
                f"{all_of[0].spans:,}",
                table.spread([one.spans / one.answered_s for one in all_of]),
                table.spread([one.rate for one in all_of]),
                table.spread([one.us for one in all_of]),
                f"{max(one.rss for one in all_of) / table.MIB:,.0f}",
            ]
        )
    head = ["", "spans a round", "answered spans/s", "stored spans/s", "CPU us/span", "peak MiB"]
    parts = [
        "# How fast the receiver stores",
        table.made(command),
        HEAD.format(
            connections=CONNECTIONS,
            rounds=len(taken),
            settings=", ".join(f"{k} = {v}" for k, v in SETTINGS.items()),
        ),
        table.table(head, rows),
    ]
    compared = [name for name in names if name != OURS]
    if compared:
        lines = []
        for name in compared:
            rate, cpu = ratios(taken, name)
            bar = BARS[name]
            row = [f"ours / {name}", table.spread(rate), f">= {bar:g}", verdict(rate, bar), table.spread(cpu)]
            lines.append(row)
        parts.append(table.table(["", "stored spans/s", "bar", "", "CPU a span, theirs / ours"], lines))
        parts.append("\n".join(f"- {name}: {known[name].settings}." for name in compared))
        parts.append(NOTE)
    parts += [f"Not measured: {', '.join(absent)}: no interpreter with it was given."] if absent else []
    return "\n\n".join(parts) + "\n"


HEAD = """\
One client for all: OTLP/HTTP protobuf over loopback, 512 spans a request, {connections} connections, about
15 attributes and 760 bytes a span. Stored: every span is in the server's store and was counted there; of ours
each was read back as well. Ours is durable at the answer (journal, fdatasync), and its CPU is that until all
runs are measured and watched. {rounds} rounds, in which the servers take turns on empty stores, each warmed
by one request: medians, with smallest and largest round. Ours ran with {settings}; all else is default."""

NOTE = """\
The others do more for a span: cost tables, full text, rows that their pages search. They got fewer spans, for
they are slower; the rate of ours includes the wait for its last seal, which more spans would hide."""


def main(argv: list[str]) -> int:
    """Measure and print; 1 if a bar is missed."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.receiver",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--phoenix", type=Path, metavar="PYTHON", help="an interpreter with arize-phoenix")
    parser.add_argument("--mlflow", type=Path, metavar="PYTHON", help="an interpreter with mlflow")
    parser.add_argument(
        "--install", action="store_true", help=f"install what is not given into {peers.cache()}"
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--spans", type=int, default=SPANS, help="to ours, a round")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--out", type=Path, help="write the page here as well")
    chosen = parser.parse_args(argv)
    given = {"arize-phoenix": chosen.phoenix, "mlflow": chosen.mlflow}
    interpreters: dict[str, Path] = {}
    for name, python in given.items():
        if python is None and chosen.install:
            interpreters[name] = peers.environment(name, peers.cache())
        elif python is not None and peers.installed(python, name) is not None:
            interpreters[name] = python
        else:
            why = "no interpreter given" if python is None else f"{python} has it not"
            print(f"{name} is left out: {why}. Give one, or --install", file=sys.stderr)
    absent = [name for name in given if name not in interpreters]
    taken, known = rounds(interpreters, chosen.rounds, chosen.spans, chosen.seed)
    command = shlex.join(["python", "-m", "benchmarks.receiver", *without_paths(argv)])
    text = page(taken, known, absent, command)
    print(text)
    if chosen.out:
        chosen.out.write_text(text, encoding="utf-8")
    missed = [name for name in interpreters if verdict(ratios(taken, name)[0], BARS[name]) == "missed"]
    return 1 if missed else 0


def without_paths(argv: Sequence[str]) -> list[str]:
    """Return arguments as the page shows them: where an interpreter lies is no part of the result.

    >>> without_paths(["--phoenix", "/a/bin/python", "--rounds", "3"])
    ['--phoenix', 'PYTHON', '--rounds', '3']
    """
    pairs = zip(["", *argv], argv, strict=False)
    return ["PYTHON" if last in {"--phoenix", "--mlflow"} else text for last, text in pairs]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
