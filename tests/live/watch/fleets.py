"""Run tables of agents with a known truth, and fleets that watch them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import msgspec
import numpy as np
import polars as pl

from sort_drift.geometry import variables
from sort_drift.live.board import AgentState, Happening
from sort_drift.live.settings import Watching
from sort_drift.live.watch import Fleet, state
from sort_drift.model import Population

VARIABLES = variables()
NAMES = ("retry_depth", "busy_time")
WATCHING = Watching(variables=NAMES, tolerances={"retry_depth": 0.4, "busy_time": 0.4}, learn=100)
EAGER = Watching(variables=(*NAMES, "tool_order"), learn=24, rate=0.02, by=("load", "hardware"))
"""Alarms at 50: events within a few dozen runs."""

SECOND = 10**9
NOON = 1_795_348_800 * SECOND
TOOLS = ("search", "read", "edit", "test")
USUAL = np.array([[0.1, 0.7, 0.1, 0.1], [0.1, 0.1, 0.7, 0.1], [0.1, 0.1, 0.1, 0.7], [0.7, 0.1, 0.1, 0.1]])
"""Which tool follows which."""


def table(
    n: int,
    *,
    seed: int = 1,
    agent: str | None = "coder",
    service: str | None = "shop",
    shift: float = 0.0,
    at: int = 0,
    first: int = 0,
    order: bool = False,
    turned: int | None = None,
    gap: int = 60,
    **columns: Any,
) -> pl.DataFrame:
    """Return ``n`` runs of four tasks, one each ``gap`` seconds; ``retry_depth`` is shifted from ``at`` on.

    Standard deviations in a task are 1. ``order``: tools in an order, which from run ``turned`` on is the
    other way round.
    """
    rng = np.random.default_rng(seed)
    tasks = rng.integers(4, size=n)
    values = 3.0 * tasks[:, None] + rng.standard_normal((n, len(NAMES)))
    values[at:, 0] += shift
    turned = n if turned is None else turned
    tools = [sequence(rng, USUAL if i < turned else USUAL.T) for i in range(n)] if order else [None] * n
    ends = NOON + (first + np.arange(n)) * gap * SECOND
    loads = rng.poisson(4, n) + 1.0
    facts: dict[str, Any] = {
        "run_id": [f"{agent}-{first + i}" for i in range(n)],
        "service": service,
        "agent": agent,
        "task": [f"t{task}" for task in tasks],
        "task_source": "declared",
        "load": None,
        "load_source": None,
        "hardware": None,
        "open_runs": loads,
        "tools": pl.Series(tools, dtype=pl.List(pl.String)),
        "start_ns": ends - 30 * SECOND,
        "end_ns": ends,
        "order_surprise": None,
        "order_surprise.note": "needs a baseline",
        **dict(zip(NAMES, values.T, strict=True)),
        **{f"{name}.note": "counted" for name in NAMES},
    }
    texts = dict.fromkeys(("service", "agent", "load_source", "hardware"), pl.String)
    return pl.DataFrame({**facts, **columns}, schema_overrides={**texts, "load": pl.Float64}, strict=False)


def sequence(rng: np.random.Generator, following: np.ndarray) -> list[str]:
    state, found = 0, []
    for _ in range(8):
        found.append(TOOLS[state])
        state = int(rng.choice(len(TOOLS), p=following[state]))
    return found


def population(runs: pl.DataFrame, load_cuts: tuple[float, ...] = ()) -> Population:
    return Population("baseline", runs, load_cuts=load_cuts)


def fleet(watching: Watching = WATCHING, baseline: Population | None = None) -> Fleet:
    return Fleet(watching, VARIABLES, baseline)


def together(*tables: pl.DataFrame) -> pl.DataFrame:
    """Return the runs of several agents in the order in which they ended."""
    return pl.concat(tables, how="vertical_relaxed").sort("end_ns", maintain_order=True)


def pieces(runs: pl.DataFrame, cuts: Sequence[int]) -> list[pl.DataFrame]:
    places = [0, *sorted(cut % (runs.height + 1) for cut in cuts), runs.height]
    return [runs[low:high] for low, high in pairwise(places)]


def state_of(watched: Fleet) -> list[bytes]:
    """Return the whole state, in which no number is NaN or infinite: JSON would have null in its place."""
    for agent in watched.watches.values():
        json.dumps(msgspec.to_builtins(state.kept(agent), str_keys=True), allow_nan=False)
    return list(watched.lines())


def restored(watched: Fleet, watching: Watching | None = None, baseline: Population | None = None) -> Fleet:
    return Fleet.restore(watched.lines(), watching or watched.watching, VARIABLES, baseline)


def one(watched: Fleet, name: str = "shop/coder") -> AgentState:
    return next(agent for agent in watched.agents() if agent.name == name)


def kinds(happenings: Sequence[Happening]) -> list[str]:
    return [happening.kind for happening in happenings]
