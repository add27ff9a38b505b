"""A service under a steady load for minutes, and everything that has to hold at the end."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.service import feeding, live, table, watching
from sort_drift.store import Store

SHARE = 0.3
CALIBRATION_SPANS = 61_440
SETTINGS: dict[str, live.Value] = {"seal_s": 5, "grace_s": 2, "compact_every_s": 60, "deleted_after_s": 300}
"""Sealed and compacted more often than by default, so that ten minutes hold many of both."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a service was to bear."""

    minutes: float
    rate: float  # spans a second
    capacity: float | None  # spans a second that it took at full speed; None: it was not asked


@dataclass(frozen=True, slots=True)
class Result:
    """Everything that was found."""

    plan: Plan
    fed: feeding.Fed
    seen: watching.Seen
    stored: int
    lost: int
    double: int
    invented: int
    duplicates: int  # that the store has recognised
    runs: int
    exit: int

    @property
    def wrong(self) -> list[str]:
        """What is not as it must be, without the slope of memory."""
        counted = {
            "spans lost": self.lost,
            "spans double": self.double,
            "spans invented": self.invented,
            "requests lost": len(self.fed.sent.lost),
            "probes failed": len(self.seen.probes_failed),
            "pages failed": len(self.seen.pages_failed),
            "readers failed": len(self.seen.readers_failed),
        }
        said = [f"{count} {what}" for what, count in counted.items() if count]
        said += [f"exit code {self.exit}"] if self.exit else []
        first, last = quarters([look.descriptors for _, look in self.seen.looks])
        said += [f"descriptors grew from {first:g} to {last:g}"] if last > first + 8 else []
        first, last = quarters([look.threads for _, look in self.seen.looks])
        said += [f"threads grew from {first:g} to {last:g}"] if last > first + 8 else []
        failures = (*self.fed.sent.lost, *self.seen.probes_failed, *self.seen.pages_failed)
        return said + [str(text) for text in (*failures[:3], *self.seen.readers_failed[:3])]


def quarters(values: Sequence[float]) -> tuple[float, float]:
    """Return the medians of the second and of the last quarter: the first is that of the start.

    >>> quarters([1, 1, 5, 5, 6, 6, 7, 7])
    (5.0, 7.0)
    """
    size = max(len(values) // 4, 1)
    second = values[size : 2 * size] or values[:1]
    return float(statistics.median(second)), float(statistics.median(values[-size:]))


def run(folder: Path, minutes: float, rate: float | None, seed: int, every: watching.Every) -> Result:
    """Load a service for so long and look at everything."""
    found = None
    if rate is None:
        with live.running(folder / "before", {**SETTINGS, "seal_s": 1}) as service:
            store = service.store
            found = feeding.capacity(service.http, seed, CALIBRATION_SPANS, lambda: live.listed(store))
        rate = SHARE * found
        print(f"{found:,.0f} spans/s taken, {rate:,.0f} from now on", file=sys.stderr, flush=True)
    service = live.Live(folder / "service", SETTINGS)
    service.start()
    try:
        service.until_ready()
        feeder, watcher = feeding.Feeder(service.http, rate, seed), watching.Watcher(service, every)
        feeder.start()
        watcher.start()
        _wait(minutes * 60, watcher)
        fed, seen = feeder.stop(), watcher.stop()
    finally:
        code = service.stop(60)
    return _checked(service.store, Plan(minutes, rate, found), fed, seen, code)


def _wait(seconds: float, watcher: watching.Watcher) -> None:
    began = said = time.monotonic()
    while (now := time.monotonic()) - began < seconds:
        time.sleep(0.5)
        if now - said > 30 and watcher.seen.looks:
            said, look = now, watcher.seen.looks[-1][1]
            text = f"{look.rss / table.MIB:,.0f} MiB, {look.descriptors} descriptors, {look.threads} threads"
            print(f"{now - began:5.0f} s  {text}", file=sys.stderr, flush=True)


def _checked(store: Path, plan: Plan, fed: feeding.Fed, seen: watching.Seen, code: int) -> Result:
    """Read everything back."""
    acknowledged, every = fed.acknowledged(), live.span_numbers(store)
    stored = np.unique(every)
    opened = Store.open(store)
    probed = 3 * len(seen.probes)  # the prober's spans are in the store as well
    return Result(
        *(plan, fed, seen, len(stored) - probed),
        lost=int(np.setdiff1d(acknowledged, stored, assume_unique=True).size),
        double=len(every) - len(stored),
        invented=max(int(np.setdiff1d(stored, acknowledged, assume_unique=True).size) - probed, 0),
        duplicates=opened.provenance().duplicates,
        runs=opened.runs().height,
        exit=code,
    )
