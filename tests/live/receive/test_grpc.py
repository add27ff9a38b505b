"""OTLP/gRPC as clients see it: codes, details, limits; from raw bytes and from channels that misbehave."""

from __future__ import annotations

import asyncio
import random
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import grpc
import pytest
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from sort_drift.errors import UsageError
from sort_drift.live.receive import grpc as module
from sort_drift.live.settings import MIB, Address, Limits, Settings
from tests.ingest_exports import field
from tests.live.receive.serving import Service, growth, request, serving, span
from tests.live.receive.test_decode import logs, metrics, nested
from tests.live.receive.test_http import sized
from tests.waiting import until

EXPORT = {signal: method for method, signal in module.METHODS.items()}
DETAILS = "grpc-status-details-bin"


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    """Serve once for this file."""
    limits = Limits(body_bytes=MIB, body_s=1)
    with serving(tmp_path_factory.mktemp("grpc"), grpc=True, limits=limits) as running:
        yield running


@pytest.fixture(scope="module")
def channel(service: Service):
    """One channel for this file."""
    with opened(service) as made:
        yield made


def opened(service: Service, *options: tuple[str, Any]) -> grpc.Channel:
    """Return a channel of its own connection."""
    return grpc.insecure_channel(
        f"127.0.0.1:{service.grpc_port}", (("grpc.use_local_subchannel_pool", 1), *options)
    )


def unary(channel: grpc.Channel, method: str) -> Any:
    """Return a method that takes and gives bytes."""
    return channel.unary_unary(method, None, None)


def export(channel: grpc.Channel, body: bytes, signal: Any = "traces", **options: Any) -> bytes:
    """Send one request."""
    call = unary(channel, EXPORT[signal])
    answer: bytes = call(body, timeout=20, **options)
    return answer


def failed(channel: grpc.Channel, body: bytes, signal: Any = "traces", **options: Any) -> tuple[Any, Status]:
    """Send a request that is refused; return the error, and the Status in its details."""
    with pytest.raises(grpc.RpcError) as caught:
        export(channel, body, signal, **options)
    error: Any = caught.value
    found = dict(error.trailing_metadata() or ())
    return error, Status.FromString(found.get(DETAILS, b""))


@pytest.mark.fault(1)
def test_a_request_is_taken(service: Service, channel):
    """OK, partial success unset, and durable; the other services too."""
    before = service.frame.height
    response = ExportTraceServiceResponse.FromString(export(channel, request(span(1), span(2))))
    assert not response.HasField("partial_success")
    assert service.frame.height == before + 2
    assert export(channel, logs(), "logs") == b""
    assert export(channel, metrics(), "metrics") == b""
    for signal in EXPORT:
        assert export(channel, b"", signal) == b""


@pytest.mark.fault(15)
def test_partial_success_counts_exactly(service: Service, channel):
    """The others are stored."""
    before = service.frame.height
    answer = ExportTraceServiceResponse.FromString(export(channel, request(span(1), span(2, span_id=b"\1"))))
    assert answer.partial_success.rejected_spans == 1
    assert service.frame.height == before + 1


@pytest.mark.fault(8, 16, 20, 21)
@pytest.mark.parametrize(
    ("body", "says"),
    [
        (random.Random(1).randbytes(300), "not an OTLP protobuf request"),
        (request(span())[:-5], "not an OTLP protobuf request"),
        (logs(), "send it to /v1/logs (gRPC: LogsService)"),
        (nested(60, "protobuf"), "nested too deep"),
        (request(span().SerializeToString().replace(b"chat", b"\xff\xfe\xfd\xfc")), "UTF-8"),
    ],
)
def test_bad_data_is_invalid_argument(channel, body, says):
    """With BadRequest in the details, and final: no RetryInfo."""
    error, status = failed(channel, body)
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert says in error.details()
    assert (status.code, status.message) == (3, error.details())
    assert [detail.type_url.rpartition(".")[2] for detail in status.details] == ["BadRequest"]


@pytest.mark.fault(25)
def test_the_limit_of_a_message_is_exact(service: Service, channel):
    """A message of the limit is stored; one byte more is RESOURCE_EXHAUSTED, and final."""
    before = service.frame.height
    export(channel, sized(MIB))
    error, status = failed(channel, sized(MIB + 1))
    assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert not status.details
    assert service.frame.height == before + 1


