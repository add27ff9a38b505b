"""Bar 10 through the service: run tables go into its ``Fleet``, agents learn from their own first 200 runs.

What is not in the other figures: nothing is given but run tables, the regime is found from open runs by cut
points of a part of a day, and the order of tools is scored by a model of half of what was learnt.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import polars as pl

from benchmarks.live.delays import CLEAN, DELAY, HELD, MOST, NAMED, OFF, PATIENCE
from benchmarks.live.harness import Count, Figure, Limit, trial
from benchmarks.live.quiet import ALARMS, BAR, RUNS, skipped
from benchmarks.live.streams import (
    BASELINE,
    DAY,
    FAMILIES,
    NEVER,
    TASKS,
    Stream,
    drifting,
    resampled,
    simulated,
)
from benchmarks.statistics.simulate import Rng, normal
from sort_drift.live.board import Happening
from sort_drift.live.settings import Watching
from sort_drift.live.watch import Fleet
from sort_drift.model import Variable

ORDER = "order_surprise"
TOOLS = np.array(["search", "read", "edit", "test", "ask"])
PIECE = 100
"""Runs of a table; that it makes no difference is a test."""


def watching(stream: Stream) -> Fleet:
    """Return a fleet for a stream; as in the other figures no alarm stays open."""
    watched = Watching(tuple(stream.names), dict.fromkeys(stream.names, NEVER), learn=BASELINE)
    return Fleet(watched, {name: Variable(name, "primary", "", "level", name) for name in stream.names})


def tables(stream: Stream, **columns: object) -> Iterator[pl.DataFrame]:
    """Yield a stream as the run tables of one agent, one run a minute."""
    n = len(stream.tasks)
    ends = np.arange(n) * 60 * 10**9
    values = dict(zip(stream.names, stream.values, strict=True))
    table = pl.DataFrame(
        {
            "run_id": [str(i) for i in range(n)],
            "service": "service",
            "agent": "agent",
            "task": [str(task) for task in stream.tasks],
            "task_source": "declared",
            "open_runs": 1.0,
            "start_ns": ends - 10**9,
            "end_ns": ends,
            **values,
            **columns,
        }
    )
    yield from table.iter_slices(PIECE)


def alarms(stream: Stream, **columns: object) -> dict[str, Count]:
    """Let a fleet watch a stream in which nothing changes."""
    fleet = watching(stream)
    found = sum(len(fleet.observe(table)) for table in tables(stream, **columns))
    return {ALARMS: Count(found, len(stream.tasks) - BASELINE)}


def first(stream: Stream, **columns: object) -> Happening | None:
    """Return the first happening after the change."""
    fleet = watching(stream)
    for table in tables(stream, **columns):
        for happening in fleet.observe(table):
            if happening.number >= CLEAN:
                return happening
    return None


def described(found: Happening | None, changed: str | None = None) -> dict[str, float | bool]:
    """Say how late it came, and whether it says the right thing."""
    if found is None:
        return {DELAY: NEVER}
    shift = found.shifts[0]
    low, high = map(int, shift.onset_interval)
    return {
        DELAY: float(found.number - CLEAN + 1),
        **({NAMED: shift.variable == changed} if changed else {}),
        OFF: float(abs(int(shift.onset_run) - CLEAN)),
        HELD: low <= CLEAN <= high,
    }


def of_families(rng: Rng, *, names: tuple[str, ...]) -> dict[str, Count]:
    """Watch simulated variables of one agent."""
    return alarms(simulated(rng, names, BASELINE + RUNS))


def of_days(rng: Rng, *, usual: float) -> dict[str, Count]:
    """Watch a variable that follows the load of the day; learning begins at any time of it."""
    n = BASELINE + RUNS
    tasks = drifting(rng, n)
    effect = np.sort(rng.standard_normal(TASKS))[tasks]
    load = np.sin(2 * np.pi * (np.arange(n) / DAY + rng.random())) + 0.3 * rng.standard_normal(n)
    values = normal(rng, effect) + 0.5 * load
    open_runs = np.maximum(np.round(usual * np.exp(0.6 * load)), 1.0)
    return alarms(Stream(("normal",), values[None], tasks, [""] * n), open_runs=open_runs)


def of_tau(rng: Rng) -> dict[str, Count]:
    """Watch five counts of resampled tau-bench runs."""
    return alarms(resampled(rng, BASELINE + RUNS))


def ordered(rng: Rng, n: int, at: int | None = None) -> tuple[Stream, pl.Series]:
    """Draw the tools of each run: each task has transitions of its own, from run ``at`` on they are others.

    Half of the weight of each transition is then on another one.
    """
    tasks = drifting(rng, n)
    usual = rng.dirichlet(np.full(len(TOOLS), 0.7), size=(TASKS, len(TOOLS)))
    other = (usual + rng.dirichlet(np.full(len(TOOLS), 0.7), size=(TASKS, len(TOOLS)))) / 2
    changed = np.arange(n) >= (n if at is None else at)
    steps = np.zeros((n, 12), np.int64)
    for k in range(1, steps.shape[1]):
        state = tasks, steps[:, k - 1]
        chances = np.where(changed[:, None], other[state], usual[state])
        drawn = (chances.cumsum(1) < rng.random((n, 1))).sum(1)
        steps[:, k] = np.minimum(drawn, len(TOOLS) - 1)
    lengths = rng.integers(3, steps.shape[1] + 1, n)
    tools = [TOOLS[row[:length]].tolist() for row, length in zip(steps, lengths, strict=True)]
    stream = Stream((ORDER,), np.full((1, n), np.nan), tasks, [""] * n)
    return stream, pl.Series("tools", tools, dtype=pl.List(pl.String))


def of_order(rng: Rng) -> dict[str, Count]:
    """Watch the order of tools."""
    stream, tools = ordered(rng, BASELINE + RUNS)
    return alarms(stream, tools=tools)


def one(rng: Rng, *, name: str, size: float) -> dict[str, float | bool]:
    """Shift one variable that is watched alone."""
    return described(first(simulated(rng, (name,), CLEAN + PATIENCE, at=CLEAN, shift={name: size})))


def one_of_five(rng: Rng, *, size: float) -> dict[str, float | bool]:
    """Shift one of five variables of an agent."""
    changed = str(rng.choice(list(FAMILIES)))
    stream = simulated(rng, tuple(FAMILIES), CLEAN + PATIENCE, at=CLEAN, shift={changed: size})
    return described(first(stream), changed)


def another_order(rng: Rng) -> dict[str, float | bool]:
    """Change the order of tools."""
    stream, tools = ordered(rng, CLEAN + PATIENCE, at=CLEAN)
    return described(first(stream, tools=tools))


def longer(rng: Rng) -> dict[str, float | bool]:
    """Take the longer of two runs of the task."""
    return described(first(resampled(rng, CLEAN + PATIENCE, at=CLEAN)))


def _quiet() -> list[Figure]:
    five, days = tuple(FAMILIES), {ALARMS: Limit(high=2.0)}
    return [
        *(Figure("fleet", name, trial(of_families, names=(name,)), 25, BAR) for name in FAMILIES),
        Figure("fleet", "five variables averaged", trial(of_families, names=five), 25, BAR, 2),
        Figure("fleet", "order of tools", of_order, 30, BAR, 2),
        Figure("fleet", "daily load, 12 runs at a time", trial(of_days, usual=12.0), 40, days, 2),
        Figure("fleet", "daily load, 3 runs at a time", trial(of_days, usual=3.0), 40, days),
        *([] if skipped() else [Figure("fleet", "tau-bench, five counts", of_tau, 25, BAR, 2)]),
    ]


def figures() -> list[Figure]:
    """List the figures of the fleet."""
    delays = [
        Figure(
            "fleet delay",
            f"{name} +{size:g} sd",
            trial(one, name=name, size=size),
            100,
            {DELAY: Limit(low=0.0, high=most)},
        )
        for size, most in MOST.items()
        for name in FAMILIES
    ]
    five = [
        Figure(
            "fleet delay",
            f"one of five +{size:g} sd",
            trial(one_of_five, size=size),
            100,
            {NAMED: Limit(low=0.95)},
            quick=4,
        )
        for size in (0.5, 1.0)
    ]
    order = [Figure("fleet delay", "another order of tools", another_order, 60, quick=4)]
    real = [Figure("fleet delay", "tau-bench, the longer of two runs", longer, 60, quick=4)]
    return [*_quiet(), *delays, *five, *order, *([] if skipped() else real)]
