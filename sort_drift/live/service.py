"""The whole service on one page. READ FIRST (then: keep/keeper.py).

    HTTP, gRPC -> receive.Intake -> keep.Committer (journal, sync, answer)
                                        -> keep.Keeper (segments, runs, monitors) -> Board -> page, /metrics
                                                                                  -> events file, webhooks
Three threads beside the loop: committer, keeper, webhooks. A stop drains: nothing new is taken, what is under
way is answered, what is acknowledged is stored. A failed sync ends the service: nobody knows what the disk
has.
"""

from __future__ import annotations

import asyncio
import gc
import signal
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from queue import SimpleQueue

import polars as pl
from starlette.routing import Route

from sort_drift import store
from sort_drift.errors import StoreError, UsageError
from sort_drift.hashing import Hasher
from sort_drift.live.board import Board
from sort_drift.live.graphs import Graphs
from sort_drift.live.keep import redact, startup
from sort_drift.live.keep.committer import Committer
from sort_drift.live.keep.journal import FOLDER as JOURNALS
from sort_drift.live.keep.keeper import Keeper, Parts
from sort_drift.live.keep.state import FOLDER
from sort_drift.live.keep.upkeep import Upkeep
from sort_drift.live.outbound import metrics, webhooks
from sort_drift.live.outbound.events import Events
from sort_drift.live.page import app as page
from sort_drift.live.receive import http, security, servers
from sort_drift.live.receive.context import Context
from sort_drift.live.receive.intake import Intake
from sort_drift.live.settings import Address, Settings
from sort_drift.store import files

LOOK_S = 0.2
"""Seconds between two looks at whether a thread has failed."""

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Running:
    """The parts of a service that is up."""

    board: Board
    committer: Committer
    keeper: Keeper
    intake: Intake
    graphs: Graphs
    hooks: webhooks.Webhooks

    @property
    def failed(self) -> str:
        """Why it cannot go on; "": it can."""
        return self.committer.failed or self.keeper.failed


def run(settings: Settings, say: Say) -> int:
    """Run until SIGTERM or SIGINT; ``say`` gets a line for each listener, and what a person should know.

    Raises
    ------
    UsageError
        If an address is taken, or must not be bound without a token.
    StoreError
        If another process writes to the store, or the disk failed while it ran.

    """
    for option, address in _addresses(settings).items():
        security.check_bind(address, settings, option)
    webhooks.check(settings.webhooks, settings.webhook_hosts)
    with parts(settings, say) as running:
        _spare_the_collector()
        return asyncio.run(_serve(running, settings, say))


