"""Clients that are slow, silent, too many, or gone: none of them keeps the others out."""

from __future__ import annotations

import select
import socket
import time

import pytest

from sort_drift.live.settings import Limits
from tests.live.receive.serving import Service, request, serving, span
from tests.waiting import until

LIMITS = Limits(header_s=0.6, body_s=0.6, idle_s=1.2, connections=200, body_bytes=100_000)
HEAD = b"POST /v1/traces HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-protobuf\r\n"
BODY = request(span())
WHOLE = HEAD + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    """Serve once for this file."""
    with serving(tmp_path_factory.mktemp("slow"), limits=LIMITS) as running:
        yield running


def connected(service: Service, *pieces: bytes) -> socket.socket:
    """Open a connection and send what there is."""
    sock = socket.create_connection(("127.0.0.1", service.port), timeout=10)
    for piece in pieces:
        sock.sendall(piece)
    return sock


def rest(sock: socket.socket) -> bytes:
    """Return what comes until the other side closes."""
    found = b""
    with sock:
        try:
            while part := sock.recv(65_536):
                found += part
        except ConnectionResetError:
            pass
    return found


def flooded(sock: socket.socket, piece: bytes, pause_s: float = 0) -> int:
    """Send until the other side has closed; return how many bytes that were."""
    sent = 0
    try:
        while True:
            sent += sock.send(piece)
            time.sleep(pause_s)
    except (ConnectionResetError, BrokenPipeError):
        return sent


def gone(service: Service) -> None:
    """Wait until the listener has forgotten every connection, and what was read of its requests is freed."""
    until(lambda: not service.listeners[0].connections and not service.intake.admission.bytes)


@pytest.mark.fault(30)
def test_a_head_that_does_not_end_is_408(service: Service):
    """A byte at a time does not help: what counts is when it began."""
    began = time.monotonic()
    sock = connected(service)
    for at in range(len(HEAD)):
        if select.select([sock], [], [], 0.05)[0]:
            break
        sock.sendall(HEAD[at : at + 1])
    found = rest(sock)
    assert 0.5 < time.monotonic() - began < 5
    assert found.startswith(b"HTTP/1.1 408 ")
    assert b'{"code":4,"message":"the head of the request was not there in 0.6 s"}' in found
    gone(service)


@pytest.mark.fault(30)
@pytest.mark.parametrize(
    "framing", [b"Content-Length: 1000\r\n\r\n1234", b"Transfer-Encoding: chunked\r\n\r\n4\r\n1234\r\n"]
)
def test_a_body_that_does_not_come_is_408(service: Service, framing):
    """With a Status, and the connection is closed."""
    began = time.monotonic()
    found = rest(connected(service, HEAD + framing))
    assert 0.5 < time.monotonic() - began < 5
    assert found.startswith(b"HTTP/1.1 408 ")
    assert b"connection: close" in found
    gone(service)


@pytest.mark.fault(30)
def test_the_second_request_of_a_connection_has_to_be_quick_too(service: Service):
    """After an answer the head of the next request is timed from its first byte."""
    sock = connected(service, WHOLE)
    assert sock.recv(65_536).startswith(b"HTTP/1.1 200 ")
    time.sleep(0.8)  # idle for longer than a head may take
    began = time.monotonic()
    sock.sendall(b"POST /v1")
    assert rest(sock).startswith(b"HTTP/1.1 408 ")
    assert 0.5 < time.monotonic() - began < 5
    gone(service)


@pytest.mark.fault(30)
def test_a_refused_body_is_not_read_for_ever(service: Service):
    """Whoever goes on sending after a 413 is cut off: by time, and by bytes."""
    head = HEAD + b"Content-Length: 999999999\r\n\r\n"
    sock = connected(service, head)
    assert sock.recv(65_536).startswith(b"HTTP/1.1 413 ")
    began = time.monotonic()
    assert flooded(sock, b"x", pause_s=0.02) < 1_000
    assert time.monotonic() - began < 5
    sock.close()
    sock = connected(service, head)
    assert flooded(sock, b"x" * 50_000) < 20_000_000  # most of it in the kernel's buffers
    sock.close()
    gone(service)


def test_an_idle_connection_is_kept_for_a_while_and_then_closed(service: Service):
    """Several requests go over one connection; then silence ends it without a word."""
    sock = connected(service)
    for _ in range(3):
        sock.sendall(WHOLE)
        assert sock.recv(65_536).startswith(b"HTTP/1.1 200 ")
        time.sleep(0.3)
    began = time.monotonic()
    assert rest(sock) == b""
    assert 0.5 < time.monotonic() - began < 5
    assert rest(connected(service)) == b""
    gone(service)


@pytest.mark.fault(31)
def test_two_thousand_idle_connections_keep_nobody_out(service: Service):
    """Those that are idle for the longest make room; a client that sends gets its answer, all the time."""
    socks = []
    try:
        for number in range(2_000):
            socks.append(connected(service))
            if not number % 100:
                assert service.post(BODY).status == 200
        assert service.post(BODY).status == 200
        assert service.listeners[0].connections <= LIMITS.connections + 20
    finally:
        for sock in socks:
            sock.close()
    gone(service)


