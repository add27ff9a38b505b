"""One HTTP/1.1 connection: uvicorn's, with the limits on time and number that uvicorn does not have.

A head has to be there ``header_s`` after the connection was made, or after the first byte of the next
request; between requests a connection may be idle for ``idle_s``. Over ``connections`` the one that is idle
for the longest makes room, so that clients get through however many do nothing.
"""

from __future__ import annotations

import asyncio
from typing import Any

import h11
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from sort_drift.live.receive import answers
from sort_drift.live.receive.terms import Refused
from sort_drift.live.settings import Limits

HEAD_BYTES = 32_768
"""Of the head of a request, and a piece more."""

_PIECE = 8_192  # bytes of a head at once: h11 looks at its size only where it is not whole yet

_REASONS = {400: b"Bad Request", 408: b"Request Timeout", 503: b"Service Unavailable"}
_SPARE = 4  # times body_bytes of a refused body that are read and thrown away, so that its answer is seen


class Crowd:
    """The connections of one listener."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.idle: dict[Connection, None] = {}  # those without a request, the longest first
        self.gone = asyncio.Event()  # set while there is none
        self.gone.set()


class Connection(H11Protocol):
    """A connection whose client may be slow, silent, or one of too many."""

    def __init__(
        self, config: Config, state: ServerState, loop: asyncio.AbstractEventLoop, crowd: Crowd
    ) -> None:
        super().__init__(config=config, server_state=state, app_state={}, _loop=loop)
        self.timeout_keep_alive = crowd.limits.idle_s  # type: ignore[assignment] # uvicorn says int
        self._crowd = crowd
        self._timer: asyncio.TimerHandle | None = None  # until a head has to be there, or the rest of a body
        self._draining = False  # an answer is out, and the body that it refused still comes
        self._spare = 0  # bytes of it that may still come

    # -- asyncio.Protocol

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a connection, in the place of an idle one where there are too many."""
        super().connection_made(transport)
        self._crowd.gone.clear()
        if len(self.connections) > self._crowd.limits.connections:
            if not self._crowd.idle:
                self._end(Refused(503, "too many connections", retry_after_s=1))
                return
            next(iter(self._crowd.idle)).make_room()
        self._rest()
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget a connection."""
        self._crowd.idle.pop(self, None)
        self._expect_nothing()
        super().connection_lost(exc)
        if not self.connections:
            self._crowd.gone.set()

    def data_received(self, data: bytes) -> None:
        """Take some bytes."""
        if self._draining:
            self._spare -= len(data)
            if self._spare < 0:
                self.transport.abort()
                return
        while len(data) > _PIECE and self.conn.their_state is h11.IDLE and not self.transport.is_closing():
            super().data_received(data[:_PIECE])
            data = data[_PIECE:]
        if not self.transport.is_closing():
            super().data_received(data)
        if self.transport.is_closing():
            return
        if self._draining and self._is_sending() and self.cycle.response_complete:
            return
        if self.conn.their_state is not h11.IDLE:
            self._crowd.idle.pop(self, None)
            self._expect_nothing()
        elif self._draining or self._timer is None:
            self._rest()
            self._expect_head()
        self._draining = False

    # -- uvicorn

    def on_response_complete(self) -> None:
        """Wait for the next request, or for the rest of a body that was refused unread."""
        super().on_response_complete()
        if self.transport.is_closing() or not self.cycle.response_complete:  # the next one has begun
            return
        if self._is_sending():
            self._draining = True
            self._spare = _SPARE * self._crowd.limits.body_bytes
            self._timer = self.loop.call_later(self._crowd.limits.body_s, self.transport.close)
        elif self.conn.their_state is h11.IDLE:
            self._rest()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP."""
        self._end(Refused(400, msg))

    def shutdown(self) -> None:
        """Close now, or after the answer that is under way."""
        if self.cycle is None or self.cycle.response_complete:
            self.transport.close()
        else:
            self.cycle.keep_alive = False

    # -- its own

    def make_room(self) -> None:
        """Close, as another client needs the place more."""
        self._crowd.idle.pop(self, None)
        self.transport.close()

    def _rest(self) -> None:
        self._crowd.idle.pop(self, None)
        self._crowd.idle[self] = None

    def _is_sending(self) -> bool:
        return self.conn.their_state is h11.SEND_BODY

    def _expect_head(self) -> None:
        self._expect_nothing()
        self._timer = self.loop.call_later(self._crowd.limits.header_s, self._late)

    def _expect_nothing(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _late(self) -> None:
        """End a connection whose head is not there in time: without a word where nothing of it is."""
        self._timer = None
        if self.conn.trailing_data[0]:
            self._end(
                Refused(408, f"the head of the request was not there in {self._crowd.limits.header_s:g} s")
            )
        else:
            self.transport.close()

    def _end(self, refused: Refused) -> None:
        """Answer in place of the application, and close: JSON, as there is no head that says otherwise."""
        body = answers.failure(refused, "json")
        lines = {
            "content-type": answers.MEDIA_TYPES["json"],
            "content-length": str(len(body)),
            "connection": "close",
            **answers.headers(refused),
        }
        head = b"".join(f"{name}: {value}\r\n".encode() for name, value in lines.items())
        status = f"HTTP/1.1 {refused.status} ".encode() + _REASONS[refused.status]
        self._expect_nothing()
        self._crowd.idle.pop(self, None)
        self.transport.write(status + b"\r\n" + head + b"\r\n" + body)
        self.transport.close()


def connection(config: Config, state: ServerState, crowd: Crowd) -> Any:
    """Return the protocol factory of a listener."""
    loop = asyncio.get_running_loop()
    return lambda: Connection(config, state, loop, crowd)
