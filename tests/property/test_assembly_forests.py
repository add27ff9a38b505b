"""Any set of spans, however broken, ends in runs that hold together."""

from __future__ import annotations

from random import Random

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sort_drift.assembly import assemble, prefix, tree
from sort_drift.model import OPS, RUNS
from tests.examples import examples
from tests.spans import frame, row

MANY = examples(75)


def jungle(rng: Random, size: int) -> pl.DataFrame:
    """Return spans with random parents (lost, own, in cycles), times (missing, reversed), ids and classes."""
    rows = []
    for i in range(size):
        trace = f"t{rng.randrange(3)}"
        start = rng.randrange(50)
        parent = rng.choice([None, f"s{rng.randrange(size)}", f"s{i}", "gone"])
        more = {
            "error": rng.choice([None, True, False]),
            "conversation": rng.choice([None, None, None, "c1", "c2"]),
            "run_key": rng.choice([None] * 8 + ["r1", "r2"]),
            "invocation": rng.choice([None] * 8 + ["i"]),
            "satellite": rng.choice([None, None, False, True]),
            "links": rng.choice([None, None, [f"t{rng.randrange(3)}:s{rng.randrange(size)}"], ["broken"]]),
            "messages": rng.choice([None, list(range(1, rng.randrange(2, 6)))]),
            "out_message": rng.choice([None, 2, 3]),
            "in_tokens": rng.choice([None, 5]),
            "tool_calls": rng.choice([None, [], [{"name": "read", "id": "x", "args_hash": 1}]]),
            "call_id": rng.choice([None, "x"]),
            "args_hash": rng.choice([None, 1, 2]),
            "attempt_number": rng.choice([None, None, 0, 3]),
            "op": rng.choice([None, "http"]),
            "scope_name": rng.choice([None, "one", "two"]),
        }
        when = rng.choice([None, (start, start + rng.randrange(-3, 20)), (start, start)])
        cls = rng.choice(["llm", "tool", "agent", "other"])
        name = f"s{i}" if rng.random() < 0.95 else f"s{rng.randrange(size)}"
        rows.append(row(name, parent, cls, when, trace=trace, **more))
        if rng.random() < 0.1:
            rows[-1]["cls"] = None
        if rng.random() < 0.1:
            rows[-1]["end_ns"] = None
    return frame(rows)


@pytest.mark.fault(35)
@MANY
@given(seed=st.integers(0, 2**32), size=st.integers(1, 25))
def test_any_forest(seed, size):
    """Every operation is in one run, is counted there, and refers to operations of that run only."""
    spans = jungle(Random(seed), size)
    runs, ops = assemble(spans)
    assert (runs.schema, ops.schema) == (pl.Schema(RUNS), pl.Schema(OPS))
    assert runs["run"].to_list() == list(range(runs.height))
    assert runs["run_id"].n_unique() == runs.height
    assert ops["op"].to_list() == list(range(ops.height))
    assert ops["run"].is_sorted()
    shown = ops.filter("observed")
    assert shown.select("trace_id", "span_id").is_unique().all()
    assert ops.filter(~pl.col("observed"))["start_ns"].null_count() == ops.height - shown.height
    of = ops["run"]
    for name in ("parent", "scope", "turn", "chain"):
        refers = ops.filter(pl.col(name).is_not_null())
        assert (of.gather(refers[name]) == refers["run"]).all()
    assert (ops["cls"].gather(ops["turn"].drop_nulls()) == "llm").all()
    assert ops["cls"].gather(ops["scope"].drop_nulls()).is_in(["agent", "tool"]).all()
    behind = ops.filter(pl.col("op").is_in(ops["scope"].drop_nulls().implode()), pl.col("cls") == "tool")
    assert behind["op"].is_in(ops.filter(pl.col("cls") == "llm")["parent"].implode()).all()
    chains = ops.filter(pl.col("attempt") > 0)
    assert ops["failed"].gather(chains["chain"]).all()
    counts = ops.group_by("run").agg(llm=(pl.col("cls") == "llm").sum(), tool=(pl.col("cls") == "tool").sum())
    both = runs.join(counts, on="run")
    assert (both["llm_calls"].fill_null(0) == both["llm"]).all()
    assert (both["tool_calls"].fill_null(0) == both["tool"]).all()
    assert (runs["tool_errors"].fill_null(0) <= runs["tool_calls"].fill_null(0)).all()
    timed = ops.join(runs.select("run", begin="start_ns"), on="run").drop_nulls("begin")
    assert (timed["start_ns"] >= timed["begin"]).all()
    assert (runs["end_ns"] >= runs["start_ns"]).all()


@MANY
@given(seed=st.integers(0, 2**32), size=st.integers(1, 25))
def test_row_order_does_not_matter(seed, size):
    """Shuffled rows give the same runs and operations."""
    spans = jungle(Random(seed), size).unique(["trace_id", "span_id"], keep="first", maintain_order=True)
    runs, ops = assemble(spans)
    again_runs, again_ops = assemble(spans.sample(fraction=1, shuffle=True, seed=seed % 97))
    assert runs.equals(again_runs)
    assert ops.drop("thread").equals(again_ops.drop("thread"))


@MANY
@given(parents=st.lists(st.integers(-1, 14), min_size=1, max_size=15), wanted=st.integers(0, 2**15))
def test_ancestors_equal_a_walk(parents, wanted):
    """Pointer doubling finds what a walk from parent to parent finds, in trees made free of cycles."""
    size = len(parents)
    parent = np.array([p if p < size and p != i else -1 for i, p in enumerate(parents)], dtype=np.int64)
    parent = tree.break_cycles(parent)
    want = np.array([bool(wanted >> i & 1) for i in range(size)])
    roots, nearest = tree.roots(parent), tree.nearest(parent, want)
    for i in range(size):
        path = [i]
        while parent[path[-1]] >= 0:
            path.append(int(parent[path[-1]]))
            assert len(path) <= size
        assert roots[i] == path[-1]
        assert nearest[i] == next((p for p in path[1:] if want[p]), -1)


@MANY
@given(st.lists(st.lists(st.integers(0, 2), max_size=5), min_size=1, max_size=8))
def test_predecessors_are_prefixes(inputs):
    """Who continues whom: an earlier call, once, whose input is the beginning of the later one's."""
    messages = pl.Series(inputs, dtype=pl.List(pl.UInt64))
    times = np.arange(len(inputs)), np.arange(len(inputs))
    none = pl.Series([None] * len(inputs), dtype=pl.UInt64)
    before = prefix.predecessors(np.zeros(len(inputs), dtype=np.int64), times, messages, messages, none)
    used = [b for b in before.tolist() if b >= 0]
    assert len(set(used)) == len(used)
    for at, b in enumerate(before.tolist()):
        fits = [
            p
            for p in range(at)
            if 1 < len(inputs[p]) < len(inputs[at]) and inputs[at][: len(inputs[p])] == inputs[p]
        ]
        assert (b in fits) if b >= 0 else all(p in used for p in fits)
