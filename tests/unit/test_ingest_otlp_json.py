"""OTLP/JSON by the rules of the specification, and everything that exporters make of them."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from sort_drift.errors import BadRecord
from sort_drift.model import LOG
from tests.ingest_exports import SPAN, TRACE, attribute, line, read, request, span, written
from tests.shared_data import shared


def one(tmp_path: Path, tree: Any) -> dict[str, Any]:
    """Read an export of one span; return its columns."""
    raw, _ = read(written(tmp_path, tree if isinstance(tree, bytes) else line(request(tree))))
    assert len(raw) == 1
    return {column: values[0] for column in raw.__slots__ if (values := getattr(raw, column))}


def rejected(tmp_path: Path, content: bytes) -> str:
    """Return the one line that reading ``content`` ends with."""
    with pytest.raises(BadRecord) as caught:
        read(written(tmp_path, content))
    return caught.value.line()


def test_a_span_becomes_one_row(tmp_path):
    """Every field arrives in its column."""
    event = {"timeUnixNano": "5", "name": "e", "attributes": [attribute("a", intValue="1")]}
    row = one(
        tmp_path,
        span(
            status={"code": 2, "message": "no"},
            events=[event],
            links=[{"traceId": TRACE.upper(), "spanId": SPAN}],
            attributes=[attribute("k", stringValue="v")],
        ),
    )
    assert row == {
        "trace_id": TRACE,
        "span_id": SPAN,
        "parent_id": "00f067aa0ba902b7",
        "name": "chat",
        "kind": 3,
        "start_ns": 1795312192263569992,
        "end_ns": 1795312192315143279,
        "status": 2,
        "status_message": "no",
        "attributes": {"k": "v"},
        "events": [("e", 5, {"a": 1})],
        "links": [(TRACE, SPAN)],
        "scope": 0,
        "resource": 0,
        "scopes": ("test", "1"),
        "resources": {},
    }


@pytest.mark.fault(13)
def test_hex_ids_in_either_case_are_one(tmp_path):
    """Upper-case ids are the lower-case ones."""
    row = one(tmp_path, span(traceId=TRACE.upper(), spanId=SPAN.upper(), parentSpanId=SPAN.upper()))
    assert (row["trace_id"], row["span_id"], row["parent_id"]) == (TRACE, SPAN, SPAN)


@pytest.mark.parametrize("parent", ["", None, "0000000000000000"])
def test_no_parent_is_a_root(tmp_path, parent):
    """An absent, empty or all-zero parent id makes a root."""
    raw, _ = read(written(tmp_path, line(request(span(parentSpanId=parent)))))
    assert raw.parent_id == [None]


@pytest.mark.fault(13, 15, 17)
@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"traceId": None}, "traceId is missing"),
        ({"spanId": ""}, "spanId is missing"),
        ({"traceId": "0" * 32}, "traceId is all zeros"),
        ({"spanId": "0" * 16}, "spanId is all zeros"),
        ({"spanId": "b7ad6b71692033"}, "is not 16 hex digits"),
        ({"parentSpanId": "b7ad"}, "parentSpanId 'b7ad' is not 16 hex digits"),
        ({"traceId": "zz" * 16}, "is not 32 hex digits"),
        ({"traceId": "  " + "ab" * 15}, "is not 32 hex digits"),
        ({"traceId": "Cvdlexkh1jPdhI6xHIAxnA=="}, "looks like base64"),
        ({"startTimeUnixNano": "soon"}, "invalid literal"),
        ({"startTimeUnixNano": 1.5}, "not an integer"),
        ({"attributes": {"a": 1}}, "list of"),
        ({"attributes": [attribute("a", intValue="9223372036854775808")]}, "64 bits"),
        ({"attributes": [attribute("a", bytesValue="*")]}, "base64"),
        ({"attributes": [attribute("a", doubleValue="much")]}, "could not convert"),
        ({"name": 7}, "Expected `str`"),
        ({"events": [{"timeUnixNano": "x"}]}, "invalid literal"),
    ],
)
def test_a_bad_span_costs_only_itself(tmp_path, changes, says):
    """A span with a bad id or value is named by its path, and with skip_bad all others survive."""
    content = line(request(span(spanId="00000000000000aa"), span(**changes), span(spanId="00000000000000bb")))
    where = "resourceSpans[0].scopeSpans[0].spans[1]"
    message = rejected(tmp_path, content)
    assert says in message
    assert ":1). " in message
    raw, skipped = read(written(tmp_path, content), skip_bad=True)
    assert raw.span_id == ["00000000000000aa", "00000000000000bb"]
    assert [where in s.why for s in skipped] == [True]


def test_a_bad_span_of_a_document_is_named_by_its_json_path(tmp_path):
    """In a pretty-printed document the place is the JSON path."""
    content = json.dumps(request(span(), span(spanId="x")), indent=2).encode()
    message = rejected(tmp_path, content)
    assert ":resourceSpans[0].scopeSpans[0].spans[1])" in message


@pytest.mark.fault(14)
@pytest.mark.parametrize(
    "value", [9007199254740993, "9007199254740993", 9223372036854775807, "-9223372036854775808"]
)
def test_64_bit_integers_are_exact(tmp_path, value):
    """Integers above 2**53 keep every digit, written as text or as a number."""
    assert one(tmp_path, span(attributes=[attribute("n", intValue=value)]))["attributes"] == {"n": int(value)}


def test_times_may_be_numbers(tmp_path):
    """Times are exact as JSON numbers too."""
    row = one(tmp_path, span(startTimeUnixNano=1795312192263569993, endTimeUnixNano=1.795312193e18))
    assert (row["start_ns"], row["end_ns"]) == (1795312192263569993, 1795312193000000000)


@pytest.mark.fault(22)
@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        ("0", "5", (None, 5)),
        (None, None, (None, None)),
        ("7", "5", (7, None)),
        ("5", "9223372036854775808", (5, None)),
        ("-5", "5", (None, 5)),
        ("5", "5", (5, 5)),
    ],
)
def test_no_duration_is_negative(tmp_path, start, end, expected):
    """A time of 0, out of range, or an end before its start is missing, not a number."""
    raw, _ = read(written(tmp_path, line(request(span(startTimeUnixNano=start, endTimeUnixNano=end)))))
    assert (raw.start_ns[0], raw.end_ns[0]) == expected


@pytest.mark.fault(12, 23)
@pytest.mark.parametrize(
    ("kind", "code", "expected"),
    [
        (3, 2, (3, 2)),
        (99, 99, (0, 0)),
        (-1, -1, (0, 0)),
        ("SPAN_KIND_CLIENT", "STATUS_CODE_ERROR", (3, 2)),
        ("x", "x", (0, 0)),
    ],
)
def test_enums_out_of_range_are_unspecified(tmp_path, kind, code, expected):
    """Unknown kinds and status codes are 0; names, which protobuf's JSON writers produce, are understood."""
    raw, _ = read(written(tmp_path, line(request(span(kind=kind, status={"code": code})))))
    assert (raw.kind[0], raw.status[0]) == expected


