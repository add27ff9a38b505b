"""Traces in memory: when they are quiet, what is measured together, what a late span opens again."""

from __future__ import annotations

from random import Random
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sort_drift import pipeline
from sort_drift.live.board import Board
from sort_drift.live.keep import traces as remembering
from sort_drift.live.keep.runs import Closing
from sort_drift.live.keep.traces import Traces
from tests import spans as synthetic
from tests.examples import examples
from tests.spans import EPOCH, MS
from tests.store_frames import NOON, spans, trace

GRACE, IDLE, LATE = 5.0, 100.0, 50.0
FAR = 1e6  # however long measuring took: nothing waits for its next turn any more


def fresh(held: int = 100_000) -> Traces:
    """Return an empty memory."""
    return Traces(GRACE, IDLE, LATE, held)


def test_a_trace_is_quiet_a_grace_after_its_root_ended() -> None:
    """Not before the grace is over, and exactly one group comes then."""
    traces = fresh()
    traces.add(trace("t"), 10.0, 0)
    assert traces.due(10.0 + GRACE - 0.1) == []
    assert traces.due(10.0 + GRACE) == [("t",)]


def test_a_trace_without_its_root_waits_for_the_idle_time() -> None:
    """Children alone may still get a root: they wait; when it comes, the grace counts from then."""
    traces = fresh()
    whole = trace("t", 4)
    traces.add(whole[1:], 0.0, 0)
    assert traces.due(GRACE + 1) == []
    assert traces.due(IDLE) == [("t",)]
    traces.add(whole[:1], IDLE, 0)
    assert traces.due(IDLE + GRACE) == [("t",)]


def test_calls_without_an_agent_wait_for_the_idle_time() -> None:
    """A call to a model that is a trace of its own is a part of a longer run."""
    traces = fresh()
    traces.add(spans({"trace_id": "t", "span_id": "a", "cls": "llm", "start_ns": 1, "end_ns": 2}), 0.0, 0)
    assert traces.due(GRACE + 1) == []
    assert traces.due(IDLE) == [("t",)]


@pytest.mark.parametrize("key", ["run_key", "conversation", "invocation"])
def test_traces_with_a_key_in_common_are_measured_together(key: str) -> None:
    """Whatever came first, and through a third trace too."""
    traces = fresh()
    for name in ("a", "b"):
        said: dict[str, Any] = {key: name}
        traces.add(trace(name, **said), 0.0, 0)
    both: list[dict[str, Any]] = [{key: "a"}, {key: "b"}]
    traces.add(pl.concat([trace("c", 1, **both[0]), trace("c", 2, **both[1])[1:]]), 0.0, 0)
    (group,) = traces.due(GRACE)
    assert sorted(group) == ["a", "b", "c"]


def test_a_link_ties_traces() -> None:
    """A span link to a trace that comes later, or came before, puts both into one group."""
    traces = fresh()
    traces.add(trace("a", 1, links=["b:b-0"]), 0.0, 0)
    traces.add(trace("b", 2), 0.0, 0)
    (group,) = traces.due(GRACE)
    assert sorted(group) == ["a", "b"]


def test_agents_with_one_task_are_not_measured_together() -> None:
    """Equal beginnings tie only traces without an agent, and an agent's root comes last."""
    traces = fresh()
    for name in ("a", "b"):
        whole = trace(name, 3, task_hash=7)
        traces.add(whole[1:], 0.0, 0)
        traces.add(whole[:1], 0.0, 0)
    assert sorted(traces.due(GRACE)) == [("a",), ("b",)]
    for name in ("c", "d"):
        traces.add(
            spans(
                {"trace_id": name, "span_id": name, "cls": "llm", "start_ns": 1, "end_ns": 2, "task_hash": 7}
            ),
            0.0,
            0,
        )
    assert ("c", "d") in [tuple(sorted(group)) for group in traces.due(IDLE)]


@pytest.mark.fault(40)
def test_a_late_span_opens_its_run_again() -> None:
    """Once more quiet, the run is measured with all its spans, and counted as revised."""
    board = Board()
    closing = Closing(fresh(), board)
    whole = trace("t", 5)
    closing.traces.add(whole[:3], 0.0, 0)
    first = closing.close(GRACE)
    assert first is not None
    assert first.select("run_id", "llm_calls").rows() == [("t", 2)]
    assert closing.close(GRACE + 1) is None
    late, lost = closing.traces.add(whole[3:], FAR, 1)
    assert (late, lost) == (2, {})
    again = closing.close(FAR + GRACE)
    assert again is not None
    assert again.select("run_id", "llm_calls").rows() == [("t", 4)]
    assert board.counts()["revised"] == 1


@pytest.mark.fault(40)
def test_a_span_of_a_run_that_left_memory_says_what_to_read_again() -> None:
    """After ``late_s`` the spans go; a late one names all traces of the run and when they were."""
    closing = Closing(fresh(), Board())
    both = pl.concat([trace("a", run_key="r"), trace("b", run_key="r")])
    closing.traces.add(both, 0.0, 0)
    assert closing.close(GRACE) is not None
    closing.forget(GRACE + LATE + 1)
    assert closing.traces.spans == 0
    late, lost = closing.traces.add(trace("a", 6)[5:], 200.0, 3)
    assert late == 1
    assert sorted(lost["a"].traces) == ["a", "b"]
    assert lost["a"].first_ns == both["start_ns"].min()


