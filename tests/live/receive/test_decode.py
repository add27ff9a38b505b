"""Bodies of requests -> spans: what is read, what costs one span, what costs the request."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList

from sort_drift.ingest.batches import Row
from sort_drift.live.receive.request import decode
from sort_drift.live.receive.terms import Decoded, Encoding, Refused, Signal
from sort_drift.live.settings import Limits
from tests import ingest_exports as exports
from tests.ingest_exports import SPAN, TRACE, attribute, field
from tests.live.receive.serving import NOW, request, span

LIMITS = Limits()
ENCODINGS: tuple[Encoding, ...] = ("protobuf", "json")
YEAR = 366 * 86_400 * 10**9


def read(
    body: Any, encoding: Encoding = "json", signal: Signal = "traces", limits: Limits = LIMITS
) -> Decoded:
    """Decode one request as of NOW."""
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    return decode(text, signal, encoding, limits, now_ns=NOW)


def rows(decoded: Decoded) -> list[Row]:
    """Return the spans of a request."""
    return [row for _, _, rows in decoded.blocks for row in rows]


def refused(body: Any, encoding: Encoding = "json", **options: Any) -> Refused:
    """Return the refusal that a request ends with."""
    with pytest.raises(Refused) as caught:
        read(body, encoding, **options)
    return caught.value


def logs(*changes: dict[str, Any]) -> bytes:
    """Return a protobuf logs request of named records of a span; ``changes`` replace their fields."""
    out = ExportLogsServiceRequest()
    records = out.resource_logs.add().scope_logs.add().log_records
    for change in changes or ({},):
        own = {
            "time_unix_nano": NOW,
            "trace_id": b"\1" * 16,
            "span_id": b"\2" * 8,
            "event_name": "gen_ai.user.message",
            "body": AnyValue(string_value="hello"),
        }
        records.add(**{**own, **change})
    return out.SerializeToString()


def metrics() -> bytes:
    """Return a protobuf metrics request."""
    out = ExportMetricsServiceRequest()
    metric = out.resource_metrics.add().scope_metrics.add().metrics.add(name="vllm:num_requests_running")
    metric.gauge.data_points.add(time_unix_nano=NOW, as_double=3)
    return out.SerializeToString()


@pytest.mark.fault(7)
@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("body", [b"", {"resourceSpans": []}, {"resourceSpans": [{"scopeSpans": [{}]}]}, {}])
def test_empty_requests_are_no_mistake(encoding, body):
    """No body, no resources, empty scopes: read, and nothing to say about it."""
    if encoding == "protobuf":
        body = b"" if body == b"" else field(1, field(2, b""))
    decoded = read(body, encoding)
    assert (decoded.blocks, decoded.spans, decoded.rejected, decoded.warning) == ((), 0, 0, "")


@pytest.mark.fault(8)
@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize(
    "body",
    [
        b"\xff" * 100,
        b"\x00",
        b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
        b"\x0b\x0c",
        b'{"resourceSpans": [',
        b"[]",
        b"7",
        b'"text"',
        b"null",
    ],
)
def test_bytes_of_nothing_are_refused(encoding, body):
    """Random bytes, half a document, JSON of another kind: 400, with what is wrong."""
    error = refused(body, encoding)
    assert (error.status, error.retry_after_s) == (400, None)
    assert "not an OTLP" in error.message


@pytest.mark.fault(8)
def test_a_cut_request_is_refused_at_every_length():
    """A protobuf request that ends early is 400, or a shorter request that is whole."""
    body = request(span(1), span(2, name="n" * 200))
    for size in range(1, len(body)):
        assert refused(body[:size], "protobuf").status == 400


@pytest.mark.fault(10)
def test_unknown_fields_are_ignored():
    """Fields of a later version, on every level, in both encodings."""
    later = b"\x9a\x06\x05later" + b"\x98\x06\x07" + b"\x99\x06" + b"8" * 8 + b"\x9d\x06" + b"4" * 4  # 99
    row = span().SerializeToString() + later
    body = field(1, field(2, field(2, row) + later) + later) + later
    assert [row[3] for row in rows(read(body, "protobuf"))] == ["chat"]
    tree = exports.request(exports.span(later={"a": [1]}, flags=257))
    tree["later"] = tree["resourceSpans"][0]["later"] = "x"
    tree["resourceSpans"][0]["scopeSpans"][0]["later"] = None
    assert len(rows(read(tree))) == 1


@pytest.mark.fault(11)
def test_snake_case_keys_are_unknown_fields():
    """A request of unknown fields only is an empty one; the answer says so, as nobody wants that."""
    decoded = read({"resource_spans": [{"scope_spans": []}]})
    assert (decoded.spans, decoded.rejected) == (0, 0)
    assert "no resourceSpans" in decoded.warning
    assert "lowerCamelCase" in decoded.warning
    found = read(exports.request(exports.span(traceId=None, trace_id=TRACE), exports.span()))
    assert (found.spans, found.rejected) == (1, 1)
    assert "traceId is missing" in found.why


@pytest.mark.fault(12, 23)
@pytest.mark.parametrize(
    ("kind", "code", "read_as"),
    [
        ("SPAN_KIND_CLIENT", "STATUS_CODE_ERROR", (3, 2)),
        (3, 2, (3, 2)),
        (77, 99, (0, 0)),
        (-1, -1, (0, 0)),
        ("SPAN_KIND_NEXT", "", (0, 0)),
    ],
)
def test_enums_may_be_names_and_are_unspecified_where_unknown(kind, code, read_as):
    """Kinds and status codes as numbers, as names, and of a later version."""
    (row,) = rows(read(exports.request(exports.span(kind=kind, status={"code": code}))))
    assert (row[4], row[7]) == read_as
    if isinstance(kind, int):
        status = {"code": code}
        (row,) = rows(read(request(span(kind=kind, status=status)), "protobuf"))
        assert (row[4], row[7]) == read_as


@pytest.mark.fault(13)
def test_hex_ids_are_read_in_either_case_and_base64_is_named():
    """Upper-case ids are the lower-case ones; what protobuf's own JSON writer produces is rejected."""
    body = exports.request(
        exports.span(traceId=TRACE.upper(), spanId=SPAN.upper()),
        exports.span(),
        exports.span(traceId="Cvdlexkh1jPdhI6xHIAxnA=="),
    )
    decoded = read(body)
    assert {(row[0], row[1]) for row in rows(decoded)} == {(TRACE, SPAN)}
    assert (decoded.spans, decoded.rejected) == (2, 1)
    assert "looks like base64" in decoded.why


