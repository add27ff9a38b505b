"""The one way from a request's bytes to the journal, for every transport.

body -> admission (bytes in flight) -> decode, in a thread -> committer: canonical, journal, sync -> Answer
"""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor

from sort_drift.live.board import Board
from sort_drift.live.receive import bodies, metrics, request
from sort_drift.live.receive.admission import RETRY_S, Admission, Ticket
from sort_drift.live.receive.context import Context
from sort_drift.live.receive.terms import (
    REASONS,
    Answer,
    Committed,
    Committer,
    Decoded,
    Encoding,
    Refused,
    Signal,
)
from sort_drift.live.settings import Settings

__all__ = ["Answer", "Committed", "Committer", "Decoded", "Encoding", "Intake", "Refused", "Signal"]

WORKERS = 2
"""Threads that decode: what they do holds the interpreter's lock most of the time."""

_LOG = logging.getLogger(__name__)
_UNUSED_LOGS = "log records are not kept: only those with a name that belong to a span are read"
_UNUSED_POINTS = "data points are not kept: metrics are read for load and hardware, not stored"


class Intake:
    """The way in, for all transports of one service."""

    def __init__(self, committer: Committer, context: Context, settings: Settings, board: Board) -> None:
        self.admission = Admission(settings.limits.flight_bytes)
        self.draining = False  # set by the service when it is told to stop
        self._committer = committer
        self._context = context
        self._limits = settings.limits
        self._board = board
        self._threads = ThreadPoolExecutor(WORKERS, thread_name_prefix="sort-drift-decode")

    async def take(
        self, signal: Signal, encoding: Encoding, body: bytes | AsyncIterator[bytes], *, packed: bool = False
    ) -> Answer:
        """Take one request; when this returns, what it accepted is on disk.

        ``body`` may come in pieces, ``packed`` says that it is gzip. Raises ``Refused``; counts everything.
        """
        try:
            self.check_open()
            with self.admission.enter() as ticket:
                sent = await self._received(body, ticket, packed=packed)
                answer = await self._taken(signal, encoding, sent, ticket, packed=packed)
        except Refused as refused:
            self.count(refused)
            raise
        self._board.count("requests")
        return answer

    def check_open(self) -> None:
        """Raise ``Refused`` (503) while the service is stopping."""
        if self.draining:
            raise Refused(503, "the service is stopping", retry_after_s=RETRY_S)

    def count(self, refused: Refused) -> None:
        """Count a refusal on the board, once."""
        if refused.counted:
            return
        refused.counted = True
        self._board.count("refused", reason=REASONS.get(refused.status, str(refused.status)))

    def close(self) -> None:
        """End the threads, once what they have is done."""
        self._threads.shutdown()

    async def _received(
        self, body: bytes | AsyncIterator[bytes], ticket: Ticket, *, packed: bool
    ) -> list[bytes]:
        """Return the pieces of a body, within what it and all others may have."""
        limit = self._limits.body_bytes
        most = bodies.most(limit, packed=packed)
        pieces, size = list[bytes](), 0
        async for piece in _pieces(body):
            size += len(piece)
            if size > most:
                raise bodies.too_large(limit)
            ticket.grow(len(piece))
            pieces.append(piece)
        return pieces

    async def _taken(
        self, signal: Signal, encoding: Encoding, sent: list[bytes], ticket: Ticket, *, packed: bool
    ) -> Answer:
        loop = asyncio.get_running_loop()

        def content() -> bytes:
            body = b"".join(sent)
            sent.clear()
            return bodies.inflate(body, self._limits.body_bytes, ticket.grow) if packed else body

        if signal == "metrics":
            return await loop.run_in_executor(self._threads, lambda: self._metrics(content(), encoding))
        decoded = await loop.run_in_executor(
            self._threads, lambda: self._decoded(content(), signal, encoding)
        )
        return await self._stored(decoded)

    def _decoded(self, body: bytes, signal: Signal, encoding: Encoding) -> Decoded:
        """Decode in a thread; whatever goes wrong there is the client's to know, not a reason to fail."""
        try:
            return request.decode(body, signal, encoding, self._limits)
        except Refused:
            raise
        except Exception as error:
            raise self._unexpected(error) from error

    def _metrics(self, body: bytes, encoding: Encoding) -> Answer:
        try:
            found = metrics.points(body, encoding, self._limits)
            self._context.take(found.used)
        except Refused:
            raise
        except Exception as error:
            raise self._unexpected(error) from error
        used, unused = len(found.used), found.total - len(found.used)
        self._board.count("points", used)
        self._board.count("rejected", unused, reason="not used")
        return Answer(used, unused, f"{unused:,} of {found.total:,} {_UNUSED_POINTS}" if unused else "")

    def _unexpected(self, error: Exception) -> Refused:
        place = traceback.extract_tb(error.__traceback__)[-1]  # no message: it may have what a span says
        _LOG.error("a request failed: %s in %s:%s", type(error).__name__, place.filename, place.lineno)
        self._board.count("rejected", reason="error")
        return Refused(400, f"the request could not be decoded: {type(error).__name__}: {error}")

    async def _stored(self, decoded: Decoded) -> Answer:
        """Wait until what a request holds is durable."""
        rejected, why = decoded.rejected, decoded.why
        if decoded.spans:
            # shielded: a client that hangs up must not cancel what the committer has under way
            future = asyncio.wrap_future(self._committer.submit(decoded))
            future.add_done_callback(_seen)
            try:
                committed = await asyncio.shield(future)
            except Refused as refused:
                refused.counted = True  # by the committer, which knows more of the reason
                raise
            rejected, why = rejected + committed.rejected, why or committed.why
        accepted = decoded.spans + decoded.rejected - rejected
        self._board.count("spans" if decoded.signal == "traces" else "logs", accepted)
        self._board.count("rejected", decoded.rejected, reason="malformed")
        self._board.count("rejected", decoded.unused, reason="not used")
        return Answer(accepted, rejected + decoded.unused, _message(decoded, accepted, rejected, why))


def _message(decoded: Decoded, accepted: int, rejected: int, why: str) -> str:
    """Return what a partial success says: how many, and the first of them."""
    total = accepted + rejected + decoded.unused
    kind = "spans" if decoded.signal == "traces" else "log records"
    said = [decoded.warning] if decoded.warning else []
    if rejected:
        said.append(f"{rejected:,} of {total:,} {kind} rejected; the first: {why}")
    if decoded.unused:
        said.append(f"{decoded.unused:,} of {total:,} {_UNUSED_LOGS}")
    return "; ".join(said)


def _seen(future: asyncio.Future[Committed]) -> None:
    """Look at what nobody may wait for any more, or asyncio complains of it."""
    if not future.cancelled():
        future.exception()


async def _pieces(body: bytes | AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    if isinstance(body, bytes):
        yield body
        return
    async for piece in body:
        yield piece
