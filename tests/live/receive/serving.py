"""A receiver that listens on loopback, the real committer behind it, and the requests that tests send."""

from __future__ import annotations

import asyncio
import gzip
import http.client
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple

import polars as pl
from google.rpc.status_pb2 import Status
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from sort_drift.hashing import Hasher
from sort_drift.live.board import Board, Health
from sort_drift.live.keep import redact
from sort_drift.live.keep.committer import Committer
from sort_drift.live.receive import grpc as receive_grpc
from sort_drift.live.receive import http as receive_http
from sort_drift.live.receive import servers
from sort_drift.live.receive.context import Context
from sort_drift.live.receive.intake import Intake
from sort_drift.live.settings import Address, Limits, Settings
from tests.ingest_exports import field as proto_field

NOW = 1_795_312_192_263_569_992
PROTOBUF, JSON = "application/x-protobuf", "application/json"


class Reply(NamedTuple):
    """One HTTP answer."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def said(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)

    @property
    def rpc(self) -> Status:
        """The body as a protobuf Status."""
        return Status.FromString(self.body)


@dataclass
class Service:
    """A receiver that runs."""

    settings: Settings
    board: Board
    intake: Intake
    context: Context
    inbox: SimpleQueue[pl.DataFrame]
    port: int = 0
    grpc_port: int = 0
    listeners: list[Any] = field(default_factory=list)
    _frames: list[pl.DataFrame] = field(default_factory=list)

    @property
    def frame(self) -> pl.DataFrame:
        """Every span and log record that is durable."""
        with suppress(Empty):
            while True:
                self._frames.append(self.inbox.get_nowait())
        return pl.concat(self._frames, how="vertical") if self._frames else pl.DataFrame()

    def post(
        self,
        body: bytes = b"",
        path: str = "/v1/traces",
        *,
        method: str = "POST",
        media: str | None = PROTOBUF,
        headers: dict[str, str] | None = None,
        **more: Any,
    ) -> Reply:
        """Send one request over a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        sent = {**({"Content-Type": media} if media is not None else {}), **(headers or {})}
        try:
            connection.request(method, path, body, sent, **more)
            answer = connection.getresponse()
            return Reply(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
        finally:
            connection.close()

    def post_json(self, tree: Any, path: str = "/v1/traces", **options: Any) -> Reply:
        """Send one JSON request."""
        body = tree if isinstance(tree, bytes) else json.dumps(tree).encode()
        return self.post(body, path, media=JSON, **options)

    def raw(self, *pieces: bytes, wait_s: float = 10.0) -> bytes:
        """Send bytes over a socket and return everything that comes back until the other side closes."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=wait_s) as sock:
            for piece in pieces:
                sock.sendall(piece)
            found = b""
            with suppress(ConnectionResetError):
                while part := sock.recv(65536):
                    found += part
            return found


@contextmanager
def serving(
    folder: Path, *, grpc: bool = False, limits: Limits | None = None, **options: Any
) -> Iterator[Service]:
    """Serve on free ports of loopback for a block; ``options`` are further ones of Settings."""
    any_port = Address("127.0.0.1", 0)
    settings = Settings(folder, any_port, any_port, any_port, limits=limits or Limits(), **options)
    board, context = Board(), Context()
    board.show(health=Health(state="running"))
    journals = folder / "journal"
    journals.mkdir()
    inbox: SimpleQueue[pl.DataFrame] = SimpleQueue()
    redactor = redact.redactor(
        Hasher(b"k"), keep_content=False, attributes=settings.limits.attributes, further=()
    )
    committer = Committer(journals, redactor, board, inbox.put, stamp=context.stamp)
    committer.start()
    intake = Intake(committer, context, settings, board)
    service = Service(settings, board, intake, context, inbox)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    async def start() -> None:
        app = receive_http.application(intake, settings, board)
        service.listeners.append(await servers.start_http(app, any_port, settings))
        service.port = service.listeners[0].port
        if grpc:
            service.listeners.append(await receive_grpc.start_grpc(intake, any_port, settings))
            service.grpc_port = service.listeners[1].port

    async def stop() -> None:
        for listener in service.listeners:
            await listener.stop(1)

    try:
        asyncio.run_coroutine_threadsafe(start(), loop).result(20)
        yield service
    finally:
        asyncio.run_coroutine_threadsafe(stop(), loop).result(20)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
        intake.close()
        committer.stop()


def span(number: int = 1, **fields: Any) -> Span:
    """Return one protobuf span with valid ids and times; ``fields`` replace its own."""
    own: dict[str, Any] = {
        "trace_id": b"\x0a" * 16,
        "span_id": number.to_bytes(8, "big"),
        "name": "chat",
        "kind": 3,
        "start_time_unix_nano": NOW,
        "end_time_unix_nano": NOW + 1_000_000,
    }
    return Span(**{**own, **fields})


def request(*spans: Span | bytes) -> bytes:
    """Return a protobuf request of these spans, all in one scope."""
    rows = [one if isinstance(one, bytes) else one.SerializeToString() for one in spans]
    return proto_field(1, proto_field(2, b"".join(proto_field(2, row) for row in rows)))


@contextmanager
def growth() -> Iterator[list[int]]:
    """Measure how much memory of the machine this process takes at most, beyond what it has now [MiB]."""
    status, peak = Path("/proc/self/status"), Path("/proc/self/clear_refs")

    def now(name: str) -> int:
        return next(int(row.split()[1]) for row in status.read_text().splitlines() if row.startswith(name))

    found: list[int] = []
    if not peak.exists():
        yield found
        found.append(0)
        return
    peak.write_text("5")  # the peak is what there is now
    before = now("VmRSS")
    yield found
    found.append((now("VmHWM") - before) >> 10)


def packed(body: bytes) -> bytes:
    """Return a body as gzip."""
    return gzip.compress(body, 6, mtime=0)