@pytest.mark.fault(14)
@pytest.mark.parametrize("value", ["9007199254740993", 9007199254740993, 2**63 - 1, str(-(2**63))])
def test_64_bit_integers_keep_every_digit(value):
    """Integers above 2^53 as text and as numbers."""
    (row,) = rows(read(exports.request(exports.span(attributes=[attribute("n", intValue=value)]))))
    assert row[9] == {"n": int(value)}


@pytest.mark.fault(14)
@pytest.mark.parametrize(
    "text", ["1e999", "Infinity", "NaN", "-1e400", '"1e5"', "1.5", '"' + "9" * 5_000 + '"']
)
@pytest.mark.parametrize("place", ["startTimeUnixNano", "intValue"])
def test_numbers_that_are_no_integers_cost_their_span(text, place):
    """Infinite, fractions, words, five thousand digits; the other span is stored."""
    value = attribute("n", intValue="@")
    one = exports.span(startTimeUnixNano="@") if place != "intValue" else exports.span(attributes=[value])
    body = json.dumps(exports.request(exports.span(), one)).replace('"@"', text).encode()
    decoded = read(body)
    assert (decoded.spans, decoded.rejected) == (1, 1)


@pytest.mark.fault(15)
@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"trace_id": b"\1" * 15}, "trace_id has 15 bytes"),
        ({"trace_id": b""}, "trace_id has 0 bytes"),
        ({"trace_id": b"\0" * 16}, "trace_id is all zeros"),
        ({"span_id": b"\1" * 9}, "span_id has 9 bytes"),
        ({"span_id": b"\0" * 8}, "span_id is all zeros"),
        ({"parent_span_id": b"\1"}, "parent_span_id has 1 bytes"),
    ],
)
def test_a_bad_id_costs_its_span(fields, says):
    """Ids of a wrong length or of zeros reject that span, with its path; the others are stored."""
    decoded = read(request(span(1), span(2, **fields), span(3)), "protobuf")
    assert [row[1] for row in rows(decoded)] == ["0000000000000001", "0000000000000003"]
    assert decoded.rejected == 1
    assert decoded.why.startswith("resource_spans[0].scope_spans[0].spans[1]: ")
    assert says in decoded.why


