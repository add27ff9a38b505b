"""Metrics requests in both encodings -> name, resource and samples of each metric.

Values and attributes are read where somebody asks for them: most metrics of a request say nothing of load.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec
from google.protobuf.message import DecodeError
from msgspec import Struct
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from sort_drift.ingest import jsontext, otlp_json, otlp_protobuf
from sort_drift.ingest.otlp_messages import KeyValue, Resource
from sort_drift.live.receive import mistakes, wire
from sort_drift.live.receive.terms import Encoding
from sort_drift.live.settings import Limits

_SEPARATORS = re.compile(r"[^a-z0-9]+")

Sample = tuple[int, float, Mapping[str, Any]]
Metric = tuple[Mapping[str, Any], str, int, Callable[[], Iterator[Sample]]]
"""Resource, name, number of data points, and those of a gauge or sum."""


def read(body: bytes, encoding: Encoding, limits: Limits) -> Iterator[Metric]:
    """Yield the metrics of a request.

    Raises ``Refused`` (400, 413), ``ValueError`` or ``RecursionError`` where it is none.
    """
    return (_protobuf if encoding == "protobuf" else _json)(body, limits)


def _normalised(name: str) -> str:
    return _SEPARATORS.sub("_", name.lower())


def _protobuf(body: bytes, limits: Limits) -> Iterator[Metric]:
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


def _samples(numbers: Any) -> Callable[[], Iterator[Sample]]:
    def samples() -> Iterator[Sample]:
        for point in numbers:
            kind = point.WhichOneof("value")
            value = float(getattr(point, kind)) if kind else math.nan
            yield point.time_unix_nano, value, otlp_protobuf.attributes(point.attributes)

    return samples


def _number(value: float | str) -> float:
    try:
        return float(value)
    except OverflowError:  # an integer of 400 digits
        return math.inf


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


def _json(body: bytes, limits: Limits) -> Iterator[Metric]:
    text = body.removeprefix(b"\xef\xbb\xbf")
    if not text.strip(b" \t\r\n"):
        return
    wire.prescan_json(text, limits)
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


def _numbers(numbers: _Numbers | None) -> Callable[[], Iterator[Sample]]:
    def samples() -> Iterator[Sample]:
        for point in numbers.data_points if numbers else ():
            value = point.as_double if point.as_int is None else point.as_int
            said = otlp_json.attributes(point.attributes)
            time = point.time_unix_nano
            at = int(time) if isinstance(time, int | str) or math.isfinite(time) else 0
            yield at, math.nan if value is None else _number(value), said

    return samples
