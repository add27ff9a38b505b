"""Who may send: tokens, names in the Host header, certificates, addresses that need one of them."""

from __future__ import annotations

import asyncio
import http.client
import os
import shutil
import socket
import ssl
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from sort_drift.errors import UsageError
from sort_drift.live.receive import security, servers
from sort_drift.live.receive.security import TOKEN_LENGTH, check_bind
from sort_drift.live.settings import Address, Limits, Settings, Tls
from tests.live.receive import certificates
from tests.live.receive.serving import PROTOBUF, Service, request, serving, span

BODY = request(span())
TLS = Tls(Path("c"), Path("k"))


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    """Serve with a token, and with a name of its own."""
    folder = tmp_path_factory.mktemp("security")
    with serving(folder, token="s3cret-t\u00f6ken", hosts=("Drift.Example",)) as running:
        yield running


AUTHORISED = {"Authorization": "Bearer s3cret-t\u00f6ken".encode()}


@pytest.mark.fault(57)
@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.1.2.3", "example.com", ""])
def test_an_open_address_needs_a_token_or_certificates(host):
    """Other machines can reach it: refused in one line that says what to do."""
    address = Address(host, 4318)
    with pytest.raises(UsageError) as caught:
        check_bind(address, Settings(Path("s")))
    assert str(address) in caught.value.line()
    assert "--insecure-no-auth" in caught.value.line()
    with pytest.raises(UsageError):
        check_bind(address, Settings(Path("s"), tls=TLS))
    with pytest.raises(UsageError, match="the token can be guessed"):
        check_bind(address, Settings(Path("s"), token="t" * (TOKEN_LENGTH - 1)))
    check_bind(address, Settings(Path("s"), token="t" * TOKEN_LENGTH))
    check_bind(address, Settings(Path("s"), insecure=True))
    check_bind(address, Settings(Path("s"), tls=Tls(Path("c"), Path("k"), Path("ca"))))


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_loopback_needs_nothing(host):
    """Only this machine can reach it."""
    check_bind(Address(host, 4318), Settings(Path("s")))


@pytest.mark.fault(58)
@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Bearer",
        "Bearer wrong",
        "Bearer s3cret-token",
        "Basic czNjcmV0",
        b"Basic s3cret-t\xc3\xb6ken",
        b"s3cret-t\xc3\xb6ken",
        b"Bearer s3cret-t\xc3\xb6ken1",
    ],
)
def test_without_the_token_it_is_401(service: Service, authorization):
    """Missing, wrong, of another scheme: 401, and nothing is stored; the token is in no answer."""
    headers: dict[str, Any] = {} if authorization is None else {"Authorization": authorization}
    reply = service.post(BODY, headers=headers)
    assert (reply.status, reply.rpc.code, reply.headers["www-authenticate"]) == (401, 16, "Bearer")
    assert b"s3cret" not in reply.body
    assert service.post(BODY, "/v1/nothing", headers=headers).status == 401
    assert service.frame.is_empty()


@pytest.mark.fault(58)
def test_with_the_token_it_is_200(tmp_path):
    """The scheme in any case; the health needs none."""
    with serving(tmp_path, token="abc") as service:
        for scheme in ("Bearer", "bearer"):
            assert service.post(BODY, headers={"Authorization": f"{scheme} abc"}).status == 200
        assert service.post(path="/healthz", method="GET", media=None).status == 200
        assert service.board.reasons().get(("refused", "token")) is None


def test_the_token_is_in_no_representation(service: Service):
    """Settings that get into a log or a traceback do not show it."""
    assert "s3cret" not in repr(service.settings)


@pytest.mark.fault(60)
@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        ("127.0.0.1", True),
        ("127.0.0.1:4318", True),
        ("LOCALHOST:1", True),
        ("[::1]:4318", True),
        ("drift.example", True),
        ("drift.example.:80", True),
        ("evil.example", False),
        ("localhost.evil.example", False),
        ("127.0.0.1.evil.example", False),
        ("evil.example:4318", False),
        ("localhost@evil.example", False),
        ("10.0.0.1", False),
        ("", False),
    ],
)
def test_a_name_that_is_not_ours_is_400(service: Service, host, allowed):
    """A page whose name was turned to this address (DNS rebinding) is told nothing, token or not."""
    reply = service.post(BODY, headers={"Host": host, **AUTHORISED})  # type: ignore[dict-item]
    assert reply.status == (200 if allowed else 400)
    assert (
        service.post(path="/healthz", method="GET", media=None, headers={"Host": host}).status == reply.status
    )
    if not allowed:
        assert "is not a name of this service" in reply.rpc.message


@pytest.mark.fault(60)
def test_of_an_open_address_the_one_that_was_reached_is_a_name():
    """Clients of 0.0.0.0 name an address of the machine; other addresses and names are still none."""
    guard = security.Guard(Address("0.0.0.0", 4318), Settings(Path("s")))
    guard.host("10.1.2.3:4318", "10.1.2.3")
    for host in ("10.1.2.4:4318", "evil.example", "0.0.0.0"):
        with pytest.raises(Exception, match="not a name of this service"):
            guard.host(host, "10.1.2.3")