@pytest.mark.fault(15)
@pytest.mark.parametrize("change", [{"spanId": "xyz"}, {"traceId": "0" * 32}, {"parentSpanId": "12"}])
def test_a_bad_id_costs_its_span_in_json_too(change):
    """Ids that are no hex, zeros, too short."""
    decoded = read(exports.request(exports.span(), exports.span(**change), exports.span()))
    assert (decoded.spans, decoded.rejected) == (2, 1)
    assert decoded.why.startswith("resourceSpans[0].scopeSpans[0].spans[1]: ")


@pytest.mark.fault(16)
@pytest.mark.parametrize(
    ("sent", "signal", "body", "encoding"),
    [
        ("logs", "traces", logs(), "protobuf"),
        ("logs", "traces", logs({"trace_id": b"", "span_id": b""}), "protobuf"),
        ("metrics", "traces", metrics(), "protobuf"),
        ("metrics", "logs", metrics(), "protobuf"),
        ("traces", "logs", request(span()), "protobuf"),
        ("traces", "logs", request(span(name="")), "protobuf"),
        ("logs", "traces", {"resourceLogs": [{"scopeLogs": [{"logRecords": [{"name": "x"}]}]}]}, "json"),
        ("metrics", "traces", {"resourceMetrics": []}, "json"),
        ("traces", "logs", exports.request(exports.span()), "json"),
    ],
)
def test_the_payload_of_another_signal_is_named(sent, signal, body, encoding):
    """Logs or metrics at /v1/traces, traces at /v1/logs: 400, with the mistake and where it belongs."""
    error = refused(body, encoding, signal=signal)
    assert error.status == 400
    assert f"this is a {sent} payload, sent to the {signal} endpoint; send it to /v1/{sent}" in error.message


@pytest.mark.fault(17)
@pytest.mark.parametrize("place", ["span", "event", "resource"])
def test_attributes_as_an_object_cost_the_request(place):
    """An exporter that writes {"key": value} does so everywhere: 400, with the form that is wanted."""
    wrong = {"gen_ai.operation.name": "chat"}
    tree = exports.request(
        exports.span(),
        exports.span(
            attributes=wrong if place == "span" else [],
            events=[{"name": "e", "attributes": wrong}] if place == "event" else [],
        ),
        attributes=[],
    )
    if place == "resource":
        tree["resourceSpans"][0]["resource"]["attributes"] = wrong
    error = refused(tree)
    assert error.status == 400
    assert error.field.endswith("attributes")
    assert 'attributes are a list of {"key": ..., "value": {"stringValue": ...}}' in error.message


