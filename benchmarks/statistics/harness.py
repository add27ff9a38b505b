"""Figures, and how they are measured: independent seeded replicates, two processes, exact intervals."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from multiprocessing import get_context
from typing import Any, NamedTuple
from zlib import crc32

import numpy as np
from scipy.special import betaincinv

Outcome = Mapping[str, bool | float | None]
"""What one replicate gives: a bool counts towards a rate, a float towards a median, None towards nothing."""

Trial = Callable[[np.random.Generator], Outcome]


class Limit(NamedTuple):
    """An acceptance bar: the rate lies in [low, high]."""

    low: float = 0.0
    high: float = 1.0

    def __str__(self) -> str:
        if self.low <= 0.0:
            return f"<= {self.high:.3g}"
        return f">= {self.low:.3g}" if self.high >= 1.0 else f"{self.low:.3g} to {self.high:.3g}"


@dataclass(frozen=True)
class Figure:
    """One row of the table: a trial to repeat, how often, and the bar that its outcomes must meet."""

    bar: str
    name: str
    trial: Trial
    replicates: int
    limits: Mapping[str, Limit] = field(default_factory=dict)
    quick: int = 0  # replicates of the short version; 0: left out of it

    def seeds(self, seed: int, start: int, stop: int) -> Iterable[np.random.SeedSequence]:
        """Seeds of replicates ``start`` to ``stop``: each its own stream, whatever else runs."""
        key = crc32(f"{self.bar}/{self.name}".encode())
        return (np.random.SeedSequence(seed, spawn_key=(key, r)) for r in range(start, stop))


@dataclass(frozen=True)
class Measured:
    """One outcome of one figure over all replicates."""

    bar: str
    name: str
    outcome: str
    values: tuple[float, ...]
    is_rate: bool
    limit: Limit | None

    @property
    def replicates(self) -> int:
        """Replicates in which the outcome was defined."""
        return len(self.values)

    @property
    def estimate(self) -> float:
        """Rate, or median."""
        return float(np.mean(self.values) if self.is_rate else np.median(self.values))

    @property
    def interval(self) -> tuple[float, float]:
        """95 % Clopper-Pearson interval of a rate; quartiles of a number."""
        if self.is_rate:
            return clopper_pearson(int(sum(self.values)), len(self.values))
        low, high = np.quantile(self.values, [0.25, 0.75])
        return float(low), float(high)

    @property
    def verdict(self) -> str:
        """``met``, ``missed`` (the whole interval is outside the bar), ``near`` (only the estimate is)."""
        if self.limit is None:
            return ""
        if self.limit.low <= self.estimate <= self.limit.high:
            return "met"
        low, high = self.interval
        return "missed" if high < self.limit.low or low > self.limit.high else "near"


def clopper_pearson(hits: int, of: int, level: float = 0.95) -> tuple[float, float]:
    """Return the exact interval of a binomial share (Clopper and Pearson 1934).

    >>> tuple(round(x, 4) for x in clopper_pearson(5, 100))
    (0.0164, 0.1128)
    """
    tail = (1.0 - level) / 2.0
    low = float(betaincinv(hits, of - hits + 1, tail)) if hits else 0.0
    high = float(betaincinv(hits + 1, of - hits, 1.0 - tail)) if hits < of else 1.0
    return low, high


def _replicates(job: tuple[Figure, int, int, int]) -> list[Outcome]:
    figure, seed, start, stop = job
    return [figure.trial(np.random.default_rng(s)) for s in figure.seeds(seed, start, stop)]


def collect(figure: Figure, outcomes: Sequence[Outcome]) -> list[Measured]:
    """Gather what the replicates of one figure gave, outcome by outcome."""
    names = list(dict.fromkeys(name for outcome in outcomes for name in outcome))
    measured = []
    for name in names:
        values = [outcome[name] for outcome in outcomes if outcome.get(name) is not None]
        if not values:
            continue
        is_rate = all(isinstance(value, bool | np.bool_) for value in values)
        numbers = tuple(float(value) for value in values if value is not None)
        measured.append(Measured(figure.bar, figure.name, name, numbers, is_rate, figure.limits.get(name)))
    return measured


def measure(
    figures: Sequence[Figure], seed: int, *, quick: bool, processes: int = 2, chunk: int = 25
) -> Iterable[list[Measured]]:
    """Run every figure and yield its outcomes, in order.

    Workers are spawned, not forked: polars' thread pool does not survive a fork. One thread each.
    """
    for pool in ("POLARS_MAX_THREADS", "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(pool, "1")
    counts = [figure.quick if quick else figure.replicates for figure in figures]
    jobs = [
        (figure, seed, start, min(start + chunk, count))
        for figure, count in zip(figures, counts, strict=True)
        for start in range(0, count, chunk)
    ]
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as executor:
        results = executor.map(_replicates, jobs)
        for figure, count in zip(figures, counts, strict=True):
            outcomes: list[Outcome] = []
            while len(outcomes) < count:
                outcomes += next(results)
            if outcomes:
                yield collect(figure, outcomes)


def trial(function: Callable[..., Outcome], **settings: Any) -> Trial:
    """Bind the settings of a trial; the result can be sent to another process."""
    return partial(function, **settings)
