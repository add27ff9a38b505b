"""One POST: what is sent, how it may end, and that it does end."""

from __future__ import annotations

import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from sort_drift.live.outbound import post as posts
from sort_drift.live.outbound.addresses import target
from sort_drift.live.outbound.post import post
from sort_drift.live.settings import Webhook
from tests.live.outbound.programs import free_port
from tests.loopback import Answer, serving


@contextmanager
def raw(answer: Callable[[socket.socket], object]) -> Iterator[str]:
    """Serve one connection by hand; yields the address."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                try:
                    answer(connection)
                except OSError:
                    return

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        thread.join(10)


def test_what_is_sent() -> None:
    """JSON, with the bearer token, to the path and query that were given."""
    with serving(Answer(204)) as server:
        hook = Webhook(f"{server.url}/a/b?c=d")
        outcome = post(target(hook, ()), b'{"x": 1}', token="t0ken", headers={"Idempotency-Key": "k"})
        assert outcome.ok
    path, headers, body = server.requests[0]
    assert (path, body) == ("/a/b?c=d", b'{"x": 1}')
    assert headers["authorization"] == "Bearer t0ken"
    assert headers["content-type"] == "application/json"
    assert headers["idempotency-key"] == "k"
    assert headers["user-agent"].startswith("sort-drift/")


@pytest.mark.parametrize(
    ("status", "reason", "lasting"),
    [
        (400, "status 4xx", True),
        (401, "status 4xx", True),
        (404, "status 4xx", True),
        (408, "status 4xx", False),
        (429, "status 4xx", False),
        (500, "status 5xx", False),
        (503, "status 5xx", False),
        (304, "redirect", True),
    ],
)
def test_how_an_answer_is_understood(status: int, reason: str, lasting: bool) -> None:
    """What can pass is tried again, what will not is not; the reason is one of few words."""
    with serving(Answer(status, body={"error": "secret echo"})) as server:
        outcome = post(target(Webhook(server.url), ()), b"{}")
    assert (outcome.ok, outcome.reason, outcome.lasting) == (False, reason, lasting)
    assert str(status) in outcome.said
    assert "secret" not in outcome.said


@pytest.mark.parametrize(("given", "waited"), [("7", 7), ("100000", 300), ("-1", 0), ("soon", 0), ("²", 0)])
def test_how_long_the_other_side_may_ask_us_to_wait(given: str, waited: float) -> None:
    """Seconds, five minutes at most."""

    def answer(connection: socket.socket) -> None:
        connection.recv(65536)
        head = f"HTTP/1.1 503 Busy\r\nRetry-After: {given}\r\nContent-Length: 0\r\n\r\n"
        connection.sendall(head.encode("latin-1"))

    with raw(answer) as url:
        assert post(target(Webhook(url), ()), b"{}").wait_s == waited


def test_nobody_listens() -> None:
    """A port without a server is said so."""
    outcome = post(target(Webhook(f"http://127.0.0.1:{free_port()}"), ()), b"{}")
    assert (outcome.reason, outcome.lasting) == ("unreachable", False)
    assert "refused" in outcome.said


def test_silence_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that takes everything and answers nothing costs the time-out."""
    monkeypatch.setattr(posts, "TIMEOUT_S", 0.2)
    done = threading.Event()
    with raw(lambda _: str(done.wait(5))) as url:
        began = time.monotonic()
        outcome = post(target(Webhook(url), ()), b"{}")
        assert time.monotonic() - began < 3
        done.set()
    assert outcome.reason == "timeout"


def test_an_answer_a_byte_at_a_time_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each byte comes in time, and all of it would take for ever: the deadline ends it."""
    monkeypatch.setattr(posts, "DEADLINE_S", 0.5)

    def drip(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\nX: ")
        for _ in range(200):
            connection.sendall(b"x")
            time.sleep(0.05)

    with raw(drip) as url:
        began = time.monotonic()
        outcome = post(target(Webhook(url), ()), b"{}")
        assert time.monotonic() - began < 5
    assert outcome.reason == "timeout"


@pytest.mark.parametrize(
    "answered",
    [
        b"",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 1000 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000 + b"\r\n\r\n",
    ],
)
def test_what_is_no_http_is_no_delivery(answered: bytes) -> None:
    """A line of another protocol, endless heads, nothing: a failure, and not an exception."""

    def answer(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(answered)
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(65536):
            pass

    with raw(answer) as url:
        outcome = post(target(Webhook(url), ()), b"{}")
    assert not outcome.ok
    assert outcome.reason in {"answer", "unreachable"}


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Make a certificate of 127.0.0.1 that nobody has signed."""
    folder = tmp_path_factory.mktemp("tls")
    cert, key = folder / "cert.pem", folder / "key.pem"
    command = [
        *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"),
        *("-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(cert)),
    ]
    subprocess.run(command, check=True, capture_output=True)
    return cert, key


@contextmanager
def https(certificate: tuple[Path, Path]) -> Iterator[tuple[str, list[bytes]]]:
    """Serve over TLS; yields the address, and the bodies that came."""
    bodies: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            bodies.append(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    class Server(HTTPServer):
        def handle_error(self, *_: object) -> None:
            """A client that refuses the certificate is expected."""

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    with Server(("127.0.0.1", 0), Handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield f"127.0.0.1:{server.server_port}", bodies
        server.shutdown()
        thread.join()


def test_a_certificate_that_nobody_signed_is_refused(certificate: tuple[Path, Path]) -> None:
    """TLS is verified: nothing is sent to who only says who he is."""
    with https(certificate) as (address, bodies):
        outcome = post(target(Webhook(f"https://{address}/x"), ()), b"{}", token="t0ken")
        assert (outcome.ok, outcome.reason) == (False, "tls")
        assert "certificate" in outcome.said
        assert not bodies


def test_an_authority_of_your_own_is_trusted(
    certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """SSL_CERT_FILE names it; the name in the certificate still has to be the host's."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    with https(certificate) as (address, bodies):
        assert post(target(Webhook(f"https://{address}/x"), ()), b'{"a": 1}').ok
        assert bodies == [b'{"a": 1}']
        port = address.rpartition(":")[2]
        other = post(target(Webhook(f"https://127.0.0.2:{port}/x"), ()), b"{}")
        assert other.reason in {"tls", "unreachable"}
        assert len(bodies) == 1


def test_a_plain_server_behind_https_is_no_delivery() -> None:
    """No fallback to plain text."""
    with serving(Answer()) as server:
        outcome = post(target(Webhook(server.url.replace("http:", "https:")), ()), b"{}")
        assert (outcome.ok, outcome.reason) == (False, "tls")
        assert not server.requests
