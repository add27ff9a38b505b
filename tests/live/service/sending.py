"""Requests as agents send them, over every transport, without an exporter between: what is sent is known."""

from __future__ import annotations

import base64
import http.client
import json
import secrets
import time
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import grpc
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from tests.live.service import Service

PROTOBUF, JSON = "application/x-protobuf", "application/json"
MS = 1_000_000


def value(given: Any) -> AnyValue:
    """Return a value as OTLP has it."""
    if isinstance(given, bool):
        return AnyValue(bool_value=given)
    if isinstance(given, int):
        return AnyValue(int_value=given)
    if isinstance(given, float):
        return AnyValue(double_value=given)
    made = AnyValue()
    if isinstance(given, Mapping):
        made.kvlist_value.values.extend(pairs(given))
    elif isinstance(given, (list, tuple)):
        made.array_value.values.extend(value(item) for item in given)
    else:
        made.string_value = str(given)
    return made


def pairs(given: Mapping[str, Any]) -> list[KeyValue]:
    """Return attributes as OTLP has them."""
    return [KeyValue(key=key, value=value(item)) for key, item in given.items()]


class Trace:
    """One trace that is being made: spans get ids, and times one after the other, ending now."""

    def __init__(self, service: str = "shop", scope: str = "hand", **resource: Any) -> None:
        self.id = secrets.token_bytes(16)
        self.request = ExportTraceServiceRequest()
        of_resource = self.request.resource_spans.add()
        of_resource.resource.attributes.extend(pairs({"service.name": service, **resource}))
        self.scope = of_resource.scope_spans.add()
        self.scope.scope.name = scope
        self._clock = time.time_ns() - 1_000 * MS

    @property
    def hex(self) -> str:
        """Its id as text."""
        return self.id.hex()

    def add(self, name: str, parent: bytes = b"", *, lasts_ms: int = 5, **more: Any) -> bytes:
        """Add a span and return its id; ``more`` are its attributes, ``status`` and ``events``."""
        span = self.scope.spans.add(trace_id=self.id, span_id=secrets.token_bytes(8), name=name, kind=1)
        span.parent_span_id = parent
        span.start_time_unix_nano, self._clock = self._clock, self._clock + lasts_ms * MS
        span.end_time_unix_nano = self._clock
        if message := more.pop("status", ""):
            span.status.CopyFrom(Status(code=Status.STATUS_CODE_ERROR, message=message))
        for event, said in more.pop("events", {}).items():
            span.events.add(name=event, time_unix_nano=self._clock).attributes.extend(pairs(said))
        span.attributes.extend(pairs(more.pop("attributes", {})))
        assert not more, more
        return bytes(span.span_id)

    def part(self) -> bytes:
        """Return the request of the spans added so far, and begin another one."""
        body = self.request.SerializeToString()
        del self.scope.spans[:]
        return body


def run(trace: Trace, task: str = "t1", tools: Sequence[str] = ("search",)) -> bytes:
    """Add a small run to a trace and return the id of its root."""
    said = {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.agent.name": "planner",
        "sort_drift.task.id": task,
    }
    root = trace.add("invoke_agent planner", attributes=said, lasts_ms=900)
    trace._clock -= 890 * MS
    chat = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "m", "gen_ai.usage.input_tokens": 9}
    trace.add("chat m", root, attributes=chat)
    for name in tools:
        call = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": name}
        trace.add(f"execute_tool {name}", root, attributes=call)
    return root


def post(
    service: Service, body: bytes, media: str = PROTOBUF, path: str = "/v1/traces", timeout_s: float = 30
) -> tuple[int, bytes]:
    """Send one request over HTTP and return status and body."""
    connection = http.client.HTTPConnection(urlsplit(service.http_url).netloc, timeout=timeout_s)
    try:
        connection.request("POST", path, body, {"Content-Type": media})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def get(url: str) -> tuple[int, str]:
    """Return status and text of a page."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=30)
    try:
        connection.request("GET", f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}")
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def call(service: Service, body: bytes, what: str = "trace.v1.TraceService") -> bytes:
    """Send one request over gRPC and return the answer."""
    with grpc.insecure_channel(service.grpc_target) as channel:
        method = channel.unary_unary(f"/opentelemetry.proto.collector.{what}/Export", bytes, bytes)
        return bytes(method(body, timeout=30))


def as_json(body: bytes, kind: type[Message] = ExportTraceServiceRequest) -> bytes:
    """Return a protobuf request as OTLP/JSON: ids in hex."""

    def hexed(node: Any) -> Any:
        if isinstance(node, list):
            return [hexed(item) for item in node]
        if not isinstance(node, dict):
            return node
        ids = {"traceId", "spanId", "parentSpanId"}
        return {k: base64.b64decode(v).hex() if k in ids else hexed(v) for k, v in node.items()}

    parsed = kind()
    parsed.ParseFromString(body)
    return json.dumps(hexed(MessageToDict(parsed, use_integers_for_enums=True))).encode()


def logs(
    trace: bytes, span: bytes, scope: str, records: Mapping[str, tuple[Any, Mapping[str, Any]]]
) -> bytes:
    """Return a request of log records of one span: name of the event -> body, attributes."""
    made = ExportLogsServiceRequest()
    of_scope = made.resource_logs.add().scope_logs.add()
    of_scope.scope.name = scope
    for name, (body, said) in records.items():
        record = of_scope.log_records.add(trace_id=trace, span_id=span, time_unix_nano=time.time_ns())
        record.event_name = name
        record.attributes.extend(pairs({"event.name": name, **said}))
        if body is not None:
            record.body.CopyFrom(value(body))
    return made.SerializeToString()
