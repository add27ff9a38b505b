"""Runs, branches and attempts as the analyzer sees them."""

from __future__ import annotations

import asyncio
import gc
from typing import Any

import pytest

import sort_drift_sdk as sd
from sort_drift_sdk import semconv
from tests.sdk import caught


@sd.tool
def look(where: str) -> str:
    """Return what is there."""
    return f"nothing in {where}"


def test_a_run_is_one_run_with_what_it_declared(tmp_path):
    """Task, budgets, use, outcome and cost reach the run table."""
    with caught() as seen, sd.run(task="fix-42", budget_s=30, budget_steps=15, block="monday") as run:
        look("a")
        run.step(3)
        run.outcome(correct=True, cost_usd=0.12)
    row = seen.run(tmp_path)
    assert (row["task"], row["task_source"], row["block"]) == ("fix-42", "declared", "monday")
    assert (row["outcome"], row["cost_usd"], row["cut"]) == (1.0, 0.12, None)
    assert (row["budget_time_s"], row["budget_steps"], row["used_steps"]) == (30.0, 15.0, 3.0)
    assert 0 < row["used_time_s"] < 30
    assert row["tools"] == ["look"]


def test_who_judges_a_run_may_come_later(tmp_path):
    """An outcome after the block is the run's, and so is what was said before it began."""
    run = sd.run(task="t")
    run.outcome(cost_usd=0.5)
    with caught() as seen:
        with run:
            look("a")
        run.outcome(correct=0.75)
    row = seen.run(tmp_path)
    assert (row["outcome"], row["cost_usd"], row["cut"]) == (0.75, 0.5, None)
    assert seen.named("sort_drift.outcome").parent == seen.named("invoke_agent agent").context


def test_an_object_is_one_run():
    """Entered again inside itself nothing is lost: one root, ended once."""
    with caught() as seen, sd.run(task="t") as run:
        with run:
            look("a")
        look("b")
    assert [said.get(semconv.RUN_ID) for said in seen.said()] == [run.id] * 4


def test_an_attempt_that_is_not_entered_is_the_only_one():
    """Without ``with attempt:`` nobody knows of a failure; what went well is not done again."""
    done = []
    with caught(), sd.run(task="t") as run:
        done += [attempt.number for attempt in run.attempts("look", max=3)]
        for attempt in run.attempts("look", max=0):
            with attempt:
                done.append(attempt.number)
    assert done == [0, 0]


