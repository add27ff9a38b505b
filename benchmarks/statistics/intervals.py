"""Bar 6: a 95 % interval holds the truth 92 to 98 % of the time.

Two truths: the mean change on this suite of tasks (stratified t) and the mean change on all tasks that this
suite is a sample of (cluster t over tasks). They are the same where nothing changed, and where every task
changes alike.
"""

from __future__ import annotations

import numpy as np

from benchmarks.statistics import simulate
from benchmarks.statistics.harness import Figure, Limit, Outcome, trial
from benchmarks.statistics.populations import compared, finding
from benchmarks.statistics.simulate import Family, Rng, Sample, draw
from sort_drift.model import Finding

CLUSTER, STRATIFIED = "cluster t over tasks", "stratified t"
BAR = {CLUSTER: Limit(0.92, 0.98)}


def interval(found: Finding, kind: str) -> tuple[float, float] | None:
    """Return the interval of one kind, whichever of the two decides."""
    return found.interval if found.interval_kind == kind else found.interval_other


def covered(found: Finding | None, truths: dict[str, float]) -> Outcome:
    """Say of each interval whether it holds its truth; None where it could not be computed."""
    assert found is not None
    out: dict[str, bool | None] = {}
    for kind, truth in truths.items():
        bounds = interval(found, kind)
        out[kind] = None if bounds is None else bounds[0] <= truth <= bounds[1]
    return out


def unchanged(
    rng: Rng, *, family: Family, tasks: int, runs: int | tuple[int, int], mix: str = "fixed"
) -> Outcome:
    """Nothing changed: both truths are 0."""
    a, b = (runs, runs) if isinstance(runs, int) else runs
    sample = draw(rng, family, (a * tasks, b * tasks), tasks=tasks, mix=mix)
    found = finding(compared(rng, sample, permutations=99), sample.names[0])
    return covered(found, {CLUSTER: 0.0, STRATIFIED: 0.0})


def uneven_change(rng: Rng, *, tasks: int, runs: int) -> Outcome:
    """Each task changes by its own amount, .5 on average with sd .5, in within-task sd."""
    changes = rng.normal(0.5, 0.5, tasks)
    task = np.repeat(np.arange(tasks), runs)
    effect = rng.standard_normal(tasks)[task]
    before, after = simulate.normal(rng, effect), simulate.normal(rng, effect, shift=changes[task])
    sample = Sample(
        ("simulated",),
        np.concatenate([before, after])[None],
        np.r_[task, task],
        np.repeat([False, True], task.size),
    )
    found = finding(compared(rng, sample, permutations=99), "simulated")
    return covered(found, {CLUSTER: 0.5, STRATIFIED: float(changes.mean())})


def figures() -> list[Figure]:
    """List the figures of bar 6."""
    sizes = ((10, 5), (10, 20), (30, 4))
    still = [
        Figure(
            "6",
            f"no change, {name}, {tasks} tasks x {runs}",
            trial(unchanged, family=family, tasks=tasks, runs=runs),
            600,
            BAR,
            quick=60,
        )
        for name, family in simulate.FOUR.items()
        for tasks, runs in sizes
    ]
    moving = [
        Figure(
            "6",
            f"each task changes by its own amount, {tasks} tasks x {runs}",
            trial(uneven_change, tasks=tasks, runs=runs),
            600,
            BAR,
            quick=60,
        )
        for tasks, runs in sizes
    ]
    harder = [
        Figure("6", name, trial(unchanged, family=family, tasks=tasks, runs=runs, mix=mix), 600)
        for name, family, tasks, runs, mix in (
            ("no change, any task retries, 10 tasks x 5", simulate.retry_anywhere, 10, 5, "fixed"),
            ("no change, time, 10 tasks x 2", simulate.time, 10, 2, "fixed"),
            ("no change, time, 5 tasks x 5", simulate.time, 5, 5, "fixed"),
            ("no change, skewed, 10 tasks, 5 v 20", simulate.skewed, 10, (5, 20), "fixed"),
            ("no change, noise differs 100-fold, 10 tasks x 10", simulate.uneven, 10, 10, "fixed"),
            ("no change, time, 10 tasks, mix shifted, 100 v 100", simulate.time, 10, 10, "shifted"),
            ("no change, time, 30 tasks x 1", simulate.time, 30, 1, "fixed"),
        )
    ]
    return [*still, *moving, *harder]
