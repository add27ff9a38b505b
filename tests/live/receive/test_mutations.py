"""Requests with bytes changed at random: read, or refused as the client's mistake; never anything else."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from sort_drift.ingest.batches import Row
from sort_drift.live.receive import metrics
from sort_drift.live.receive.request import decode
from sort_drift.live.receive.terms import Encoding, Refused, Signal
from sort_drift.live.settings import Limits
from tests import ingest_exports as exports
from tests.ingest_exports import attribute
from tests.live.receive.serving import JSON, NOW, PROTOBUF, Service, request, serving, span
from tests.live.receive.test_decode import logs
from tests.live.receive.test_decode import metrics as metrics_request

LIMITS = Limits(spans=50)
MUTATIONS = 30_000


def traces() -> bytes:
    """Return a request with something in every field of its spans, and in its scope."""
    one = span(1, status={"code": 2, "message": "m"}, parent_span_id=b"\2" * 8)
    values = one.attributes.add(key="list").value.array_value.values
    values.add().string_value = "a"
    values.add().kvlist_value.values.add(key="k").value.int_value = 7
    one.attributes.add(key="gen_ai.operation.name").value.string_value = "chat"
    one.attributes.add(key="x").value.double_value = 0.5
    one.events.add(name="e", time_unix_nano=NOW).attributes.add(key="b").value.bytes_value = b"\0\1"
    one.links.add(trace_id=b"\3" * 16, span_id=b"\4" * 8)
    out = ExportTraceServiceRequest.FromString(request(one, span(2)))
    out.resource_spans[0].resource.attributes.add(key="service.name").value.string_value = "s"
    out.resource_spans[0].scope_spans[0].scope.name = "scope"
    return out.SerializeToString()


TREE = exports.request(
    exports.span(
        attributes=[
            attribute("gen_ai.operation.name", stringValue="chat \\ \ud83d\ude00"),
            attribute(
                "l", arrayValue={"values": [{"kvlistValue": {"values": [attribute("k", intValue="7")]}}]}
            ),
        ],
        events=[{"timeUnixNano": "1", "name": "e", "attributes": [attribute("b", bytesValue="AA==")]}],
        status={"code": 2, "message": "m"},
    ),
    exports.span(),
    attributes=[attribute("service.name", stringValue="s")],
)
METRICS = (
    '{"resourceMetrics":[{"resource":{"attributes":[]},"scopeMetrics":[{"metrics":[{"name":"tgi_queue_size",'
    '"gauge":{"dataPoints":[{"timeUnixNano":"7","asDouble":0.5,"attributes":[]},{"asInt":"4"}]}}]}]}]}'
)
SEEDS: tuple[tuple[Signal, Encoding, bytes], ...] = (
    ("traces", "protobuf", traces()),
    ("traces", "json", json.dumps(TREE).encode()),
    ("logs", "protobuf", logs({}, {"attributes": [{"key": "k", "value": {"int_value": 1}}]})),
    ("metrics", "protobuf", metrics_request()),
    ("metrics", "json", METRICS.encode()),
)


TOKENS = (
    b"1e999",
    b"NaN",
    b"-1",
    b"null",
    b"[]",
    b"{}",
    b'""',
    b"\\ud800",
    b"\\u0000",
    b"9" * 30,
    b"\xff",
    b"\0" * 8,
)
"""What numbers, lengths and texts are replaced by, beside bytes at random."""


def mutated(body: bytes, random: Random) -> bytes:
    """Return ``body`` after one to four changes: flips, cuts, insertions, repetitions, splices, an end."""
    out = bytearray(body)
    for _ in range(random.randint(1, 4)):
        at = random.randrange(len(out) + 1)
        to = min(len(out), at + random.randint(1, 24))
        change = random.randrange(8)
        if change <= 1 and at < len(out):
            out[at] ^= 1 << random.randrange(8)
        elif change == 2:
            del out[at:to]
        elif change == 3:
            out[at:at] = random.randbytes(random.randint(1, 8))
        elif change == 4:
            out[at:at] = out[at:to] * random.randint(1, 9)
        elif change == 5:
            other = random.randrange(len(out) + 1)
            out[at:to] = out[other : other + random.randint(1, 24)]
        elif change == 6:
            out[at:to] = random.choice(TOKENS)
        elif random.random() < 0.2:
            del out[at:]
    return bytes(out)


def sound(row: Row) -> None:
    """Check what every stage behind the receiver relies on."""
    trace, number, parent, name, kind, start, end, status, message, *_ = row
    assert (len(trace), len(number)) == (32, 16)
    assert parent is None or len(parent) == 16
    assert kind in range(-1, 6)
    assert status in range(3)
    assert start is None or 0 < start < 2**63
    assert start is None or end is None or start <= end
    assert "\0" not in name + message
    json.dumps(row, default=repr, ensure_ascii=False).encode()


@pytest.mark.fault(9)
@pytest.mark.parametrize("part", range(3))
def test_thirty_thousand_mutations_end_as_spans_or_as_refusals(part):
    """Only 400 and 413 are refusals; what is read is sound; there is no other exception."""
    random = Random(20261122 + part)
    outcomes: dict[Any, int] = dict.fromkeys(("read", 400, 413), 0)  # any other is a KeyError
    for _ in range(MUTATIONS // 3):
        signal, encoding, seed = SEEDS[random.choice((0, 0, 0, 1, 1, 1, 2, 3, 4))]
        body = mutated(seed, random)
        try:
            if signal == "metrics":
                metrics.points(body, encoding, LIMITS)
            else:
                for resource, scope, rows in decode(body, signal, encoding, LIMITS).blocks:
                    assert "\0" not in "".join((*scope, *resource))
                    for row in rows:
                        sound(row)
            outcomes["read"] += 1
        except Refused as refused:
            outcomes[refused.status if refused.message else "nothing said"] += 1
    assert outcomes["read"] > 500
    assert outcomes[400] > 500


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    """Serve once for this file."""
    with serving(tmp_path_factory.mktemp("mutations"), limits=LIMITS) as running:
        yield running


@pytest.mark.fault(9)
def test_mutations_over_http_are_answered_with_200_400_or_413(service: Service):
    """Three hundred of them, through the committer; the service goes on and every span of a 200 is stored."""
    random = Random(7)
    found = set()
    for _ in range(300):
        signal, encoding, seed = SEEDS[random.choice((0, 0, 1, 1, 2, 3, 4))]
        media = PROTOBUF if encoding == "protobuf" else JSON
        reply = service.post(mutated(seed, random), f"/v1/{signal}", media=media)
        found.add(reply.status)
        assert reply.headers["content-type"] == media
        if reply.status != 200:
            assert reply.rpc.message if encoding == "protobuf" else reply.said["message"]
    assert found <= {200, 400, 413}
    assert service.frame["log"].null_count() == service.board.counts()["spans"] > 50
    assert service.post(traces()).status == 200
