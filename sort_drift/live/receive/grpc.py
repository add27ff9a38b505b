"""OTLP/gRPC: three Export methods, as raw bytes.

The generated servicer would answer UNKNOWN to what it cannot parse and build objects that nobody needs. Its
messages are read as a stream of one, so that token and room are checked before anything is taken in: what a
unary handler gets is in memory already.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sort_drift.errors import UsageError
from sort_drift.live.receive import answers
from sort_drift.live.receive.admission import RETRY_S
from sort_drift.live.receive.intake import Intake
from sort_drift.live.receive.security import Guard
from sort_drift.live.receive.servers import bound, tls_context
from sort_drift.live.receive.terms import Refused, Signal
from sort_drift.live.settings import Address, Settings, Tls

os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # it writes a line to stderr for every client that fails
try:
    import grpc
except ImportError as error:
    raise UsageError(
        "OTLP/gRPC needs grpcio, which is not installed",
        where="--otlp-grpc",
        todo="Install sort-drift[live,grpc], or give no --otlp-grpc address and send OTLP/HTTP",
    ) from error

_PACKAGE = "/opentelemetry.proto.collector"
METHODS: Mapping[str, Signal] = {
    f"{_PACKAGE}.trace.v1.TraceService/Export": "traces",
    f"{_PACKAGE}.logs.v1.LogsService/Export": "logs",
    f"{_PACKAGE}.metrics.v1.MetricsService/Export": "metrics",
}

METADATA_BYTES = 16_384
READING = 16
"""Messages that are read at once: how long one is stands nowhere before it is there."""

FAIR_S = 2.0
"""Seconds that a message may take where others wait."""

_CEILING = 8  # times rpcs: calls that are open at once, most of them to be refused; more end in grpc itself

_DETAILS = "grpc-status-details-bin"
_CODES: Mapping[int, grpc.StatusCode] = {code.value[0]: code for code in grpc.StatusCode}


async def start_grpc(intake: Intake, address: Address, settings: Settings) -> GrpcListener:
    """Serve OTLP/gRPC in the running loop; ``UsageError`` where the address cannot be had."""
    limits = settings.limits
    credentials = _credentials(settings.tls) if settings.tls else None
    bound(address).close()  # says in plain words what grpc would not
    server = grpc.aio.server(
        handlers=(_Exports(intake, Guard(address, settings), settings),),
        maximum_concurrent_rpcs=_CEILING * limits.rpcs,
        options=(
            ("grpc.so_reuseport", 0),
            ("grpc.max_receive_message_length", limits.body_bytes),
            ("grpc.max_metadata_size", METADATA_BYTES),
            ("grpc.absolute_max_metadata_size", METADATA_BYTES),
            ("grpc.max_concurrent_streams", limits.rpcs),  # of one connection
            ("grpc.server_handshake_timeout_ms", int(limits.header_s * 1000)),
            ("grpc.max_connection_idle_ms", int(limits.idle_s * 1000)),
            ("grpc.max_allowed_incoming_connections", limits.connections),
        ),
    )
    name = str(address)
    try:
        port = server.add_secure_port(name, credentials) if credentials else server.add_insecure_port(name)
    except RuntimeError as error:
        raise UsageError(
            "cannot listen here", where=name, todo="Give another port; 0 takes a free one"
        ) from error
    await server.start()
    return GrpcListener(address, port, server)


class GrpcListener:
    """The three services, listening."""

    def __init__(self, address: Address, port: int, server: grpc.aio.Server) -> None:
        self.address = address
        self.port = port
        self._server = server

    async def stop(self, grace_s: float) -> None:
        """Take nothing new, and let what is under way finish for so long."""
        await self._server.stop(grace_s)


class _Exports(grpc.GenericRpcHandler):  # type: ignore[type-arg] # no parameters at run time
    """Finds the handler of a method; there is none for others (UNIMPLEMENTED)."""

    def __init__(self, intake: Intake, guard: Guard, settings: Settings) -> None:
        self._intake = intake
        self._guard = guard
        self._limits = settings.limits
        self._calls = 0  # under way
        self._turns = _Turns(settings.limits.body_s)
        self._handlers = {method: self._handler(signal) for method, signal in METHODS.items()}

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        """Return the handler of a method, None where it is none of ours."""
        return self._handlers.get(handler_call_details.method)

    def _handler(self, signal: Signal) -> Any:
        async def export(messages: AsyncIterator[bytes], context: Any) -> bytes:
            try:
                with self._call():
                    self._guard.token(dict(context.invocation_metadata() or ()).get("authorization"))
                    message = await self._turns.read(messages)
                    answer = await self._intake.take(signal, "protobuf", message)
            except Refused as refused:
                self._intake.count(refused)
                status = answers.status(refused)
                details = ((_DETAILS, status.SerializeToString()),)
                await context.abort(_CODES[status.code], status.message, details)
            return answers.success(signal, "protobuf", answer)

        return grpc.stream_unary_rpc_method_handler(export)

    @contextmanager
    def _call(self) -> Iterator[None]:
        """Count a call; more than ``rpcs`` at once are asked to come again.

        grpc's own limit answers RESOURCE_EXHAUSTED, which is final for clients: their spans would be lost.
        """
        self._intake.check_open()
        if self._calls >= self._limits.rpcs:
            raise Refused(503, f"overloaded: {self._calls} calls are under way", retry_after_s=RETRY_S)
        self._calls += 1
        try:
            yield
        finally:
            self._calls -= 1


class _Turns:
    """Who reads a message now.

    Where others wait for a turn it lasts ``FAIR_S``, not ``body_s``: streams that are open and silent are no
    reason to let real ones wait.
    """

    def __init__(self, body_s: float) -> None:
        self._body_s = body_s
        self._fair_s = min(FAIR_S, body_s)
        self._turns = asyncio.Semaphore(READING)
        self._readers: dict[asyncio.Timeout, float] = {}  # until when, and since when
        self._waiting = 0

    async def read(self, messages: AsyncIterator[bytes]) -> bytes:
        """Return the one message of a call."""
        await self._turn()
        now = asyncio.get_running_loop().time()
        timer = asyncio.timeout(self._fair_s if self._waiting else self._body_s)
        self._readers[timer] = now
        try:
            async with timer:
                async for message in messages:
                    return message
        except TimeoutError:
            raise Refused(408, "the request did not come in time") from None
        finally:
            del self._readers[timer]
            self._turns.release()
        raise Refused(400, "there is no message in this call")

    async def _turn(self) -> None:
        if self._turns.locked():
            now = asyncio.get_running_loop().time()
            for timer, since in self._readers.items():
                timer.reschedule(max(now, min(since + self._fair_s, timer.when() or 0)))
        self._waiting += 1
        try:
            async with asyncio.timeout(self._body_s):
                await self._turns.acquire()
        except TimeoutError:
            raise Refused(503, "overloaded: too many requests are coming in", retry_after_s=RETRY_S) from None
        finally:
            self._waiting -= 1


def _credentials(tls: Tls) -> grpc.ServerCredentials:
    tls_context(tls)  # says in plain words what is wrong with the files
    pair = (Path(tls.key).read_bytes(), Path(tls.certificate).read_bytes())
    roots = Path(tls.client_ca).read_bytes() if tls.client_ca else None
    return grpc.ssl_server_credentials([pair], roots, require_client_auth=roots is not None)
