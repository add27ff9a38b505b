"""The same spans, written as OTLP/JSON and as protobuf, read to the same columns."""

from __future__ import annotations

import json
import math
import tempfile
from base64 import b64encode
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from sort_drift.ingest import otlp_protobuf
from tests.examples import examples
from tests.ingest_exports import line, message, read, request, spans_of

NS = st.integers(0, 2**64 - 1)
SCALARS = (
    st.text(max_size=12)
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | st.binary(max_size=6)
    | st.none()
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
ATTRIBUTES = st.dictionaries(st.text(max_size=10), VALUES, max_size=5)
SPANS = st.fixed_dictionaries(
    {
        "trace": st.binary(min_size=16, max_size=16).filter(any),
        "span": st.binary(min_size=8, max_size=8).filter(any),
        "parent": st.just(b"") | st.binary(min_size=8, max_size=8),
        "name": st.text(max_size=12),
        "kind": st.integers(-1, 9),
        "start": NS,
        "end": NS,
        "code": st.integers(0, 5),
        "attributes": ATTRIBUTES,
        "event": st.tuples(st.text(max_size=4), NS, ATTRIBUTES),
    }
)


def as_json(value: Any) -> dict[str, Any]:
    """Return an attribute value as OTLP/JSON writes it."""
    if value is None:
        return {}
    if isinstance(value, str):
        return {"stringValue": value}
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value if math.isfinite(value) else str(value).replace("inf", "Infinity")}
    if isinstance(value, bytes):
        return {"bytesValue": b64encode(value).decode()}
    if isinstance(value, list):
        return {"arrayValue": {"values": [as_json(item) for item in value]}}
    return {"kvlistValue": {"values": pairs(value)}}


def pairs(attributes: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"key": key, "value": as_json(value)} for key, value in attributes.items()]


def as_proto(value: Any) -> AnyValue:
    """Return an attribute value as protobuf."""
    if value is None:
        return AnyValue()
    if isinstance(value, str):
        return AnyValue(string_value=value)
    if isinstance(value, bool):
        return AnyValue(bool_value=value)
    if isinstance(value, int):
        return AnyValue(int_value=value)
    if isinstance(value, float):
        return AnyValue(double_value=value)
    if isinstance(value, bytes):
        return AnyValue(bytes_value=value)
    if isinstance(value, list):
        return AnyValue(array_value=ArrayValue(values=[as_proto(item) for item in value]))
    return AnyValue(kvlist_value=KeyValueList(values=proto_pairs(value)))


def proto_pairs(attributes: dict[str, Any]) -> list[KeyValue]:
    return [KeyValue(key=key, value=as_proto(value)) for key, value in attributes.items()]


def json_span(one: dict[str, Any]) -> dict[str, Any]:
    """Return a drawn span as OTLP/JSON."""
    name, time, attributes = one["event"]
    return {
        "traceId": one["trace"].hex(),
        "spanId": one["span"].hex(),
        "parentSpanId": one["parent"].hex(),
        "name": one["name"],
        "kind": one["kind"],
        "startTimeUnixNano": str(one["start"]),
        "endTimeUnixNano": str(one["end"]),
        "status": {"code": one["code"]},
        "attributes": pairs(one["attributes"]),
        "events": [{"name": name, "timeUnixNano": str(time), "attributes": pairs(attributes)}],
    }


def proto_span(one: dict[str, Any]) -> bytes:
    """Return a drawn span as protobuf."""
    name, time, attributes = one["event"]
    out = Span(
        trace_id=one["trace"],
        span_id=one["span"],
        parent_span_id=one["parent"],
        name=one["name"],
        start_time_unix_nano=one["start"],
        end_time_unix_nano=one["end"],
        status=Status(code=one["code"]),
        attributes=proto_pairs(one["attributes"]),
    )
    out.kind = one["kind"]
    event = out.events.add(name=name, time_unix_nano=time)
    event.attributes.extend(proto_pairs(attributes))
    return out.SerializeToString()


@examples(300)
@given(st.lists(SPANS, min_size=1, max_size=4), st.sampled_from([None, 1]))
def test_both_encodings_read_alike(spans, indent):
    """JSON and protobuf of the same spans differ in nothing that is read."""
    text = request(*(json_span(one) for one in spans), scope={"name": ""})
    with tempfile.TemporaryDirectory() as folder:
        as_text = Path(folder, "a")
        as_text.write_bytes(json.dumps(text, indent=indent).encode() if indent else line(text))
        as_bytes = Path(folder, "b")
        as_bytes.write_bytes(message(*(proto_span(one) for one in spans)))
        assert spans_of(read(as_text)[0]) == spans_of(read(as_bytes)[0])


@examples(1_000)
@given(
    st.tuples(st.text(max_size=10) | st.text(min_size=125, max_size=130), SCALARS | st.text(min_size=120)),
    st.lists(st.tuples(st.integers(0, 200), st.integers(0, 255)), max_size=2),
    st.integers(0, 2),
)
def test_attributes_read_byte_by_byte_are_what_protobuf_reads(pair, changes, cut):
    """The short way through an attribute either gives what protobuf gives, or leaves it to protobuf."""
    whole = bytearray(proto_pairs(dict([pair]))[0].SerializeToString())
    for at, byte in changes:
        whole[at % len(whole)] = byte
    attribute = bytes(whole[: len(whole) - cut])
    short = otlp_protobuf._plain(attribute)
    assert short is None or repr(short) == repr(otlp_protobuf._pair(attribute))


def test_the_short_way_is_taken():
    """Text, small numbers and doubles of usual attributes do not need protobuf."""
    said = {"gen_ai.response.id": "chatcmpl-1" * 20, "gen_ai.usage.input_tokens": 4711, "load": 0.5}
    for pair in proto_pairs(said):
        assert otlp_protobuf._plain(pair.SerializeToString()) == (pair.key, said[pair.key])
