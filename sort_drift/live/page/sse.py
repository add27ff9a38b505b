"""One stream of server-sent events: version of the board, counts and open alarms, once a second at most.

Listeners are counted: each holds a connection and a task. A stream ends when the service does, so that a stop
need not wait for browsers.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from sort_drift.live.board import Board

LISTENERS = 50
PACE_S = 1.0
"""Least time between two events of one listener."""

BEAT_S = 15.0
"""Time after which a comment is sent where nothing changed: proxies and browsers give up on silence."""

AGAIN_MS = 3000
"""After which a browser comes again when the stream ended."""

ENDS = ("draining", "failed")
"""States of the service after which nothing more comes."""

OPEN = 20
"""Open alarms that an event names."""


class Events:
    """The application of /events."""

    def __init__(self, board: Board, *, pace_s: float = PACE_S, beat_s: float = BEAT_S) -> None:
        self._board, self._pace_s, self._beat_s = board, pace_s, beat_s
        self.listeners = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one listener until it leaves or the service drains."""
        if self.listeners >= LISTENERS:
            busy = PlainTextResponse("Too many listeners.\n", 503, {"Retry-After": "30"})
            await busy(scope, receive, send)
            return
        headers = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"x-accel-buffering", b"no")]
        self.listeners += 1
        try:
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            if scope["method"] == "HEAD":
                await send({"type": "http.response.body", "body": b""})
                return
            told = asyncio.ensure_future(self._tell(send))
            left = asyncio.ensure_future(_gone(receive))
            try:
                await asyncio.wait({told, left}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in (told, left):
                    task.cancel()
                await asyncio.gather(told, left, return_exceptions=True)
        finally:
            self.listeners -= 1

    async def _tell(self, send: Send) -> None:
        board = self._board
        await _write(send, f"retry: {AGAIN_MS}\n\n")
        version = -1
        while True:
            if board.version != version:
                version = board.version
                said = event(board)
                await _write(send, f"event: board\ndata: {json.dumps(said)}\n\n")
                if said["state"] in ENDS:
                    break
                await asyncio.sleep(self._pace_s)
            elif await board.change(version, self._beat_s) == version:
                await _write(send, ": still here\n\n")
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def event(board: Board) -> dict[str, Any]:
    """Return what an event says."""
    opened = board.open
    return {
        "version": board.version,
        "state": board.health.state,
        "agents": len(board.agents),
        "runs": sum(agent.runs for agent in board.agents),
        "alarms": len(opened),
        "open": [alarm.id for alarm in opened[:OPEN]],
    }


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _write(send: Send, text: str) -> None:
    await send({"type": "http.response.body", "body": text.encode(), "more_body": True})
