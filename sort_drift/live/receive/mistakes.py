"""A payload of one signal sent to the path of another, told by what its first record is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from sort_drift.ingest.otlp_wire import REQUEST
from sort_drift.live.receive.terms import Refused, Signal

KEYS: Mapping[Signal, str] = {
    "traces": "resourceSpans",
    "logs": "resourceLogs",
    "metrics": "resourceMetrics",
}
"""The top-level key of a JSON request."""


def mistaken(sent: Signal, signal: Signal) -> Refused:
    """Return the refusal of a payload of ``sent`` at the path of ``signal``, with what to do.

    >>> str(mistaken("logs", "traces"))
    'this is a logs payload, sent to the traces endpoint; send it to /v1/logs (gRPC: LogsService)'
    """
    return Refused(
        400,
        f"this is a {sent} payload, sent to the {signal} endpoint; "
        f"send it to /v1/{sent} (gRPC: {SERVICES[sent]})",
        field=KEYS[sent],
    )


SERVICES: Mapping[Signal, str] = {
    "traces": "TraceService",
    "logs": "LogsService",
    "metrics": "MetricsService",
}


def told(body: bytes) -> Signal | None:
    """Return what signal a protobuf request is of; None where its first record does not tell.

    The three differ in nothing but what their records are, and each parses as the others, more or less.
    """
    span = _first(REQUEST, body, "resource_spans", "scope_spans", "spans")
    if span is not None and len(span.trace_id) == 16 and len(span.span_id) == 8:
        return "traces"
    log = _first(ExportLogsServiceRequest, body, "resource_logs", "scope_logs", "log_records")
    if log is not None and (log.time_unix_nano or log.observed_time_unix_nano or log.severity_number):
        return "logs"
    metric = _first(ExportMetricsServiceRequest, body, "resource_metrics", "scope_metrics", "metrics")
    if metric is not None and metric.name and metric.WhichOneof("data"):
        return "metrics"
    return None


def _first(message: Any, body: bytes, *below: str) -> Any:
    try:
        request = message.FromString(body)
    except DecodeError:
        return None
    return next(
        (
            record
            for of in getattr(request, below[0])
            for scoped in getattr(of, below[1])
            for record in getattr(scoped, below[2])
        ),
        None,
    )
