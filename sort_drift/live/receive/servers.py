"""Listeners: a socket, with plain words where it cannot be had; an application behind it; an orderly stop."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import ssl
from contextlib import suppress
from email.utils import formatdate
from typing import Protocol

from starlette.types import ASGIApp
from uvicorn.config import Config
from uvicorn.server import ServerState

from sort_drift.errors import UsageError
from sort_drift.live.receive.protocol import HEAD_BYTES, Connection, Crowd, connection
from sort_drift.live.settings import Address, Settings, Tls

BACKLOG = 512
_LAST_S = 1.0  # for an application whose client was cut off

_TODO = {
    errno.EADDRINUSE: "Stop what listens there, or give another port; 0 takes a free one",
    errno.EADDRNOTAVAIL: "Give an address that this machine has",
    errno.EACCES: "Give a port above 1023",
}


class Listener(Protocol):
    """What is listening."""

    address: Address

    @property
    def port(self) -> int:
        """The port, where ``address`` says 0 too."""

    async def stop(self, grace_s: float) -> None:
        """Take nothing new, let what is under way finish for so long, then close."""


async def start_http(app: ASGIApp, address: Address, settings: Settings) -> HttpListener:
    """Serve an ASGI application over HTTP/1.1, in the running loop.

    Raises ``UsageError`` where the address cannot be had, or a certificate not be read. There are no lifespan
    events, no WebSockets, and nothing is believed of what proxies say.
    """
    context = tls_context(settings.tls) if settings.tls else None
    config = Config(
        app,
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="error",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        h11_max_incomplete_event_size=HEAD_BYTES,
    )
    config.load()
    state, crowd = ServerState(), Crowd(settings.limits)
    sock = bound(address)
    server = await asyncio.get_running_loop().create_server(
        connection(config, state, crowd),
        sock=sock,
        backlog=BACKLOG,
        ssl=context,
        ssl_handshake_timeout=settings.limits.header_s if context else None,
    )
    return HttpListener(address, server, state, crowd)


class HttpListener:
    """An application that is served."""

    def __init__(self, address: Address, server: asyncio.Server, state: ServerState, crowd: Crowd) -> None:
        self.address = address
        self._crowd = crowd
        self.port: int = server.sockets[0].getsockname()[1]
        self._server = server
        self._state = state
        self._clock = asyncio.get_running_loop().create_task(_dated(state))

    @property
    def connections(self) -> int:
        """How many are open."""
        return len(self._state.connections)

    async def stop(self, grace_s: float) -> None:
        """Take no more connections, end those that are idle, and let the others finish their answer."""
        self._server.close()
        self._clock.cancel()
        for one in list(self._state.connections):
            one.shutdown()
        with suppress(TimeoutError):
            async with asyncio.timeout(grace_s):
                await self._crowd.gone.wait()
        for one in list(self._state.connections):
            if isinstance(one, Connection):
                one.transport.abort()
        if self._state.tasks:
            _, late = await asyncio.wait(self._state.tasks, timeout=_LAST_S)
            for task in late:
                task.cancel()
        await asyncio.sleep(0)  # transports that were aborted say so now


async def _dated(state: ServerState) -> None:
    """Keep the Date header of answers right."""
    while True:
        state.default_headers = [(b"date", formatdate(usegmt=True).encode())]
        await asyncio.sleep(1)


def bound(address: Address) -> socket.socket:
    """Return a socket that is bound; ``UsageError`` where that cannot be, with what to do."""
    try:
        found = socket.getaddrinfo(
            address.host or None, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        family, _, _, _, where = min(found, key=lambda one: one[0] != socket.AF_INET)
        both = family == socket.AF_INET6 and address.host == "::" and socket.has_dualstack_ipv6()
        return socket.create_server(where[:2], family=family, backlog=BACKLOG, dualstack_ipv6=both)
    except OSError as error:
        raise unbound(address, error) from error


def unbound(address: Address, error: OSError) -> UsageError:
    """Return what to say of an address that cannot be had."""
    what = "this port is in use" if error.errno == errno.EADDRINUSE else "cannot listen here"
    known = os.strerror(error.errno) if error.errno in _TODO else str(error.strerror or error)
    if error.errno != errno.EADDRINUSE:
        what += f": {known}"
    todo = _TODO.get(error.errno or 0, "Give an address of this machine, such as 127.0.0.1:0")
    return UsageError(what, where=str(address), todo=todo)


def tls_context(tls: Tls) -> ssl.SSLContext:
    """Return the context of a listener; with ``client_ca`` clients must show a certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(tls.certificate, tls.key)
        if tls.client_ca:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(tls.client_ca)
    except OSError as error:  # ssl.SSLError is one
        raise UsageError(
            f"the certificate cannot be read: {error.strerror or error}",
            where=", ".join(str(path) for path in (tls.certificate, tls.key, tls.client_ca) if path),
            todo="Give PEM files: a certificate chain, its key, and the authority of the clients",
        ) from error
    return context
