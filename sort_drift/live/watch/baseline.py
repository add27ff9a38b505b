"""The part of a frozen baseline that an agent of the stream is compared with.

Its runs are those of the same service and agent; else those of the same agent in other services, because a
baseline is often recorded elsewhere; else all of them, if they are of one agent only and either side has no
name for it. An agent that none of this fits learns from its own first runs. Whether another agent is there
makes no difference, nor who comes first.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from hashlib import blake2b

import polars as pl

from sort_drift import regimes
from sort_drift.live.watch import rows
from sort_drift.live.watch.footing import Footing
from sort_drift.live.watch.rows import Row
from sort_drift.model import Population

Key = tuple[str | None, str | None]
"""(service, agent)."""


class Baseline:
    """Runs of a population by agent, with the cut points that are frozen with it."""

    def __init__(self, population: Population) -> None:
        placed = regimes.assign(population, population)[0]
        # As they were found: the footing places tasks and loads in the same way as those of the stream.
        self._runs = placed.runs.with_columns(task="task_found").sort("end_ns", "run_id", nulls_last=True)
        basis = placed.runs["load_basis"].drop_nulls()
        self.footing = Footing(
            "declared" if basis.len() and basis[0] == "declared" else "inferred",
            placed.load_cuts,
            regimes.tertiles(placed.runs),
            None,
        )
        self._keys: Sequence[Key] = (
            self._runs.select("service", "agent").unique().sort("service", "agent").rows()
        )

    def of(self, service: str | None, agent: str | None, names: Sequence[str]) -> list[Row]:
        """Return the runs for an agent, in the order in which they ended; none where it has none."""
        keys = self._matching(service, agent)
        chosen = pl.any_horizontal(
            [pl.col("service").eq_missing(pl.lit(s)) & pl.col("agent").eq_missing(pl.lit(a)) for s, a in keys]
            or [pl.lit(value=False)]
        )
        return list(rows.read(self._runs.filter(chosen), names))

    def _matching(self, service: str | None, agent: str | None) -> list[Key]:
        if (service, agent) in self._keys:
            return [(service, agent)]
        named = [key for key in self._keys if agent is not None and key[1] == agent]
        if named or len(self._keys) != 1:
            return named
        return list(self._keys) if agent is None or self._keys[0][1] is None else []

    @cached_property
    def fingerprint(self) -> str:
        """What tells it from another baseline: its runs with their tasks, and its cut points."""
        digest = blake2b(repr(self.footing.cuts).encode(), digest_size=16)
        for row in self._runs.select("run_id", "task", "service", "agent").iter_rows():
            digest.update(repr(row).encode())
        return digest.hexdigest()
