"""Which spans are one run: inside a trace, across traces, and under which name."""

from __future__ import annotations

from random import Random
from typing import Any

import polars as pl
import pytest

from sort_drift.assembly import assemble
from tests import spans as made
from tests.spans import frame, row


def named(rows: list[dict[str, Any]]) -> list[tuple[str, int | None]]:
    """Return (run id, LLM calls) of every run of the given spans."""
    return assemble(frame(rows))[0].select("run_id", "llm_calls").rows()


def test_no_spans():
    """No spans are no runs, in the same columns."""
    runs, ops = assemble(frame([]))
    assert (runs.height, ops.height) == (0, 0)
    assert runs.columns[:2] == ["run", "run_id"]


@pytest.mark.fault(35)
def test_two_agents_under_one_lost_root_are_two_runs():
    """A root that was never exported adopts the runs after it; each agent is a run, the rest is one more."""
    rows = [
        row("step1", "lost", "other", (0, 5)),
        row("call1", "step1", "llm", (1, 4)),
        row("step2", "lost", "other", (6, 9)),
        row("call2", "step2", "llm", (7, 8)),
        row("next", "lost", "agent", (10, 20)),
        row("call3", "next", "llm", (11, 12)),
        row("last", "lost", "agent", (21, 30)),
    ]
    assert named(rows) == [("t:step1", 2), ("t:next", 1), ("t:last", 0)]


def test_orphan_inside_a_rooted_run_belongs_to_it():
    """A subtree whose parent was lost is part of the run that was open then, agent or not."""
    rows = [
        row("main", None, "agent", (0, 100)),
        row("call", "lost", "llm", (5, 9)),
        row("helper", "lost too", "agent", (10, 50)),
        row("call2", "helper", "llm", (11, 12)),
    ]
    runs, ops = assemble(frame(rows))
    assert runs.select("run_id", "llm_calls", "parents_resolved").rows() == [("t", 2, False)]
    assert ops.filter(pl.col("span_id") == "call2")["scope"].item() == ops.filter(cls="agent")["op"].item()


@pytest.mark.fault(35)
def test_two_roots_without_agent_are_one_run():
    """Plain LLM calls that share a trace are one run."""
    assert named([row("a", when=(0, 1)), row("b", when=(2, 3))]) == [("t", 2)]


def test_evaluation_loop_is_several_runs():
    """Agents of one name, one after the other below a root that does nothing else, are runs of their own."""
    rows = [row("loop", None, "other", (0, 100))]
    for i in range(3):
        rows.append(row(f"agent{i}", "loop", "agent", (10 * i, 10 * i + 9), agent="same"))
        rows.append(row(f"call{i}", f"agent{i}", "llm", (10 * i + 1, 10 * i + 2)))
    assert [calls for _, calls in named(rows)] == [1, 1, 1]


@pytest.mark.parametrize(
    ("agents", "why"),
    [
        ([("planner", 0, 9), ("writer", 10, 19)], "other names"),
        ([("same", 0, 9), ("same", 5, 19)], "side by side"),
    ],
)
def test_workflow_below_a_plain_root_is_one_run(agents, why):
    """Agents of several names, or side by side, below one root are one workflow."""
    rows = [row("root", None, "other", (0, 100))]
    for i, (name, start, end) in enumerate(agents):
        rows.append(row(f"a{i}", "root", "agent", (start, end), agent=name))
    runs, ops = assemble(frame(rows))
    assert runs.height == 1, why
    assert ops["name"].to_list() == [name for name, *_ in agents]


def test_root_agent_is_the_run_and_wrappers_vanish():
    """The root agent is no operation, nor is an agent that is the only thing inside another one."""
    rows = [
        row("workflow", None, "agent", (0, 50)),
        row("agent", "workflow", "agent", (1, 49)),
        row("again", "agent", "agent", (2, 48)),
        row("call", "again", "llm", (3, 4)),
        row("helper", "again", "agent", (5, 40)),
        row("work", "helper", "llm", (6, 7)),
    ]
    runs, ops = assemble(frame(rows))
    assert runs["agent"].to_list() == ["workflow"]
    assert ops.select("span_id", "parent", "scope").rows() == [
        ("call", None, None),
        ("helper", None, None),
        ("work", 1, 1),
    ]


def test_satellites_are_no_runs():
    """Agents being created and a server's side of a tool call are no runs."""
    rows = [
        row("create", None, "agent", satellite=True, trace="c"),
        row("serve", None, "tool", (3, 4), trace="s"),
        row("main", None, "agent", (0, 9)),
    ]
    assert named(rows) == [("t", None)]


