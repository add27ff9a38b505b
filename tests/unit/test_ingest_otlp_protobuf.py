"""OTLP protobuf: three framings, the same spans as OTLP/JSON, and one line for what is damaged."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from sort_drift import ingest
from sort_drift.errors import BadRecord
from sort_drift.model import LOG
from tests.ingest_exports import field, message, read, spans_of, varint, written
from tests.shared_data import shared

TRACE, SPAN = b"\x0a" * 16, b"\1" * 8


def framed(*messages: bytes) -> bytes:
    """Put each message behind its length as a varint."""
    return b"".join(varint(len(m)) + m for m in messages)


def collector_framed(*messages: bytes) -> bytes:
    """Put each message behind its length as the Collector's file exporter writes it."""
    return b"".join(struct.pack(">I", len(m)) + m for m in messages)


def whole(**fields: Any) -> bytes:
    """Return one serialised span with valid ids; ``fields`` replace its own."""
    return Span(**{"trace_id": TRACE, "span_id": SPAN, "name": "chat", **fields}).SerializeToString()


@pytest.mark.parametrize("recording", ["langgraph-genai", "openai-plain-genai-http", "pydantic-ai-native"])
def test_recordings_give_the_same_spans_as_their_json_twins(recording):
    """Both encodings of a recording decode to the same spans, attribute by attribute."""
    binary, _ = read(shared("recordings", f"{recording}.pb"))
    text, _ = read(shared("recordings", f"{recording}.otlp.jsonl"))
    assert spans_of(binary) == spans_of(text)
    assert len(binary) > 200


@pytest.mark.parametrize(
    "content",
    [
        message(size=3),
        framed(message(size=3)),
        framed(message(size=2), b"", message(size=1)),
        collector_framed(message(size=2), message(size=1)),
        framed(*[message(size=1)] * 3),
    ],
)
def test_every_framing_is_recognised(tmp_path, content):
    """One request a file, varint lengths, and the Collector's four bytes all give the spans."""
    path = written(tmp_path, content)
    assert ingest.recognise(path) == "otlp-protobuf"
    assert len(read(path)[0]) == 3


@pytest.mark.parametrize("size", [*range(1, 300, 7), 16_000, 20_000, 3_000_000])
@pytest.mark.parametrize("resource", [b"", field(1, field(1, field(1, b"k")))])
def test_framing_is_told_apart_at_every_length(tmp_path, size, resource):
    """No length of the first message, or resource in it, makes a framed file look like a bare one."""
    row = Span(trace_id=TRACE, span_id=b"\1" * 8, name="n" * size).SerializeToString()
    one = field(1, resource + field(2, field(2, row)))
    for content in (one, framed(one, one), collector_framed(one, one)):
        path = written(tmp_path, content)
        assert ingest.recognise(path) == "otlp-protobuf"
        assert len(read(path)[0]) == (1 if content is one else 2)


@pytest.mark.fault(15)
@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"trace_id": b""}, "trace_id has 0 bytes instead of 16"),
        ({"trace_id": b"\1" * 8}, "trace_id has 8 bytes"),
        ({"trace_id": b"\0" * 16}, "trace_id is all zeros"),
        ({"span_id": b"\1" * 7}, "span_id has 7 bytes"),
        ({"span_id": b"\0" * 8}, "span_id is all zeros"),
        ({"parent_span_id": b"\1" * 3}, "parent_span_id has 3 bytes"),
    ],
)
def test_a_bad_span_costs_only_itself(tmp_path, fields, says):
    """A span with a bad id is named; with skip_bad the others of its request survive."""
    path = written(tmp_path, framed(message(whole(), whole(**fields), whole())))
    with pytest.raises(BadRecord, match=says) as caught:
        read(path)
    assert ":message 1)" in caught.value.line()
    raw, skipped = read(path, skip_bad=True)
    assert (len(raw), len(skipped)) == (2, 1)


@pytest.mark.fault(21)
def test_wrong_utf8_costs_one_span(tmp_path):
    """Bytes that are no UTF-8, in a name or an attribute, reject that span only."""
    name = whole().replace(b"chat", b"ch\xff\xfe")
    value = Span(trace_id=TRACE, span_id=b"\1" * 8)
    value.attributes.add(key="key").value.string_value = "valu"
    attribute = value.SerializeToString().replace(b"valu", b"\xff\xff\xff\xff")
    raw, skipped = read(written(tmp_path, message(name, whole(), attribute)), skip_bad=True)
    assert (len(raw), len(skipped)) == (1, 2)


@pytest.mark.fault(22)
@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [(0, 5, (None, 5)), (7, 5, (7, None)), (5, 2**63, (5, None)), (5, 7, (5, 7))],
)
def test_no_duration_is_negative(tmp_path, start, end, expected):
    """Times of 0, out of range, or in the wrong order are missing."""
    raw, _ = read(written(tmp_path, message(whole(start_time_unix_nano=start, end_time_unix_nano=end))))
    assert (raw.start_ns[0], raw.end_ns[0]) == expected


