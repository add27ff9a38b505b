"""The stream of events: what it says, how often, to how many, and when it ends."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import httpx

from sort_drift.live.board import Board, Health
from sort_drift.live.page import sse
from tests.live.page import boards
from tests.live.page.served import served, serving
from tests.waiting import until


def events(lines: Iterator[str]) -> Iterator[dict[str, Any]]:
    """Yield what each event says."""
    for line in lines:
        if line.startswith("data: "):
            yield json.loads(line.removeprefix("data: "))


def test_an_event_says_how_things_are() -> None:
    """Version, counts and open alarms, at once for who comes, again after a change."""
    board = boards.board()
    with served(board) as live, httpx.stream("GET", f"{live.url}/events") as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.headers["cache-control"] == "no-store"
        lines = answer.iter_lines()
        assert next(lines) == f"retry: {sse.AGAIN_MS}"
        found = events(lines)
        first = next(found)
        assert first == {
            "version": board.version,
            "state": "running",
            "agents": 4,
            "runs": 1097,
            "alarms": 1,
            "open": [board.open[0].id],
        }
        board.show(agents=())
        assert next(found) == {
            **first,
            "version": board.version,
            "agents": 0,
            "runs": 0,
            "alarms": 0,
            "open": [],
        }


def test_a_busy_board_sends_one_event_a_second() -> None:
    """A hundred changes are two events: the first at once, the last a second later."""
    board = Board()
    with served(board) as live, httpx.stream("GET", f"{live.url}/events") as answer:
        found = events(answer.iter_lines())
        next(found)
        began = time.monotonic()
        for _ in range(100):
            board.show()
        second = next(found)
        assert 0.7 <= time.monotonic() - began < 5
        assert second["version"] == 100


def test_a_quiet_board_sends_a_sign_of_life() -> None:
    """Comments come while nothing changes."""
    stream = sse.Events(Board(), beat_s=0.05)
    with serving(stream) as url, httpx.stream("GET", url) as answer:
        beats = 0
        for line in answer.iter_lines():
            beats += line == ": still here"
            if beats == 3:
                break


def test_listeners_are_bounded_and_places_are_given_back() -> None:
    """The fifty-first is told to come again; once others left, it gets in."""
    board = Board()
    stream = sse.Events(board)
    with serving(stream) as url:
        with ExitStack() as stack:
            client = stack.enter_context(httpx.Client(limits=httpx.Limits(max_connections=None), timeout=20))
            held = []
            for _ in range(sse.LISTENERS):
                answer = stack.enter_context(client.stream("GET", url))
                held.append(answer.iter_lines())
                next(held[-1])
            assert stream.listeners == sse.LISTENERS
            refused = client.get(url)
            assert refused.status_code == 503
            assert refused.headers["retry-after"] == "30"
        until(lambda: stream.listeners == 0)
        with httpx.stream("GET", url) as again:
            assert again.status_code == 200
        board.show(health=Health("draining"))


def test_a_listener_that_vanishes_is_forgotten() -> None:
    """A connection that is cut without a word costs its place until it is noticed, at the next beat."""
    stream = sse.Events(Board(), beat_s=0.1)
    with serving(stream) as url:
        host, port = url.removeprefix("http://").split(":")
        for _ in range(5):
            raw = socket.create_connection((host, int(port)))
            raw.sendall(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n")
            assert raw.recv(100)
            raw.close()
        until(lambda: stream.listeners == 0)


def test_a_stop_does_not_wait_for_browsers() -> None:
    """When the service drains, the stream says so and ends."""
    board = Board()
    with served(board) as live, httpx.stream("GET", f"{live.url}/events") as answer:
        found = events(answer.iter_lines())
        next(found)
        board.show(health=replace(board.health, state="draining"))
        assert [event["state"] for event in found] == ["draining"]
