"""What a request may hold is counted before it is decoded, and a bomb costs next to nothing."""

from __future__ import annotations

import gzip
import json
import time
import tracemalloc
from collections.abc import Callable

import pytest

from sort_drift.live.receive import bodies, wire
from sort_drift.live.receive.request import decode
from sort_drift.live.receive.terms import Encoding, Refused, Signal
from sort_drift.live.settings import MIB, Limits
from tests import ingest_exports as exports
from tests.ingest_exports import field
from tests.live.receive.serving import growth, request, span

LIMITS = Limits()
EMPTY = b"\x12\x00"  # a span in its scope
IDS = b"\n\x10" + b"t" * 16 + b"\x12\x08" + b"s" * 8


def scope(spans: bytes) -> bytes:
    """Return a request whose only scope is these bytes."""
    return field(1, field(2, spans))


def peak(work: Callable[[], object]) -> int:
    """Return how many bytes Python allocates at most while ``work`` is refused."""
    tracemalloc.start()
    try:
        with pytest.raises(Refused) as caught:
            work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
        assert caught.value.status == 413


@pytest.mark.parametrize("size", [0, 1, 60, 127, 128, 200, 16_383, 16_384, 70_000])
@pytest.mark.parametrize("count", [0, 1, 3])
def test_spans_of_every_size_are_counted(size, count):
    """Lengths of one, two, three bytes; in several scopes and resources."""
    body = scope(field(2, b"x" * size) * count) * 2 + b"\n\x00" + field(1, b"\x12\x00\n\x00")
    assert wire.prescan(body, LIMITS) == 2 * count


def test_a_tag_may_be_longer_than_it_has_to_be():
    """Protobuf takes varints with needless bytes; what others would read as spans is counted as such."""
    assert wire.prescan(scope(b"\x92\x00\x00" * 7 + b"\x12\x80\x00" * 5), LIMITS) == 12


@pytest.mark.fault(27)
def test_the_limit_of_spans_is_exact():
    """As many as the limit are read, one more is 413."""
    most = Limits(spans=100)
    assert wire.prescan(scope(EMPTY * 100), most) == 100
    assert wire.prescan(scope(EMPTY * 60) + scope(EMPTY * 40), most) == 100
    for body in (scope(EMPTY * 101), scope(EMPTY * 60) + scope(EMPTY * 41)):
        with pytest.raises(Refused, match="more than 100 spans") as caught:
            wire.prescan(body, most)
        assert caught.value.status == 413


@pytest.mark.fault(27)
def test_two_million_empty_spans_in_4_kb_are_refused_before_they_are_decoded():
    """What took 335 MB once takes the inflated 4 MB and some milliseconds."""
    packed = gzip.compress(scope(EMPTY * 2_000_000), 9, mtime=0)
    assert len(packed) < 6_000

    def work() -> None:
        body = bodies.inflate(packed, LIMITS.body_bytes, lambda count: None)
        decode(body, "traces", "protobuf", LIMITS)

    began = time.process_time()
    assert peak(work) < 16 * MIB
    assert time.process_time() - began < 1


BOMBS: dict[str, tuple[Signal, Encoding, bytes]] = {
    "empty spans": ("traces", "protobuf", scope(EMPTY * 6_000_000)),
    "empty scopes": ("traces", "protobuf", field(1, EMPTY * 6_000_000)),
    "empty resources": ("traces", "protobuf", b"\n\x00" * 6_000_000),
    "empty events": ("traces", "protobuf", scope(field(2, IDS + b"\x5a\x00" * 6_000_000))),
    "empty attributes": ("traces", "protobuf", scope(field(2, IDS + b"\x4a\x00" * 6_000_000))),
    "empty links": ("traces", "protobuf", scope(field(2, IDS + b"\x6a\x02\x20\x00" * 3_000_000))),
    "events over many spans": (
        "traces",
        "protobuf",
        scope(field(2, IDS + b"\x5a\x02\x20\x00" * 500) * 5_000),
    ),
    "short attributes": (
        "traces",
        "protobuf",
        scope(field(2, IDS + field(9, field(1, b"abc") + field(2, field(1, b"xyz"))) * 1_100_000)),
    ),
    "empty values": (
        "traces",
        "protobuf",
        scope(field(2, IDS + field(9, field(1, b"k") + field(2, field(5, b"\n\x00" * 6_000_000))))),
    ),
    "empty log records": ("logs", "protobuf", scope(EMPTY * 6_000_000)),
    "JSON spans": (
        "traces",
        "json",
        b'{"resourceSpans":[{"scopeSpans":[{"spans":[' + b"{}," * 200_000 + b"{}]}]}]}",
    ),
    "JSON objects": ("traces", "json", b'{"a":[' + b"{}," * 5_000_000 + b"{}]}"),
    "JSON lists": ("traces", "json", b'{"a":[' + b"[]," * 5_000_000 + b"[]]}"),
    "JSON log records": (
        "logs",
        "json",
        b'{"resourceLogs":[{"scopeLogs":[{"logRecords":[' + b"{}," * 200_000 + b"{}]}]}]}",
    ),
}


@pytest.mark.fault(27)
@pytest.mark.parametrize("name", BOMBS)
def test_bombs_of_every_kind_are_refused_in_bounded_memory(name):
    """Whatever there is millions of: 413, for less than eight times what the body has."""
    signal, encoding, body = BOMBS[name]
    with growth() as grown:
        assert peak(lambda: decode(body, signal, encoding, LIMITS)) < 8 * len(body) + 4 * MIB
    assert grown[0] < 300


def test_texts_and_ordinary_spans_are_not_mistaken_for_bombs():
    """A request of 15 MB of prompts, and one of thousands of spans with short attributes, are read."""
    prompts = [span(n + 1) for n in range(60)]
    for row in prompts:
        text = "\n\tx\x01J\x12Z{[" * 25_000
        row.attributes.add(key="gen_ai.prompt").value.string_value = text
    assert decode(request(*prompts), "traces", "protobuf", LIMITS).spans == 60
    many = [span(n + 1) for n in range(4_000)]
    for row in many:
        for key in range(20):
            row.attributes.add(key=f"k{key}").value.int_value = key
    assert decode(request(*many), "traces", "protobuf", LIMITS).spans == 4_000
    code = '{"a": [1, 2, {}]} ' * 100_000
    text = json.dumps(
        exports.request(exports.span(attributes=[exports.attribute("k", stringValue=code * 7)]))
    )
    assert text.count("{") + text.count("[") > 2 * wire.INSIDE * LIMITS.spans
    assert decode(text.encode(), "traces", "json", LIMITS).spans == 1


def test_counting_is_cheap():
    """Less than a third of what decoding the same request takes (a tenth, in a quiet moment)."""
    rows = [span(n + 1) for n in range(2_000)]
    for row in rows:
        for key in range(12):
            row.attributes.add(key=f"gen_ai.attribute.{key}").value.string_value = "v" * 40 + str(row.span_id)
    body = request(*rows)

    def cost(work: Callable[[], object]) -> float:
        found = []
        for _ in range(5):
            began = time.process_time()
            work()
            found.append(time.process_time() - began)
        return sorted(found)[2]

    whole = cost(lambda: decode(body, "traces", "protobuf", LIMITS))
    assert cost(lambda: wire.prescan(body, LIMITS)) < whole / 3
