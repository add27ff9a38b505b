"""OTLP/HTTP as clients see it: what is answered, in which form, and what is stored then."""

from __future__ import annotations

import json
import random
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from sort_drift.live.board import Health
from sort_drift.live.settings import Limits
from tests import ingest_exports as exports
from tests.live.receive.serving import JSON, PROTOBUF, Service, growth, packed, request, serving, span
from tests.live.receive.test_decode import logs

LIMIT = 200_000


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    """Serve once for this file."""
    with serving(tmp_path_factory.mktemp("http"), limits=Limits(body_bytes=LIMIT)) as running:
        yield running


def stored(service: Service) -> int:
    """Return how many spans are durable."""
    return service.frame.height


def sized(size: int, number: int = 1) -> bytes:
    """Return a request of one span, of exactly ``size`` bytes that hardly compress."""
    text = random.Random(number).randbytes(size).hex()
    length = size
    while len(body := request(span(number, name=text[:length]))) > size:
        length -= len(body) - size
    return body


@pytest.mark.fault(1)
def test_protobuf_is_taken(service: Service):
    """200, protobuf back, partial success unset; what was acknowledged is durable."""
    before = stored(service)
    reply = service.post(request(span(1), span(2)))
    assert (reply.status, reply.headers["content-type"]) == (200, PROTOBUF)
    assert not ExportTraceServiceResponse.FromString(reply.body).HasField("partial_success")
    assert stored(service) == before + 2


@pytest.mark.fault(2, 3)
@pytest.mark.parametrize(
    "media", [JSON, "application/json; charset=utf-8", 'Application/JSON;charset="UTF-8"']
)
def test_json_is_taken(service: Service, media):
    """200 and JSON back, with or without a charset."""
    before = stored(service)
    reply = service.post(json.dumps(exports.request(exports.span())).encode(), media=media)
    assert (reply.status, reply.headers["content-type"], reply.body) == (200, JSON, b"{}")
    assert stored(service) == before + 1


@pytest.mark.fault(4, 61)
@pytest.mark.parametrize(
    "media",
    [
        None,
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
        "application/json; charset=utf-16",
    ],
)
def test_another_media_type_is_415(service: Service, media):
    """What a page of another site may post without being asked is not even read; nothing is stored."""
    before = stored(service)
    reply = service.post(request(span()), media=media, headers={"Origin": "https://evil.example"})
    assert reply.status == 415
    assert reply.said["code"] == 3
    assert "application/x-protobuf" in reply.said["message"] or "UTF-8" in reply.said["message"]
    assert not [name for name in reply.headers if name.startswith("access-control-")]
    assert stored(service) == before


@pytest.mark.fault(61)
def test_a_preflight_is_not_answered_with_permission(service: Service):
    """OPTIONS of a browser is 405, without a header that would let the page go on."""
    reply = service.post(method="OPTIONS", media=None, headers={"Origin": "https://evil.example"})
    assert reply.status == 405
    assert not [name for name in reply.headers if name.startswith("access-control-")]


@pytest.mark.fault(5)
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "HEAD", "PATCH"])
def test_another_method_is_405(service: Service, method):
    """With the method to use."""
    reply = service.post(method=method, media=PROTOBUF)
    assert (reply.status, reply.headers["allow"]) == (405, "POST")
    if method != "HEAD":
        assert "POST" in reply.rpc.message


@pytest.mark.fault(6)
@pytest.mark.parametrize(
    "path", ["/", "/v1/trace", "/v1/traces/", "/v1/profiles", "//v1/traces", "/%2e%2e/etc"]
)
def test_another_path_is_404(service: Service, path):
    """With the paths that there are; in the encoding of the request."""
    reply = service.post(request(span()), path)
    assert reply.status == 404
    assert "/v1/traces" in reply.rpc.message
    assert "/v1/traces" in service.post_json({}, path).said["message"]


@pytest.mark.fault(7)
@pytest.mark.parametrize("path", ["/v1/traces", "/v1/logs", "/v1/metrics"])
def test_empty_requests_succeed(service: Service, path):
    """In both encodings, packed or not, on every path."""
    for media in (PROTOBUF, JSON):
        for body, headers in ((b"", {}), (packed(b""), {"Content-Encoding": "gzip"})):
            reply = service.post(body, path, media=media, headers=headers)
            assert (reply.status, reply.body) == (200, b"{}" if media == JSON else b"")
    assert service.post_json({}, path).status == 200


