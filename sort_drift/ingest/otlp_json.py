"""OTLP/JSON: one request a line, as the Collector's file exporter writes it, or one document.

https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding: ids are hex in either case, 64-bit integers
are text or numbers, enums are integers, keys are lowerCamelCase and unknown ones are ignored. protobuf's own
``json_format`` reads the ids as base64, therefore this decoder. Requests decode straight into the structs of
otlp_messages.py (docs/decisions/0002-otlp-json-decoding.md); one that does not fit them is read again span by
span, so that a bad span costs only itself.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, TypeVar

import msgspec

from sort_drift.ingest import jsontext, otlp_logs
from sort_drift.ingest.batches import Block, Event, Row, moments
from sort_drift.ingest.files import Export, Reject
from sort_drift.ingest.jsontext import Malformed
from sort_drift.ingest.otlp_messages import (
    AnyValue,
    KeyValue,
    LogRecord,
    Request,
    Resource,
    ResourceLogs,
    ResourceSpans,
    Scope,
    ScopeLogs,
    ScopeSpans,
    Span,
    SpanEvent,
)

DEEPEST = 50
"""Levels of attribute values inside attribute values, as protobuf receivers allow."""

TOO_DEEP = f"attribute values nested deeper than {DEEPEST}"
FORM = 'attributes are a list of {"key": ..., "value": {"stringValue": ...}}'
"""What ``reject`` is told of a span where every span of an exporter will be alike."""

_T = TypeVar("_T")
_Scoped = tuple[Scope, list[_T | None]]

_DECODE = msgspec.json.Decoder(Request).decode
_PAYLOAD = re.compile(rb'"(?:resource(?:Spans|Logs|Metrics)|resource_spans)"\s*:')
_REQUEST = re.compile(rb'^[ \t\r]*\{\s*"resource(?:Spans|Logs|Metrics)"', re.MULTILINE)
_MISTAKES = (
    ("resourceMetrics", "this is an OTLP metrics payload, not traces; give the file of the traces pipeline"),
    ("resource_spans", "resource_spans in snake_case; OTLP/JSON keys are lowerCamelCase: resourceSpans"),
)
_KINDS: Mapping[int | str, int] = {n: n for n in range(6)} | {
    f"SPAN_KIND_{name}": n
    for n, name in enumerate(("UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"))
}
_CODES: Mapping[int | str, int] = {n: n for n in range(3)} | {
    f"STATUS_CODE_{name}": n for n, name in enumerate(("UNSET", "OK", "ERROR"))
}
"""The specification wants integers; protobuf's own JSON writers produce names. Any other: unspecified."""


def recognises(head: bytes) -> bool:
    r"""Return whether ``head`` has the top-level key of an OTLP/JSON payload, whatever its signal.

    >>> recognises(b'{ "resourceSpans": ['), recognises(rb'[{"traj": "{\"resourceSpans\": []}"}]')
    (True, False)
    """
    if head.lstrip()[:1] != b"{":
        return bool(_REQUEST.search(head))  # a rotated file may begin inside a line
    return bool(_PAYLOAD.search(head)) or head.strip() == b"{}"


def read(export: Export) -> Iterator[Block]:
    """Yield the blocks of every request of an export, line by line or as one document."""
    if not _is_lines(export.head):
        yield from _document(export)
        return
    for number, line in export.lines():
        try:
            yield from blocks(line, export.reject_at(number))
        except (ValueError, RecursionError) as error:
            half = "" if line.endswith(b"\n") else " (the last line is half-written)"
            export.bad(jsontext.reason(error) + half, number)


def blocks(text: bytes, reject: Reject) -> Iterator[Block]:
    """Yield the blocks of one request; spans and log records that cannot be used go to ``reject``.

    Raises ``ValueError`` or ``RecursionError`` (texts: ``jsontext.reason``) for what is neither a traces nor
    a logs request.
    """
    request = _request(text, reject)
    for i, of_resource in enumerate(request.resource_spans):
        resource = attributes(of_resource.resource.attributes)
        for j, of_scope in enumerate(of_resource.scope_spans):
            path = f"resourceSpans[{i}].scopeSpans[{j}].spans"
            yield resource, (of_scope.scope.name, of_scope.scope.version), _rows(of_scope.spans, path, reject)
    for i, sent in enumerate(request.resource_logs):
        resource = attributes(sent.resource.attributes)
        for j, of in enumerate(sent.scope_logs):
            path = f"resourceLogs[{i}].scopeLogs[{j}].logRecords"
            yield resource, (of.scope.name, of.scope.version), _log_rows(of.log_records, path, reject)


