"""The load: OTLP requests of 512 spans, made once and sent many times, each time as other runs.

The spans are those of benchmarks.ingest (30 a run, about 15 attributes, tool arguments of about 300 bytes).
A request is serialised once; what tells runs apart (ids, times) is then written over in place, with numpy:
building 512 spans in Python takes longer than any receiver here needs to take them.
"""

from __future__ import annotations

import base64
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any, Literal, TypeVar

import msgspec
import numpy as np
from google.protobuf.json_format import MessageToDict
from google.protobuf.proto import parse_length_prefixed
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from benchmarks.ingest import SPANS_A_RUN, write_protobuf

Encoding = Literal["protobuf", "json"]
CONTENT_TYPES: dict[Encoding, str] = {"protobuf": "application/x-protobuf", "json": "application/json"}
HEX = np.frombuffer("".join(f"{byte:02x}" for byte in range(256)).encode(), dtype=np.uint8).reshape(256, 2)
DIGITS = 10 ** np.arange(18, -1, -1, dtype=np.int64)  # of a time in nanoseconds, from 2001 to 2286

_V = TypeVar("_V")
Bytes = np.ndarray[Any, np.dtype[np.uint8]]


def messages(count: int, seed: int, agents: int = 1) -> list[ExportTraceServiceRequest]:
    """Return ``count`` spans in requests of 512: runs of ``agents`` agents, a trace each, the root last."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "load.pb"
        write_protobuf(path, count, seed)
        file = BytesIO(path.read_bytes())
    found = list(iter(partial(parse_length_prefixed, ExportTraceServiceRequest, file), None))
    for message in found:
        for span in spans(message):
            _mark(span, agents)
    return found


def spans(message: ExportTraceServiceRequest) -> list[Any]:
    """Return the spans of a request."""
    return [s for r in message.resource_spans for scope in r.scope_spans for s in scope.spans]


def _mark(span: Any, agents: int) -> None:
    """Let the trace alone say which run it is, for its id is what changes; the task says the agent."""
    attributes = {pair.key: pair for pair in span.attributes}
    task = int(attributes["sort_drift.task.id"].value.string_value.rpartition("-")[2])
    attributes["gen_ai.conversation.id"].value.string_value = span.trace_id.hex()
    attributes["gen_ai.agent.name"].value.string_value = f"agent-{task % agents}"
    span.attributes.remove(attributes["sort_drift.run.id"])


def as_json(message: ExportTraceServiceRequest) -> bytes:
    """Return a request as OTLP/JSON: ids in hex, where protobuf's own JSON has base64."""
    out = MessageToDict(message, use_integers_for_enums=True)
    for of_resource in out["resourceSpans"]:
        for of_scope in of_resource["scopeSpans"]:
            for span in of_scope["spans"]:
                for name in ("traceId", "spanId", "parentSpanId"):
                    if name in span:
                        span[name] = base64.b64decode(span[name]).hex()
    return msgspec.json.encode(out)


@dataclass(frozen=True, slots=True)
class Field:
    """Where values of one kind lie in a body: ``values`` at ``places``, one row each."""

    places: np.ndarray[Any, np.dtype[np.intp]]
    values: np.ndarray[Any, Any]  # ids: uint8, (n, 8 or 16); times: int64, (n,)
    hexed: bool = False


@dataclass(frozen=True, slots=True)
class Template:
    """A serialised request and where its ids and times are."""

    body: bytes
    encoding: Encoding
    span_ids: np.ndarray[Any, np.dtype[np.uint64]]
    fields: tuple[Field, ...]

    def made(self, nonce: Nonce) -> bytes:
        """Return the body with other ids and times."""
        out = np.frombuffer(self.body, dtype=np.uint8).copy()
        for field in self.fields:
            new = nonce.written(field, self.encoding)
            out[field.places[:, None] + np.arange(new.shape[1])] = new
        return out.tobytes()

    def ids(self, nonce: Nonce) -> np.ndarray[Any, np.dtype[np.uint64]]:
        """Return the span ids of that body."""
        return self.span_ids ^ nonce.span


