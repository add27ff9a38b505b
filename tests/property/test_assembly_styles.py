"""One abstract run, seven instrumentors: what the operation graph says must not depend on who recorded it."""

from __future__ import annotations

from random import Random
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sort_drift.assembly import assemble
from tests import spans as made
from tests.examples import examples

SEEDS = st.integers(0, 2**32)
MANY = examples(25)


def graph(ops: pl.DataFrame) -> list[tuple[Any, ...]]:
    """Return what an operation graph says, free of span ids and of the numbers of threads."""
    threads: dict[Any, int] = {None: -1}
    rows = ops.select(
        "cls", "name", "parent", "scope", "turn", "chain", "attempt", "failed", "in_tokens", "thread"
    )
    return [(*row[:-1], threads.setdefault(row[-1], len(threads))) for row in rows.iter_rows()]


@pytest.mark.parametrize("style", ["A", "B", "C", "D"])
@MANY
@given(seed=SEEDS)
def test_truth_in_every_complete_style(style, seed):
    """Counts, sequences, chains and turns equal a plain reading of the run, however it is instrumented."""
    plan = made.plan(Random(seed))
    truth = made.truth(plan)
    runs, ops = assemble(made.render(plan, style))
    assert runs.height == 1
    run = runs.row(0, named=True)
    assert run["tools"] == truth.tools
    assert (run["tool_calls"], run["tool_errors"]) == (truth.tool_calls, truth.tool_errors)
    calls = ops.filter(cls="llm")
    assert run["llm_calls"] == truth.llm_calls
    assert run["prompt_tokens"] == calls["in_tokens"].to_list()
    begun = calls.select(pl.col("start_ns") - run["start_ns"] + plan.start, "in_tokens").rows()
    assert sorted(begun, key=lambda call: (call[0], call[1] or 0)) == truth.prompts
    assert calls["start_ns"].is_sorted()
    tools = ops.filter(pl.col("cls") == "tool").group_by("chain").agg(pl.col("name").first(), n=pl.len())
    assert sorted(tools.select("name", "n").rows()) == truth.chains
    actions = ops.filter(pl.col("turn").is_not_null()).group_by("turn", "cls", "parent").agg(pl.len())
    assert actions["len"].sum() == ops.filter(pl.col("cls") != "llm").height
    assert ops.filter(pl.col("cls") == "agent").height == truth.scopes - 1
    assert run["end_ns"] - run["start_ns"] == plan.end - plan.start


@MANY
@given(seed=SEEDS)
def test_same_graph_in_every_complete_style(seed):
    """The operation graphs of styles A to D are the same, operation by operation."""
    plan = made.plan(Random(seed))
    clean = graph(assemble(made.render(plan, "A"))[1])
    for style in "BCD":
        assert graph(assemble(made.render(plan, style))[1]) == clean


@MANY
@given(seed=SEEDS)
def test_llm_spans_only(seed):
    """Without tool spans the calls come from the outputs: same names and order, no failures, no timing."""
    plan = made.plan(Random(seed))
    for one in made.agents(plan):
        for turn in one.turns:
            for action in turn.actions:
                if isinstance(action, made.Tool):
                    action.attempts[:] = [made.Attempt(action.attempts[0].start, action.attempts[-1].end)]
    runs, ops = assemble(made.render(plan, "E"))
    truth = made.truth(plan)
    assert runs["tools"].to_list() == [truth.tools]
    tools = ops.filter(pl.col("cls") == "tool")
    assert not tools["observed"].any()
    assert tools.select("start_ns", "end_ns", "failed", "span_id").null_count().row(0) == (tools.height,) * 4
    assert runs["tool_errors"][0] == (None if tools.height else 0)


@MANY
@given(seed=SEEDS)
def test_skewed_tools(seed):
    """A tool clock off by up to 80 ms changes neither order nor turns: outputs name call ids."""
    plan = made.plan(Random(seed))
    clean, _ = assemble(made.render(plan, "A"))
    skewed, ops = assemble(made.render(plan, "F", seed=seed))
    assert skewed["tool_calls"].to_list() == clean["tool_calls"].to_list()
    assert ops.filter((pl.col("cls") == "tool") & pl.col("turn").is_null()).is_empty()
    if clean["tool_errors"][0] == 0:
        assert skewed["tools"].to_list() == clean["tools"].to_list()


@MANY
@given(seed=SEEDS)
def test_hidden_retries(seed):
    """Retries that a counter reports add up to those that spans show."""
    plan = made.plan(Random(seed))
    shown, hidden = (assemble(made.render(plan, style))[1] for style in "AG")
    tool = pl.col("cls") == "tool"
    again = hidden.filter(tool).select(pl.col("hidden_attempts").sum()).item() + hidden.filter(tool).height
    assert again == shown.filter(tool).height


@MANY
@given(
    seeds=st.lists(SEEDS, min_size=1, max_size=4, unique=True), shuffle=SEEDS, style=st.sampled_from("ABCD")
)
def test_order_of_rows_and_company_do_not_matter(seeds, shuffle, style):
    """A run reads the same alone, among others, shuffled, and with half of its spans sent twice."""
    frames = [
        made.render(made.plan(Random(seed)), style, trace=f"{i:032x}", start=made.EPOCH + i * 10**10)
        for i, seed in enumerate(seeds)
    ]
    alone = [graph(assemble(frame)[1]) for frame in frames]
    together = pl.concat(frames)
    older = together.sample(fraction=0.5, seed=shuffle % 1000).with_columns(end_ns=pl.col("start_ns"))
    mixed = pl.concat([together, older]).sample(fraction=1, shuffle=True, seed=shuffle % 1000)
    runs, ops = assemble(mixed)
    assert runs["run_id"].to_list() == [f"{i:032x}" for i in range(len(seeds))]
    parts = ops.partition_by("run", maintain_order=True) if ops.height else []
    numbers = ("op", "parent", "scope", "turn", "chain")
    assert [graph(part.with_columns(pl.col(numbers).cast(pl.Int64) - part["op"][0])) for part in parts] == [
        g for g in alone if g
    ]