@pytest.mark.fault(18, 19)
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_every_value_reads_back(encoding):
    """Empty, bytes, nested, mixed, NaN, infinite and large values; of equal keys the last wins."""
    if encoding == "json":
        mixed = {"values": [{"stringValue": "a"}, {}, {"arrayValue": {"values": [{"boolValue": True}]}}]}
        body = exports.request(
            exports.span(
                attributes=[
                    attribute("empty"),
                    attribute("text", stringValue=""),
                    attribute("bytes", bytesValue="AAH_"),
                    attribute("mixed", arrayValue=mixed),
                    attribute("map", kvlistValue={"values": [attribute("k", intValue="1")]}),
                    attribute("nan", doubleValue="NaN"),
                    attribute("inf", doubleValue="-Infinity"),
                    attribute("large", intValue="1000000000000000000"),
                    attribute("same", stringValue="first"),
                    attribute("same", intValue=2),
                ]
            )
        )
        (row,) = rows(read(body))
    else:
        one = span()
        for key, value in {
            "empty": AnyValue(),
            "text": AnyValue(string_value=""),
            "bytes": AnyValue(bytes_value=b"\0\1\xff"),
            "mixed": AnyValue(
                array_value=ArrayValue(
                    values=[
                        AnyValue(string_value="a"),
                        AnyValue(),
                        AnyValue(array_value=ArrayValue(values=[AnyValue(bool_value=True)])),
                    ]
                )
            ),
            "map": AnyValue(
                kvlist_value=KeyValueList(values=[KeyValue(key="k", value=AnyValue(int_value=1))])
            ),
            "nan": AnyValue(double_value=math.nan),
            "inf": AnyValue(double_value=-math.inf),
            "large": AnyValue(int_value=10**18),
            "same": AnyValue(string_value="first"),
        }.items():
            one.attributes.add(key=key).value.CopyFrom(value)
        one.attributes.add(key="same").value.int_value = 2
        (row,) = rows(read(request(one), "protobuf"))
    found = dict(row[9])
    assert math.isnan(found.pop("nan"))
    assert found == {
        "empty": None,
        "text": "",
        "bytes": b"\0\1\xff",
        "mixed": ["a", None, [True]],
        "map": {"k": 1},
        "inf": -math.inf,
        "large": 10**18,
        "same": 2,
    }


def nested(depth: int, encoding: Encoding) -> Any:
    """Return a request whose one attribute nests ``depth`` levels."""
    if encoding == "json":
        value: Any = {"intValue": 1}
        for _ in range(depth):
            value = {"arrayValue": {"values": [value]}}
        return exports.request(exports.span(attributes=[{"key": "k", "value": value}]))
    packed = AnyValue(int_value=1).SerializeToString()
    for _ in range(depth):
        packed = field(5, field(1, packed))
    return request(span().SerializeToString() + field(9, field(1, b"k") + field(2, packed)))


@pytest.mark.fault(20)
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_values_nest_to_a_limit(encoding):
    """Forty levels are read, sixty cost the request, and a lower limit holds as well."""
    assert read(nested(40, encoding), encoding).spans == 1
    assert refused(nested(60, encoding), encoding).status == 400
    assert read(nested(5, encoding), encoding, limits=Limits(depth=5)).spans == 1
    error = refused(nested(6, encoding), encoding, limits=Limits(depth=5))
    assert "nested deeper than 5" in error.message


