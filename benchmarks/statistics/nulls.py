"""Bars 2 and 3: nothing changed, so at most one comparison in twenty may say that something did.

Bar 2 as designed is four variable types, 20 to 200 runs a side, task mix fixed or shifted. The harder cells
have no figure in the design; they meet the same bar, because the data of a user look like them.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from scipy import stats

from benchmarks.statistics import simulate
from benchmarks.statistics.harness import Figure, Limit, Outcome, trial
from benchmarks.statistics.populations import compared, finding, rejected
from benchmarks.statistics.simulate import Family, Rng, Sample, draw

BAR = Limit(high=0.075)
PRODUCT, POOLED = "sort-drift", "pooled KS"


def pooled_ks(sample: Sample) -> bool:
    """Say whether a pooled two-sample KS test at .05 (usual practice) rejects any variable."""
    sides = ((row[~sample.current], row[sample.current]) for row in sample.values)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="ks_2samp: Exact calculation unsuccessful")
        return any(stats.ks_2samp(a[~np.isnan(a)], b[~np.isnan(b)]).pvalue <= 0.05 for a, b in sides)


def alarm(rng: Rng, *, family: Family, sizes: tuple[int, int], **how: Any) -> Outcome:
    """Compare one drawn sample, and test it pooled."""
    sample = draw(rng, family, sizes, **how)
    found = finding(compared(rng, sample), sample.names[0])
    return {PRODUCT: rejected(found), POOLED: pooled_ks(sample)}


def missing(rng: Rng, *, shares: tuple[float, float], sizes: tuple[int, int]) -> Outcome:
    """Lose this share of the values on each side, at random."""
    sample = draw(rng, simulate.time, sizes)
    lost = rng.random(sample.values.shape) < np.where(sample.current, *shares[::-1])
    sample.values[lost] = np.nan
    return {PRODUCT: rejected(finding(compared(rng, sample), sample.names[0]))}


def another_day(rng: Rng, *, day: float, sizes: tuple[int, int]) -> Outcome:
    """Let the current side run on a day of its own, ``day`` within-task sd from the baseline's."""
    sample = draw(rng, simulate.normal, sizes, change={"shift": float(rng.normal(0.0, day))})
    return {PRODUCT: rejected(finding(compared(rng, sample), sample.names[0])), POOLED: pooled_ks(sample)}


def five_variables(rng: Rng, *, sizes: tuple[int, int], mix: str) -> Outcome:
    """Compare the four types and a normal variable as one family: any false alarm counts.

    All five depend on the same task effects, as the variables of one agent do.
    """
    families = {**simulate.FOUR, "normal": simulate.normal}
    runs = draw(rng, simulate.normal, sizes, mix=mix)
    effect = np.sort(rng.standard_normal(10))[runs.tasks]
    values = np.stack([family(rng, effect) for family in families.values()])
    sample = Sample(tuple(families), values, runs.tasks, runs.current)
    report = compared(rng, sample)
    return {PRODUCT: any(rejected(finding(report, name)) for name in families), POOLED: pooled_ks(sample)}


def mean_alone(rng: Rng, *, sizes: tuple[int, int], family: Family) -> Outcome:
    """Equal means, three times the spread on the smaller side: the p of each component by itself."""
    sample = draw(rng, family, sizes, change={"spread": 3.0})
    found = finding(compared(rng, sample), sample.names[0])
    assert found is not None
    return {f"{name} component": p <= 0.05 for name, p in found.components.items() if name == "mean"}


HARDER: dict[str, dict[str, Any]] = {
    "noise differs 100-fold between tasks, 50 v 50": {"family": simulate.uneven, "sizes": (50, 50)},
    "same, mix shifted, 80 v 20": {"family": simulate.uneven, "sizes": (80, 20), "mix": "shifted"},
    "20 v 200 runs, skewed": {"family": simulate.skewed, "sizes": (20, 200)},
    "200 v 20 runs, retry": {"family": simulate.retry, "sizes": (200, 20)},
    "1 to 9 and 9 to 1 runs a task, time": {
        "family": simulate.time,
        "sizes": (100, 100),
        "mix": "opposite",
    },
    "1 to 9 and 9 to 1 runs a task, skewed": {
        "family": simulate.skewed,
        "sizes": (100, 100),
        "mix": "opposite",
    },
    "one run a task, 30 tasks": {"family": simulate.time, "sizes": (30, 30), "tasks": 30},
    "one run a task against three, 20 tasks": {"family": simulate.width, "sizes": (20, 60), "tasks": 20},
    "40 tasks, 2 v 2": {"family": simulate.retry, "sizes": (80, 80), "tasks": 40},
    "2 tasks, 50 v 50": {"family": simulate.width, "sizes": (50, 50), "tasks": 2},
    "1 task, 30 v 30": {"family": simulate.context, "sizes": (30, 30), "tasks": 1},
    "97 % zeros, 100 v 100": {"family": simulate.rare, "sizes": (100, 100)},
    "yes or no, 50 v 50": {"family": simulate.binary, "sizes": (50, 50)},
    "Cauchy noise, 50 v 50": {"family": simulate.heavy, "sizes": (50, 50)},
    "raw lognormal seconds (ln sd 2), 50 v 100": {"family": simulate.lognormal, "sizes": (50, 100)},
    "count tables: 3000 v 3000, 50 tasks, width": {
        "family": simulate.width,
        "sizes": (3000, 3000),
        "tasks": 50,
    },
    "count tables: 3000 v 4000, mix shifted, time": {
        "family": simulate.time,
        "sizes": (3000, 4000),
        "mix": "shifted",
    },
}


def figures() -> list[Figure]:
    """List the figures of bars 2 and 3."""
    designed = [
        Figure(
            "2",
            f"{name}, {n} v {n}, mix {mix}",
            trial(alarm, family=family, sizes=(n, n), mix=mix),
            600,
            {PRODUCT: BAR},
            quick=75 if n in {20, 100} else 0,
        )
        for mix in ("fixed", "shifted")
        for name, family in simulate.FOUR.items()
        for n in (20, 50, 100, 200)
    ]
    harder = [
        Figure(
            "2",
            name,
            trial(alarm, **how),
            100 if name.startswith("count") else 500,
            {PRODUCT: BAR},
            quick=0 if name.startswith("count") else 60,
        )
        for name, how in HARDER.items()
    ]
    others = [
        *(
            Figure(
                "2",
                f"{100 * shares[0]:.0f} % v {100 * shares[1]:.0f} % of values missing, 100 v 100",
                trial(missing, shares=shares, sizes=(100, 100)),
                600,
                {PRODUCT: BAR},
                quick=60,
            )
            for shares in ((0.15, 0.3), (0.0, 0.8))
        ),
        *(
            Figure(
                "2",
                f"any of five variables, 50 v 50, mix {mix}",
                trial(five_variables, sizes=(50, 50), mix=mix),
                600,
                {PRODUCT: BAR},
                quick=50,
            )
            for mix in ("fixed", "shifted")
        ),
    ]
    days = [
        Figure(
            "2",
            f"each side one day, sd between days {day:g} within-task sd, 100 v 100",
            trial(another_day, day=day, sizes=(100, 100)),
            500,
        )
        for day in (0.1, 0.2, 0.4)
    ]
    spread = [
        Figure(
            "3",
            f"spread x3, 80 v 20, equal means, {family.__name__}",
            trial(mean_alone, sizes=(80, 20), family=family),
            1000,
            {"mean component": Limit(high=0.08)},
            quick=100,
        )
        for family in (simulate.normal, simulate.time)
    ]
    return [*designed, *harder, *others, *days, *spread]