def test_declared_run_id_joins_traces_and_cuts_one():
    """``sort_drift.run.id`` decides: it joins traces, and it divides a trace."""
    rows = [
        row("a", None, "agent", (0, 9), trace="1", run_key="x"),
        row("a1", "a", "llm", (1, 2), trace="1"),
        row("b", None, "llm", (3, 4), trace="2", run_key="x"),
        row("root", None, "other", (20, 60), trace="3"),
        row("c", "root", "agent", (20, 29), trace="3", run_key="y"),
        row("c1", "c", "llm", (21, 22), trace="3", run_key="y"),
        row("d", "root", "agent", (25, 59), trace="3", run_key="z"),
        row("d1", "d", "llm", (41, 42), trace="3"),
    ]
    assert named(rows) == [("x", 2), ("y", 1), ("z", 1)]


def test_links_join_what_was_open():
    """A linked trace joins the run that was open; an agent that links to something over is a follow-up."""
    rows = [
        row("main", None, "agent", (0, 50), trace="1"),
        row("worker", None, "agent", (10, 20), trace="2", links=["1:main"]),
        row("call", "worker", "llm", (11, 12), trace="2"),
        row("late", None, "llm", (60, 61), trace="3", links=["1:main"]),
        row("again", None, "agent", (70, 80), trace="4", links=["1:main", "9:gone"]),
    ]
    assert named(rows) == [("1", 2), ("4", 0)]


def test_conversation_holds_several_invocations():
    """Two agents of one conversation are two runs; traces without agent belong to the one before them."""
    talk = {"conversation": "c"}
    rows = [
        row("one", None, "agent", (0, 9), trace="1", **talk),
        row("tool", None, "tool", (3, 4), trace="2", **talk),
        row("two", None, "agent", (20, 29), trace="3", **talk),
        row("title", None, "llm", (31, 32), trace="4", **talk),
    ]
    runs, _ = assemble(frame(rows))
    assert runs.select("run_id", "tool_calls", "llm_calls").rows() == [("1", 1, 0), ("3", 0, 1)]
    assert runs["trace_ids"].to_list() == [["1", "2"], ["3", "4"]]


def test_conversation_joins_a_covered_agent_of_another_name():
    """A sub-agent in a trace of its own joins the only agent that covers it; concurrent twins stay apart."""
    talk = {"conversation": "c"}
    nested = [
        row("boss", None, "agent", (0, 90), trace="1", **talk),
        row("aide", None, "agent", (10, 20), trace="2", **talk),
    ]
    twins = [
        row("a", None, "agent", (0, 90), trace="1", agent="same", **talk),
        row("b", None, "agent", (10, 20), trace="2", agent="same", **talk),
    ]
    assert len(named(nested)) == 1
    assert len(named(twins)) == 2


@pytest.mark.parametrize(
    ("agents", "runs"),
    [
        ([("a", 0, 50), ("b", 5, 40), ("c", 10, 60)], 1),
        ([("a", 0, 50), ("b", 60, 90)], 2),
        ([("boss", 0, 90), ("aide", 5, 20), ("aide", 25, 40)], 1),
        ([("boss", 0, 50), ("aide", 5, 20), ("boss", 10, 60), ("aide", 25, 40)], 4),
    ],
    ids=["fan-out", "one after the other", "a sub-agent twice", "one id for all users"],
)
def test_agents_of_one_conversation(agents, runs):
    """Agents that run at once in one conversation are one run, unless the same names come again."""
    rows = [
        row(f"{i}", None, "agent", (start, end), trace=f"{i}", agent=name, conversation="c")
        for i, (name, start, end) in enumerate(agents)
    ]
    assert len(named(rows)) == runs


def test_vendor_invocation_joins_traces():
    """One vendor invocation id is one run."""
    rows = [
        row("a", None, "agent", (0, 9), trace="1", invocation="i"),
        row("b", None, "agent", (3, 4), trace="2", invocation="i"),
    ]
    assert len(named(rows)) == 1


def bare(trace: str, when: tuple[float, float], messages: list[int], answer: int) -> dict[str, Any]:
    """Return an LLM call that is a whole trace."""
    return row("call", None, "llm", when, trace=trace, messages=messages, out_message=answer, out_tokens=1)


def test_message_prefixes_chain_plain_calls():
    """Plain calls chain by prefix; answers tell equal beginnings apart; fan-out and compaction begin anew."""
    rows = [
        bare("a1", (0, 1), [1, 2], 31),
        bare("b1", (2, 3), [1, 2], 32),
        bare("a2", (4, 5), [1, 2, 31, 4], 41),
        bare("b2", (4.5, 6), [1, 2, 32, 4], 42),
        bare("fan", (7, 8), [1, 2, 31, 5], 43),
        bare("a3", (8, 9), [1, 2, 31, 4, 41, 6], 51),
        bare("compacted", (10, 11), [1, 99], 61),
    ]
    runs, ops = assemble(frame(rows))
    assert runs["trace_ids"].to_list() == [["a1", "a2", "a3"], ["b1", "b2"], ["fan"], ["compacted"]]
    assert ops["thread"].is_null().all(), "what such a chain holds together was not cut, by construction"


