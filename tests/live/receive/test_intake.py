"""The way in: what is in flight is bounded, what is stored is counted, and nothing fails in a new way."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from sort_drift.live.board import Board
from sort_drift.live.receive import request as requests
from sort_drift.live.receive.admission import Admission
from sort_drift.live.receive.context import Context
from sort_drift.live.receive.intake import Intake
from sort_drift.live.receive.terms import Answer, Decoded, Refused
from sort_drift.live.settings import Limits, Settings
from tests.live.receive.serving import packed, request, span
from tests.live.receive.test_decode import logs


class Shelf:
    """A committer that keeps what it gets, and says what it is told to say."""

    def __init__(self, outcome: Any = None) -> None:
        self.taken: list[Decoded] = []
        self.waiting: list[Future[Any]] = []
        self.came = threading.Event()
        self._outcome = outcome

    def submit(self, decoded: Decoded) -> Future[Any]:
        """Keep one request."""
        self.taken.append(decoded)
        future: Future[Any] = Future()
        if isinstance(self._outcome, BaseException):
            future.set_exception(self._outcome)
        elif self._outcome == "later":
            self.waiting.append(future)
            self.came.set()
        else:
            future.set_result(self._outcome or _Receipt())
        return future


class _Receipt:
    def __init__(self, rejected: int = 0, why: str = "") -> None:
        self.rejected = rejected
        self.why = why


def made(shelf: Shelf, **limits: Any) -> tuple[Intake, Board]:
    """Return an intake with its board."""
    board = Board()
    return Intake(shelf, Context(), Settings(Path("store"), limits=Limits(**limits)), board), board


def take(intake: Intake, body: Any, signal: Any = "traces", **options: Any) -> Answer:
    """Hand in one request, and wait."""
    return asyncio.run(intake.take(signal, "protobuf", body, **options))


def test_the_committer_gets_what_was_decoded_and_is_not_asked_for_nothing():
    """Spans reach it in one piece; an empty request succeeds without it."""
    shelf = Shelf()
    intake, board = made(shelf)
    assert take(intake, request(span(1), span(2))) == Answer(2)
    assert take(intake, b"") == Answer(0)
    assert [decoded.spans for decoded in shelf.taken] == [2]
    assert (board.counts()["requests"], board.counts()["spans"]) == (2, 2)


def test_rejections_of_both_stages_add_up():
    """Spans that cannot be decoded and spans that come apart later are one number."""
    intake, board = made(Shelf(_Receipt(1, "a span cannot be read")))
    answer = take(intake, request(span(1), span(2, trace_id=b""), span(3)))
    assert (answer.accepted, answer.rejected) == (1, 2)
    assert answer.message.startswith("2 of 3 spans rejected; the first: resource_spans[0]")
    assert board.reasons()["rejected", "malformed"] == 1  # the committer counts its own
    assert board.counts()["spans"] == 1


def test_log_records_without_a_span_are_counted_and_said():
    """They are not kept: partial success, with how many and why."""
    intake, board = made(Shelf())
    answer = take(intake, logs({}, {"span_id": b""}), "logs")
    assert (answer.accepted, answer.rejected) == (1, 1)
    assert "1 of 2 log records are not kept" in answer.message
    assert (board.counts()["logs"], board.reasons()["rejected", "not used"]) == (1, 1)


@pytest.mark.fault(29)
def test_bytes_in_flight_are_bounded_and_given_back():
    """What does not fit is 503 with a time to come again; afterwards all room is there again."""
    shelf = Shelf("later")
    body = request(span(1, name="n" * 60_000))
    intake, board = made(shelf, flight_bytes=100_000)

    async def both() -> list[Any]:
        first = asyncio.ensure_future(intake.take("traces", "protobuf", body))
        await asyncio.to_thread(shelf.came.wait, 10)
        assert intake.admission.bytes == len(body)
        with pytest.raises(Refused) as caught:
            await intake.take("traces", "protobuf", body)
        shelf.waiting[0].set_result(_Receipt())
        return [await first, caught.value]

    answer, refused = asyncio.run(both())
    assert answer == Answer(1)
    assert (refused.status, refused.retry_after_s) == (503, 1)
    assert intake.admission.bytes == 0
    assert board.reasons()["refused", "overload"] == 1


@pytest.mark.fault(26)
def test_what_is_inflated_counts_as_bytes_in_flight():
    """A small body that inflates to more than there is room for is 503, not memory."""
    intake, _ = made(Shelf(), flight_bytes=100_000)
    with pytest.raises(Refused) as caught:
        take(intake, packed(request(span(1, name="n" * 200_000))), packed=True)
    assert caught.value.status == 503
    assert intake.admission.bytes == 0


@pytest.mark.fault(25)
@pytest.mark.parametrize("gzip", [False, True])
@pytest.mark.parametrize("pieces", [1, 7])
def test_the_limit_of_a_body_is_exact(gzip, pieces):
    """The limit is taken and one byte more is 413; in pieces or at once, packed or not."""
    body = request(span(1, name="n" * 5_000))
    for limit, fits in ((len(body), True), (len(body) - 1, False)):
        intake, _ = made(Shelf(), body_bytes=limit)
        sent = packed(body) if gzip else body

        async def stream(sent: bytes = sent) -> Any:
            step = len(sent) // pieces + 1
            for at in range(0, len(sent), step):
                yield sent[at : at + step]

        if fits:
            assert take(intake, stream(), packed=gzip) == Answer(1)
        else:
            with pytest.raises(Refused) as caught:
                take(intake, stream(), packed=gzip)
            assert caught.value.status == 413
        assert intake.admission.bytes == 0


def test_a_service_that_stops_takes_nothing_new():
    """Draining is 503, so that clients come again to whoever is there next."""
    shelf = Shelf()
    intake, board = made(shelf)
    intake.draining = True
    with pytest.raises(Refused) as caught:
        take(intake, request(span()))
    assert (caught.value.status, caught.value.retry_after_s) == (503, 1)
    assert not shelf.taken
    assert board.reasons()["refused", "overload"] == 1


def test_what_the_committer_refuses_is_counted_once():
    """It knows the reason better; the client gets its words."""
    intake, board = made(Shelf(Refused(503, "no room in the store", retry_after_s=5)))
    with pytest.raises(Refused, match="no room"):
        take(intake, request(span()))
    assert board.counts()["refused"] == 0


@pytest.mark.parametrize("signal", ["traces", "metrics"])
def test_a_mistake_of_ours_is_the_request_s_problem_and_not_the_service_s(signal, monkeypatch):
    """An exception that nobody foresaw is 400 with its name, is counted, and leaves no bytes in flight."""

    def broken(*_: Any, **__: Any) -> Any:
        raise ZeroDivisionError("of all things")

    monkeypatch.setattr(requests, "decode", broken)
    monkeypatch.setattr("sort_drift.live.receive.metrics.points", broken)
    intake, board = made(Shelf())
    with pytest.raises(Refused, match="ZeroDivisionError: of all things") as caught:
        take(intake, request(span()), signal)
    assert caught.value.status == 400
    assert board.reasons()["rejected", "error"] == 1
    assert intake.admission.bytes == 0


def test_a_client_that_hangs_up_does_not_cancel_the_journal():
    """The future of the committer stays as it is: the spans become durable, and nobody is told."""
    shelf = Shelf("later")
    intake, _ = made(shelf)

    async def gone() -> None:
        task = asyncio.ensure_future(intake.take("traces", "protobuf", request(span())))
        await asyncio.to_thread(shelf.came.wait, 10)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(gone())
    assert not shelf.waiting[0].cancelled()
    shelf.waiting[0].set_result(_Receipt())
    assert intake.admission.bytes == 0


@pytest.mark.fault(29)
def test_admission_counts_right_from_many_threads():
    """A hundred thousand changes from eight threads leave zero, and never more than the limit."""
    admission = Admission(1_000)
    seen = []

    def work(number: int) -> int:
        refused = 0
        for size in range(2_000):
            try:
                with admission.enter() as ticket:
                    ticket.grow(size % 400)
                    ticket.grow(number)
                    seen.append(admission.bytes)
                    if not size % 100:
                        time.sleep(0.0001)
            except Refused:
                refused += 1
        return refused

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(work, range(8)))
    assert admission.bytes == 0
    assert max(seen) <= 1_000