@pytest.mark.fault(25)
def test_packed_messages_have_the_same_limit(service: Service, channel):
    """Gzip of gRPC: the limit is that of what it holds."""
    before = service.frame.height
    export(channel, sized(MIB), compression=grpc.Compression.Gzip)
    error, _ = failed(channel, sized(MIB + 1), compression=grpc.Compression.Gzip)
    assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert service.frame.height == before + 1


@pytest.mark.fault(26, 27)
def test_bombs_are_refused_in_bounded_memory(service: Service, channel):
    """Half a million empty spans in 2 KB; 200 MB of zeros in 200 KB, from another process."""
    error, _ = failed(channel, field(1, field(2, b"\x12\x00" * 500_000)), compression=grpc.Compression.Gzip)
    assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    client = (
        "import grpc\n"
        f"with grpc.insecure_channel('127.0.0.1:{service.grpc_port}') as channel:\n"
        f"    call = channel.unary_unary('{EXPORT['traces']}')\n"
        "    try:\n        call(bytes(200 << 20), timeout=30, compression=grpc.Compression.Gzip)\n"
        "    except grpc.RpcError as error:\n        print(error.code())\n"
    )
    with growth() as grown:
        done = subprocess.run([sys.executable, "-c", client], capture_output=True, text=True, check=True)
    assert done.stdout == "StatusCode.RESOURCE_EXHAUSTED\n"
    assert grown[0] < 40  # grpc stops to inflate at the limit


@pytest.mark.fault(34)
@pytest.mark.parametrize(
    "method",
    [
        "/opentelemetry.proto.collector.trace.v1.TraceService/Import",
        "/opentelemetry.proto.collector.profiles.v1development.ProfilesService/Export",
        "/x/y",
    ],
)
def test_an_unknown_method_is_unimplemented(channel, method):
    """Whatever is sent to it."""
    with pytest.raises(grpc.RpcError) as caught:
        unary(channel, method)(request(span()), timeout=10)
    assert caught.value.code() == grpc.StatusCode.UNIMPLEMENTED


@pytest.mark.fault(34)
def test_too_much_metadata_ends_that_call_only(channel):
    """20 KB are refused by the transport; the connection goes on."""
    with pytest.raises(grpc.RpcError) as caught:
        export(channel, request(span()), metadata=[("x-long", "v" * 20_000)])
    assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert export(channel, request(span()), metadata=[("x-short", "v" * 2_000)]) == b""


@pytest.mark.fault(34)
def test_ten_thousand_calls_are_answered_or_asked_to_come_again(tmp_path):
    """More than there may be: UNAVAILABLE with RetryInfo, which clients follow; every OK is stored."""
    body = request(span())

    async def storm(port: int) -> dict[Any, int]:
        found: dict[Any, int] = {}
        said: list[Any] = []
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            call: Any = channel.unary_unary(EXPORT["traces"], None, None)

            async def one() -> None:
                try:
                    await call(body, timeout=60)
                    outcome: Any = "OK"
                except grpc.aio.AioRpcError as error:
                    outcome = error.code()
                    said.extend(error.trailing_metadata() or ())
                found[outcome] = found.get(outcome, 0) + 1

            await asyncio.gather(*(one() for _ in range(10_000)))
        assert all(b"RetryInfo" in value for name, value in said if name == DETAILS)
        return found

    with serving(tmp_path, grpc=True, limits=Limits(rpcs=200)) as service:
        found = asyncio.run(storm(service.grpc_port))
        assert sum(found.values()) == 10_000
        assert set(found) <= {"OK", grpc.StatusCode.UNAVAILABLE}
        assert found["OK"] > 200
        assert service.frame.height == found["OK"]
        assert service.intake.admission.bytes == 0
        with opened(service) as channel:
            assert export(channel, body) == b""


@pytest.mark.fault(30, 34)
def test_calls_that_never_send_do_not_hold_the_others_up(tmp_path, monkeypatch):
    """Streams that are open and silent are cut off, at once where others wait for their turn."""
    monkeypatch.setattr(module, "FAIR_S", 0.3)

    def silent(channel: grpc.Channel) -> Any:
        call: Any = channel.stream_unary(EXPORT["traces"], None, None)

        def nothing() -> Iterator[bytes]:
            done.wait(20)
            yield b""

        with pytest.raises(grpc.RpcError) as caught:
            call(nothing(), timeout=20)
        return caught.value.code()

    done = threading.Event()
    with (
        serving(tmp_path, grpc=True, limits=Limits(body_s=10)) as service,
        opened(service) as crowded,
        ThreadPoolExecutor(40) as threads,
        opened(service) as other,
    ):
        waiting = [threads.submit(silent, crowded) for _ in range(40)]
        time.sleep(0.3)
        began = time.monotonic()
        assert export(other, request(span())) == b""
        assert time.monotonic() - began < 4
        until(lambda: sum(one.done() for one in waiting) >= 24)  # all but those that nobody waits for
        assert {one.result() for one in waiting if one.done()} == {grpc.StatusCode.DEADLINE_EXCEEDED}
        done.set()


