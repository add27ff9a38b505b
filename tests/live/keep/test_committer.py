"""The committer: answered means durable, a bad span costs itself, what is waiting is bounded."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import polars as pl
import pytest

from sort_drift import dialects
from sort_drift.hashing import Hasher
from sort_drift.ingest.batches import Row
from sort_drift.live.board import Board
from sort_drift.live.keep import committer as module
from sort_drift.live.keep import journal, redact
from sort_drift.live.keep.committer import Committer, decode
from sort_drift.live.receive.terms import Decoded, Refused
from sort_drift.model import SPANS, RawSpans
from sort_drift.store.frames import conform

PROMPT = "my password is hunter2, mail me at bob@example.com, card 4111 1111 1111 1111"


def row(trace: str, span: int, **attributes: Any) -> Row:
    """Return one decoded span."""
    said = {"gen_ai.operation.name": "chat", **attributes}
    return (trace, f"{span:016x}", None, "chat m", 3, 10**18, 10**18 + span + 1, 0, "", said, [], [])


def request(*rows: Row, resource: dict[str, Any] | None = None) -> Decoded:
    """Return a decoded request of these rows."""
    return Decoded(
        "traces", ((resource or {"service.name": "shop"}, ("me", "1"), list(rows)),), len(rows), 0, ""
    )


@contextmanager
def running(folder: Path, **options: Any) -> Iterator[tuple[Committer, SimpleQueue[pl.DataFrame], Board]]:
    """Run a committer on a folder for a block."""
    inbox: SimpleQueue[pl.DataFrame] = SimpleQueue()
    board = Board()
    redactor = redact.redactor(
        Hasher(b"k"),
        keep_content=options.pop("keep_content", False),
        attributes=options.pop("attributes", 128),
        further=options.pop("further", ()),
    )
    made = Committer(folder, redactor, board, inbox.put, **options)
    made.start()
    try:
        yield made, inbox, board
    finally:
        made.stop()


def stored(folder: Path) -> pl.DataFrame:
    """Return everything that the journals of a folder hold."""
    frames = [
        conform(decode(p), SPANS) for path in journal.names(folder) for p in journal.read(path).payloads
    ]
    return pl.concat([pl.DataFrame(schema=SPANS), *frames])


def test_answered_means_on_disk(tmp_path: Path) -> None:
    """When the future is done the journal has the spans, and the keeper has got the same frame."""
    with running(tmp_path) as (committer, inbox, _):
        receipt = committer.submit(request(*(row("a" * 32, i) for i in range(5)))).result(10)
        assert receipt.rejected == 0
        assert stored(tmp_path).equals(inbox.get_nowait())
    assert stored(tmp_path)["span_id"].to_list() == [f"{i:016x}" for i in range(5)]


def test_requests_that_wait_share_a_sync(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundred requests queued behind a slow sync take two more of them, and all are answered."""
    syncs = []
    real = os.fdatasync
    import threading

    gate = threading.Event()

    def slow(descriptor: int) -> None:
        syncs.append(descriptor)
        gate.wait(10)
        real(descriptor)

    monkeypatch.setattr(journal, "_sync", slow)
    with running(tmp_path) as (committer, _, _):
        futures = [committer.submit(request(row(f"{0:032x}", 0)))]
        futures += [committer.submit(request(row(f"{i:032x}", i))) for i in range(1, 101)]
        gate.set()
        assert [future.result(10).rejected for future in futures] == [0] * 101
    assert len(syncs) <= 4  # one of the new file, one of the first request, the rest together
    assert stored(tmp_path).height == 101


def test_order_numbers_grow_from_request_to_request_and_after_a_restart(tmp_path: Path) -> None:
    """``seq`` decides ties, so it follows the order of arrival, whatever journal a span is in."""
    for _ in range(2):
        with running(tmp_path) as (committer, _, _):
            for i in range(3):
                committer.submit(request(row("a" * 32, i), row("a" * 32, i + 10))).result(10)
                if i == 1:
                    assert committer.rotate() is not None
    numbers = stored(tmp_path)["seq"]
    assert len(numbers) == 12
    assert numbers.is_sorted()
    assert numbers.n_unique() == 12


