"""The load of serving systems of late, from their metrics, and the spans that ran under it.

A span of a model says which server answered it, the server's metrics say how busy it was: the load as of the
span's start goes where the span does not say itself. What is not clear stays empty, because a wrong load is a
wrong stratum.
"""

from __future__ import annotations

import threading
import time
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from sort_drift.live.receive.metrics import Measure, Point, normal

WINDOW_NS = 600_000_000_000
"""How long samples are kept: spans come when they end, and few calls of a model take 10 minutes."""

STALE_NS = 60_000_000_000
"""A sample says nothing of what starts a minute later: scrape intervals are 15 to 60 s."""

AHEAD_NS = 3_600_000_000_000  # of our clock: a sample beyond it would push all others out
SERVERS = 256  # kept at once
SAMPLES = 1_200  # of a server: two a second

_LOAD = ("load_running", "load_waiting", "load_concurrency")
_SHOWN: tuple[Measure, ...] = ("running", "waiting", "kv_cache")


@dataclass(frozen=True, slots=True)
class Load:
    """A serving system, as it was last."""

    server: str  # "host:port", "host", or "" where its metrics do not name it
    ns: int  # Unix, of the sample
    running: float | None  # requests
    waiting: float | None
    kv_cache: float | None  # share in use


@dataclass(slots=True)
class _Ring:
    """Samples of one server, oldest first."""

    times: list[int] = field(default_factory=list)
    samples: list[dict[Measure, float]] = field(default_factory=list)

    def put(self, ns: int, sample: dict[Measure, float]) -> None:
        at = bisect_left(self.times, ns)
        if at < len(self.times) and self.times[at] == ns:
            self.samples[at] |= sample
            return
        self.times.insert(at, ns)
        self.samples.insert(at, sample)
        old = max(bisect_left(self.times, self.times[-1] - WINDOW_NS), len(self.times) - SAMPLES)
        if old > 0:
            del self.times[:old], self.samples[:old]

    def at(self, ns: int) -> dict[Measure, float]:
        """Return the last sample that is neither younger than ``ns`` nor a minute older; {}: none is."""
        at = bisect_right(self.times, ns) - 1
        return self.samples[at] if at >= 0 and ns - self.times[at] <= STALE_NS else {}


class Context:
    """Load and hardware of the serving systems. For any thread."""

    def __init__(self) -> None:
        self._rings: dict[str, _Ring] = {}
        self._devices: dict[str, set[tuple[str, str | None]]] = {}  # host -> what its GPUs are called
        self._asked: set[str] = set()  # servers that spans named
        self._lock = threading.Lock()

    def take(self, points: Iterable[Point]) -> None:
        """Keep samples: of one server and moment counts add up, and shares count by the fullest."""
        latest = time.time_ns() + AHEAD_NS
        found: dict[tuple[str, int], dict[Measure, float]] = {}
        devices: list[Point] = []
        for point in points:
            if point.measure == "gpu":
                devices.append(point)
            elif point.ns <= latest:
                sample = found.setdefault((point.server, point.ns), {})
                before = sample.get(point.measure, 0.0)
                share = point.measure == "kv_cache"
                sample[point.measure] = max(before, point.value) if share else before + point.value
        with self._lock:
            for (server, ns), sample in sorted(found.items()):
                if server not in self._rings and len(self._rings) >= SERVERS:
                    del self._rings[min(self._rings, key=lambda name: self._rings[name].times[-1])]
                self._rings.setdefault(server, _Ring()).put(ns, sample)
            for point in devices:
                if point.hardware and (len(self._devices) < SERVERS or _host(point.server) in self._devices):
                    kinds = self._devices.setdefault(_host(point.server), set())
                    if len(kinds) < 2:  # two are as unclear as more
                        kinds.add((point.hardware, point.how))

    def latest(self) -> tuple[Load, ...]:
        """Return every serving system with its last sample."""
        with self._lock:
            return tuple(
                Load(name, ring.times[-1], *(ring.samples[-1].get(measure) for measure in _SHOWN))
                for name, ring in sorted(self._rings.items())
            )

    def stamp(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Fill ``load_running``, ``load_waiting`` and ``hw_class`` of LLM spans that do not say them.

        Each as of the span's start, of the span's server; or of the only server that there is, where spans
        name no other than one. Takes and returns a frame of ``model.SPANS``.
        """
        if not self._rings and not self._devices:
            return frame
        unloaded = pl.all_horizontal(pl.col(_LOAD).is_null())
        rows = (
            frame.with_row_index("row")
            .filter((pl.col("cls") == "llm") & (unloaded | pl.col("hw_class").is_null()))
            .select("row", "server", "start_ns", "hw_class", unloaded.alias("unloaded"))
        )
        columns: dict[str, list[Any]] = {
            name: frame[name].to_list() for name in ("load_running", "load_waiting", "hw_class", "hw_source")
        }
        named = {server: normal(server) for server in rows["server"].unique() if server}
        with self._lock:
            if len(self._asked) < SERVERS:
                self._asked.update(named.values())
            for row, server, start, hardware, no_load in rows.iter_rows():
                at = named.get(server, "")
                if no_load and start is not None:
                    sample = self._sample(at, start)
                    columns["load_running"][row] = sample.get("running")
                    columns["load_waiting"][row] = sample.get("waiting")
                if hardware is None:
                    columns["hw_class"][row], columns["hw_source"][row] = self._device(at)
        return frame.with_columns(
            pl.Series(name, values, frame.schema[name]) for name, values in columns.items()
        )

    def _sample(self, server: str, ns: int) -> dict[Measure, float]:
        name = self._among(server, list(self._rings))
        return self._rings[name].at(ns) if name is not None else {}

    def _device(self, server: str) -> tuple[str | None, str | None]:
        name = self._among(_host(server), list(self._devices))
        kinds = self._devices[name] if name is not None else set()
        return next(iter(kinds)) if len(kinds) == 1 else (None, None)

    def _among(self, server: str, names: Sequence[str]) -> str | None:
        """Return which of ``names`` is meant by ``server``, None where that is not clear."""
        if server in names and server:
            return server
        host = [name for name in names if server and _host(name) == _host(server) and server != name]
        if len(host) == 1 and (":" not in server or ":" not in host[0]):
            return host[0]
        return names[0] if len(names) == 1 and len(self._asked) <= 1 and not host else None


def _host(address: str) -> str:
    host, colon, port = address.rpartition(":")
    return host if colon and port.isdigit() else address