@dataclass(frozen=True, slots=True)
class Nonce:
    """What one sending of the load has of its own: all requests of it share it, or runs fall apart."""

    trace: bytes  # 16 bytes, xored into every trace id
    span: np.uint64  # xored into every span id (as a big-endian number)
    later_ns: int = 0  # added to every time

    def written(self, field: Field, encoding: Encoding) -> Bytes:
        """Return the new bytes of a field, one row a place."""
        if field.values.ndim == 1:
            times = field.values + self.later_ns
            if encoding == "json":
                digits: Bytes = (times[:, None] // DIGITS % 10 + 48).astype(np.uint8)
                return digits
            return times.astype("<i8").view(np.uint8).reshape(-1, 8)
        width = field.values.shape[1]
        key = self.trace if width == 16 else int(self.span).to_bytes(8, "big")
        new: Bytes = np.bitwise_xor(field.values, np.frombuffer(key, dtype=np.uint8))
        return HEX[new].reshape(len(new), -1) if field.hexed else new


def nonce(seed: int, number: int, later_ns: int = 0) -> Nonce:
    """Return the nonce of sending ``number``."""
    draw = np.random.default_rng([seed, number])
    return Nonce(draw.bytes(16), np.uint64(draw.integers(1, 2**63)), later_ns)


def template(message: ExportTraceServiceRequest, encoding: Encoding = "protobuf") -> Template:
    """Serialise a request and find its ids and times."""
    body = message.SerializeToString() if encoding == "protobuf" else as_json(message)
    every = spans(message)
    ids = {one for s in every for one in (s.trace_id, s.span_id, s.parent_span_id) if one}
    times = {int(t) for s in every for t in (s.start_time_unix_nano, s.end_time_unix_nano)}
    raw, hexed = _places(body, {one: one for one in ids}), _places(body, {i.hex().encode(): i for i in ids})
    if encoding == "json":
        clock = _places(body, {str(time).encode(): time for time in times})
    else:  # the eight bytes behind the tags of fields 7 and 8 (fixed64)
        tagged = {tag + time.to_bytes(8, "little"): time for time in times for tag in (b"\x39", b"\x41")}
        clock = [(at + 1, time) for at, time in _places(body, tagged)]
    fields = [Field(np.array([at for at, _ in clock]), np.array([time for _, time in clock]))]
    for width in (16, 8):
        fields += [_ids(raw, width, hexed=False), _ids(hexed, width, hexed=True)]
    own = np.array([int.from_bytes(s.span_id, "big") for s in every], dtype=np.uint64)
    return Template(body, encoding, own, tuple(field for field in fields if len(field.places)))


def _ids(found: Iterable[tuple[int, bytes]], width: int, *, hexed: bool) -> Field:
    chosen = [(at, one) for at, one in found if len(one) == width]
    values = np.frombuffer(b"".join(one for _, one in chosen), dtype=np.uint8)
    return Field(np.array([at for at, _ in chosen], dtype=np.intp), values.reshape(-1, width), hexed)


def _places(body: bytes, needles: Mapping[bytes, _V]) -> list[tuple[int, _V]]:
    """Return where needles of at least eight bytes lie, with what each stands for.

    One pass over all windows of eight bytes: a search a needle took 1.1 ms a span.
    """
    if not needles:
        return []
    windows = np.ndarray((len(body) - 7,), dtype="<u8", buffer=body, strides=(1,))
    ends = np.array(list({needle[-8:] for needle in needles})).view("<u8")
    maybe = np.zeros(1 << 16, dtype=bool)  # most windows end in other bytes, and isin sorts what it is given
    maybe[ends >> 48] = True
    likely = np.flatnonzero(maybe[windows >> 48])
    found = []
    for at in likely[np.isin(windows[likely], ends)].tolist():
        for length in {len(needle) for needle in needles}:
            start = at + 8 - length
            value = needles.get(body[start : at + 8]) if start >= 0 else None
            if value is not None:
                found.append((start, value))
    return found


def last_ns(found: Sequence[ExportTraceServiceRequest]) -> int:
    """Return the latest end in requests."""
    return max(int(s.end_time_unix_nano) for message in found for s in spans(message))


def whole(count: int, of: int = SPANS_A_RUN) -> int:
    """Return ``count`` spans rounded up to whole runs, or to whole blocks ``of`` so many spans.

    >>> whole(100), whole(100, of=10_020)
    (120, 10020)
    """
    return -(-count // of) * of