def test_a_span_that_cannot_be_canonical_costs_only_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of five spans one makes the vocabularies fail: four are stored, and another request does not notice."""
    real = dialects.canonical

    def canonical(raw: RawSpans, *rest: Any, **more: Any) -> pl.DataFrame:
        if f"{3:016x}" in raw.span_id:
            raise OverflowError("injected")
        return real(raw, *rest, **more)

    monkeypatch.setattr(dialects, "canonical", canonical)
    with running(tmp_path) as (committer, _, board):
        bad = committer.submit(request(*(row("a" * 32, i) for i in range(5))))
        good = committer.submit(request(row("b" * 32, 9)))
        assert bad.result(10).rejected == 1
        assert "OverflowError: injected" in bad.result().why
        assert good.result(10).rejected == 0
        assert board.reasons()["rejected", "error"] == 1
    assert sorted(stored(tmp_path)["span_id"]) == sorted(f"{i:016x}" for i in (0, 1, 2, 4, 9))


@pytest.mark.fault(45)
def test_a_full_disk_refuses_and_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """ENOSPC is 503 with a time to come again; what was acknowledged stays, and later requests are taken."""
    with running(tmp_path) as (committer, _, board):
        committer.submit(request(row("a" * 32, 1))).result(10)

        def full(descriptor: int, data: memoryview) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(journal, "_write", full)
        with pytest.raises(Refused, match="No space left") as refused:
            committer.submit(request(row("a" * 32, 2))).result(10)
        assert (refused.value.status, refused.value.retry_after_s) == (503, module.RETRY_S)
        monkeypatch.setattr(journal, "_write", os.write)
        committer.submit(request(row("a" * 32, 3))).result(10)
        assert board.reasons()["refused", "disk full"] == 1
        assert committer.failed == ""
        assert committer.waiting == 2
    assert stored(tmp_path)["span_id"].to_list() == [f"{i:016x}" for i in (1, 3)]


@pytest.mark.fault(45)
def test_a_failed_sync_ends_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """EIO from the sync: this request and all later ones are refused, and no second sync is tried."""
    with running(tmp_path) as (committer, _, _):
        committer.submit(request(row("a" * 32, 1))).result(10)
        calls = []

        def broken(descriptor: int) -> None:
            calls.append(descriptor)
            raise OSError(errno.EIO, "Input/output error")

        monkeypatch.setattr(journal, "_sync", broken)
        with pytest.raises(Refused, match="Input/output error"):
            committer.submit(request(row("a" * 32, 2))).result(10)
        with pytest.raises(Refused, match="the journal failed"):
            committer.submit(request(row("a" * 32, 3)))
        assert committer.failed == "Input/output error"
        assert len(calls) == 1


@pytest.mark.fault(28)
def test_what_waits_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Spans that are not stored count, and beyond the limit clients are asked to come again."""
    monkeypatch.setattr(module, "WAITING_SPANS", 5)
    with running(tmp_path) as (committer, _, _):
        committer.submit(request(*(row("a" * 32, i) for i in range(4)))).result(10)
        with pytest.raises(Refused, match="wait to be stored") as refused:
            committer.submit(request(row("a" * 32, 7), row("a" * 32, 8)))
        assert refused.value.retry_after_s == 1.0
        closed = committer.rotate()
        assert closed is not None
        committer.stored(sum(frame.height for frame in closed.frames))
        committer.submit(request(row("a" * 32, 7), row("a" * 32, 8))).result(10)


@pytest.mark.fault(28)
def test_distinct_names_leave_memory_flat(tmp_path: Path) -> None:
    """Distinct keys and values, 80,000 of each, do not stay in memory after their request."""
    import resource

    def most() -> int:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    with running(tmp_path) as (committer, inbox, _):
        before = 0
        for piece in range(16):
            rows = [
                row("a" * 32, i, **{f"key.{i}": f"value {i}"})
                for i in range(piece * 5_000, (piece + 1) * 5_000)
            ]
            committer.submit(request(*rows)).result(60)
            closed = committer.rotate()
            assert closed is not None
            committer.stored(5_000)
            inbox.get_nowait()
            before = before or (most() if piece == 5 else 0)
        assert most() - before < 100_000  # KiB; the last 10 pieces kept would be more than that


