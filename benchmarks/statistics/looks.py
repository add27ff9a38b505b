"""Several looks at growing data: how often any of them says drift, as asked for and as peeking does.

Four looks after 2, 4, 8 and 16 trials of each of ten tasks, as in the design, and other plans. ``planned``:
the first look at which a variable is rejected at its level (drift/looks.py); ``peeking``: at .05 each, as if
every look were the only one. Both stop there. A true change has power, and what it costs in trials.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from benchmarks.statistics import simulate
from benchmarks.statistics.harness import Figure, Limit, Outcome, trial
from benchmarks.statistics.populations import DEFAULT, compared, finding, rejected
from benchmarks.statistics.simulate import Rng, Sample
from sort_drift.drift.looks import level

TASKS = 10
PERMUTATIONS = 999
"""With 499 the level of four looks would be .014: p comes in steps of 1 / (permutations + 1)."""

PLANNED, PEEKING = "planned looks", "peeking at .05"
TRIALS, STABLE = "trials a task used", "stable at any look"
BAR = Limit(high=0.06)


def growing(
    rng: Rng,
    *,
    trials: Sequence[int],
    variables: int,
    frozen: bool = False,
    shift: float = 0.0,
    tolerance: float = 0.0,
    permutations: int = PERMUTATIONS,
) -> Outcome:
    """Compare the first trials of each task, then more of them, as planned in ``trials``.

    The variables share their task effects, as those of one agent do; ``frozen``: the baseline is as large at
    the first look as at the last.
    """
    most = trials[-1]
    tasks = np.tile(np.repeat(np.arange(TASKS), most), 2)
    order = np.tile(np.tile(np.arange(most), TASKS), 2)
    current = np.repeat([False, True], TASKS * most)
    effect = rng.standard_normal(TASKS)[tasks]
    families = list({**simulate.FOUR, "normal": simulate.normal}.items())[-variables:]
    values = np.stack([family(rng, effect) for _, family in families])
    values[-1, current] += shift
    names = tuple(name for name, _ in families)
    planned, peeked, stable, used = False, False, False, most
    for trial_count in trials:
        here = (order < trial_count) | (~current if frozen else False)
        sample = Sample(names, values[:, here], tasks[here], current[here])
        report = compared(rng, sample, tolerance=tolerance, permutations=permutations)
        found = [finding(report, name) for name in names]
        stable |= not planned and any(f is not None and f.verdict == "stable" for f in found)
        peeked |= any(rejected(f, 0.05) for f in found)
        if not planned and any(rejected(f, level(0.05, len(trials))) for f in found):
            planned, used = True, trial_count
    out: dict[str, bool | float | None] = {PLANNED: planned, PEEKING: peeked}
    if shift:
        out[TRIALS] = float(used)
    if tolerance:
        out[STABLE] = stable
    return out


NULLS = (
    ((2, 4, 8, 16), 5, False, 1200),
    ((2, 4, 8, 16), 1, False, 1200),
    ((2, 4, 8, 16), 5, True, 500),
    ((4, 8, 12, 16), 5, False, 1500),
    ((4, 8), 5, False, 600),
    ((2, 4, 8), 5, False, 600),
    ((2, 4, 6, 8, 10, 12, 14, 16), 5, False, 300),
)
"""(trials at each look, variables, baseline frozen at its full size, replicates)."""


def figures() -> list[Figure]:
    """List the figures of planned looks."""
    nulls = [
        Figure(
            "looks",
            f"no change, {_plan(trials)}, {_several(variables)}{', frozen baseline' * frozen}",
            trial(growing, trials=trials, variables=variables, frozen=frozen),
            replicates,
            {PLANNED: BAR},
            quick=40 if variables == 5 and trials == (2, 4, 8, 16) and not frozen else 0,
        )
        for trials, variables, frozen, replicates in NULLS
    ]
    power = [
        Figure(
            "looks",
            f"one variable shifts {shift:g} sd, {_plan((2, 4, 8, 16))}",
            trial(growing, trials=(2, 4, 8, 16), variables=1, shift=shift, permutations=DEFAULT),
            300,
            {PLANNED: Limit(low=0.9)} if shift == 0.5 else {},
        )
        for shift in (0.5, 1.0)
    ]
    edge = Figure(
        "looks",
        f"one variable shifts 1 tolerance (.5 sd), {_plan((2, 4, 8, 16))}",
        trial(growing, trials=(2, 4, 8, 16), variables=1, shift=0.5, tolerance=0.5),
        500,
    )
    return [*nulls, *power, edge]


def _plan(trials: Sequence[int]) -> str:
    return f"looks at {', '.join(map(str, trials))} trials of {TASKS} tasks"


def _several(variables: int) -> str:
    return "one variable" if variables == 1 else f"any of {variables} variables"
