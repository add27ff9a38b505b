"""The body of a traces or logs request -> blocks of spans and log records, and what of it cannot be used.

What is wrong with one span costs that span. What is wrong with the request (it does not parse, values nest
too deep, text is no UTF-8), or with the way an exporter writes all of its spans, costs the request:
``Refused``.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import msgspec
from google.protobuf.message import DecodeError
from msgspec import UNSET, Struct, UnsetType
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from sort_drift.ingest import jsontext, otlp_json, otlp_protobuf
from sort_drift.ingest.batches import Block
from sort_drift.ingest.otlp_wire import REQUEST
from sort_drift.live.receive import mistakes, sane, wire
from sort_drift.live.receive.terms import Decoded, Encoding, Refused, Signal
from sort_drift.live.settings import Limits
from sort_drift.model import LOG

_RECORD = re.compile(r"^(?:span|log record) |\.(?:spans|logRecords|log_records)\[\d+\]")
"""In the path of what is wrong with one record."""

_COSTLY = (otlp_json.TOO_DEEP, otlp_json.FORM)
_FOREIGN = ((b"\x1f\x8b", "it is gzip; say so: Content-Encoding: gzip"), (b"{", "it is JSON"))
_UNPARSED = "it is cut, or has text that is not UTF-8, or values nested too deep"
_ESCAPED = re.compile(r"[\ud800-\udfff]")


def decode(
    body: bytes, signal: Signal, encoding: Encoding, limits: Limits, *, now_ns: int | None = None
) -> Decoded:
    """Read a request; raises ``Refused`` (400, 413) where nothing of it can be used.

    Everything that is wrong with the bytes of a client ends so: there is no other exception to expect.
    """
    now = time.time_ns() if now_ns is None else now_ns
    read = _protobuf if encoding == "protobuf" else _json
    return read(body, _Reading(signal, limits, now, turned=sane.marked(body, encoding)))


@dataclass(slots=True)
class _Reading:
    """One request as it is read; called with the path and the reason of each record that cannot be used."""

    signal: Signal
    limits: Limits
    now_ns: int
    turned: bool  # it may hold marks that turn text around
    rejected: int = 0
    why: str = ""  # of the first
    known: int | None = None  # records that it holds

    def __call__(self, path: str, why: str) -> None:
        """Count one record that cannot be used; ``Refused`` where it is more than one record."""
        if why.endswith(_COSTLY) or not _RECORD.search(path):
            raise Refused(400, f"{path}: {why}", field=path)
        self.rejected += 1
        self.why = self.why or f"{path}: {why}"

    def taken(self, blocks: Iterable[Block]) -> Decoded:
        """Return what is left of the blocks of this request."""
        kept, spans = list[Block](), 0
        for block in blocks:
            resource, scope, rows = sane.straight(block) if self.turned else block
            if rows and (rows[0][4] == LOG) != (self.signal == "logs"):
                continue  # a JSON request may have both; one of them is an unknown field of this signal
            if self.limits.depth < otlp_json.DEEPEST and sane.deepest(rows, self.limits.depth):
                raise Refused(400, f"attribute values nested deeper than {self.limits.depth}")
            rows = sane.timed(rows, self.now_ns, self)
            if rows:
                kept.append((resource, scope, rows))
                spans += len(rows)
        if spans + self.rejected > self.limits.spans:
            raise wire.too_much(f"{self.limits.spans:,} spans or log records")
        unused = max(0, (self.known or 0) - spans - self.rejected) if self.signal == "logs" else 0
        return Decoded(self.signal, tuple(kept), spans, self.rejected, self.why, unused=unused)


# ---------------------------------------------------------------------------------------------------------
# protobuf


def _protobuf(body: bytes, reading: _Reading) -> Decoded:
    for first, what in _FOREIGN:
        if body.startswith(first):
            raise wire.broken(what)
    reading.known = wire.prescan(body, reading.limits)
    try:
        if reading.signal == "logs":
            blocks = otlp_protobuf.log_blocks(ExportLogsServiceRequest.FromString(body), reading)
        else:
            blocks = otlp_protobuf.span_blocks(_request(body, reading.limits), reading)
        decoded = reading.taken(blocks)
    except (DecodeError, ValueError) as error:
        _check_signal(body, reading.signal)
        raise wire.broken(_UNPARSED if isinstance(error, DecodeError) else str(error)) from None
    if decoded.rejected or (decoded.unused and not decoded.spans):
        _check_signal(body, reading.signal)
    if decoded.rejected and reading.signal == "traces":
        _check_whole(body, decoded.why)
    return decoded


def _request(body: bytes, limits: Limits) -> Any:
    """Parse a traces request; what its spans have is not opened yet, and counted where it may be too much."""
    request = REQUEST.FromString(body)
    if len(body) > wire.LIGHT:
        spans = (s for of in request.resource_spans for scoped in of.scope_spans for s in scoped.spans)
        if sum(len(s.attributes) + len(s.events) + len(s.links) for s in spans) > wire.INSIDE * limits.spans:
            raise wire.too_much(f"{wire.INSIDE * limits.spans:,} attributes, events and links")
    return request


def _check_signal(body: bytes, signal: Signal) -> None:
    sent = mistakes.told(body)
    if sent not in {None, signal}:
        raise mistakes.mistaken(sent or signal, signal)


def _check_whole(body: bytes, why: str) -> None:
    """Refuse a request that other receivers cannot parse: a span that was rejected may be no protobuf at all.

    Attributes, events and status are opened span by span, so that what is wrong inside them shows late.
    """
    try:
        ExportTraceServiceRequest.FromString(body)
    except DecodeError:
        path = why.partition(": ")[0]
        raise Refused(
            400,
            f"not an OTLP protobuf request: {why}: {_UNPARSED}",
            field=path,
        ) from None


# ---------------------------------------------------------------------------------------------------------
# JSON


class _Anything(Struct, gc=False):
    """Any object, unread."""


class _Scoped(Struct, rename="camel", gc=False):
    spans: list[_Anything] = []
    log_records: list[_Anything] = []


class _Resources(Struct, rename="camel", gc=False):
    scope_spans: list[_Scoped] = []
    scope_logs: list[_Scoped] = []


class _Request(Struct, rename="camel", gc=False):
    """What there is, without what is in it: costs a tenth of reading it."""

    resource_spans: list[_Resources] | UnsetType = UNSET
    resource_logs: list[_Resources] | UnsetType = UNSET
    resource_metrics: msgspec.Raw | UnsetType = UNSET


_OUTLINE = msgspec.json.Decoder(_Request).decode
_TREE = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def _json(body: bytes, reading: _Reading) -> Decoded:
    text = body.removeprefix(b"\xef\xbb\xbf")
    if not text.strip(b" \t\r\n"):
        return reading.taken(())  # an empty request, in this encoding too
    wire.prescan_json(text, reading.limits)
    try:
        outline = _outlined(text, reading)
        if outline is not None and not outline:
            return _warned(text, reading)
        return reading.taken(otlp_json.blocks(text, reading))
    except (ValueError, RecursionError) as error:
        raise Refused(400, f"not an OTLP/JSON request: {jsontext.reason(error)}") from None


def _outlined(text: bytes, reading: _Reading) -> bool | None:
    """Return whether a request is of the right signal; None where that is not plain to see.

    Raises ``Refused`` where it is of another, or holds too many spans.
    """
    try:
        outline = _OUTLINE(text)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None  # otlp_json reads more than that, and says what is wrong with the rest
    found = {
        "traces": outline.resource_spans,
        "logs": outline.resource_logs,
        "metrics": outline.resource_metrics,
    }
    if found[reading.signal] is UNSET:
        for signal in mistakes.KEYS:
            if found[signal] is not UNSET:
                raise mistakes.mistaken(signal, reading.signal)
        return False
    reading.known = sum(_records(outline, reading.signal))
    if reading.known > reading.limits.spans:
        raise wire.too_much(f"{reading.limits.spans:,} spans or log records")
    return True


def _records(outline: _Request, signal: Signal) -> Iterator[int]:
    if signal == "logs":
        yield from (len(s.log_records) for of in outline.resource_logs or () for s in of.scope_logs)
    else:
        yield from (len(s.spans) for of in outline.resource_spans or () for s in of.scope_spans)


def _warned(text: bytes, reading: _Reading) -> Decoded:
    """Return a request of unknown fields only, which is an empty one by the specification; with a word."""
    key = mistakes.KEYS[reading.signal]
    fields = [_ESCAPED.sub("\ufffd", name) for name in _TREE(text)]
    said = ""
    if fields:
        said = f"there is no {key} in this request: {fields[0][:40]!r} is an unknown field and was ignored"
        if "_" in fields[0]:
            said += "; OTLP/JSON keys are lowerCamelCase"
    return Decoded(reading.signal, (), 0, 0, "", warning=said)