@pytest.mark.fault(18)
def test_every_kind_of_value_reads_back(tmp_path):
    """Empty, bytes, nested, mixed and special values become plain Python."""
    nested = {
        "values": [
            {"stringValue": "a"},
            {"intValue": "1"},
            {},
            {"arrayValue": {"values": [{"boolValue": True}]}},
        ]
    }
    row = one(
        tmp_path,
        span(
            attributes=[
                attribute("empty"),
                attribute("text", stringValue=""),
                attribute("no", boolValue=False),
                attribute("zero", intValue=0),
                attribute("whole", doubleValue=1),
                attribute("big", intValue="1000000000000000000"),
                attribute("infinite", doubleValue="-Infinity"),
                attribute("bytes", bytesValue="AAH_"),
                attribute("list", arrayValue=nested),
                attribute("nothing", arrayValue={}),
                attribute(
                    "map",
                    kvlistValue={"values": [attribute("k", stringValue="v"), attribute("k", intValue=2)]},
                ),
                {"key": "valueless"},
            ]
        ),
    )
    assert row["attributes"] == {
        "empty": None,
        "text": "",
        "no": False,
        "zero": 0,
        "whole": 1.0,
        "big": 10**18,
        "infinite": -math.inf,
        "bytes": b"\x00\x01\xff",
        "list": ["a", 1, None, [True]],
        "nothing": [],
        "map": {"k": 2},
        "valueless": None,
    }