@pytest.mark.fault(30)
def test_a_message_that_does_not_come_is_deadline_exceeded(service: Service, channel):
    """After body_s, with a Status."""

    def nothing() -> Iterator[bytes]:
        time.sleep(2)
        yield b""

    call: Any = channel.stream_unary(EXPORT["traces"], None, None)
    began = time.monotonic()
    with pytest.raises(grpc.RpcError) as caught:
        call(nothing(), timeout=20)
    assert caught.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    assert 0.8 < time.monotonic() - began < 5
    assert service.board.reasons()["refused", "slow"] >= 1


@pytest.mark.fault(29)
def test_overload_is_unavailable_with_retry_info(service: Service, channel):
    """So is a stop; clients come again."""
    service.intake.draining = True
    try:
        error, status = failed(channel, request(span()))
    finally:
        service.intake.draining = False
    assert error.code() == grpc.StatusCode.UNAVAILABLE
    assert [detail.type_url.rpartition(".")[2] for detail in status.details] == ["RetryInfo"]


@pytest.mark.fault(58)
def test_without_the_token_it_is_unauthenticated(tmp_path):
    """Missing or wrong: nothing is read or stored. The right one is taken."""
    with serving(tmp_path, grpc=True, token="abc") as service, opened(service) as channel:
        for metadata in ((), (("authorization", "Bearer abcd"),), (("authorization", "abc"),)):
            error, status = failed(channel, request(span()), metadata=metadata)
            assert (error.code(), status.code) == (grpc.StatusCode.UNAUTHENTICATED, 16)
        assert service.frame.is_empty()
        assert export(channel, request(span()), metadata=(("authorization", "Bearer abc"),)) == b""
        assert service.board.reasons()["refused", "token"] == 3


@pytest.mark.fault(32)
def test_a_client_that_gives_up_leaves_nothing_behind(service: Service):
    """Cancelled in the middle of a message, or right behind it: no byte stays in flight."""
    with opened(service) as channel:
        call = unary(channel, EXPORT["traces"])
        for delay in (0.0, 0.001, 0.01):
            future = call.future(sized(500_000), timeout=10)
            time.sleep(delay)
            future.cancel()
    with socket.create_connection(("127.0.0.1", service.grpc_port)) as sock:
        sock.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
    until(lambda: service.intake.admission.bytes == 0)
    with opened(service) as channel:
        assert export(channel, request(span())) == b""


@pytest.mark.fault(33)
def test_what_is_no_http2_ends_that_connection_only(service: Service, channel):
    """HTTP/1.1, or anything else, to the gRPC port."""
    for junk in (b"POST / HTTP/1.1\r\nHost: x\r\n\r\n", random.Random(3).randbytes(2_000)):
        with socket.create_connection(("127.0.0.1", service.grpc_port), timeout=5) as sock:
            sock.sendall(junk)
            with suppress(ConnectionResetError):
                while sock.recv(65_536):
                    pass
    assert export(channel, request(span())) == b""


@pytest.mark.fault(47)
def test_a_port_in_use_is_one_line(tmp_path):
    """It names the address and what to do."""

    async def start(address: Address) -> None:
        await module.start_grpc(None, address, Settings(tmp_path))  # type: ignore[arg-type]

    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        pytest.raises(UsageError, match="this port is in use"),
    ):
        asyncio.run(start(Address("127.0.0.1", taken.getsockname()[1])))


def test_without_grpcio_the_message_says_what_to_install():
    """The extra is optional: whoever asks for the port without it is told, in one line."""
    code = (
        "import sys; sys.modules['grpc'] = None\n"
        "from sort_drift.errors import UsageError\n"
        "try:\n    import sort_drift.live.receive.grpc\n"
        "except UsageError as error:\n    print(error.line())\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "Install sort-drift[live,grpc]" in done.stdout