def attributes(pairs: list[KeyValue], depth: int = 0) -> dict[str, Any]:
    """Return attributes as a dict; of equal keys the last wins."""
    return {
        pair.key: text if (text := pair.value.string_value) is not None else _value(pair.value, depth)
        for pair in pairs
    }


def _is_lines(head: bytes) -> bool:
    """Return whether each line is a request: the first is JSON of its own, or the second begins as one.

    A pretty-printed document breaks inside its first object. Looking at the second line too lets a damaged
    first line cost only itself.
    """
    first, newline, rest = head.lstrip().partition(b"\n")
    if not newline or _REQUEST.match(rest.lstrip()):
        return True
    try:
        jsontext.parse(first)
    except (ValueError, RecursionError):
        return False
    return True


def _document(export: Export) -> Iterator[Block]:
    """Yield the blocks of a file that is one request over many lines."""
    try:
        yield from blocks(export.whole(), export.reject)
    except (ValueError, RecursionError) as error:
        export.bad(jsontext.reason(error), getattr(error, "lineno", ""))


def _request(text: bytes, reject: Reject) -> Request:
    """Decode one request: at once, or span by span where that fails."""
    if b"\\" in text and b"\\u0000" in text:  # one byte is found 10 times as fast as six
        text = jsontext.scrubbed(text)
    try:
        request = _DECODE(text)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _salvaged(_checked(jsontext.parse(text)), reject)
    if not request.resource_spans and not request.resource_logs:
        _checked(jsontext.parse(text))
    return request


def _checked(tree: Any) -> dict[str, Any]:
    """Return ``tree``; raise ``Malformed`` for another payload. ``{}`` is an empty request."""
    if not isinstance(tree, dict):
        raise Malformed(f"a request is a JSON object, not {type(tree).__name__}")
    if tree and tree.keys().isdisjoint(("resourceSpans", "resourceLogs")):
        why = next((why for key, why in _MISTAKES if key in tree), "no resourceSpans in this object")
        raise Malformed(why)
    for key in ("resourceSpans", "resourceLogs"):
        if not isinstance(tree.get(key) or [], list):
            raise Malformed(f"{key} is not a list")
    return tree


def _salvaged(tree: dict[str, Any], reject: Reject) -> Request:
    """Convert a parsed request piece by piece; what does not fit its struct goes to ``reject``."""

    def parts(signal: str, inner: str, record: type[_T]) -> Iterator[tuple[Resource, list[_Scoped[_T]]]]:
        for i, of_resource in enumerate(tree.get(f"resource{signal}") or []):
            at = f"resource{signal}[{i}]"
            resource = _fitted(_member(of_resource, "resource"), Resource, f"{at}.resource", reject)
            scopes = []
            for j, of_scope in enumerate(_members(of_resource, f"scope{signal}", at, reject)):
                within = f"{at}.scope{signal}[{j}]"
                scope = _fitted(_member(of_scope, "scope"), Scope, f"{within}.scope", reject)
                records = [
                    _fitted(item, record, f"{within}.{inner}[{k}]", reject)
                    for k, item in enumerate(_members(of_scope, inner, within, reject))
                ]
                scopes.append((scope or Scope(), records))
            yield resource or Resource(), scopes

    return Request(
        [
            ResourceSpans(resource, [ScopeSpans(*scoped) for scoped in scopes])
            for resource, scopes in parts("Spans", "spans", Span)
        ],
        [
            ResourceLogs(resource, [ScopeLogs(*scoped) for scoped in scopes])
            for resource, scopes in parts("Logs", "logRecords", LogRecord)
        ],
    )


def _member(value: Any, key: str) -> Any:
    """Return ``value[key]``, an empty object where there is none."""
    found = value.get(key) if isinstance(value, dict) else None
    return {} if found is None else found


def _members(value: Any, key: str, path: str, reject: Reject) -> list[Any]:
    """Return the list ``value[key]``; anything but a list or nothing goes to ``reject``."""
    found = value.get(key, []) if isinstance(value, dict) else None
    if not isinstance(found, list):
        reject(f"{path}.{key}", "not a list")
        return []
    return found


def _fitted(value: Any, kind: type[_T], path: str, reject: Reject) -> _T | None:
    """Convert one piece to its struct; null means absent, as in protobuf's JSON."""

    def explained(at: str, why: str) -> None:
        if at.endswith("attributes"):
            why += f"; {FORM}"
        reject(at, why)

    return jsontext.fitted(_without_nulls(value), kind, path, explained)


