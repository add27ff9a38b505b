"""What is done to a service while it is under load: looked at, probed, polled, read from the command line."""

from __future__ import annotations

import http.client
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.service import live, process
from sort_drift.errors import SortDriftError
from sort_drift.live import selftest

PAGES = ("/", "/runs", "/alarms", "/map", "/health", "/metrics")


@dataclass(slots=True)
class Seen:
    """Everything that was seen."""

    looks: list[tuple[float, process.Look]] = field(default_factory=list)  # (seconds, look)
    probes: list[float] = field(default_factory=list)  # seconds until what was written was read back
    probes_failed: list[str] = field(default_factory=list)
    pages: Counter[str] = field(default_factory=Counter)  # answers with status 200
    pages_failed: list[str] = field(default_factory=list)
    slowest_page_s: float = 0.0
    events: int = 0  # of the one stream that stays open
    readers: int = 0  # commands that read the store
    readers_failed: list[str] = field(default_factory=list)
    slowest_reader_s: float = 0.0


@dataclass(slots=True)
class Every:
    """How often, in seconds."""

    look: float = 5.0
    probe: float = 20.0
    page: float = 5.0
    readers: float = 120.0


class Watcher:
    """Does all of it in threads of its own until it is told to stop."""

    def __init__(self, service: live.Live, every: Every) -> None:
        self.seen = Seen()
        self._service, self._every = service, every
        self._over, self._began = threading.Event(), time.monotonic()
        self._stream = http.client.HTTPConnection("127.0.0.1", service.page, timeout=600)
        jobs: list[tuple[Callable[[], None], float]] = [
            (self._look, every.look),
            (self._probe, every.probe),
            (self._poll, every.page),
            (self._read, every.readers),
        ]
        self._threads = [threading.Thread(target=self._repeat, args=job) for job in jobs]
        self._listener = threading.Thread(target=self._listen)

    def start(self) -> None:
        """Begin."""
        for thread in (*self._threads, self._listener):
            thread.start()

    def stop(self) -> Seen:
        """End; returns when what was begun has ended."""
        self._over.set()
        for thread in self._threads:
            thread.join()
        if self._stream.sock is not None:
            self._stream.sock.shutdown(socket.SHUT_RDWR)
        self._listener.join()
        return self.seen

    def _repeat(self, job: Callable[[], None], every_s: float) -> None:
        due = time.monotonic()
        while not self._over.wait(max(due - time.monotonic(), 0)):
            job()
            due = max(due + every_s, time.monotonic())

    def _look(self) -> None:
        self.seen.looks.append((time.monotonic() - self._began, process.look(self._service.pid)))

    def _probe(self) -> None:
        try:
            found = selftest.probe(self._service.store, f"http://127.0.0.1:{self._service.http}")
        except SortDriftError as error:
            self.seen.probes_failed.append(error.line())
        else:
            self.seen.probes.append(found.readable_s)

    def _poll(self) -> None:
        for path in PAGES:
            began = time.monotonic()
            status = get(self._service.page, path)
            self.seen.slowest_page_s = max(self.seen.slowest_page_s, time.monotonic() - began)
            if status == 200:
                self.seen.pages[path] += 1
            else:
                self.seen.pages_failed.append(f"{path}: {status}")

    def _read(self) -> None:
        """Let three commands read the store at once."""
        began = time.monotonic()
        running = [reader(self._service.store, arguments) for arguments in READERS]
        for arguments, command in zip(READERS, running, strict=True):
            said = command.communicate()[1]
            self.seen.readers += 1
            if command.returncode not in {0, 3}:  # 3: no run that it asks for is over yet
                self.seen.readers_failed.append(f"{' '.join(arguments)}: {command.returncode}: {said[-300:]}")
        self.seen.slowest_reader_s = max(self.seen.slowest_reader_s, time.monotonic() - began)

    def _listen(self) -> None:
        """Hold one stream of events open, as a browser does."""
        try:
            self._stream.request("GET", "/events")
            with self._stream.getresponse() as answer:
                while line := answer.readline():
                    self.seen.events += line.startswith(b"data:")
        except (OSError, http.client.HTTPException):  # it was ended in the middle of a piece
            return
        finally:
            self._stream.close()


READERS = (
    ("runs", "{store}", "--where", "task:task-7"),
    ("runs", "{store}?agent=agent-1", "--json"),
    ("store", "verify", "{store}"),
)


def reader(store: Path, arguments: tuple[str, ...]) -> subprocess.Popen[str]:
    """Start a command that reads a store."""
    filled = [text.format(store=store) for text in arguments]
    return subprocess.Popen(
        [sys.executable, "-m", "sort_drift", *filled],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        cwd=live.ROOT,
    )


def get(port: int, path: str) -> int:
    """Return the status of a page, 0 where there was no answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.read()
    except (OSError, http.client.HTTPException):
        return 0
    else:
        return answer.status
    finally:
        connection.close()