@pytest.mark.fault(20)
@pytest.mark.parametrize(
    "body",
    [
        b"[" * 100_000,
        b'{"resourceSpans":' + b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"resourceSpans":[{"scopeSpans":[{"spans":[{"attributes":[{"value":'
        + b'{"arrayValue":{"values":[' * 50_000,
    ],
)
def test_json_of_any_depth_is_one_refusal(body):
    """A hundred thousand levels end in 400, and the process lives."""
    assert refused(body).status == 400
    assert read(exports.request(exports.span())).spans == 1


@pytest.mark.fault(21)
@pytest.mark.parametrize("place", ["name", "key", "value", "event", "resource"])
def test_protobuf_text_that_is_not_utf8_costs_the_request(place):
    """Other receivers cannot parse such a message, and it stays lost here, too."""
    one = ExportTraceServiceRequest()
    of = one.resource_spans.add()
    of.resource.attributes.add(key="r").value.string_value = "@resource@"
    scoped = of.scope_spans.add()
    scoped.spans.append(span(2))
    row = scoped.spans.add()
    row.CopyFrom(span(1, name="@name@"))
    row.attributes.add(key="@key@").value.string_value = "@value@"
    row.events.add(name="@event@")
    body = one.SerializeToString().replace(f"@{place}@".encode(), b"\xff\xfe" * (1 + len(place) // 2))
    if len(place) % 2:
        body = one.SerializeToString().replace(f"@{place}@".encode(), b"\xff" * (2 + len(place)))
    error = refused(body, "protobuf")
    assert error.status == 400
    assert "UTF-8" in error.message


@pytest.mark.fault(21)
def test_json_text_that_is_not_utf8_costs_the_request():
    """Latin-1 in JSON is 400."""
    assert (
        refused(json.dumps(exports.request(exports.span(name="@"))).encode().replace(b"@", b"\xe9")).status
        == 400
    )


@pytest.mark.fault(21)
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_marks_that_break_or_turn_text_are_replaced(encoding):
    """Lone surrogates, NUL and direction overrides become U+FFFD; Hebrew and Arabic stay as they are."""
    if encoding == "json":
        said = [attribute("a", stringValue="x\ud800\0y\u202e"), attribute("b", stringValue="\u05e9\u200f")]
        events = [{"name": "e\u2066", "timeUnixNano": "0", "attributes": said}]
        tree = exports.request(exports.span(name="gpj.\u202eexe", attributes=said, events=events))
        text = json.dumps(tree)
        decoded = [read(text.encode()), read(text.replace("\\u202e", "\u202e").encode())]
        values = {"a": "x\ufffd\ufffdy\ufffd", "b": "\u05e9\u200f"}
    else:
        one = span(name="gpj.\u202eexe")
        for of in (one, one.events.add(name="e\u2066")):
            of.attributes.add(key="a").value.string_value = "x\0y\u202e"
            of.attributes.add(key="b").value.string_value = "\u05e9\u200f"
        decoded = [read(request(one), "protobuf")]
        values = {"a": "x\ufffdy\ufffd", "b": "\u05e9\u200f"}
    for found in decoded:
        (row,) = rows(found)
        assert (row[3], row[9], row[10]) == ("gpj.\ufffdexe", values, [("e\ufffd", None, values)])


@pytest.mark.fault(22)
@pytest.mark.parametrize(
    ("start", "end", "times"),
    [
        (NOW, NOW + 5, (NOW, NOW + 5)),
        (0, NOW, (None, NOW)),
        (0, 0, (None, None)),
        (NOW, NOW - 1, (NOW, None)),
        (2**63, NOW, (None, NOW)),
        (NOW, 2**64 - 1, (NOW, None)),
        (NOW + YEAR - 1, NOW + YEAR, (NOW + YEAR - 1, NOW + YEAR)),
    ],
)
def test_impossible_times_are_missing(start, end, times):
    """Times of 0, over 63 bits, in the wrong order: no duration is negative; a skewed clock is believed."""
    (row,) = rows(read(request(span(start_time_unix_nano=start, end_time_unix_nano=end)), "protobuf"))
    assert (row[5], row[6]) == times


@pytest.mark.fault(22)
@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize(
    ("start", "end", "says"),
    [
        (NOW // 10**6, NOW // 10**6 + 5, "milliseconds instead of nanoseconds"),
        (NOW // 10**9, NOW // 10**9, "seconds instead of nanoseconds"),
        (5 * 10**12, 6 * 10**12, "a clock that starts with the machine"),
        (NOW + 10 * YEAR, NOW + 10 * YEAR, "more than a year ahead"),
        (NOW, NOW + 10 * YEAR, "more than a year ahead"),
    ],
)
def test_absurd_times_cost_their_span(encoding, start, end, says):
    """Spans of 1970 or of the next decade are rejected by name, the others stored."""
    if encoding == "json":
        late = exports.span(spanId="00" * 7 + "02", startTimeUnixNano=str(start), endTimeUnixNano=str(end))
        body: Any = exports.request(exports.span(), late)
    else:
        body = request(span(1), span(2, start_time_unix_nano=start, end_time_unix_nano=end))
    decoded = read(body, encoding)
    assert (decoded.spans, decoded.rejected) == (1, 1)
    assert "span 0000000000000002 of trace" in decoded.why
    assert says in decoded.why


@pytest.mark.fault(24)
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_many_attributes_and_long_values_are_read(encoding):
    """Ten thousand attributes and a value of 1 MB arrive; what is kept of them is the committer's to say."""
    values = {f"attribute.{k}": "v" for k in range(10_000)} | {"long": "x" * 1_000_000}
    if encoding == "json":
        body: Any = exports.request(
            exports.span(attributes=[attribute(key, stringValue=value) for key, value in values.items()])
        )
    else:
        one = span()
        for key, value in values.items():
            one.attributes.add(key=key).value.string_value = value
        body = request(one)
    (row,) = rows(read(body, encoding))
    assert row[9] == values


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_log_records_of_spans_are_read_and_the_others_counted(encoding):
    """A record with a name and a span becomes a row; one without, or with a bad id, is counted."""
    changes: tuple[dict[str, Any], ...] = ({}, {"event_name": ""}, {"span_id": b""}, {"trace_id": b"\1"})
    if encoding == "protobuf":
        body: Any = logs(*changes)
    else:
        whole = {
            "timeUnixNano": str(NOW),
            "traceId": TRACE,
            "spanId": SPAN,
            "eventName": "e",
            "body": {"stringValue": "hello"},
        }
        records = [whole, {**whole, "eventName": ""}, {**whole, "spanId": ""}, {**whole, "traceId": "01"}]
        body = {"resourceLogs": [{"scopeLogs": [{"logRecords": records}]}], "resourceSpans": []}
    decoded = read(body, encoding, signal="logs")
    assert (decoded.spans, decoded.rejected, decoded.unused) == (1, 1, 2)
    assert rows(decoded)[0][10][0][2] == {"content": "hello"}


def test_a_request_of_both_signals_is_read_for_one():
    """In JSON the records of the other signal are an unknown field."""
    tree = exports.request(exports.span())
    record = {"timeUnixNano": str(NOW), "traceId": TRACE, "spanId": SPAN, "eventName": "e"}
    tree["resourceLogs"] = [{"scopeLogs": [{"logRecords": [record]}]}]
    assert [row[4] for row in rows(read(tree))] == [3]


@pytest.mark.parametrize(
    "change",
    [
        {"resource": []},
        {"scopeSpans": {}},
        {"scopeSpans": [{"spans": {}}]},
        {"scopeSpans": [{"scope": 7}]},
        {"scopeSpans": [7]},
    ],
)
def test_what_is_wrong_above_the_spans_costs_the_request(change):
    """Where it cannot be said how many spans are lost, none is taken."""
    tree = exports.request(exports.span())
    tree["resourceSpans"].append(change)
    error = refused(tree)
    assert error.status == 400
    assert error.field.startswith("resourceSpans[1]")


@pytest.mark.parametrize(
    ("body", "hint"), [(b"\x1f\x8b\x08", "Content-Encoding: gzip"), (b'{"a":1}', "JSON")]
)
def test_another_form_is_named(body, hint):
    """Gzip or JSON where protobuf was announced."""
    assert hint in refused(body, "protobuf").message


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_nulls_and_a_byte_order_mark_are_fine(encoding):
    """Null is absent in JSON; some programs begin it with a byte order mark."""
    if encoding == "json":
        tree = exports.request(exports.span(status=None, events=None))
        tree["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["links"] = None
        assert read(b"\xef\xbb\xbf" + json.dumps(tree).encode()).spans == 1
    else:
        assert read(request(span(status=None)), "protobuf").spans == 1