@pytest.mark.fault(47)
def test_a_port_in_use_is_one_line(tmp_path):
    """It names the address and what to do."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = Address("127.0.0.1", taken.getsockname()[1])
        with pytest.raises(UsageError) as caught:
            servers.bound(address)
    assert caught.value.line() == (
        f"this port is in use (127.0.0.1:{address.port}). "
        "Stop what listens there, or give another port; 0 takes a free one. [usage]"
    )


@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid"])
def test_an_address_that_is_not_here_is_one_line(host):
    """Of another machine, or of none."""
    with pytest.raises(UsageError, match="cannot listen here: "):
        servers.bound(Address(host, 0))


@pytest.mark.parametrize("host", ["localhost", "::1", "::"])
def test_other_forms_of_address_are_bound(host):
    """By name, IPv6, and both families at once."""
    try:
        sock = servers.bound(Address(host, 0))
    except UsageError:
        pytest.skip("this machine has no IPv6")
    with sock:
        assert sock.getsockname()[1]


# ---------------------------------------------------------------------------------------------------------
# certificates


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Make certificates once for this file."""
    if not shutil.which("openssl"):
        pytest.skip("needs the openssl command")
    return certificates.made(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def mutual(folder, tmp_path_factory):
    """Serve over TLS to clients with a certificate."""
    tls = Tls(folder / "server.pem", folder / "server.key", folder / "ca.pem")
    with serving(tmp_path_factory.mktemp("mutual"), tls=tls, grpc=True) as running:
        yield running


def sent(service: Service, folder: Path, client: str | None) -> int:
    """Post over TLS with a client certificate, or without; return the status."""
    context = ssl.create_default_context(cafile=folder / "ca.pem")
    if client:
        context.load_cert_chain(folder / f"{client}.pem", folder / f"{client}.key")
    connection = http.client.HTTPSConnection("localhost", service.port, timeout=10, context=context)
    try:
        connection.request("POST", "/v1/traces", BODY, {"Content-Type": PROTOBUF})
        return connection.getresponse().status
    finally:
        connection.close()


@pytest.mark.fault(59)
def test_a_client_with_a_certificate_is_served(mutual: Service, folder: Path):
    """One that the authority signed, which is not over."""
    assert sent(mutual, folder, "client") == 200


@pytest.mark.fault(59)
@pytest.mark.parametrize("client", [None, "stranger", "expired"])
def test_a_client_without_the_right_certificate_is_not(mutual: Service, folder: Path, client):
    """None, of another authority, expired: the handshake fails."""
    before = mutual.frame.height
    with pytest.raises((ssl.SSLError, ConnectionError, http.client.RemoteDisconnected)):
        sent(mutual, folder, client)
    assert mutual.frame.height == before


@pytest.mark.fault(59)
@pytest.mark.parametrize(
    ("client", "served"), [("client", True), (None, False), ("stranger", False), ("expired", False)]
)
def test_the_same_holds_for_grpc(mutual: Service, folder: Path, client, served):
    """Both transports ask for the same certificate."""
    import grpc

    pair = [(folder / f"{client}{end}").read_bytes() if client else None for end in (".key", ".pem")]
    credentials = grpc.ssl_channel_credentials((folder / "ca.pem").read_bytes(), *pair)
    with grpc.secure_channel(f"localhost:{mutual.grpc_port}", credentials) as channel:
        call: Any = channel.unary_unary(
            "/opentelemetry.proto.collector.trace.v1.TraceService/Export", None, None
        )
        if served:
            assert call(BODY, timeout=10) == b""
        else:
            with pytest.raises(grpc.RpcError) as caught:
                call(BODY, timeout=10)
            assert caught.value.code() == grpc.StatusCode.UNAVAILABLE


def closed(sock: socket.socket) -> bool:
    """Wait until the other side has closed, without a word."""
    with suppress(ConnectionResetError):
        return not sock.recv(100)
    return True


@pytest.mark.fault(30)
def test_a_handshake_that_does_not_come_is_ended(folder, tmp_path):
    """A client that says nothing to a TLS port is cut off as one that sends no head."""
    tls = Tls(folder / "server.pem", folder / "server.key")
    with (
        serving(tmp_path, tls=tls, limits=Limits(header_s=0.5)) as service,
        socket.create_connection(("127.0.0.1", service.port), timeout=5) as sock,
    ):
        assert closed(sock)


@pytest.mark.parametrize("what", ["missing", "not a certificate", "another key"])
def test_certificates_that_cannot_be_read_are_one_line(folder, tmp_path, what):
    """With the files, and what they are to be."""
    key = folder / "client.key" if what == "another key" else folder / "server.key"
    certificate = folder / "server.pem"
    if what == "missing":
        certificate = tmp_path / "none.pem"
    if what == "not a certificate":
        certificate = tmp_path / "text.pem"
        certificate.write_text("text")
    with pytest.raises(UsageError, match="the certificate cannot be read") as caught:
        servers.tls_context(Tls(certificate, key))
    assert os.fspath(certificate) in caught.value.line()


def test_an_application_of_another_kind_can_be_served(tmp_path):
    """The page's application goes through the same listener."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(
            {"type": "http.response.start", "status": 200, "headers": [(b"x-path", scope["path"].encode())]}
        )
        await send({"type": "http.response.body", "body": b"hello"})

    async def run() -> tuple[bytes, int]:
        listener = await servers.start_http(app, Address("127.0.0.1", 0), Settings(tmp_path))
        reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
        writer.write(b"GET /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        found = await reader.read()
        writer.close()
        await listener.stop(1)
        return found, listener.port

    found, port = asyncio.run(run())
    assert port
    assert b"x-path: /a" in found
    assert b"date: " in found
    assert found.endswith(b"hello\r\n0\r\n\r\n")
