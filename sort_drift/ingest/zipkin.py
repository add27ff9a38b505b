"""Zipkin v2 JSON: a list of spans, or lists a line, with microseconds and tags that are all text.

https://zipkin.io/zipkin-api/ and OpenTelemetry's mapping to it. Numbers are read from their digits, and lists
from their JSON, by the readers of each column (dialects/readers.py). Attributes of the process stand among
the tags; an annotation holds the event's name alone, or with its attributes in one of three spellings.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct

from sort_drift.ingest import clock, flat, identity, jsontext, spantable
from sort_drift.ingest.batches import Block, Event, Row, moments
from sort_drift.ingest.files import Export
from sort_drift.ingest.jsontext import Malformed
from sort_drift.ingest.records import opened, records

LOST: Mapping[str, str] = {}

_TRACE = re.compile(rb'"traceId"\s*:')
_OWN = re.compile(rb'"(?:localEndpoint|annotations|duration|parentId|binaryAnnotations|timestamp|id)"\s*:')
_LINK = "otlp.link."
_COLLECTOR = re.compile(r"(?P<name>[^|{]*)\|(?P<fields>\{.*\})\|\d+", re.DOTALL)
"""``name|{...}|0`` of the Collector, ``"name": {...}`` of Java and Go; Python's is ``{"name": {...}}``."""


class Endpoint(Struct, rename={"service": "serviceName"}):
    """Who recorded the span."""

    service: str | None = None


class Annotation(Struct):
    """Something that happened during a span."""

    value: str
    timestamp: int = 0


class Span(Struct, rename={"trace": "traceId", "parent": "parentId", "endpoint": "localEndpoint"}):
    """One operation; times in microseconds."""

    trace: str = ""
    id: str = ""
    parent: str | None = None
    name: str | None = None
    kind: str | None = None
    timestamp: int = 0
    duration: int | None = None
    endpoint: Endpoint | None = None
    tags: dict[str, str] | None = None
    annotations: list[Annotation] | None = None
    shared: bool | None = None


def recognises(head: bytes) -> bool:
    """Return whether ``head`` begins spans of Zipkin.

    >>> recognises(b'[{"traceId": "ab", "id": "cd", "timestamp": 1'), recognises(b'{"resourceSpans": [')
    (True, False)
    """
    start = head.lstrip()[:1]
    return (
        start in {b"[", b"{"} and bool(_TRACE.search(head) and _OWN.search(head)) and b'"spanId"' not in head
    )


def read(export: Export) -> Iterator[Block]:
    """Yield blocks of spans; one that cannot be used is reported by line or JSON path."""
    return spantable.blocks(_rows(export))


def _rows(export: Export) -> Iterator[tuple[dict[str, Any], tuple[str, str], Row]]:
    for record, reject in records(export):
        if isinstance(record, dict) and "binaryAnnotations" in record:
            reject("", "this is Zipkin v1; ask for /api/v2")
            continue
        span = jsontext.fitted(record, Span, "", reject)
        if span is None:
            continue
        try:
            yield _row(span)
        except Malformed as error:
            reject("", str(error))


def _row(span: Span) -> tuple[dict[str, Any], tuple[str, str], Row]:
    tags: dict[str, Any] = dict(span.tags or {})
    links = [link for name in sorted(tags) if name.startswith(_LINK) and (link := _link(tags.pop(name)))]
    attributes = flat.rest(tags)
    resource = {name: attributes.pop(name) for name in list(attributes) if name.startswith(flat.RESOURCE)}
    if span.endpoint and span.endpoint.service:
        resource.setdefault("service.name", span.endpoint.service)
    own = identity.hexadecimal(span.id, identity.SPAN, "id")
    parent = identity.above(span.parent, identity.SPAN, "parentId")
    if span.shared:  # B3: a server's half under the id of the client's
        own, parent = f"{own}/server", own
    start = clock.span(span.timestamp, "us")
    times = moments(start, 0 if span.duration is None else start + clock.span(span.duration, "us"))
    kind = (span.kind or str(tags.get("span.kind", ""))).lower()
    row = (
        identity.hexadecimal(span.trace, identity.TRACE, "traceId"),
        own,
        parent,
        span.name or "",
        flat.KINDS.get(kind, 0),
        *times,
        *flat.status(tags),
        attributes,
        [_event(annotation) for annotation in span.annotations or ()],
        links,
    )
    return resource, flat.scope(tags), row


def _event(annotation: Annotation) -> Event:
    """Return the event of an annotation.

    >>> [_event(Annotation(v))[::2] for v in ('{"e": {"a": "1"}}', 'e|{"a":"1"}|0', '"e": {"a": "1"}', "e")]
    [('e', {'a': '1'}), ('e', {'a': '1'}), ('e', {'a': '1'}), ('e', {})]
    """
    text, time = annotation.value, clock.span(annotation.timestamp, "us") or None
    whole = opened(text)
    if isinstance(whole, dict) and len(whole) == 1 and isinstance(inner := next(iter(whole.values())), dict):
        return next(iter(whole)), time, inner
    match = _COLLECTOR.fullmatch(text)
    for name, written in (match.groups() if match else ("", ""), _of_sdk(text)):
        if written and isinstance(fields := opened(written), dict):
            return flat.event(name, time, fields)
    return flat.event(text, time, {})


def _of_sdk(text: str) -> tuple[str, str]:
    """Return name and attributes of ``"name": {...}``, as OpenTelemetry's SDKs write it; "" where it is not.

    >>> _of_sdk('"a: b" : {"c": "{}"}'), _of_sdk('e: {"a": 1}'), _of_sdk("e: 1")
    (('a: b', '{"c": "{}"}'), ('e', '{"a": 1}'), ('', ''))
    """
    name, brace, _ = text.partition("{")
    head, colon, rest = name.rpartition(":")
    name = head.rstrip().removeprefix('"').removesuffix('"')
    if not (brace and colon and text.endswith("}")) or rest.strip() or '"' in name:
        return "", ""
    return name, text[text.index("{") :]


def _link(text: str) -> tuple[str, str] | None:
    """Return the link that the Collector writes as a tag: ``trace|span|state|attributes|dropped``."""
    trace, _, tail = text.partition("|")
    span = tail.partition("|")[0]
    return (trace.lower(), span.lower()) if trace and span else None
