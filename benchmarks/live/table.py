"""The results page: one table a kind of figure, every number with its exact interval."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import scipy

from benchmarks.live.harness import PER, Measured
from benchmarks.statistics.harness import Limit
from benchmarks.statistics.table import number

TITLES: Mapping[str, str] = {
    "10": f"Bar 10. Nothing changed: alarms in {PER:,} runs, where one is promised",
    "delay": "Bar 10. A change after 600 clean runs: runs until the alarm",
    "size": "Changes smaller and larger than the tolerance",
    "end": "Changes that end",
    "fleet": f"Bar 10 through the service. Nothing changed: alarms in {PER:,} runs",
    "fleet delay": "Bar 10 through the service. A change after 600 clean runs: runs until the alarm",
    "11": "Bar 11. 300 runs, a change at run 180: when it began",
}

NOTES: Mapping[str, str] = {
    "10": "200 runs learnt, 10,000 watched, task mix drifting. Daily load: values follow a load of 500\n"
    "runs a day, 500 learnt. tau-bench: 50 tasks, a run is drawn with all its counts from its own task.",
    "delay": "200 runs learnt, 400 watched, then the change; sd is that within a task. A change not seen\n"
    "within 3,000 runs counts as infinitely late. The size is that said at the alarm; a change is seen\n"
    "early where it happens to look large. Rows without a bar are not in the design.",
    "size": "Of changes that are seen. Sizes rest on few runs after an onset that is estimated as well.",
    "end": f"The change ends after 2,000 runs; called over too early: in {PER:,} runs under the change.",
    "fleet": "Run tables through `live.watch.Fleet`, without a baseline: 200 runs learnt, 10,000 watched,\n"
    "task mix drifting. Daily load: values follow a load of 500 runs a day that shows as open runs;\n"
    "learning begins at any time of the day. Order of tools: scored by a model of half of what was learnt.",
    "fleet delay": "200 runs learnt, 400 watched, then the change, as above. Another order of tools: half\n"
    "of the weight of each transition moves.",
    "11": "Off by and interval: of changes that are found. No bar for the interval in the design.",
}

HEAD = """\
# Monitors: what watching was shown to do

Written by `{command}`; nothing here is typed by hand. Seed {seed}, {versions}.
Every replicate draws its own stream from its own seed and goes run by run through `sort_drift.monitor.Watch`
(bar 11: `locate`; through the service: `sort_drift.live.watch.Fleet`). A cell is a number of events in
{per:,} runs (exact Poisson interval), a median (interval between order statistics) or a share
(Clopper-Pearson), with its 95 % interval over R replicates. *met*: the estimate is within the bar. *near*: it
is outside, its interval is not. *missed*: the whole interval is.

{summary}
"""


def cell(measured: Measured) -> str:
    """Write an estimate with its interval."""
    low, high = measured.interval
    return f"{_number(measured.estimate)} [{_number(low)}, {_number(high)}]"


def _number(value: float) -> str:
    return number(value) if np.isfinite(value) else "never"


def row(outcomes: Sequence[Measured], names: Sequence[str]) -> str:
    """Write one figure: its outcomes in the order of ``names``, its bars, and whether they were met."""
    found = {measured.outcome: measured for measured in outcomes}
    cells = [cell(found[name]) if name in found else "" for name in names]
    barred = [m for m in outcomes if m.limit is not None]
    limits = "; ".join(_bar(m.limit, m.outcome) for m in barred if m.limit is not None)
    worst = next((word for word in ("missed", "near", "met") if any(m.verdict == word for m in barred)), "")
    runs = max(m.replicates for m in outcomes)
    return f"| {outcomes[0].figure.name} | {' | '.join(cells)} | {runs} | {limits} | {worst} |"


def _bar(limit: Limit, outcome: str) -> str:
    return f"{outcome} {limit}"


def summary(measured: Iterable[Measured]) -> str:
    """Say how many bars were met, and name those that were not."""
    barred = [m for m in measured if m.limit is not None]
    counts = {word: [m for m in barred if m.verdict == word] for word in ("met", "near", "missed")}
    lines = [", ".join(f"{len(found)} {word}" for word, found in counts.items()) + "."]
    lines += [
        f"- *{word}*: {m.figure.name}: {m.outcome} {cell(m)}, bar {m.limit}"
        for word in ("missed", "near")
        for m in counts[word]
    ]
    return "\n".join(lines)


def page(results: Sequence[Sequence[Measured]], command: str, seed: int, skipped: Sequence[str]) -> str:
    """Write the whole page."""
    versions = f"Python {platform.python_version()}, numpy {np.__version__}, scipy {scipy.__version__}"
    said = [summary(m for outcomes in results for m in outcomes), *(f"- Skipped: {why}" for why in skipped)]
    parts = [HEAD.format(command=command, seed=seed, versions=versions, per=PER, summary="\n".join(said))]
    for kind, title in TITLES.items():
        figures = [outcomes for outcomes in results if outcomes and outcomes[0].figure.kind == kind]
        names = list(dict.fromkeys(m.outcome for outcomes in figures for m in outcomes))
        if figures:
            head = f"| | {' | '.join(names)} | R | bar | |\n|---|{'---|' * len(names)}---|---|---|"
            rows = [row(outcomes, names) for outcomes in figures]
            parts.append("\n".join([f"## {title}\n", head, *rows, f"\n{NOTES[kind]}\n"]))
    return "\n".join(parts)
