"""What the agents that a service watches cost it: memory, and the checkpoint of their monitors.

    python -m benchmarks.agents                     1, 10, 100 and 1,000 agents of 1,000 runs
    python -m benchmarks.agents --agents 50 --runs 10000 --tasks 20

Each agent has the default variables and its own tasks, and loads that take a dozen bands. Memory is what the
process has grown by; the checkpoint is written to a real disk, and read into a second fleet.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks.live.fleet import TOOLS
from benchmarks.service.process import look
from sort_drift import geometry
from sort_drift.live.keep import startup, state
from sort_drift.live.settings import Watching
from sort_drift.live.watch import Fleet

MIB = 1 << 20


def runs(agent: int, count: int, tasks: int, variables: tuple[str, ...]) -> pl.DataFrame:
    """Return the run table of one agent: a run a minute."""
    rng = np.random.default_rng([20261128, agent])
    task = rng.integers(tasks, size=count)
    ends = np.arange(1, count + 1) * 60 * 10**9
    tools = [list(rng.choice(TOOLS, 8)) for _ in range(count)]
    return pl.DataFrame(
        {
            "run_id": [f"{agent}-{i}" for i in range(count)],
            "service": "service",
            "agent": f"agent {agent}",
            "task": [f"task {one}" for one in task],
            "task_source": "declared",
            "open_runs": np.round(np.exp(rng.normal(2.0, 0.6, count))),
            "start_ns": ends - 10**9,
            "end_ns": ends,
            "tools": pl.Series(tools, dtype=pl.List(pl.String)),
            **{name: task + rng.standard_normal(count) for name in variables},
        }
    )


def main() -> None:
    """Measure each number of agents and print a line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--agents", type=int, nargs="*", default=[1, 10, 100, 1_000])
    parser.add_argument("--runs", type=int, default=1_000, help="of each agent")
    parser.add_argument("--tasks", type=int, default=5, help="of each agent")
    asked = parser.parse_args()
    print("agents   runs each   MiB    us a run   checkpoint MB   written s   read s   said again ms")
    for count in asked.agents:
        known = geometry.variables()
        fleet = Fleet(Watching(agents=count), known)
        before, cpu = look(os.getpid()).rss, 0.0
        for agent in range(count):
            table = runs(agent, asked.runs, asked.tasks, fleet.plan.names)
            began = time.process_time()
            fleet.observe(table)
            cpu += time.process_time() - began
        grown = look(os.getpid()).rss - before
        with tempfile.TemporaryDirectory() as folder:
            store = Path(folder)
            startup.folders(store)
            began = time.monotonic()
            state.save(store, fleet, 1)
            written = time.monotonic() - began
            size = (store / state.FOLDER / state.FILE).stat().st_size
            began = time.monotonic()
            kept = state.load(store)
            assert kept is not None
            again = Fleet.restore(kept.fleet, fleet.watching, known)
            read = time.monotonic() - began
        assert again.agents() == fleet.agents()
        began = time.monotonic()
        fleet.observe(runs(0, 1, 1, fleet.plan.names).with_columns(run_id=pl.lit("another")))
        fleet.agents()
        told = time.monotonic() - began
        print(
            f"{count:6,} {asked.runs:11,} {grown / MIB:5,.0f} {1e6 * cpu / count / asked.runs:11.0f}"
            f" {size / 1e6:15.1f} {written:11.2f} {read:8.2f} {1e3 * told:15.1f}"
        )


if __name__ == "__main__":
    main()