def _spare_the_collector() -> None:
    """Let Python look for cycles among young objects seldom, and among what was there at the start never.

    Decoding makes dicts by the thousand, none of them in a cycle: looking through them was half of its cost
    (20 -> 10 us of CPU a span). What is in cycles is found all the same, later.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 20, 50)


@contextmanager
def parts(settings: Settings, say: Say) -> Iterator[Running]:
    """Hold the store, recover what a crash left, and keep the threads running for a block; then drain."""
    hasher = Hasher()
    redactor = redact.redactor(
        hasher,
        keep_content=settings.content == "keep",
        attributes=settings.limits.attributes,
        further=settings.redact,
    )
    with store.writing(settings.store, fingerprint=hasher.fingerprint, note=_url(settings)) as writer:
        startup.folders(settings.store)
        recovered = startup.recover(writer, say)
        if recovered:
            say(f"{recovered:,} spans of the journal were stored, which the last stop had left there")
        board, context = Board(), Context()
        events = Events(settings.store / FOLDER / "events.jsonl")
        fleet, observed = startup.fleet(settings, writer, events, say)
        past = events.read()
        board.show(runs=fleet.placed(startup.shown(writer)), agents=fleet.agents(), events=past)
        closing = startup.closing(settings, writer, board)
        hooks = webhooks.Webhooks(
            settings.webhooks,
            settings.webhook_hosts,
            board,
            _url(settings),
            settings.store / FOLDER / "webhooks.json",
            rate=settings.watching.rate,
        )
        inbox: SimpleQueue[pl.DataFrame] = SimpleQueue()
        committer = Committer(
            settings.store / JOURNALS,
            redactor,
            board,
            inbox.put,
            stamp=context.stamp,
            taken=[line.number for line in writer.store.journals],
        )
        keeper = Keeper(
            Parts(
                settings=settings,
                board=board,
                writer=writer,
                inbox=inbox,
                committer=committer,
                closing=closing,
                fleet=fleet,
                events=events,
                upkeep=Upkeep(settings),
                hooks=hooks,
                observed=observed,
            )
        )
        intake = Intake(committer, context, settings, board)
        keeper.parts.flight = lambda: intake.admission.bytes
        keeper.parts.draining = lambda: intake.draining
        hooks.start(past)
        committer.start()
        keeper.start()
        try:
            yield Running(board, committer, keeper, intake, Graphs(board, keeper, settings.store), hooks)
        finally:
            intake.close()
            committer.stop()
            keeper.stop()
            hooks.stop()
            if keeper.failed or committer.failed:
                why = committer.failed or keeper.failed
                todo = "What was acknowledged is in the journal: mend the disk and start again"
                raise StoreError(f"the service had to stop: {why}", where=str(settings.store), todo=todo)


async def _serve(running: Running, settings: Settings, say: Say) -> int:
    """Listen until a signal, or until a thread fails; then drain."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    listeners: list[servers.Listener] = []
    try:
        await _listen(running, settings, say, listeners)
        say("ready")
        while not stop.is_set() and not running.failed:
            try:
                await asyncio.wait_for(stop.wait(), LOOK_S)
            except TimeoutError:
                continue
        running.intake.draining = True
        health = running.board.health
        running.board.show(health=replace(health, state="failed" if running.failed else "draining"))
        say("stopping: storing what was acknowledged")
    finally:
        await asyncio.gather(*(listener.stop(settings.drain_s) for listener in listeners))
    return 0


async def _listen(running: Running, settings: Settings, say: Say, listeners: list[servers.Listener]) -> None:
    """Open the listeners, and put each into ``listeners`` as soon as it is open."""

    async def opened(what: str, starting: Awaitable[servers.Listener], scheme: str) -> Address:
        listener = await starting
        listeners.append(listener)
        address = replace(listener.address, port=listener.port)
        say(f"{what} on {scheme}{address}")
        return address

    scheme = "https://" if settings.tls else "http://"
    if settings.otlp_http:
        app = http.application(running.intake, settings, running.board)
        bound = await opened("OTLP/HTTP", servers.start_http(app, settings.otlp_http, settings), scheme)
        settings = replace(settings, otlp_http=bound)
    if settings.otlp_grpc:
        from sort_drift.live.receive import grpc  # noqa: PLC0415 - grpcio is an extra of its own

        bound = await opened("OTLP/gRPC", grpc.start_grpc(running.intake, settings.otlp_grpc, settings), "")
        settings = replace(settings, otlp_grpc=bound)
    if settings.page:
        shown = metrics.endpoint(running.board, rate=settings.watching.rate, store=settings.store)
        app = page.application(
            running.board,
            settings,
            graph=running.graphs.of,
            trace_url=settings.trace_url,
            beside=[Route("/metrics", shown)],
        )
        bound = await opened("page", servers.start_http(app, settings.page, settings), scheme)
        files.note(settings.store, f"{scheme}{bound}")


def _addresses(settings: Settings) -> dict[str, Address]:
    """Return option -> where it says to listen."""
    named = {"--otlp-http": settings.otlp_http, "--otlp-grpc": settings.otlp_grpc, "--page": settings.page}
    found = {option: address for option, address in named.items() if address is not None}
    if not found:
        raise UsageError(
            "there is nothing to listen on", where="sort-drift live", todo="Leave one address on"
        )
    fixed = [(a.host, a.port) for a in found.values() if a.port]
    if len(set(fixed)) < len(fixed):
        raise UsageError(
            "two listeners have one address", where=", ".join(found), todo="Give each its own port"
        )
    return found


def _url(settings: Settings) -> str:
    page = settings.page
    if page and page.host in {"0.0.0.0", "::"} and settings.hosts:  # noqa: S104 - a name that others know
        page = replace(page, host=settings.hosts[0])
    return f"{'https' if settings.tls else 'http'}://{page}" if page else ""