def _without_nulls(value: Any) -> Any:
    """Return ``value`` without the members that are null."""
    if isinstance(value, dict):
        return {key: _without_nulls(v) for key, v in value.items() if v is not None}
    if isinstance(value, list):
        return [_without_nulls(v) for v in value if v is not None]
    return value


def _rows(spans: list[Span | None], path: str, reject: Reject) -> list[Row]:
    """Return the rows of the spans that can be used."""
    rows: list[Row] = []
    for k, span in enumerate(spans):
        if span is None:
            continue
        try:
            parent = span.parent_span_id
            start, end = moments(_integer(span.start_time_unix_nano), _integer(span.end_time_unix_nano))
            rows.append(
                (
                    _known_id(span.trace_id, 32, "traceId"),
                    _id(span.span_id, 16, "spanId"),
                    _known_id(parent, 16, "parentSpanId") if parent and parent.strip("0") else None,
                    span.name,
                    _KINDS.get(span.kind, 0),
                    start,
                    end,
                    _CODES.get(span.status.code, 0),
                    span.status.message,
                    attributes(span.attributes),
                    _events(span.events) if span.events else [],
                    [(link.trace_id.lower(), link.span_id.lower()) for link in span.links]
                    if span.links
                    else [],
                )
            )
        except ValueError as error:
            reject(f"{path}[{k}]", str(error))
    return rows


def _log_rows(records: list[LogRecord | None], path: str, reject: Reject) -> list[Row]:
    """Return the rows of the named records of spans."""
    rows: list[Row] = []
    for k, record in enumerate(records):
        if record is None or not record.span_id.strip("0"):
            continue
        try:
            said = attributes(record.attributes)
            name = record.event_name or said.get("event.name")
            if isinstance(name, str) and name:
                times = _integer(record.time_unix_nano), _integer(record.observed_time_unix_nano)
                ids = _known_id(record.trace_id, 32, "traceId"), _id(record.span_id, 16, "spanId")
                rows.append(otlp_logs.row(ids, name, times, said, _value(record.body, 0)))
        except ValueError as error:
            reject(f"{path}[{k}]", str(error))
    return rows


def _events(events: list[SpanEvent]) -> list[Event]:
    """Return (name, time, attributes) of each event."""
    return [(e.name, moments(_integer(e.time_unix_nano), 0)[0], attributes(e.attributes)) for e in events]


def _id(text: str, digits: int, field: str) -> str:
    """Return an id as lower-case hex; ``Malformed`` for a wrong length, other characters or all zeros."""
    try:
        raw = bytes.fromhex(text)
    except ValueError:
        raw = b""
    if len(text) == digits == 2 * len(raw) and any(raw):
        return raw.hex()
    if not text:
        raise Malformed(f"{field} is missing")
    if raw and not any(raw):
        raise Malformed(f"{field} is all zeros")
    base64 = "; it looks like base64" if len(text) == len(b64encode(bytes(digits // 2))) else ""
    raise Malformed(f"{field} {text[:40]!r} is not {digits} hex digits{base64}")


_known_id = lru_cache(maxsize=1 << 12)(_id)
"""Traces and parents repeat from span to span."""


def _integer(value: float | str) -> int:
    """Return a 64-bit integer, exact above 2**53 where it was written as text or as an integer."""
    try:
        number = int(value)
    except OverflowError:  # 1e999
        raise Malformed(f"{value} is not an integer") from None
    if type(value) is float and number != value:
        raise Malformed(f"{value} is not an integer")
    return number


def _value(value: AnyValue, depth: int) -> Any:
    """Return any attribute value as plain Python; the empty value is None."""
    if value.string_value is not None:
        return value.string_value
    if value.int_value is not None:
        number = _integer(value.int_value)
        if not -(2**63) <= number < 2**63:
            raise Malformed(f"intValue {number} does not fit in 64 bits")
        return number
    if value.double_value is not None:
        return float(value.double_value)  # "NaN", "Infinity" and "-Infinity" are text in JSON
    if value.bool_value is not None:
        return value.bool_value
    if value.bytes_value is not None:
        text = value.bytes_value.replace("-", "+").replace("_", "/")
        return b64decode(text + "=" * (-len(text) % 4), validate=True)
    if value.array_value is None and value.kvlist_value is None:
        return None
    if depth >= DEEPEST:
        raise Malformed(TOO_DEEP)
    if value.array_value is not None:
        return [_value(item, depth + 1) for item in value.array_value.values]
    return attributes(value.kvlist_value.values if value.kvlist_value else [], depth + 1)
