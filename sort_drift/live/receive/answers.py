"""Answers in the words of OTLP: partial success, ``google.rpc.Status``, in the encoding of the request.

https://opentelemetry.io/docs/specs/otlp/: ``partial_success`` is unset where all was taken; of what is
refused only 429, 502, 503, 504 (gRPC: UNAVAILABLE, and RESOURCE_EXHAUSTED with RetryInfo) make a client come
again.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from google.protobuf.any_pb2 import Any as Packed
from google.rpc.error_details_pb2 import BadRequest, RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from sort_drift.live.receive.terms import Answer, Encoding, Refused, Signal

MEDIA_TYPES: Mapping[Encoding, str] = {"protobuf": "application/x-protobuf", "json": "application/json"}

LONGEST = 1024
"""Bytes of a message: an answer may have 4 MiB, and the path of a span has as many as its sender likes."""

CODES: Mapping[int, int] = {
    400: 3,  # INVALID_ARGUMENT
    401: 16,  # UNAUTHENTICATED
    403: 7,  # PERMISSION_DENIED
    404: 12,  # UNIMPLEMENTED
    405: 12,
    408: 4,  # DEADLINE_EXCEEDED
    413: 8,  # RESOURCE_EXHAUSTED: without RetryInfo, as the same request will be as large next time
    415: 3,
    429: 14,
    500: 13,  # INTERNAL
    503: 14,  # UNAVAILABLE: with RetryInfo
}
"""HTTP status -> gRPC status, which is the code of a ``Status`` too."""

_RESPONSES: Mapping[Signal, tuple[Any, str]] = {
    "traces": (ExportTraceServiceResponse, "rejected_spans"),
    "logs": (ExportLogsServiceResponse, "rejected_log_records"),
    "metrics": (ExportMetricsServiceResponse, "rejected_data_points"),
}


def success(signal: Signal, encoding: Encoding, answer: Answer) -> bytes:
    """Return the body of a 200 (the message of an OK): empty where all was taken and there is nothing to say.

    >>> success("traces", "json", Answer(2, 1, "no id"))
    b'{"partialSuccess":{"rejectedSpans":"1","errorMessage":"no id"}}'
    """
    message, field = _RESPONSES[signal]
    said = shortened(answer.message)
    if encoding == "json":
        partial = {_camel(field): str(answer.rejected)} if answer.rejected else {}
        if said:
            partial["errorMessage"] = said
        return _dumped({"partialSuccess": partial} if partial else {})
    response = message()
    if answer.rejected or said:
        setattr(response.partial_success, field, answer.rejected)
        response.partial_success.error_message = said
    packed: bytes = response.SerializeToString()
    return packed


def failure(refused: Refused, encoding: Encoding) -> bytes:
    """Return the body of a 4xx or 5xx: a ``Status``."""
    if encoding == "json":
        return _dumped(_as_json(refused))
    packed: bytes = status(refused).SerializeToString()
    return packed


def status(refused: Refused) -> Status:
    """Return a refusal as ``google.rpc.Status``, with BadRequest or RetryInfo where they belong."""
    said = shortened(refused.message)
    out = Status(code=CODES[refused.status], message=said)
    details = []
    if refused.status == 400:
        field = shortened(refused.field)
        details.append(BadRequest(field_violations=[{"field": field, "description": said}]))
    if refused.retry_after_s is not None:
        whole = int(refused.retry_after_s)
        nanos = int((refused.retry_after_s - whole) * 1e9)
        details.append(RetryInfo(retry_delay={"seconds": whole, "nanos": nanos}))
    for detail in details:
        packed = Packed()
        packed.Pack(detail)
        out.details.append(packed)
    return out


def headers(refused: Refused) -> dict[str, str]:
    """Return what a refusal says in its HTTP head."""
    if refused.retry_after_s is not None:
        return {"retry-after": str(max(1, math.ceil(refused.retry_after_s)))}
    return {"www-authenticate": "Bearer"} if refused.status == 401 else {}


def shortened(text: str) -> str:
    r"""Return ``text`` as UTF-8 that every encoding takes, with ``LONGEST`` bytes at most.

    >>> shortened("a\ud800b"), len(shortened("\u20ac" * 999).encode())
    ('a?b', 1023)
    """
    return text.encode("utf-8", "replace")[:LONGEST].decode("utf-8", "ignore")


def _as_json(refused: Refused) -> dict[str, Any]:
    """Return a refusal as proto3 JSON writes it."""
    said = shortened(refused.message)
    details: list[dict[str, Any]] = []
    if refused.status == 400:
        violation = {"description": said}
        if refused.field:
            violation = {"field": shortened(refused.field), **violation}
        details.append({"@type": _type("BadRequest"), "fieldViolations": [violation]})
    if refused.retry_after_s is not None:
        details.append({"@type": _type("RetryInfo"), "retryDelay": f"{refused.retry_after_s:g}s"})
    out: dict[str, Any] = {"code": CODES[refused.status], "message": said}
    return {**out, "details": details} if details else out


def _type(name: str) -> str:
    return f"type.googleapis.com/google.rpc.{name}"


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(map(str.title, others))


def _dumped(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
