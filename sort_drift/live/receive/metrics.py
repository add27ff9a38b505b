"""The body of a metrics request -> what it says of the load of serving systems, and how much else there is.

Engines write to Prometheus pages, which a Collector scrapes: names come with colons, dots or underscores. Of
several series of one server (engines, models) counts add up and shares count by the fullest (context.py).
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import msgspec
from google.protobuf.message import DecodeError
from msgspec import Struct
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from sort_drift.dialects import resources
from sort_drift.ingest import jsontext, otlp_json, otlp_protobuf
from sort_drift.ingest.otlp_messages import KeyValue, Resource
from sort_drift.live.receive import mistakes, wire
from sort_drift.live.receive.terms import Encoding, Refused
from sort_drift.live.settings import Limits

Measure = Literal["running", "waiting", "kv_cache", "gpu"]

NAMES: Mapping[str, tuple[Measure, float]] = {
    "vllm_num_requests_running": ("running", 1),
    "vllm_num_requests_waiting": ("waiting", 1),
    "vllm_kv_cache_usage_perc": ("kv_cache", 1),
    "vllm_gpu_cache_usage_perc": ("kv_cache", 1),  # before vLLM 0.10
    "sglang_num_running_reqs": ("running", 1),
    "sglang_num_queue_reqs": ("waiting", 1),
    "sglang_token_usage": ("kv_cache", 1),
    "tgi_batch_current_size": ("running", 1),
    "tgi_queue_size": ("waiting", 1),
    "llamacpp_requests_processing": ("running", 1),
    "llamacpp_requests_deferred": ("waiting", 1),
    "llamacpp_kv_cache_usage_ratio": ("kv_cache", 1),
    "sort_drift_load_running": ("running", 1),
    "sort_drift_load_queue_depth": ("waiting", 1),
    "hw_gpu_utilization": ("gpu", 1),
    "dcgm_fi_prof_gr_engine_active": ("gpu", 1),
    "dcgm_fi_dev_gpu_util": ("gpu", 0.01),
}
"""Metric, normalised -> what it says, and the factor to requests (running, waiting) or to a share of 1."""

_DEVICE = ("modelName", "hw.model", "hw.name")
"""Attribute of a GPU's data points that names the device: of NVIDIA's exporter, and of the conventions."""

_SERVER = (("server.address", "server.port"), ("net.host.name", "net.host.port"))
_SEPARATORS = re.compile(r"[^a-z0-9]+")
_SUFFIX = re.compile(r"_(?:ratio|percent)$")
_LOCAL = frozenset({"127.0.0.1", "::1", "0.0.0.0"})  # noqa: S104 - names of this machine in attributes


@dataclass(frozen=True, slots=True)
class Point:
    """One sample."""

    server: str  # "host:port", "host", or "" where nothing names it
    ns: int  # Unix
    measure: Measure
    value: float  # requests, or a share of 1
    hardware: str | None = None  # what the device is called
    how: str | None = None  # model.SPANS.hw_source


@dataclass(frozen=True, slots=True)
class Points:
    """A metrics request that was read."""

    used: tuple[Point, ...]
    total: int  # data points in it


def points(body: bytes, encoding: Encoding, limits: Limits) -> Points:
    """Read a request; raises ``Refused`` (400, 413) where it is none."""
    used: list[Point] = []
    total = 0
    for resource, name, count, samples in (_protobuf if encoding == "protobuf" else _json)(body, limits):
        total += count
        measure, factor = NAMES.get(name) or NAMES.get(_SUFFIX.sub("", name)) or (None, 1.0)
        if measure is None:
            continue
        for ns, value, attributes in samples():
            if ns <= 0 or ns >= 2**63 or not math.isfinite(value):
                continue
            hardware, how = _hardware(resource, attributes) if measure == "gpu" else (None, None)
            at = server({**resource, **attributes})
            used.append(Point(at, ns, measure, value * factor, hardware, how))
    return Points(tuple(used), total)


def server(said: Mapping[str, Any]) -> str:
    """Return the address that attributes give a serving system, "" where they give none.

    >>> server({"server.address": "GPU-1", "server.port": 8000}), server({"instance": "10.0.0.7:8000"})
    ('gpu-1:8000', '10.0.0.7:8000')
    >>> server({"service.instance.id": "8f14e45f-ceea-467f-a0e6", "host.name": "gpu-1"}), server({})
    ('gpu-1', '')
    """
    for host, port in _SERVER:
        if said.get(host):
            return normal(f"{said[host]}:{said[port]}" if said.get(port) else str(said[host]))
    for name in ("instance", "service.instance.id"):  # of a Collector's Prometheus receiver: the target
        if ":" in str(said.get(name, "")):
            return normal(str(said[name]))
    return normal(str(said.get("host.name") or ""))


def normal(address: str) -> str:
    """Return an address in one form.

    >>> normal("127.0.0.1:8000"), normal("http://GPU-1:8000/v1"), normal("[::1]:80")
    ('localhost:8000', 'gpu-1:8000', 'localhost:80')
    """
    text = address.strip().lower()[:256].partition("://")
    host, colon, port = (text[2] or text[0]).partition("/")[0].rpartition(":")
    if not port.isdigit() or not colon:
        host, colon, port = f"{host}{colon}{port}", "", ""
    host = host.strip("[]")
    return f"{'localhost' if host in _LOCAL else host}{colon}{port}"


def _hardware(resource: Mapping[str, Any], attributes: Mapping[str, Any]) -> tuple[str | None, str | None]:
    device = next((attributes[name] for name in _DEVICE if attributes.get(name)), None)
    if device is not None:
        return str(device)[:128], "environment"
    return resources.describe(dict(resource))[2:]


_Sample = tuple[int, float, Mapping[str, Any]]
_Metric = tuple[Mapping[str, Any], str, int, Callable[[], Iterator[_Sample]]]
"""Resource, name, number of data points, and those of a gauge or sum."""


def _normalised(name: str) -> str:
    return _SEPARATORS.sub("_", name.lower())


def _protobuf(body: bytes, limits: Limits) -> Iterator[_Metric]:
    if wire.prescan(body, limits) == 0:
        return
    try:
        request = ExportMetricsServiceRequest.FromString(body)
    except DecodeError:
        _check_signal(body)
        raise wire.broken("it is cut, or has text that is not UTF-8") from None
    first = next((m for of in request.resource_metrics for s in of.scope_metrics for m in s.metrics), None)
    if first is None or not first.name or not first.WhichOneof("data"):
        _check_signal(body)
    for of in request.resource_metrics:
        resource = otlp_protobuf.attributes(of.resource.attributes)
        for metric in (metric for scoped in of.scope_metrics for metric in scoped.metrics):
            kind = metric.WhichOneof("data")
            found = getattr(metric, kind).data_points if kind else ()
            numbers = found if kind in {"gauge", "sum"} else ()
            yield resource, _normalised(metric.name), len(found), _samples(numbers)


def _check_signal(body: bytes) -> None:
    sent = mistakes.told(body)
    if sent not in {None, "metrics"}:
        raise mistakes.mistaken(sent or "metrics", "metrics")


def _samples(numbers: Any) -> Callable[[], Iterator[_Sample]]:
    def samples() -> Iterator[_Sample]:
        for point in numbers:
            kind = point.WhichOneof("value")
            value = float(getattr(point, kind)) if kind else math.nan
            yield point.time_unix_nano, value, otlp_protobuf.attributes(point.attributes)

    return samples


class _Point(Struct, rename="camel", gc=False):
    time_unix_nano: int | float | str = 0
    as_double: float | str | None = None
    as_int: int | float | str | None = None
    attributes: list[KeyValue] = []


class _Numbers(Struct, rename="camel", gc=False):
    data_points: list[_Point] = []


class _Anything(Struct, gc=False):
    """Any object, unread."""


class _Others(Struct, rename="camel", gc=False):
    data_points: list[_Anything] = []


class _MetricOf(Struct, rename="camel", gc=False):
    name: str = ""
    gauge: _Numbers | None = None
    sum: _Numbers | None = None
    histogram: _Others | None = None
    exponential_histogram: _Others | None = None
    summary: _Others | None = None


class _Scoped(Struct, rename="camel", gc=False):
    metrics: list[_MetricOf] = []


class _Resources(Struct, rename="camel", gc=False):
    resource: Resource = Resource()
    scope_metrics: list[_Scoped] = []


class _Request(Struct, rename="camel", gc=False):
    resource_metrics: list[_Resources] | None = None


def _json(body: bytes, limits: Limits) -> Iterator[_Metric]:
    text = body.removeprefix(b"\xef\xbb\xbf")
    if not text.strip(b" \t\r\n"):
        return
    wire.prescan_json(text, limits)
    try:
        tree = jsontext.parse(text)
        if isinstance(tree, dict) and "resourceMetrics" not in tree:
            for signal, key in mistakes.KEYS.items():
                if key in tree:
                    raise mistakes.mistaken(signal, "metrics")
        request = msgspec.convert(tree, _Request)
        for of in request.resource_metrics or ():
            resource = otlp_json.attributes(of.resource.attributes)
            for metric in (metric for scoped in of.scope_metrics for metric in scoped.metrics):
                numbers = metric.gauge or metric.sum
                others = metric.histogram or metric.exponential_histogram or metric.summary
                count = len((numbers or others or _Others()).data_points)
                yield resource, _normalised(metric.name), count, _numbers(numbers)
    except (ValueError, RecursionError) as error:
        raise Refused(400, f"not an OTLP/JSON metrics request: {jsontext.reason(error)}") from None


def _numbers(numbers: _Numbers | None) -> Callable[[], Iterator[_Sample]]:
    def samples() -> Iterator[_Sample]:
        for point in numbers.data_points if numbers else ():
            value = point.as_double if point.as_int is None else point.as_int
            said = otlp_json.attributes(point.attributes)
            yield int(point.time_unix_nano), math.nan if value is None else float(value), said

    return samples
