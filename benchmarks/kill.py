"""kill -9 while real exporters send: what was acknowledged is there, once.

    python -m benchmarks.kill [--kills 100] [--seed N] [--out FILE]     40 minutes on two busy cores

OpenTelemetry's Python exporters (HTTP/protobuf and gRPC, in processes of their own) send the spans of
agents to a real `sort-drift live`, which seals twice a second and compacts every 1.5 s. It is killed with
SIGKILL at moments that a seed draws and started again on the same store and ports. Every span whose exporter
reported success has to be in the store, once, as it was sent; nothing else may be; every run that was
acknowledged as a whole is measured, once; no happening of the monitors comes twice; checksums hold. That is
looked at on the way, at the end, and after the drain of a SIGTERM.
"""

from __future__ import annotations

import argparse
import shlex
import sys
import tempfile
from functools import partial
from pathlib import Path

from benchmarks.service import exporting, table
from benchmarks.service.killing import AGENTS, SETTINGS, Outcome, run

SEED = 20261122
PACKAGES = (*table.OURS, "opentelemetry-sdk", "opentelemetry-exporter-otlp")
MOMENTS = {
    "any": "some time in the two seconds after it was ready",
    "files": "within 4 ms of a name in the store that came or went: journal, segment, compaction",
    "start": "before it was ready: while it recovers what the last kill left",
}


def page(out: Outcome, command: str) -> str:
    """Write the page."""
    last = out.looks[-1]
    d = last.difference
    results = [
        ["spans acknowledged", f"{d.acknowledged:,}"],
        ["of these lost", f"{d.lost:,}"],
        ["spans stored, as a reader sees them", f"{d.stored:,}"],
        ["of these double", f"{d.double:,}"],
        ["changed, or never sent", f"{d.changed + d.invented:,}"],
        ["spans that came again, for their answer was lost, and were counted once", f"{out.duplicates:,}"],
        ["runs", f"{last.runs:,}"],
        [
            "runs double, or missing though acknowledged as a whole",
            f"{last.runs_double + last.runs_missing:,}",
        ],
        ["happenings of monitors", f"{last.happenings:,}"],
        ["of these double", f"{last.happenings_double:,}"],
        ["times that all of this was looked at", f"{len(out.looks):,}"],
        ["`sort-drift store verify` failed", f"{sum(bool(one.verify) for one in out.looks):,}"],
        ["exit code of the stop at the end (SIGTERM)", f"{out.drained}"],
    ]
    moments = [[text, f"{out.kills[name]:,}"] for name, text in MOMENTS.items()]
    behind = [[text, f"{count:,}"] for text, count in sorted(out.left.items())]
    parts = [
        "# kill -9 under load",
        table.made(command, PACKAGES),
        HEAD.format(
            processes=len(AGENTS),
            threads=sum(threads for _, threads, _ in AGENTS),
            batch=exporting.BATCH,
            timeouts=" or ".join(str(timeout) for timeout in sorted({timeout for *_, timeout in AGENTS})),
            settings=", ".join(f"{name} = {value}" for name, value in SETTINGS.items()),
            starts=table.spread(out.starts_s),
        ),
        "**Nothing is wrong.**" if not out.wrong else "**Wrong:** " + "; ".join(out.wrong),
        table.table(["", "count"], results),
        table.table([f"killed {out.kills.total()} times", "kills"], moments),
        table.table(["what a kill has left behind", "kills"], behind),
    ]
    return "\n\n".join(parts) + "\n"


HEAD = """\
{processes} processes with {threads} agents export with OpenTelemetry's own exporters, over HTTP/protobuf and
gRPC, {batch} spans a request at most, timeout {timeouts} s. A span is acknowledged when its exporter reports
success; exporters that had no answer send again, or give up, and then nothing is promised. Halfway the agents
begin to call failing tools again, so that monitors have something to say. Settings: {settings}.
Ready again {starts} s after a start."""


def main(argv: list[str]) -> int:
    """Kill, look, print; 1 if anything is wrong."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.kill",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--out", type=Path, help="write the page here as well")
    chosen = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        say = partial(print, file=sys.stderr, flush=True)
        out = run(Path(folder), chosen.kills, chosen.seed, say=say)
    text = page(out, shlex.join(["python", "-m", "benchmarks.kill", *argv]))
    print(text)
    if chosen.out:
        chosen.out.write_text(text, encoding="utf-8")
    return 1 if out.wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
