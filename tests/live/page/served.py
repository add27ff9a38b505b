"""The page on a free port of loopback, in a thread, as the service runs it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import uvicorn
from starlette.types import ASGIApp

from sort_drift.live.board import Board
from sort_drift.live.page.app import application
from sort_drift.live.settings import Settings
from tests.live.page.boards import SETTINGS, Graphs
from tests.waiting import until


@dataclass(frozen=True, slots=True)
class Served:
    """Where it is, and what it shows."""

    url: str
    board: Board


@contextmanager
def served(board: Board, settings: Settings = SETTINGS, rename: str | None = None) -> Iterator[Served]:
    """Serve a board for a block; a stop drains, as the service does."""
    traces = "https://traces.example/{trace_id}"
    app = application(board, settings, graph=Graphs(board, rename), trace_url=traces)
    with serving(app) as url:
        try:
            yield Served(url, board)
        finally:
            board.show(health=replace(board.health, state="draining"))


@contextmanager
def serving(app: ASGIApp, *, quiet: bool = False) -> Iterator[str]:
    """Serve an application for a block; ``quiet``: an error that is wanted is not written down."""
    level = "critical" if quiet else "error"
    config = uvicorn.Config(app, port=0, log_level=level, lifespan="off", timeout_graceful_shutdown=2)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve()), daemon=True)
    thread.start()
    until(lambda: server.started or not thread.is_alive())
    assert thread.is_alive()
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)