@pytest.mark.fault(18)
@pytest.mark.parametrize("value", ['"NaN"', "NaN"])
def test_nan_is_read_as_text_and_as_python_writes_it(tmp_path, value):
    """NaN arrives as NaN, also where a Python exporter wrote it bare."""
    content = line(request(span(attributes=[attribute("n", doubleValue="@")]))).replace(
        b'"@"', value.encode()
    )
    assert math.isnan(one(tmp_path, content)["attributes"]["n"])


@pytest.mark.fault(19)
def test_of_equal_attribute_keys_the_last_wins(tmp_path):
    """Duplicate keys are legal on the wire and one value here."""
    row = one(tmp_path, span(attributes=[attribute("k", intValue=1), attribute("k", stringValue="last")]))
    assert row["attributes"] == {"k": "last"}


@pytest.mark.fault(10)
def test_unknown_fields_and_nulls_are_ignored(tmp_path):
    """Fields of later versions do not matter, and null means absent."""
    row = one(
        tmp_path,
        span(flags=257, later={"a": [1]}, status=None, parentSpanId=None) | {"links": None, "kind": None},
    )
    assert (row["span_id"], row["kind"]) == (SPAN, 0)


@pytest.mark.fault(11)
def test_snake_case_keys_are_unknown_fields(tmp_path):
    """``span_id`` is not ``spanId``; a payload in snake_case is named as such."""
    assert "spanId is missing" in rejected(tmp_path, line(request(span(spanId=None, span_id=SPAN))))
    assert "lowerCamelCase" in rejected(tmp_path, line({"resource_spans": []}))


@pytest.mark.parametrize(
    ("tree", "says"),
    [
        ({"resourceLogs": 5}, "resourceLogs is not a list"),
        ({"resourceLogs": [{"scopeLogs": [{"logRecords": [5]}]}]}, "logRecords[0]"),
        ({"resourceMetrics": []}, "OTLP metrics payload"),
        ({"resourceSpans": 5}, "resourceSpans is not a list"),
        ({"resourceSpans": [5]}, "resourceSpans[0]"),
        ({"resourceSpans": [{"scopeSpans": {}}]}, "scopeSpans: not a list"),
        ({"spans": []}, "no resourceSpans"),
        ([], "a request is a JSON object"),
    ],
)
def test_another_payload_is_named(tmp_path, tree, says):
    """A line that is no traces request says what it is, and the lines around it count."""
    content = line(request(span())) + line(tree) + line(request(span()))
    message = rejected(tmp_path, content)
    assert says in message
    assert ":2). " in message
    raw, skipped = read(written(tmp_path, content), skip_bad=True)
    assert (len(raw), len(skipped)) == (2, 1)


def test_recorded_log_records_belong_to_spans():
    """Every named record of a recorded logs file becomes a row of kind LOG with the ids of its span."""
    raw, _ = read(shared("recordings", "agent-framework-native.logs.jsonl"))
    spans, _ = read(shared("recordings", "agent-framework-native.otlp.jsonl"))
    assert set(raw.kind) == {LOG}
    assert len(raw) == 1137
    assert set(zip(raw.trace_id, raw.span_id, strict=True)) <= set(
        zip(spans.trace_id, spans.span_id, strict=True)
    )


@pytest.mark.fault(7)
@pytest.mark.parametrize(
    "tree", [{}, {"resourceSpans": []}, {"resourceSpans": None}, request(), {"resourceSpans": [{}]}]
)
def test_empty_requests_succeed(tmp_path, tree):
    """A request without spans is no mistake."""
    raw, skipped = read(written(tmp_path, line(request(span())) + line(tree)))
    assert (len(raw), skipped) == (1, [])


