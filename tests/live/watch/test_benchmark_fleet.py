"""The figures of the fleet draw what they say they draw."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import polars as pl

from benchmarks.live import fleet
from benchmarks.live.delays import CLEAN, DELAY, HELD, NAMED, OFF
from benchmarks.live.harness import Count
from benchmarks.live.quiet import ALARMS
from benchmarks.live.streams import simulated


def test_tables_are_the_stream() -> None:
    """Every run once, in order, with its values."""
    stream = simulated(np.random.default_rng(1), ("normal", "time"), 250)
    parts = list(fleet.tables(stream))
    assert [part.height for part in parts] == [100, 100, 50]
    whole = pl.concat(parts)
    assert whole["run_id"].to_list() == [str(i) for i in range(250)]
    assert whole.select("normal", "time").to_numpy().T.tolist() == stream.values.tolist()
    assert whole["end_ns"].is_sorted()


def test_what_happens_is_counted_after_learning() -> None:
    """Each event of a quiet stream counts, in so many runs as were watched; a change late is found."""
    stream = simulated(np.random.default_rng(2), ("normal",), 400)
    assert fleet.alarms(stream) == {ALARMS: Count(0, 200)}
    changed = simulated(
        np.random.default_rng(3), ("normal", "time"), CLEAN + 200, at=CLEAN, shift={"time": 1.5}
    )
    found = fleet.described(fleet.first(changed), "time")
    assert 0 < found[DELAY] < 60
    assert found[OFF] < 10
    assert (found[NAMED], found[HELD]) == (True, True)
    assert fleet.described(None) == {DELAY: float("inf")}


def test_order_changes_at_its_place() -> None:
    """Transitions of a task are its own; half of their weight moves."""
    n = 40_000
    stream, tools = fleet.ordered(np.random.default_rng(4), n, at=n // 2)
    shares = []
    for half in (slice(0, n // 4), slice(n // 4, n // 2), slice(n // 2, n)):
        counts = {(a, b): 0 for a in fleet.TOOLS for b in fleet.TOOLS}
        for task, row in zip(stream.tasks[half], tools[half].to_list(), strict=True):
            if task == 5:
                for pair in pairwise(row):
                    counts[pair] += 1
        total = np.array(list(counts.values()), float)
        shares.append(total / total.sum())
    assert np.abs(shares[0] - shares[1]).sum() < 0.15
    assert np.abs(shares[1] - shares[2]).sum() > 0.3
    assert tools.list.len().min() == 3
