"""The application of the page. READ FIRST: ROOMS is the whole site.

Rendering runs in threads of its own and is kept for one version of the board: fifty people who look at one
page cost one rendering.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeAlias

from anyio import CapacityLimiter, to_thread
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from sort_drift.errors import SortDriftError
from sort_drift.exhibits import Execution
from sort_drift.live.board import Board
from sort_drift.live.page import assets
from sort_drift.live.page.agent import agent
from sort_drift.live.page.alarm import alarm
from sort_drift.live.page.alarms import alarms
from sort_drift.live.page.fleet import fleet_map
from sort_drift.live.page.guard import Guard
from sort_drift.live.page.health import health
from sort_drift.live.page.login import Login, Sessions
from sort_drift.live.page.overview import overview
from sort_drift.live.page.run import run
from sort_drift.live.page.runs import runs
from sort_drift.live.page.shell import document, empty, main
from sort_drift.live.page.sse import Events
from sort_drift.live.page.variable import variable
from sort_drift.live.page.view import Look, NotThereError, Screen, View
from sort_drift.live.settings import Settings
from sort_drift.report.html import links

Graph: TypeAlias = Callable[[str], tuple[dict[str, Any] | None, Execution | None, str]]
"""Run id -> its row of the run table (None: no such run), its execution graph, and why there is none.

It reads the store, so it blocks, and may raise SortDriftError."""

Endpoint: TypeAlias = Callable[[Request], Awaitable[Response]]

Room: TypeAlias = Callable[[View, Mapping[str, str]], Screen]
"""What is seen, and what is asked for (of the path and of the query) -> a page."""

ROOMS: Mapping[str, Room] = {
    "/": overview,
    "/agent/{key:path}/{variable}": variable,
    "/agent/{key}": agent,
    "/alarms": alarms,
    "/alarm/{id:path}": alarm,
    "/runs": runs,
    "/map": fleet_map,
}
"""Pages that depend on the board's version and the address alone."""

KEPT = 32
"""Rendered pages that are kept."""

RENDERERS, READERS = 4, 2
"""Threads that render pages, and that read runs from the store: the receiver's threads are not theirs."""

WAITING = 50
"""Requests that wait for a thread; further ones are told to come again."""


class Site:
    """Renders pages."""

    def __init__(self, board: Board, settings: Settings, graph: Graph, trace_url: str | None) -> None:
        self._look = Look(board, settings)
        self._graph, self._link = graph, links(trace_url)
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[int, str, str], Screen] = OrderedDict()
        self._renderers, self._readers = CapacityLimiter(RENDERERS), CapacityLimiter(READERS)

    def room(self, made: Room, *, keep: bool = True) -> Endpoint:
        """Return the endpoint of a room."""

        def answer(request: Request) -> Response:
            view = self._look()
            key = (view.version, request.url.path, request.url.query)
            screen = self._find(key) if keep else None
            if screen is None:
                try:
                    screen = made(view, {**request.query_params, **request.path_params})
                except NotThereError as missing:
                    return self._answer(request, view, empty("Not found", str(missing)), 404)
                self._keep(key, screen)
            return self._answer(request, view, screen)

        async def endpoint(request: Request) -> Response:
            return await _in_thread(self._renderers, answer, request)

        return endpoint

    async def run(self, request: Request) -> Response:
        """Return the page of a run, read from the store; what the board has of it where it cannot be read."""
        return await _in_thread(self._readers, self._run, request)

    def _run(self, request: Request) -> Response:
        view = self._look()
        run_id = request.path_params.get("run_id") or request.query_params.get("id", "")
        known = _row(view, run_id)
        try:
            row, execution, why = self._graph(run_id)
        except SortDriftError as error:
            row, execution, why = None, None, f"The store cannot be read: {error.what}."
        if known is None and row is None:
            return self._answer(request, view, empty("Not found", "No run has this id."), 404)
        screen = run(view, {**(known or {}), **(row or {})}, (execution, why), self._link)
        return self._answer(request, view, screen)

    def missing(self, request: Request, _: Exception) -> Response:
        """Return the page of an address that is none."""
        return self._answer(request, self._look(), empty("Not found", "There is no such page."), 404)

    def failed(self, request: Request, _: Exception) -> Response:
        """Return the page of an error of ours; what it was is in the log, not here."""
        screen = empty("This page could not be made", "The service goes on; its log has the error.")
        return HTMLResponse(document(None, screen, path=request.url.path, nonce=""), 500)

    def _answer(self, request: Request, view: View, screen: Screen, status: int = 200) -> Response:
        if request.query_params.get("fragment"):
            return HTMLResponse(main(view, screen), status)
        page = document(view, screen, path=request.url.path, nonce=request.scope["nonce"])
        return HTMLResponse(page, status)

    def _find(self, key: tuple[int, str, str]) -> Screen | None:
        with self._lock:
            return self._kept.get(key)

    def _keep(self, key: tuple[int, str, str], screen: Screen) -> None:
        with self._lock:
            self._kept[key] = screen
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)


async def _in_thread(
    threads: CapacityLimiter, answer: Callable[[Request], Response], request: Request
) -> Response:
    if threads.statistics().tasks_waiting >= WAITING:
        return PlainTextResponse("Too many pages are being made.\n", 503, {"Retry-After": "2"})
    return await to_thread.run_sync(answer, request, limiter=threads)


def _row(view: View, run_id: str) -> dict[str, Any] | None:
    """Return what the board has of a run, the last of its revisions."""
    found = view.runs.filter(run_id=run_id)
    if not found.height:
        return None
    named = view.of_agent(found["agent_name"][-1]).filter(run_id=run_id)
    return named.row(-1, named=True)


def _static(request: Request) -> Response:
    name = request.path_params["name"]
    if name not in assets.FILES:
        return PlainTextResponse("There is no such file.\n", 404)
    kind, content = assets.read(name)
    return Response(content, media_type=kind)


def application(
    board: Board,
    settings: Settings,
    *,
    graph: Graph,
    listing: object = None,  # noqa: ARG001 - the board has the runs that are listed
    trace_url: str | None = None,
    beside: Sequence[Route] = (),
) -> ASGIApp:
    """Return the page as an ASGI application, with routes ``beside`` its own.

    ``trace_url`` is a template of links with {trace_id}.
    """
    site, sessions = Site(board, settings, graph, trace_url), Sessions()
    rooms = [Route(path, site.room(made), methods=["GET"]) for path, made in ROOMS.items()]
    app = Starlette(
        routes=[
            *rooms,
            Route("/health", site.room(health, keep=False), methods=["GET"]),
            Route("/run", site.run, methods=["GET"]),
            Route("/run/{run_id:path}", site.run, methods=["GET"]),
            Route("/events", Events(board)),
            Route("/static/{name:path}", _static, methods=["GET"]),
            Route("/login", Login(settings, sessions).answer, methods=["GET", "POST"]),
            *beside,
        ],
        exception_handlers={404: site.missing, 500: site.failed},
    )
    app.router.redirect_slashes = False
    return Guard(app, settings, sessions)