def test_a_common_system_prompt_is_no_continuation():
    """One message in common says nothing."""
    rows = [bare("1", (0, 1), [1], 31), bare("2", (2, 3), [1, 2], 32)]
    assert len(named(rows)) == 2


def test_plain_clients_of_long_runs():
    """Calls without any agent span, each its own trace, come back together as the runs that made them."""
    rows, expected = [], []
    for seed in range(12):
        plan = made.plan(Random(seed), depth=2)  # depth 2: no nested agents
        spans = made.render(plan, "E", start=made.EPOCH + seed * 10**8).filter(cls="llm", error=False)
        expected.append(spans.height)
        rows.append(
            spans.with_columns(trace_id=pl.format("{}-{}", pl.lit(seed), "span_id"), parent_id=pl.lit(None))
        )
    runs, _ = assemble(pl.concat(rows, how="vertical_relaxed"))
    assert sorted(runs["llm_calls"].to_list()) == sorted(expected)


@pytest.mark.fault(39)
def test_newest_end_wins():
    """A span sent twice counts once, as it ended last."""
    rows = [
        row("main", None, "agent", (0, 9)),
        row("call", "main", "llm", (1, 2), in_tokens=None),
        row("call", "main", "llm", (1, 3), in_tokens=7),
        row("call", "main", "llm", (1, 2), in_tokens=5),
    ]
    runs, ops = assemble(frame(rows))
    assert runs["prompt_tokens"].to_list() == [[7]]
    assert ops["end_ns"].to_list() == [3 * made.MS]


def test_late_child_is_clamped():
    """A child that outlives its root ends with it, in the operation's times only."""
    rows = [row("main", None, "agent", (10, 20)), row("call", "main", "llm", (5, 30))]
    runs, ops = assemble(frame(rows))
    assert ops.select("start_ns", "end_ns").row(0) == (10 * made.MS, 20 * made.MS)
    assert runs.select("start_ns", "end_ns").row(0) == (10 * made.MS, 20 * made.MS)


@pytest.mark.fault(35)
def test_cycles_and_self_parents_end():
    """A cycle of parents and a span that is its own parent are broken, and nothing is lost."""
    rows = [
        row("a", "c", "agent", (0, 9)),
        row("b", "a", "llm", (1, 2)),
        row("c", "b", "llm", (3, 4)),
        row("d", "d", "llm", (5, 6)),
    ]
    assert sum(calls or 0 for _, calls in named(rows)) == 3


@pytest.mark.fault(35)
def test_huge_and_deep_traces_end():
    """A trace 5,000 spans deep, one of 20,000 orphans and one big cycle take linear work, not forever."""
    deep = [row(f"d{i}", f"d{i - 1}" if i else None, "other", (i, 9_000), trace="deep") for i in range(5_000)]
    deep.append(row("call", "d4999", "llm", (5_001, 5_002), trace="deep"))
    lost = [row(f"o{i}", f"lost{i}", "llm", (i, i + 1), trace="lost") for i in range(20_000)]
    ring = [row(f"r{i}", f"r{(i + 1) % 3_000}", "llm", (i, i + 1), trace="ring") for i in range(3_000)]
    runs, ops = assemble(frame(deep + lost + ring))
    assert dict(runs.select("run_id", "llm_calls").rows()) == {"deep": 1, "lost": 20_000, "ring": 3_000}
    assert ops.height == 23_001


@pytest.mark.fault(35)
def test_a_trace_of_200_000_spans_ends():
    """One trace with a chain 5,000 deep, a cycle, lost parents, and a parent that ends hours later."""
    hour = 3_600 * 10**3
    spans = [row("root", None, "agent", (0, hour))]
    spans += [row(f"d{i}", f"d{i - 1}" if i else "root", "other", (i, hour)) for i in range(5_000)]
    spans += [row(f"c{i}", "d4999", "tool", (i, i + 1)) for i in range(100_000)]
    spans += [row(f"o{i}", f"lost{i % 7}", "llm", (i, i + 1)) for i in range(94_000)]
    spans += [row(f"r{i}", f"r{(i + 1) % 999}", "other", (i, i + 1)) for i in range(999)]
    runs, ops = assemble(frame(spans))
    assert (runs.height, ops.height) == (1, 194_000)


def test_runs_of_several_exports_do_not_mix():
    """Exports put end to end give the runs that each gives alone."""
    alone = [
        made.render(made.plan(Random(seed)), style, trace=f"{style}", start=made.EPOCH + seed)
        for seed, style in enumerate("ABCDFG")
    ]
    together, _ = assemble(pl.concat(alone))
    apart = pl.concat([assemble(spans)[0] for spans in alone]).sort("start_ns", "run_id")
    assert together.drop("run").equals(apart.drop("run"))
