"""Servers in turn: each started on an empty store, warmed, sent the load, watched until it has stored it."""

from __future__ import annotations

import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.service import client, live, load, peers, process, table
from benchmarks.service.live import Numbers

OURS = "sort-drift live"
SETTINGS: Mapping[str, live.Value] = {"seal_s": 1, "grace_s": 1}
"""Seals every second, not every 15: the figure is to be the work, not the wait for a timer."""

PEER_SPANS: Mapping[str, int] = {"arize-phoenix": 3_072, "mlflow": 6_144}
WARM_SPANS = load.whole(480)
BLOCK_SPANS = load.whole(10_000)
PATIENCE_S = 600.0
CONNECTIONS = 8


@dataclass(frozen=True, slots=True)
class Figures:
    """What one server did with the load, once."""

    spans: int
    answered_s: float  # until every request had its answer
    stored_s: float  # until every span was in the store
    cpu_s: float
    rss: int  # bytes, the most that was seen
    again: int  # requests sent again

    @property
    def rate(self) -> float:
        """Spans stored a second."""
        return self.spans / self.stored_s

    @property
    def us(self) -> float:
        """CPU of the server, us a span."""
        return self.cpu_s / self.spans * 1e6


@dataclass(frozen=True, slots=True)
class Target:
    """A running server: where to send to, how to see what it has."""

    pid: int
    port: int
    headers: Mapping[str, str]
    stored: Callable[[], int]
    settled: Callable[[], bool]  # nothing is left to be done for the spans that are stored
    check: Callable[[Numbers], None]  # the span ids that it must have


# ---------------------------------------------------------------------------------------------------------
# servers


@contextmanager
def ours(folder: Path) -> Iterator[Target]:
    """Run `sort-drift live` on an empty store."""

    def check(expected: Numbers) -> None:
        found = live.span_numbers(service.store)
        if not np.array_equal(found, np.sort(expected)):
            raise RuntimeError(f"{len(expected):,} spans sent, {len(found):,} read back, not the same ones")

    headers = {"content-type": load.CONTENT_TYPES["protobuf"]}
    with live.running(folder, SETTINGS) as service:
        yield Target(
            *(service.pid, service.http, headers),
            stored=lambda: live.listed(service.store),
            settled=lambda: live.measured(service.store),
            check=check,
        )


@contextmanager
def theirs(peer: peers.Peer, folder: Path) -> Iterator[Target]:
    """Run another server on an empty database."""
    log = folder / "server.log"
    with process.started(peer.command, log, env=peer.env) as started:
        process.until_listening(peer.port, started, log, 300)
        yield Target(
            *(started.pid, peer.port, peer.headers, peer.stored),
            settled=lambda: True,
            check=lambda _: None,  # what is counted are rows with a unique key
        )


# ---------------------------------------------------------------------------------------------------------
# measuring


def measure(target: Target, templates: Sequence[load.Template], spans: int, seed: int) -> Figures:
    """Warm a server with one request, send it ``spans`` spans, wait until it has them.

    Both are whole runs, or ours would wait for their ends.
    """
    warm = load.template(load.messages(WARM_SPANS, seed)[0])
    client.send(target.port, [warm.made(load.nonce(seed, 0))], target.headers)
    before = len(warm.span_ids)
    _until(lambda: target.stored() >= before and target.settled(), target)
    idle(target.pid)
    bodies, ids = _bodies(templates, spans, seed)
    expected = before + sum(len(one) for one in ids)
    with sampled(target.pid) as seen:
        start, began = process.look(target.pid), time.monotonic()
        sent = client.send(target.port, bodies, target.headers, connections=CONNECTIONS)
        answered = time.monotonic() - began
        if sent.lost:
            raise RuntimeError(f"{len(sent.lost)} requests lost: {sent.lost[0]}")
        _until(lambda: target.stored() >= expected, target)
        stored = time.monotonic() - began
        _until(target.settled, target)
        end = process.look(target.pid)
    if (found := target.stored()) != expected:
        raise RuntimeError(f"{expected:,} spans sent, {found:,} stored")
    target.check(np.concatenate([warm.ids(load.nonce(seed, 0)), *ids]))
    rss = max(*seen, start.rss, end.rss)
    return Figures(expected - before, answered, stored, end.cpu_s - start.cpu_s, rss, sent.again)


def _bodies(templates: Sequence[load.Template], spans: int, seed: int) -> tuple[list[bytes], list[Numbers]]:
    """Return requests of so many spans, and their span ids."""
    bodies, ids, left, number = [], [], spans, 0
    while left > 0:
        number += 1
        nonce = load.nonce(seed, number, later_ns=number * 10**9)
        for template in templates:
            if left > 0:
                bodies.append(template.made(nonce))
                ids.append(template.ids(nonce))
                left -= len(ids[-1])
    return bodies, ids


def _until(done: Callable[[], bool], target: Target, every_s: float = 0.05) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not done():
        if time.monotonic() > deadline:
            raise RuntimeError(f"{target.stored():,} spans stored after {PATIENCE_S:.0f} s, not all")
        time.sleep(every_s)


def idle(pid: int, patience_s: float = 60.0) -> None:
    """Wait until a server has ended what it does after its start: below a tenth of a core for a second."""
    deadline = time.monotonic() + patience_s
    before = process.look(pid).cpu_s
    while time.monotonic() < deadline:
        time.sleep(1)
        now = process.look(pid).cpu_s
        if now - before < 0.1:
            return
        before = now


@contextmanager
def sampled(pid: int, every_s: float = 0.5) -> Iterator[list[int]]:
    """Look at the memory of a process tree now and then, for a block."""
    seen: list[int] = []
    over = threading.Event()

    def work() -> None:
        while not over.wait(every_s):
            seen.append(process.look(pid).rss)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()


def rounds(
    interpreters: Mapping[str, Path], count: int, spans: int, seed: int
) -> tuple[list[dict[str, Figures]], dict[str, peers.Peer]]:
    """Let the servers take turns; returns the figures of each round, and the others as they were run."""
    templates = [load.template(message) for message in load.messages(BLOCK_SPANS, seed)]
    taken, known = list[dict[str, Figures]](), dict[str, peers.Peer]()
    for number in range(count):
        figures: dict[str, Figures] = {}
        for name in (OURS, *interpreters):
            with tempfile.TemporaryDirectory() as text:
                folder = Path(text)
                if name == OURS:
                    ends = load.whole(spans, of=BLOCK_SPANS)  # a cut run ends by its idle timeout only
                    with ours(folder) as target:
                        figures[name] = measure(target, templates, ends, seed + number)
                else:
                    peer = known[name] = peers.MAKERS[name](interpreters[name], folder, PEER_SPANS[name])
                    with theirs(peer, folder) as target:
                        figures[name] = measure(target, templates, peer.spans, seed + number)
            one = figures[name]
            said = f"{one.rate:,.0f} spans/s, {one.us:,.1f} us CPU a span, {one.rss / table.MIB:,.0f} MiB"
            print(f"round {number + 1}  {name}: {said}", file=sys.stderr, flush=True)
        taken.append(figures)
    return taken, known