@pytest.mark.parametrize("indent", [None, 1, 4])
def test_documents_read_like_lines(tmp_path, indent):
    """One request, however it is printed, gives the same spans."""
    tree = request(
        *(span(spanId=f"{n:016x}") for n in range(1, 9)), attributes=[attribute("a", stringValue="b")]
    )
    document = json.dumps(tree, indent=indent).encode()
    assert read(written(tmp_path, document)) == read(written(tmp_path, line(tree), "lines"))


def test_a_cut_document_names_the_line(tmp_path):
    """A truncated pretty-printed document is one error with the line where it ends."""
    document = json.dumps(request(span()), indent=1).encode()
    message = rejected(tmp_path, document[:-9])
    assert "ends in the middle" in message


def test_a_damaged_first_line_costs_only_itself(tmp_path):
    """A rotated file may begin inside a line; the rest is still read as lines."""
    content = line(request(span()))[5:] + line(request(span())) * 2
    raw, skipped = read(written(tmp_path, content), skip_bad=True)
    assert (len(raw), [s.where.rpartition(":")[2] for s in skipped]) == (2, ["1"])


@pytest.mark.fault(21)
@pytest.mark.parametrize("escape", ["\\ud800", "\\udc00", "\\ud800\\ud800", "\\u0000", "\\uD83D x"])
def test_lone_surrogates_and_nul_become_replacement_characters(tmp_path, escape):
    """Text that DuckDB, polars and protobuf refuse is mended on the way in, valid pairs are kept."""
    content = line(request(span(name="@"))).replace(b'"@"', f'"a{escape}b\\ud83d\\ude00"'.encode())
    name = one(tmp_path, content)["name"]
    assert name.encode()
    assert "\0" not in name
    assert (name[0], name[-2:]) == ("a", "b😀")
    assert "\ufffd" in name


@pytest.mark.fault(20, 21)
@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b'{"resourceSpans":' + b"[" * 100_000, "nested too deeply"),
        (b'{"resourceSpans":[], "x":' + b'{"a":' * 100_000 + b"1" + b"}" * 100_001, "nested too deeply"),
        (b'{"resourceSpans":[{"resource":{"attributes":"\xff"}}]}', "not UTF-8"),
        (b'{"resourceSpans":[{]}', "not JSON"),
        (b'{"resourceSpans":[]} {"resourceSpans":[]}', "not JSON: Extra data"),
    ],
)
def test_hostile_lines_are_one_error(tmp_path, content, says):
    """Nesting, wrong bytes and rubbish end in one line, and the next line is read."""
    path = written(tmp_path, line(request(span())) + content + b"\n" + line(request(span())))
    with pytest.raises(BadRecord) as caught:
        read(path)
    assert says in caught.value.line()
    raw, skipped = read(path, skip_bad=True)
    assert (len(raw), len(skipped)) == (2, 1)


@pytest.mark.fault(20)
@pytest.mark.parametrize(("depth", "fits"), [(40, True), (60, False)])
def test_values_nest_to_a_limit(tmp_path, depth, fits):
    """Values inside values are read to 50 levels; deeper ones reject the span."""
    value: dict[str, Any] = {"stringValue": "x"}
    for _ in range(depth):
        value = {"arrayValue": {"values": [value]}}
    raw, skipped = read(
        written(tmp_path, line(request(span(attributes=[{"key": "a", "value": value}])))), skip_bad=True
    )
    assert (len(raw), len(skipped)) == ((1, 0) if fits else (0, 1))


def test_equal_scopes_and_resources_are_kept_once(tmp_path):
    """Lines that repeat scope and resource share them."""
    same = line(request(span(), attributes=[attribute("a", intValue=1)]))
    raw, _ = read(written(tmp_path, same * 3 + line(request(span(), scope={"name": "other"}))))
    assert raw.scopes == [("test", "1"), ("other", "")]
    assert (raw.scope, raw.resource) == ([0, 0, 0, 1], [0, 0, 0, 1])