def test_a_trace_that_nobody_remembers_may_be_an_old_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """What begins before the last forgotten one ended is unsure; what begins later is new."""
    monkeypatch.setattr(remembering, "REMEMBERED", 1)
    closing = Closing(fresh(), Board())
    for number, name in enumerate("abc"):
        closing.traces.add(trace(name, at=NOON + number * 10**9), 0.0, 0)
    assert closing.traces.unsure == {}
    assert closing.close(GRACE) is not None
    closing.forget(GRACE + LATE + 1)
    late, lost = closing.traces.add(trace("a", at=NOON)[1:], 200.0, 3)
    assert (late, lost) == (0, {})
    closing.traces.add(trace("new", at=NOON + 10 * 10**9), 200.0, 3)
    closing.traces.add(trace("read", at=NOON), 200.0, 3, read=True)
    assert list(closing.traces.unsure) == ["a"]
    assert closing.traces.sure(["a", "b"]) == trace("a").height - 1
    assert closing.traces.unsure == {}


def test_memory_is_bounded() -> None:
    """Beyond the limit what is over goes first; then the traces that were silent longest count as quiet."""
    closing = Closing(fresh(held=30), Board())
    for i in range(10):
        closing.traces.add(trace(f"t{i}", 5)[1:], float(i), 0)  # no roots: nothing would be quiet
    assert closing.traces.spans == 40
    assert closing.traces.hurry(10.0) == 3
    assert closing.close(10.0) is not None
    closing.forget(10.0)
    assert closing.traces.spans <= 30


def test_what_cannot_be_measured_does_not_lose_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that makes the measuring fail is said and passed over; the other one is there."""
    real = pipeline.measure

    def measure(frame: pl.DataFrame) -> pl.DataFrame:
        if "bad" in set(frame["trace_id"]):
            raise ZeroDivisionError("injected")
        return real(frame)

    monkeypatch.setattr(pipeline, "measure", measure)
    board = Board()
    closing = Closing(fresh(), board)
    closing.traces.add(pl.concat([trace("good"), trace("bad")]), 0.0, 0)
    table = closing.close(GRACE)
    assert table is not None
    assert table["run_id"].to_list() == ["good"]
    assert board.counts()["errors"] == 1
    assert "trace bad could not be measured: ZeroDivisionError" in closing.problems[0]
    assert closing.close(GRACE + 1) is None


def test_runs_know_how_many_were_open_beside_them() -> None:
    """A run that began while two others ran counts three, one that is not over yet among them."""
    closing = Closing(fresh(), Board())
    second = 10**9
    closing.traces.add(trace("a", 9, at=NOON, service="s"), 0.0, 0)
    assert closing.close(GRACE) is not None
    closing.traces.add(trace("open", 2, at=NOON + second // 5, service="s")[1:], 8.0, 0)
    closing.traces.add(trace("open", 2, at=NOON + second // 5, service="s", parent_id="x")[:1], 8.0, 0)
    closing.traces.add(trace("b", 2, at=NOON + second // 2, service="s"), 8.0, 0)
    closing.traces.add(trace("other", 2, at=NOON + second // 2, service="z"), 8.0, 0)
    table = closing.close(8.0 + GRACE)
    assert table is not None
    assert dict(table.select("run_id", "open_runs").iter_rows()) == {"b": 3.0, "other": 1.0}


@examples(15)
@given(st.integers(0, 2**32), st.integers(1, 12))
def test_runs_come_out_as_a_batch_would_measure_them(seed: int, pieces: int) -> None:
    """Spans that come in any pieces, in the order of their ends, give the run table of all at once."""
    rng = Random(seed)
    frames = [
        synthetic.render(synthetic.plan(rng), rng.choice("ABCDEF"), trace=f"{i:032x}", start=EPOCH + i * MS)
        for i in range(4)
    ]
    frame = pl.concat(frames).sort("end_ns", maintain_order=True)
    frame = frame.with_columns(seq=pl.int_range(pl.len(), dtype=pl.Int64))
    expected = pipeline.measure(frame).sort("run_id")
    traces = fresh()
    closing = Closing(traces, Board())
    cuts = sorted(rng.sample(range(frame.height), min(pieces, frame.height)))
    now, tables = 0.0, []
    for low, high in zip([0, *cuts], [*cuts, frame.height], strict=True):
        traces.add(frame[low:high], now, 0)
        now += 1.0
        tables.append(closing.close(now))
    tables.append(closing.close(now + FAR))
    found = pl.concat([t for t in tables if t is not None], how="diagonal_relaxed")
    found = found.unique("run_id", keep="last").sort("run_id")
    same = [
        "run_id",
        "tools",
        "llm_calls",
        "branching_width",
        "retry_depth",
        "context_retention",
        "busy_time",
    ]
    assert found.select(same).equals(expected.select(same))