@pytest.mark.fault(23)
def test_enums_out_of_range_are_unspecified(tmp_path):
    """Kinds and status codes of a later version are 0."""
    raw, _ = read(written(tmp_path, message(whole(kind=77, status={"code": 9, "message": "m"}))))
    assert (raw.kind, raw.status, raw.status_message) == ([0], [0], ["m"])


@pytest.mark.fault(18, 19)
def test_every_kind_of_value_reads_back(tmp_path):
    """Values, events and links become plain Python; NUL becomes U+FFFD; of equal keys the last wins."""
    row = Span(trace_id=TRACE, span_id=b"\1" * 8, name="a\0b")
    for key, value in {
        "empty": AnyValue(),
        "text": AnyValue(string_value="x\0"),
        "int": AnyValue(int_value=-(2**63)),
        "float": AnyValue(double_value=0.5),
        "no": AnyValue(bool_value=False),
        "bytes": AnyValue(bytes_value=b"\0\xff"),
        "list": AnyValue(
            array_value=ArrayValue(values=[AnyValue(string_value="a"), AnyValue(), AnyValue(int_value=1)])
        ),
        "map": AnyValue(
            kvlist_value=KeyValueList(values=[KeyValue(key="k", value=AnyValue(bool_value=True))])
        ),
        "long": AnyValue(string_value="y" * 500),
    }.items():
        row.attributes.add(key=key).value.CopyFrom(value)
    row.attributes.add(key="no").value.bool_value = True
    row.events.add(time_unix_nano=3, name="e").attributes.add(key="k").value.int_value = 1
    row.links.add(trace_id=TRACE, span_id=b"\2" * 8)
    raw, _ = read(written(tmp_path, message(row.SerializeToString())))
    assert raw.name == ["a\ufffdb"]
    assert raw.attributes == [
        {
            "empty": None,
            "text": "x\ufffd",
            "int": -(2**63),
            "float": 0.5,
            "no": True,
            "bytes": b"\0\xff",
            "list": ["a", None, 1],
            "map": {"k": True},
            "long": "y" * 500,
        }
    ]
    assert raw.events == [[("e", 3, {"k": 1})]]
    assert raw.links == [[(TRACE.hex(), "02" * 8)]]


@pytest.mark.fault(20)
def test_values_nest_to_a_limit(tmp_path):
    """Values nested beyond what protobuf parses reject the span."""
    value = AnyValue(int_value=1).SerializeToString()
    for _ in range(60):
        value = field(5, field(1, value))
    row = whole() + field(9, field(1, b"key") + field(2, value))
    raw, skipped = read(written(tmp_path, message(whole(), row)), skip_bad=True)
    assert (len(raw), len(skipped)) == (1, 1)


def test_a_cut_file_names_the_message(tmp_path):
    """A file that ends inside a message keeps the whole ones before it."""
    path = written(tmp_path, framed(message(size=2), message(size=2))[:-5])
    with pytest.raises(BadRecord, match="message 2"):
        read(path)
    raw, skipped = read(path, skip_bad=True)
    assert (len(raw), len(skipped)) == (2, 1)


def test_a_damaged_message_costs_only_itself(tmp_path):
    """A message that does not parse is skipped by its length."""
    path = written(tmp_path, framed(message(size=2), b"\x0a\x7f" + b"x" * 20, message(size=1)))
    raw, skipped = read(path, skip_bad=True)
    assert (len(raw), len(skipped)) == (3, 1)


def test_a_cut_bare_request_is_one_error(tmp_path):
    """A truncated request without framing is one line."""
    with pytest.raises(BadRecord, match="message 1"):
        read(written(tmp_path, message(size=9)[:-3]))


def test_log_records_belong_to_spans(tmp_path):
    """Named records of spans become rows with their ids; records without a span or a name are left out."""
    logs = ExportLogsServiceRequest()
    records = logs.resource_logs.add().scope_logs.add().log_records
    for span_id, name in ((SPAN, "gen_ai.user.message"), (b"", "no span"), (SPAN, "")):
        record = records.add(time_unix_nano=1, trace_id=TRACE, span_id=span_id, event_name=name)
        record.body.string_value = "hello"
    raw, _ = read(written(tmp_path, logs.SerializeToString()))
    assert (raw.trace_id, raw.span_id, raw.kind) == ([TRACE.hex()], [SPAN.hex()], [LOG])
    assert raw.events == [[("gen_ai.user.message", 1, {"content": "hello"})]]


def test_metrics_are_named(tmp_path):
    """A metrics request given as traces says so."""
    metrics = ExportMetricsServiceRequest()
    metrics.resource_metrics.add().scope_metrics.add().metrics.add(name="requests")
    with pytest.raises(BadRecord, match="logs or metrics"):
        read(written(tmp_path, metrics.SerializeToString()))