def test_everything_started_inside_carries_the_run(tmp_path):
    """Spans of any instrumentor inside a run belong to it, in whatever trace they are."""
    from opentelemetry import context, trace

    tracer = trace.get_tracer("somebody.else")
    with caught() as seen, sd.run(task="t") as run:
        own_trace = trace.set_span_in_context(trace.INVALID_SPAN, context.get_current())
        with tracer.start_as_current_span("execute_tool far", own_trace) as span:
            span.set_attributes({"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "far"})
    assert {said[semconv.RUN_ID] for said in seen.said()} == {run.id}
    assert len({span.context.trace_id for span in seen.spans}) == 2
    assert seen.run(tmp_path)["tools"] == ["far"]


def test_branches_of_a_decision_are_its_width(tmp_path):
    """Three alternatives, then two: the mean width is declared, not guessed."""
    with caught() as seen, sd.run(task="t") as run:
        kept = []
        for name in ("a", "b", "c"):
            with run.branch(name) as branch:
                look(name)
            kept.append(branch)
        kept[1].commit()  # after all of them: the span of the branch has ended
        for name in ("d", "e"):
            with run.branch(name) as branch:
                look(name)
                if name == "e":
                    branch.commit()
    row = seen.run(tmp_path)
    assert (row["branching_width"], row["branching_width.evidence"]) == (2.5, "observed")
    assert row["branching_max"] == 3
    committed = {said[semconv.BRANCH_ID] for said in seen.said() if said.get(semconv.BRANCH_COMMITTED)}
    assert committed == {"b", "e"}


def test_attempts_are_counted_until_one_succeeds(tmp_path):
    """Two failures and a success: depth 2, no exception reaches the caller."""
    with caught() as seen, sd.run(task="t") as run:
        for attempt in run.attempts("run_tests", max=5):
            with attempt:
                if attempt.number < 2:
                    raise ValueError("secret")
    row = seen.run(tmp_path)
    assert (row["retry_depth"], row["tool_calls"], row["tool_errors"]) == (2, 3, 2)
    assert row["tools"] == ["run_tests"]
    assert "secret" not in repr(seen.said())


def test_the_last_attempt_raises(tmp_path):
    """An operation that never succeeds ends with its own exception."""

    def agent() -> None:
        with sd.run(task="t") as run:
            for attempt in run.attempts("run_tests", max=3):
                with attempt:
                    raise ValueError("never")

    with caught() as seen, pytest.raises(ValueError, match="never"):
        agent()
    row = seen.run(tmp_path)
    assert (row["retry_depth"], row["retry_exhausted"]) == (2, 1.0)


def test_an_attempt_can_fail_without_an_exception(tmp_path):
    """``retry`` marks a failed attempt and asks for the next."""
    with caught() as seen, sd.run(task="t") as run:
        for attempt in run.attempts("review", max=4):
            with attempt:
                if attempt.number == 0:
                    attempt.retry("not good enough")
    assert seen.run(tmp_path)["retry_depth"] == 1
    reasons = [said.get(semconv.ATTEMPT_REASON) for said in seen.said()]
    assert [reason for reason in reasons if reason] == ["not good enough"]


def test_two_loops_of_one_name_are_two_operations(tmp_path):
    """The same operation later, after a success, is no retry of the first."""
    with caught() as seen, sd.run(task="t") as run:
        for _ in range(2):
            for attempt in run.attempts("run_tests", max=3):
                with attempt:
                    pass
    row = seen.run(tmp_path)
    assert (row["retry_depth"], row["tools"]) == (0, ["run_tests", "run_tests"])


@pytest.mark.parametrize(
    ("stops", "reason", "cut"),
    [("deadline", "deadline", True), ("cancel", "cancelled", True), ("timeout", "timeout", True)],
)
def test_how_a_run_was_stopped_shows(tmp_path, stops, reason, cut):
    """A deadline, a cancellation and a timeout are three endings, all visible."""

    async def agent(budget_s: float) -> None:
        async with sd.run(task="t", budget_s=budget_s):
            look("a")
            await asyncio.sleep(0.05 if stops == "deadline" else 0)
            if stops == "timeout":
                raise TimeoutError
            await asyncio.sleep(30)

    async def main() -> None:
        task = asyncio.ensure_future(agent(0.04 if stops == "deadline" else 30))
        await asyncio.sleep(0.06 if stops == "deadline" else 0.01)
        task.cancel()
        with pytest.raises((asyncio.CancelledError, TimeoutError)):
            await task

    with caught() as seen:
        asyncio.run(main())
    root = seen.of("invoke_agent agent")
    assert root[semconv.FINISH_REASON] == reason
    assert (root.get(semconv.DEADLINE_EXCEEDED) or False) is (stops == "deadline")
    assert seen.run(tmp_path)["cut"] is cut


@pytest.mark.parametrize(("began_s", "reason"), [(30, "deadline"), (29.9, "deadline"), (20, "cancelled")])
def test_asyncio_timeout_around_a_run_is_its_deadline(began_s, reason):
    """``asyncio.timeout`` cancels from outside, and began before the run: its budget is nearly used up."""

    async def main() -> None:
        async with asyncio.timeout(0.03), sd.run(task="t", budget_s=30) as run:
            run._began -= began_s - 0.03
            await asyncio.sleep(30)

    with caught() as seen, pytest.raises(TimeoutError):
        asyncio.run(main())
    assert seen.of("invoke_agent agent")[semconv.FINISH_REASON] == reason


def test_an_interrupted_run_says_so():
    """``KeyboardInterrupt`` is no Exception and ends a run all the same."""
    with caught() as seen, pytest.raises(KeyboardInterrupt), sd.run(task="t"):
        raise KeyboardInterrupt
    root = seen.of("invoke_agent agent")
    assert root[semconv.FINISH_REASON] == "cancelled"
    assert root["error.type"] == "KeyboardInterrupt"


def test_the_context_is_left_as_it_was():
    """After a run nothing is stamped any more."""
    with caught() as seen:
        with sd.run(task="t"):
            assert sd.current_run() is not None
        assert sd.current_run() is None
        look("outside")
    assert semconv.RUN_ID not in seen.of("execute_tool look")


def test_an_abandoned_generator_ends_its_span(tmp_path):
    """A generator agent that nobody reads to the end is a run that was stopped."""

    @sd.agent
    def numbers() -> Any:
        yield look("1")
        yield look("2")

    with caught() as seen:
        stream = numbers()
        next(stream)
        del stream
        gc.collect()
    root = seen.of("invoke_agent numbers")
    assert root["error.type"] == "GeneratorExit"
    assert seen.run(tmp_path)["cut"] is True