@pytest.mark.fault(73)
def test_content_and_secrets_never_reach_the_journal(tmp_path: Path) -> None:
    """Prompts, arguments and results leave hashes and lengths; addresses, keys and cards leave kept text."""
    kept = {
        "user.email": "bob@example.com",
        "note": "use sk-abcdefghijklmnopqrstuv",
        "pay": "4111111111111111",
    }
    with running(tmp_path, further=("zebra-\\d+",)) as (committer, inbox, board):
        rows = [
            row(
                "a" * 32, 1, **{"gen_ai.input.messages": PROMPT, "gen_ai.tool.call.arguments": PROMPT, **kept}
            ),
            row("a" * 32, 2, **{"llm.input_messages.0.message.content": PROMPT, "plate": "zebra-77"}),
        ]
        committer.submit(request(*rows, resource={"service.name": "s", "owner": "eve@example.org"})).result(
            10
        )
        assert board.counts()["redacted"] >= 1
        frame = inbox.get_nowait()
    raw = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    text = str(stored(tmp_path).to_dicts())
    secrets = ("hunter2", "bob@example.com", "eve@example.org", "4111", "sk-abc", "zebra-77")
    for secret in secrets:
        assert secret not in text
        assert secret.encode() not in raw
    assert frame["attributes"].str.contains("[e-mail]", literal=True).any()
    assert frame["attributes"].str.contains("[redacted]", literal=True).any()


def test_capture_content_keeps_all_of_it(tmp_path: Path) -> None:
    """Asked to, the attributes stay as they came, content too."""
    with running(tmp_path, keep_content=True) as (committer, _, board):
        committer.submit(request(row("a" * 32, 1, **{"gen_ai.input.messages": PROMPT}))).result(10)
        assert board.counts()["redacted"] == 0
    assert "hunter2" in stored(tmp_path)["attributes"][0]


@pytest.mark.fault(24)
def test_attributes_that_nobody_names_are_bounded(tmp_path: Path) -> None:
    """Ten thousand attributes leave as many as asked for, a megabyte of text its length, and a count."""
    many = {f"some.key.{i}": i for i in range(10_000)}
    with running(tmp_path, attributes=50) as (committer, inbox, board):
        committer.submit(request(row("a" * 32, 1, big="x" * 1_000_000, **many))).result(10)
        frame = inbox.get_nowait()
        assert board.counts()["dropped_attributes"] == len(many) + 1 - 50
    import orjson

    said = orjson.loads(frame["attributes"][0])
    assert len(said) == 51
    assert said["sort_drift.dropped_attributes"] == len(many) + 1 - 50
    assert said["big"] == "(1000000 characters)"


def test_a_pattern_that_is_none_is_refused_at_the_start() -> None:
    """One clear line names the pattern."""
    from sort_drift.errors import UsageError

    with pytest.raises(UsageError, match=r"redact: \(unclosed"):
        redact.redactor(Hasher(), keep_content=False, attributes=1, further=["(unclosed"])


@pytest.mark.fault(78)
def test_patterns_take_linear_time() -> None:
    """A pattern that is catastrophic for backtracking engines costs the same a character at any size."""
    import time

    made = redact.redactor(Hasher(), keep_content=False, attributes=1, further=[r"(a+)+$", r"(x*)*y"])

    def cost(size: int) -> float:
        text = "a" * size + "!" + "x" * size
        frame = pl.DataFrame({"name": [text], "error_type": [None], "attributes": [text], "resource": [text]})
        best = float("inf")
        for _ in range(3):
            began = time.process_time()
            made.cleared(frame.with_columns(pl.col("error_type").cast(pl.String)))
            best = min(best, time.process_time() - began)
        return best

    assert cost(200_000) < 200 * max(cost(10_000), 1e-4)  # quadratic would be 400, exponential never
