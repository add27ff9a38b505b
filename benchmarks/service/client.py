"""A client that costs little: bodies made beforehand, one connection a thread, again where it is asked to.

It does what an OTLP exporter does with an answer (2xx: done; 429, 502, 503, 504 and broken connections:
again, after Retry-After; anything else: lost) and leaves out the rest: what is measured is the server.
"""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

AGAIN = frozenset({429, 502, 503, 504})  # OTLP 1.11.0, "retryable response codes"
PATIENCE_S = 120.0  # of one request, with all its repetitions


@dataclass(slots=True)
class Sent:
    """What became of requests."""

    acknowledged: int = 0
    again: int = 0  # sent again
    lost: list[str] = field(default_factory=list)  # why
    took_s: list[float] = field(default_factory=list)  # of each request that was taken, without repetitions


@dataclass(slots=True)
class Client:
    """One connection to loopback, opened when it is needed, used by one thread."""

    port: int
    headers: Mapping[str, str]
    path: str = "/v1/traces"
    timeout_s: float = PATIENCE_S
    _open: http.client.HTTPConnection | None = None

    def post(self, body: bytes, headers: Mapping[str, str] | None = None) -> tuple[int, float]:
        """Send once; returns the status (0: the connection broke) and Retry-After in seconds."""
        if self._open is None:
            self._open = http.client.HTTPConnection("127.0.0.1", self.port, timeout=self.timeout_s)
        try:
            self._open.request("POST", self.path, body, {**self.headers, **(headers or {})})
            answer = self._open.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException):
            self.close()
            return 0, 0.2
        return answer.status, float(answer.headers.get("retry-after") or 0.2)

    def deliver(self, body: bytes, sent: Sent, headers: Mapping[str, str] | None = None) -> bool:
        """Send until there is an answer that counts, or PATIENCE_S is over; returns whether it was taken."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            began = time.monotonic()
            status, wait = self.post(body, headers)
            ended = time.monotonic()
            if 200 <= status < 300:
                sent.acknowledged += 1
                sent.took_s.append(ended - began)
                return True
            if (status and status not in AGAIN) or ended > deadline:
                sent.lost.append(f"status {status}" if status else "connection broken")
                return False
            sent.again += 1
            time.sleep(wait)

    def close(self) -> None:
        """Close the connection; the next request opens another."""
        if self._open is not None:
            self._open.close()
            self._open = None


def send(
    port: int,
    bodies: Iterable[bytes],
    headers: Mapping[str, str],
    *,
    connections: int = 4,
) -> Sent:
    """Send all ``bodies`` over so many connections at once; returns when every one has its answer."""
    left, lock = iter(bodies), threading.Lock()
    parts = [Sent() for _ in range(connections)]

    def following() -> Iterator[bytes]:
        while True:
            with lock:
                body = next(left, None)
            if body is None:
                return
            yield body

    def work(part: Sent) -> None:
        client = Client(port, headers)
        for body in following():
            client.deliver(body, part)
        client.close()

    threads = [threading.Thread(target=work, args=(part,)) for part in parts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return together(parts)


def together(parts: Iterable[Sent]) -> Sent:
    """Add up what several threads have sent."""
    out = Sent()
    for part in parts:
        out.acknowledged += part.acknowledged
        out.again += part.again
        out.lost += part.lost
        out.took_s += part.took_s
    return out