@pytest.mark.fault(8)
@pytest.mark.parametrize("path", ["/v1/traces", "/v1/logs", "/v1/metrics"])
def test_bytes_of_nothing_are_400(service: Service, path):
    """A Status with BadRequest in the encoding of the request; it is not to be sent again."""
    reply = service.post(random.Random(1).randbytes(500), path)
    assert (reply.status, reply.rpc.code) == (400, 3)
    assert reply.rpc.details[0].type_url.endswith("BadRequest")
    assert "retry-after" not in reply.headers
    reply = service.post_json(b'{"resourceSpans": [', path)
    assert (reply.status, reply.said["code"]) == (400, 3)
    assert reply.said["details"][0]["@type"].endswith("BadRequest")


@pytest.mark.fault(15)
def test_partial_success_counts_exactly(service: Service):
    """The spans that can be used are stored, the others counted, and the first of them is named."""
    before = stored(service)
    reply = service.post(request(span(1), span(2, span_id=b"\1"), span(3), span(4, trace_id=b"")))
    partial = ExportTraceServiceResponse.FromString(reply.body).partial_success
    assert (reply.status, partial.rejected_spans) == (200, 2)
    assert "spans[1]: span_id has 1 bytes" in partial.error_message
    assert stored(service) == before + 2
    reply = service.post_json(exports.request(exports.span(), exports.span(spanId="")))
    assert reply.said["partialSuccess"]["rejectedSpans"] == "1"
    assert "spanId is missing" in reply.said["partialSuccess"]["errorMessage"]


@pytest.mark.fault(16)
def test_logs_at_the_path_of_traces_are_named(service: Service):
    """400, with the path where they belong; there they are taken."""
    reply = service.post(logs())
    assert reply.status == 400
    assert "send it to /v1/logs" in reply.rpc.message
    assert service.post(logs(), "/v1/logs").status == 200


@pytest.mark.fault(24)
def test_attributes_that_nobody_reads_are_cut_to_a_limit(service: Service):
    """Of 2,000 attributes 128 are kept at most; the span is stored."""
    one = span(77)
    for key in range(2_000):
        one.attributes.add(key=f"odd.{key}").value.string_value = "v"
    assert service.post(request(one)).status == 200
    kept = service.frame.filter(span_id=f"{77:016x}")["attributes"][0]
    assert 100 <= kept.count("odd.") <= 128


@pytest.mark.fault(25)
@pytest.mark.parametrize("how", ["length", "chunked", "gzip", "gzip chunked"])
def test_the_limit_of_a_body_is_exact(service: Service, how):
    """A body of the limit is stored, one byte more is 413 with a Status and no time to come again."""
    before = stored(service)
    for extra, status in ((0, 200), (1, 413)):
        body = sized(LIMIT + extra)
        assert len(body) == LIMIT + extra
        headers = {"Content-Encoding": "gzip"} if "gzip" in how else {}
        sent: Any = packed(body) if "gzip" in how else body
        if "chunked" in how:
            sent = iter([sent[at : at + 9_999] for at in range(0, len(sent), 9_999)])
        reply = service.post(sent, headers=headers)
        assert reply.status == status
        if extra:
            assert reply.rpc.code == 8
            assert not reply.rpc.details
            assert "retry-after" not in reply.headers
    assert stored(service) == before + 1


@pytest.mark.fault(25)
def test_a_body_that_announces_too_much_is_refused_unread(service: Service):
    """The answer comes while the body is still on its way, and the connection is good for another request."""
    head = b"POST /v1/traces HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-protobuf\r\n"
    whole = head + b"Content-Length: 300000\r\n\r\n"
    good = head + b"Content-Length: 0\r\nConnection: close\r\n\r\n"
    found = service.raw(whole, b"x" * 300_000, good)
    assert found.startswith(b"HTTP/1.1 413 ")
    assert found.count(b"HTTP/1.1 200 ") == 1


