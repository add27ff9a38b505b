"""A steady load: runs of several agents, protobuf and JSON, some spans late, some requests twice."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from benchmarks.service import client, load
from benchmarks.service.live import Numbers

AGENTS = 4
BLOCK_SPANS = 5_120
"""Spans of whole runs that share ids and times: 10 requests, 171 runs."""

JSON_EVERY, TWICE_EVERY, LATE_EVERY = 10, 25, 200
"""Of so many requests one is JSON, one is sent twice; of so many spans one comes late."""

LATE_S = 10.0
"""How late: its run has been measured by then."""

CONNECTIONS = 4
WAITING = 64
"""Requests that wait for a connection, at most: then the load is slower than it should be, and that shows."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request to be sent."""

    body: bytes
    encoding: load.Encoding
    ids: Numbers


@dataclass(slots=True)
class Fed:
    """What was sent and acknowledged."""

    ids: list[Numbers] = field(default_factory=list)  # of acknowledged spans
    sent: client.Sent = field(default_factory=client.Sent)
    spans: int = 0  # acknowledged, repetitions counted
    late: int = 0
    twice: int = 0
    json: int = 0
    behind_s: float = 0.0  # the most that the load was later than its plan

    def acknowledged(self) -> Numbers:
        """Return the ids of all spans that were acknowledged, each once, sorted."""
        return np.unique(np.concatenate(self.ids)) if self.ids else np.zeros(0, dtype=np.uint64)


class Feeder:
    """Sends ``rate`` spans a second to a port until it is told to stop."""

    def __init__(self, port: int, rate: float, seed: int) -> None:
        self.fed = Fed()
        self._port, self._rate, self._seed = port, rate, seed
        self._jobs: queue.Queue[Request | None] = queue.Queue(WAITING)
        self._over, self._lock = threading.Event(), threading.Lock()
        self._plain, self._late, self._last_ns = templates(seed)
        self._threads = [threading.Thread(target=self._plan)]
        self._threads += [threading.Thread(target=self._work) for _ in range(CONNECTIONS)]

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> Fed:
        """End; returns when everything that was begun has its answer."""
        self._over.set()
        for thread in self._threads:
            thread.join()
        return self.fed

    def _plan(self) -> None:
        """Put requests into the queue when they are due."""
        began, spans, number, late = time.monotonic(), 0, 0, list[tuple[float, Request]]()
        block = 0
        while not self._over.is_set():
            block += 1
            nonce = load.nonce(self._seed, block, time.time_ns() - self._last_ns)
            for template in self._plain:
                number += 1
                request = Request(template.made(nonce), template.encoding, template.ids(nonce))
                again = number % TWICE_EVERY == 0
                for one in [request] * (1 + again):
                    self._put(one, began + spans / self._rate)
                    spans += len(one.ids)
                self.fed.twice += len(request.ids) * again
                self.fed.json += len(request.ids) * (template.encoding == "json")
                while late and late[0][0] < time.monotonic():
                    spans += len(late[0][1].ids)
                    self._put(late.pop(0)[1], time.monotonic())
            rest = Request(self._late.made(nonce), "protobuf", self._late.ids(nonce))
            self.fed.late += len(rest.ids)
            late.append((time.monotonic() + LATE_S, rest))
        for _, request in late:
            self._put(request, time.monotonic())
        for _ in range(CONNECTIONS):
            self._jobs.put(None)

    def _put(self, request: Request, due: float) -> None:
        wait = due - time.monotonic()
        if wait > 0:
            self._over.wait(wait)
        self.fed.behind_s = max(self.fed.behind_s, -wait)
        self._jobs.put(request)

    def _work(self) -> None:
        one, sent = client.Client(self._port, {}), client.Sent()
        while (request := self._jobs.get()) is not None:
            if one.deliver(request.body, sent, {"content-type": load.CONTENT_TYPES[request.encoding]}):
                with self._lock:
                    self.fed.ids.append(request.ids)
                    self.fed.spans += len(request.ids)
        one.close()
        with self._lock:
            self.fed.sent = client.together([self.fed.sent, sent])


def templates(seed: int) -> tuple[list[load.Template], load.Template, int]:
    """Return the requests of a block, one of its late spans, and the block's latest end."""
    messages = load.messages(load.whole(BLOCK_SPANS), seed, AGENTS)
    last, held, seen = load.last_ns(messages), ExportTraceServiceRequest(), 0
    held.CopyFrom(messages[0])
    scope = held.resource_spans[0].scope_spans[0]
    del scope.spans[:]
    for message in messages:
        for of_scope in (s for r in message.resource_spans for s in r.scope_spans):
            for at in reversed(range(len(of_scope.spans))):
                seen += 1
                if seen % LATE_EVERY == 0 and of_scope.spans[at].parent_span_id:  # a root ends its run
                    scope.spans.append(of_scope.spans[at])
                    del of_scope.spans[at]
    made = [
        load.template(message, "json" if number % JSON_EVERY == 0 else "protobuf")
        for number, message in enumerate(messages, 1)
    ]
    return made, load.template(held), last


def capacity(port: int, seed: int, spans: int, stored: Callable[[], int]) -> float:
    """Return how many spans a second a service stores when it gets them as fast as it takes them."""
    made = [load.template(message) for message in load.messages(BLOCK_SPANS, seed)]
    count, bodies = load.whole(spans, of=BLOCK_SPANS), []
    for number in range(count // BLOCK_SPANS):
        nonce = load.nonce(seed, 1_000_000 + number)
        bodies += [one.made(nonce) for one in made]
    before, began = stored(), time.monotonic()
    client.send(port, bodies, {"content-type": load.CONTENT_TYPES["protobuf"]}, connections=CONNECTIONS)
    while stored() < before + count:
        time.sleep(0.1)
    return count / (time.monotonic() - began)
