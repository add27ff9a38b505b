"""GET /metrics: the board in the text format of Prometheus, or as OpenMetrics where that is asked for.

Tables say what there is; a value that is missing is absent, never 0. Labels are bounded: AGENTS agents,
REASONS reasons of a counter, and what is left out is counted.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Generic, NamedTuple, TypeVar

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from sort_drift import __version__
from sort_drift.live.board import COUNTERS, AgentState, Board, Health, VariableState
from sort_drift.live.outbound.labels import OTHERS, folded, label
from sort_drift.monitor import RATE

AGENTS = 200
REASONS = 50

NAMES: Mapping[str, str] = {
    "refused": "requests_refused",
    "spans": "spans_acknowledged",
    "logs": "log_records_acknowledged",
    "points": "metric_points_used",
    "rejected": "items_rejected",
    "deduplicated": "spans_deduplicated",
    "redacted": "spans_redacted",
    "dropped_attributes": "attributes_dropped",
    "late": "spans_late",
    "runs": "runs_measured",
    "hurried": "runs_hurried",
    "revised": "runs_revised",
    "unwatched": "runs_unwatched",
    "errors": "run_errors",
    "webhooks": "webhook_deliveries",
}
"""Counters of the board -> their names here, without prefix and ``_total``; any other keeps its own."""

FURTHER: Mapping[str, tuple[str, str]] = {
    "state": ("state", "1 for the state that the service is in"),
    "build_info": ("version", "version of sort-drift"),
    "store_free_bytes": ("", "bytes free where the store is"),
    "alarm_e_value": ("", "e-value of an alarm: 1 / the rate of false alarms"),
    "alarms_open": ("", "open alarms"),
    "agents": ("", "agents that were seen"),
    "agents_left_out": ("", f"agents beyond {AGENTS}, without labels of their own"),
    "variable_info": ("variable, unit", "unit of a variable; means of ln seconds are logarithms"),
}
"""What is in no table below: its labels, and what it is."""

STATES = ("starting", "running", "draining", "failed")

Of = TypeVar("Of")


class Gauge(NamedTuple, Generic[Of]):
    """One value of ``Of`` that is shown; ``value`` returns None where it is missing."""

    name: str  # without prefix
    what: str
    value: Callable[[Of], float | None]
    adds_up: bool = False  # over agents: those left out are shown as a sum


def _seconds(ns: int | None) -> float | None:
    return ns / 1e9 if ns else None


HEALTH: tuple[Gauge[Health], ...] = (
    Gauge("start_time_seconds", "when the service began, Unix time", lambda h: _seconds(h.started_ns)),
    Gauge("last_span_timestamp_seconds", "when the last span came, Unix time", lambda h: _seconds(h.last_ns)),
    Gauge("spans_stored", "spans in segments of the store", lambda h: h.spans_stored),
    Gauge("spans_waiting", "spans in the journal: durable, not in a segment yet", lambda h: h.spans_waiting),
    Gauge("runs_stored", "run tables in the store, rows", lambda h: h.runs_stored),
    Gauge("traces_open", "traces that are not over", lambda h: h.runs_open),
    Gauge("store_segments", "segments of the store", lambda h: h.segments),
    Gauge("store_bytes", "bytes of these segments", lambda h: h.store_bytes),
    Gauge("in_flight_bytes", "bytes of requests that are not answered yet", lambda h: h.flight_bytes),
    Gauge("journal_lag_seconds", "age of the oldest journal that is no segment yet", lambda h: h.lag_s),
    Gauge("measuring_lag_seconds", "how late runs that are over are measured", lambda h: h.assembly_lag_s),
    Gauge("problems", "things that the page says are wrong", lambda h: len(h.problems)),
)

AGENT: tuple[Gauge[AgentState], ...] = (
    Gauge("agent_runs", "runs observed", lambda a: a.runs, adds_up=True),
    Gauge("agent_runs_judged", "runs that could be compared", lambda a: a.judged, adds_up=True),
    Gauge("agent_runs_taskless", "runs without a task: never judged", lambda a: a.taskless, adds_up=True),
    Gauge("agent_learning", "1 while it is learnt, 0: it is watched", lambda a: a.learning is not None),
    Gauge("agent_learning_runs_left", "runs until it is watched; absent: it is", lambda a: a.learning),
    Gauge("agent_e_value", "evidence that it changed: mean over its variables", lambda a: a.e_value),
    Gauge("agent_last_run_timestamp_seconds", "end of its last run", lambda a: _seconds(a.last_ns)),
)  # fmt: skip

VARIABLE: tuple[Gauge[VariableState], ...] = (
    Gauge("variable_latest_mean", "mean of the last 20 runs that show it, in its unit", lambda v: v.latest),
    Gauge("variable_usual_mean", "mean of what it is compared with, in its unit", lambda v: v.usual),
    Gauge("variable_e_value", "evidence that it changed", lambda v: v.e_value),
    Gauge("variable_alarm", "1 while an alarm is open", lambda v: v.alarm is not None, adds_up=True),
    Gauge("variable_runs", "runs that showed it", lambda v: v.observed, adds_up=True),
)  # fmt: skip


class _Collected(Collector):
    """One look at the board."""

    def __init__(self, board: Board, rate: float, store: Path | None) -> None:
        self._board, self._rate, self._store = board, rate, store

    def collect(self) -> Iterator[Metric]:
        """Yield every family, with each value once."""
        board = self._board
        health, agents = board.health, board.agents
        yield from _counters(board.reasons())
        for gauge in HEALTH:
            yield _family(gauge, (), [((), health)])
        yield _further("state", {(state,): float(state == health.state) for state in STATES})
        yield _further("build_info", {(__version__,): 1.0})
        yield from _disk(self._store)
        yield _further("alarm_e_value", {(): 1 / self._rate})
        yield from _agents(agents)


def _counters(reasons: Mapping[tuple[str, str], int]) -> Iterator[Metric]:
    """Yield every counter, at 0 from the beginning: what appears at 3 has not risen by 3 for Prometheus."""
    for name in dict.fromkeys([*COUNTERS, *(counter for counter, _ in reasons)]):
        counted = [(label(reason), n) for (counter, reason), n in reasons.items() if counter == name]
        family = CounterMetricFamily(
            f"sort_drift_{NAMES.get(name, name)}", COUNTERS.get(name, name), labels=("reason",)
        )
        for reason, n in folded([("", 0), *counted], REASONS + 1).items():
            family.add_metric((reason,), n)
        yield family


def _agents(agents: tuple[AgentState, ...]) -> Iterator[Metric]:
    """Yield what is known of each agent; agents with an open alarm are never left out for others."""
    ordered = sorted(agents, key=lambda a: (not any(v.alarm for v in a.variables), -a.runs, a.name))
    shown, others = ordered[:AGENTS], ordered[AGENTS:]
    yield _further("agents", {(): len(agents)})
    yield _further("agents_left_out", {(): len(others)})
    yield _further("alarms_open", {(): sum(v.alarm is not None for a in agents for v in a.variables)})
    for agent_gauge in AGENT:
        family = _family(agent_gauge, ("agent",), [((label(a.name),), a) for a in shown])
        if agent_gauge.adds_up and others:
            family.add_metric((OTHERS,), sum(agent_gauge.value(a) or 0 for a in others))
        yield family
    rest: dict[str, list[VariableState]] = {}
    for agent in others:
        for state in agent.variables:
            rest.setdefault(label(state.name), []).append(state)
    own = [((label(a.name), label(v.name)), v) for a in shown for v in a.variables]
    for gauge in VARIABLE:
        family = _family(gauge, ("agent", "variable"), own)
        for name, states in rest.items() if gauge.adds_up else ():
            family.add_metric((OTHERS, name), sum(gauge.value(state) or 0 for state in states))
        yield family
    units = {(label(v.name), label(v.unit)) for a in agents for v in a.variables}
    yield _further("variable_info", dict.fromkeys(sorted(units)[:AGENTS], 1.0))


def _disk(store: Path | None) -> Iterator[Metric]:
    try:
        if store is not None:
            yield _further("store_free_bytes", {(): shutil.disk_usage(store).free})
    except OSError:  # the file system went away: the value is missing, and other metrics say so
        return


def _family(
    gauge: Gauge[Of], labels: tuple[str, ...], given: Iterable[tuple[tuple[str, ...], Of]]
) -> GaugeMetricFamily:
    family = GaugeMetricFamily(f"sort_drift_{gauge.name}", gauge.what, labels=labels)
    for values, item in given:
        value = gauge.value(item)
        if value is not None and not math.isnan(value):
            family.add_metric(values, value)
    return family


def _further(name: str, values: Mapping[tuple[str, ...], float]) -> Metric:
    labels, what = FURTHER[name]
    family = GaugeMetricFamily(f"sort_drift_{name}", what, labels=labels.split(", ") if labels else ())
    for key, value in values.items():
        family.add_metric(key, value)
    return family


def render(
    board: Board, accept: str = "", *, rate: float = RATE, store: Path | None = None
) -> tuple[bytes, str]:
    """Return everything as (body, content type), in the newest format that ``accept`` names.

    ``rate`` is that of false alarms a run; of ``store`` the free space is shown. What Python's client shows
    of every process (``process_resident_memory_bytes``, ``process_open_fds``) is there too.
    """
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collected(board, rate, store))
    ProcessCollector(registry=registry)
    try:
        encoder, content_type = choose_encoder(accept)
    except (TypeError, ValueError):  # a version that is no version
        encoder, content_type = choose_encoder("")
    return encoder(registry), content_type


def endpoint(
    board: Board, *, rate: float = RATE, store: Path | None = None
) -> Callable[[Request], Awaitable[Response]]:
    """Return the view behind ``/metrics``, which a ``Route`` takes."""

    async def metrics(request: Request) -> Response:
        accept = request.headers.get("accept", "")
        body, content_type = await run_in_threadpool(render, board, accept, rate=rate, store=store)
        return Response(body, headers={"content-type": content_type, "cache-control": "no-store"})

    return metrics