@pytest.mark.fault(26)
@pytest.mark.parametrize(
    ("coding", "body", "status"),
    [
        ("gzip", packed(bytes(50_000_000)), 413),
        ("gzip", packed(packed(request(span()))), 400),
        ("gzip", packed(request(span(1))) + packed(request(span(2))), 200),
        ("gzip", packed(request(span()))[:-3], 400),
        ("gzip", packed(request(span()))[:-8] + bytes(8), 400),
        ("gzip", request(span()), 400),
        ("identity", packed(request(span())), 400),
        ("br", b"x", 415),
        ("zstd", b"\x28\xb5\x2f\xfd", 415),
        ("deflate", b"x", 415),
        ("gzip, gzip", packed(packed(request(span()))), 415),
    ],
)
def test_packed_bodies(service: Service, coding, body, status):
    """Bombs, nested, several members, cut, wrong checksum, plain, other codings."""
    reply = service.post(body, headers={"Content-Encoding": coding})
    assert reply.status == status
    if status != 200:
        assert reply.rpc.message
    if status == 415:
        assert reply.headers["accept-encoding"] == "gzip, identity"


@pytest.mark.fault(27)
def test_a_bomb_of_spans_is_413(service: Service):
    """Two million empty spans in 4 KB, over HTTP."""
    body = exports.field(1, exports.field(2, b"\x12\x00" * 90_000))
    reply = service.post(packed(body), headers={"Content-Encoding": "gzip"})
    assert (reply.status, reply.rpc.code) == (413, 8)


@pytest.mark.fault(28)
def test_eighty_thousand_names_leave_memory_flat(service: Service):
    """Names and keys that never come again are not remembered."""

    def send(first: int) -> None:
        rows = []
        for number in range(first, first + 400):
            one = span(number + 1, name=f"name-{number}")
            for key in range(3):
                one.attributes.add(key=f"key-{number}-{key}").value.string_value = f"value-{number}"
            rows.append(one)
        assert service.post(request(*rows)).status == 200

    for at in range(0, 8_000, 400):
        send(at)
    assert service.frame.height
    with growth() as grown:
        for at in range(8_000, 20_000, 400):
            send(at)
    assert grown[0] < 60  # of which what the test keeps of 12,000 spans takes 20


@pytest.mark.fault(29)
def test_of_a_hundred_maximal_posts_every_200_is_stored(tmp_path):
    """More than there is room for: some are 503 with Retry-After, the others are on disk."""
    limits = Limits(body_bytes=400_000, flight_bytes=1_500_000)
    with serving(tmp_path, limits=limits) as service:
        gate = threading.Barrier(20)
        bodies = [sized(400_000, number + 1) for number in range(20)]

        def post(number: int) -> tuple[int, str | None]:
            gate.wait(30)
            reply = service.post(bodies[number % 20])
            if reply.status == 503:
                assert reply.rpc.details[0].type_url.endswith("RetryInfo")
            return reply.status, reply.headers.get("retry-after")

        with ThreadPoolExecutor(20) as threads:
            found = list(threads.map(post, range(100)))
        taken = sum(status == 200 for status, _ in found)
        assert {status for status, _ in found} == {200, 503}
        assert {after for status, after in found if status == 503} == {"1"}
        assert service.frame.height == taken
        assert service.intake.admission.bytes == 0
        assert service.board.reasons()["refused", "overload"] == 100 - taken


def test_a_stopping_service_says_when_to_come_again(service: Service):
    """503 and Retry-After while it drains; the health says so, too."""
    service.intake.draining = True
    service.board.show(health=Health(state="draining"))
    try:
        reply = service.post(request(span()))
        assert (reply.status, reply.headers["retry-after"]) == (503, "1")
        assert service.post(path="/healthz", method="GET", media=None).status == 503
    finally:
        service.intake.draining = False
        service.board.show(health=Health(state="running"))
    reply = service.post(path="/healthz", method="GET", media=None)
    assert (reply.status, reply.said) == (200, {"status": "running"})


def test_refusals_are_counted_by_reason(tmp_path: Path):
    """Each once, whoever refused it."""
    with serving(tmp_path) as service:
        service.post(b"\xff")
        service.post(method="GET")
        service.post(path="/x")
        service.post(media="text/plain")
        service.post(request(span()))
        reasons = service.board.reasons()
    assert {reason: n for (name, reason), n in reasons.items() if name == "refused"} == {
        "malformed": 1,
        "method": 1,
        "path": 1,
        "media type": 1,
    }
    assert reasons["requests", ""] == 1