@pytest.mark.fault(31)
def test_working_connections_are_not_closed_for_new_ones(tmp_path):
    """Where all are at work the new one gets 503, and those that work get their answers."""
    with serving(tmp_path, limits=Limits(connections=5, body_s=5)) as service:
        half = HEAD + b"Content-Length: %d\r\n\r\n" % len(BODY)
        busy = [connected(service, half) for _ in range(5)]
        time.sleep(0.2)
        found = rest(connected(service))
        assert found.startswith(b"HTTP/1.1 503 ")
        assert b"retry-after: 1" in found
        for sock in busy:
            sock.sendall(BODY)
            assert sock.recv(65_536).startswith(b"HTTP/1.1 200 ")
            sock.close()
        assert service.frame.height == 5


@pytest.mark.fault(32)
def test_a_client_that_hangs_up_leaves_nothing_behind(service: Service):
    """In the middle of a head, of a body, before the answer: nothing is stored, no byte is held."""
    before = service.frame.height
    for pieces in (
        (b"POST /v1/tr",),
        (HEAD + b"Content-Length: 50000\r\n\r\n", b"x" * 20_000),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\nffff\r\nxx",),
    ):
        sock = connected(service, *pieces)
        time.sleep(0.1)
        sock.close()
    until(lambda: service.board.reasons().get(("refused", "hung up")) == 2)
    gone(service)
    assert service.frame.height == before
    assert service.post(BODY).status == 200


@pytest.mark.fault(33)
@pytest.mark.parametrize(
    "lines",
    [
        b"Content-Length: 10\r\nContent-Length: 11\r\n\r\n" + b"x" * 11,
        b"Content-Length: ten\r\n\r\n",
        b"Content-Length: -1\r\n\r\n",
        b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"X: " + b"y" * 50_000 + b"\r\n\r\n",
        b"".join(b"X-%d: y\r\n" % n for n in range(9_000)) + b"\r\n",
        b"broken header\r\n\r\n",
    ],
)
def test_contradicting_lengths_and_huge_heads_are_refused(service: Service, lines):
    """No guess about where a request ends: 400 (or 501), and nothing is stored."""
    before = service.frame.height
    found = rest(connected(service, HEAD + lines))
    assert found.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 501 "))
    assert b'"message":' in found or b"Transfer" in found
    assert service.frame.height == before


@pytest.mark.fault(33)
def test_what_is_no_http_is_400(service: Service):
    """TLS to a plain port, or anything else, gets a Status in JSON."""
    found = rest(connected(service, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"))
    assert found.startswith(b"HTTP/1.1 400 ")
    assert b'{"code":3,"message":"Invalid HTTP request received."' in found


def test_pipelined_requests_are_answered_in_order(service: Service):
    """Three at once over one connection, the second of them refused unread."""
    large = HEAD + b"Content-Length: 150000\r\n\r\n" + b"x" * 150_000
    last = WHOLE.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n", 1)
    found = rest(connected(service, WHOLE + large + WHOLE + last))
    assert [part[:3] for part in found.split(b"HTTP/1.1 ")[1:]] == [b"200", b"413", b"200", b"200"]


def test_a_client_that_waits_for_100_is_told_to_go_on(service: Service):
    """Expect: 100-continue gets its 100, and 413 instead where the body would be too large."""
    sock = connected(service, HEAD + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(BODY))
    assert sock.recv(65_536).startswith(b"HTTP/1.1 100 ")
    sock.sendall(BODY)
    assert sock.recv(65_536).startswith(b"HTTP/1.1 200 ")
    sock.close()
    sock = connected(service, HEAD + b"Expect: 100-continue\r\nContent-Length: 150000\r\n\r\n")
    assert sock.recv(65_536).startswith(b"HTTP/1.1 413 ")
    sock.close()


@pytest.mark.fault(38)
def test_a_stop_lets_what_is_under_way_finish(tmp_path):
    """Idle connections are closed, a request whose body still comes is answered, and then there is nobody."""
    import threading

    with serving(tmp_path, limits=Limits(body_s=5)) as service:
        idle = connected(service)
        half = connected(service, HEAD + b"Content-Length: %d\r\n\r\n" % len(BODY))
        time.sleep(0.2)
        threading.Timer(0.4, half.sendall, (BODY,)).start()
        began = time.monotonic()
    assert 0.3 < time.monotonic() - began < 5
    assert rest(half).startswith(b"HTTP/1.1 200 ")
    assert rest(idle) == b""
    assert service.frame.height == 1
    with pytest.raises(OSError, match="refused"):
        connected(service)


def test_a_stop_cuts_off_who_takes_too_long(tmp_path):
    """After the grace nobody is waited for."""
    with serving(tmp_path, limits=Limits(body_s=30)) as service:
        half = connected(service, HEAD + b"Content-Length: 100\r\n\r\n")
        time.sleep(0.2)
        began = time.monotonic()
    assert time.monotonic() - began < 4
    assert not rest(half).startswith(b"HTTP/1.1 200 ")
