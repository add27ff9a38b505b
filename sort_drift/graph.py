"""One run as a ``networkx.DiGraph``: for people who look at it, and as the slow, independent second opinion.

Nodes: ``RUN`` (the run itself) and the operations by their number in OPS, in canonical order. Every node has
``kind`` ("run" | "llm" | "tool" | "agent") and the columns of OPS; the graph has the row of RUNS.
Edges have ``kinds``, a tuple of

    contains    an operation or the run, and what ran inside it
    follows     consecutive logical operations of one scope
    retries     an attempt and the next attempt of the same call
    branches    an LLM operation and the actions of its turn
    feeds       an action and the LLM operation of its scope that reads the result

``measures`` computes the geometry variables again on one such graph, in plain Python without the columnar
code: geometry/ is property-tested against it and timed beside it (benchmarks/geometry.py).
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from statistics import mean, median
from typing import Any, TypeAlias

import networkx as nx
import polars as pl

RUN = "run"
KINDS = ("contains", "follows", "retries", "branches", "feeds")

_STOPPED = re.compile("(?i)(cancel|abort|generatorexit|keyboardinterrupt)[a-z]{0,40}$")
"""End of the error type of an operation that somebody stopped: it neither failed nor succeeded."""

Graph: TypeAlias = "nx.DiGraph[Any]"
Node: TypeAlias = dict[str, Any]


def execution_graph(run: Mapping[str, Any], ops: pl.DataFrame) -> Graph:
    """Return the execution graph of ``run`` (a row of RUNS); ``ops`` (OPS) may hold other runs as well.

    >>> from sort_drift.model import OPS
    >>> graph = execution_graph({"run": 0, "run_id": "r"}, pl.DataFrame(schema=OPS))
    >>> list(graph.nodes(data="kind"))
    [('run', 'run')]
    """
    graph: Graph = nx.DiGraph(**run)
    graph.add_node(RUN, kind="run", name=run.get("run_id"))
    rows = ops.filter(pl.col("run") == run["run"]).to_dicts()
    for row in rows:
        graph.add_node(row["op"], kind=row["cls"], **row)
    last: dict[Any, int] = {}  # logical operation of each scope
    attempt: dict[int, int] = {}  # attempt of each chain
    unread: dict[Any, list[int]] = defaultdict(list)  # actions of each scope that no LLM operation read yet
    for row in rows:
        op, scope, turn = row["op"], row["scope"], row["turn"]
        _link(graph, row["parent"] if row["parent"] in graph else RUN, op, "contains")
        if row["chain"] in attempt:
            _link(graph, attempt[row["chain"]], op, "retries")
        elif scope in last:
            _link(graph, last[scope], op, "follows")
        if row["chain"] not in attempt:
            last[scope] = op
        attempt[row["chain"]] = op
        if row["cls"] == "llm":
            for action in unread.pop(scope, ()):
                _link(graph, action, op, "feeds")
        elif turn in graph:
            _link(graph, turn, op, "branches")
            unread[scope].append(op)
    return graph


def _link(graph: Graph, a: Any, b: Any, kind: str) -> None:
    kinds = graph.edges[a, b]["kinds"] if graph.has_edge(a, b) else ()
    graph.add_edge(a, b, kinds=(*kinds, kind))


def targets(graph: Graph, node: Any, kind: str) -> list[Any]:
    """Return the nodes that an edge of ``kind`` leads to from ``node``, in canonical order."""
    return [b for b, edge in graph.adj[node].items() if kind in edge["kinds"]]


def source(graph: Graph, node: Any, kind: str) -> Any:
    """Return the first node that an edge of ``kind`` leads to ``node`` from, or None."""
    return next((a for a in graph.pred[node] if kind in graph.edges[a, node]["kinds"]), None)


# ---------------------------------------------------------------------------------------------------------
# the variables once more, one run at a time


def measures(graph: Graph) -> dict[str, float | None]:
    """Return every numeric geometry variable of the run; None where it is not observable."""
    nodes = [node for name, node in graph.nodes.items() if name != RUN]
    return {
        **_branching(graph, nodes),
        **_retries(graph, nodes),
        **_context(nodes),
        **_budget(graph, nodes),
    }


def _branching(graph: Graph, nodes: list[Node]) -> dict[str, float | None]:
    hidden = graph.graph["tools"] is None
    groups: dict[str, set[Any]] = defaultdict(set)
    for node in nodes:
        if node["branch_group"] is not None:
            groups[node["branch_group"]].add(node["op"] if node["branch_id"] is None else node["branch_id"])
    widths: list[int] = [len(branches) for branches in groups.values()]
    if not groups and not hidden:
        for node in _of(nodes, "llm"):
            actions = [graph.nodes[action] for action in targets(graph, node["op"], "branches")]
            direct = [a for a in actions if _holder(graph, a["op"]) != "tool"]
            if direct:
                choices = 1 if node["choices"] is None else node["choices"]
                widths.append(len({a["chain"] for a in direct}) + choices - 1)
        widths += _side_by_side(graph, nodes)
    calls = Counter((n["name"], n["args_hash"]) for n in _of(nodes, "tool") if n["attempt"] == 0)
    shown = not hidden and any(arguments is not None for _, arguments in calls)
    shares = [n / calls.total() for n in calls.values()]
    inner = [n for n in nodes if not targets(graph, n["op"], "contains")]
    timed = _timed(inner)
    open_at = [sum(b["start_ns"] <= a["start_ns"] < b["end_ns"] for b in timed) for a in timed]
    return {
        "branching_width": mean(widths) if widths else None,
        "branching_max": max(widths) if widths else None,
        "branch_entropy": -sum(p * math.log(p) for p in shares) if shown else None,
        "distinct_attempts": len(calls) if shown else None,
        "concurrency_peak": max([1, *open_at]) if timed and _tools_timed(inner) and not hidden else None,
    }


def _side_by_side(graph: Graph, nodes: list[Node]) -> Iterator[int]:
    agents = [n for n in _timed(_of(nodes, "agent")) if n["turn"] is None]
    by_parent: dict[Any, list[Node]] = defaultdict(list)
    for agent in agents:
        if _holder(graph, agent["op"]) != "tool":
            by_parent[agent["parent"]].append(agent)
    for siblings in by_parent.values():
        width, ended = 0, 0
        for agent in sorted(siblings, key=lambda a: a["start_ns"]):
            if agent["start_ns"] >= ended:
                if width > 1:
                    yield width
                width = 0
            width, ended = width + 1, max(ended, agent["end_ns"])
        if width > 1:
            yield width


def _retries(graph: Graph, nodes: list[Node]) -> dict[str, float | None]:
    tools = _of(nodes, "tool")
    names = ("retry_depth", "retry_any", "retry_total", "retry_exhausted", "repair_depth")
    if (
        graph.graph["tools"] is None
        or all(n["failed"] is None for n in nodes)
        or (tools and all(n["failed"] is None for n in tools))
        or (tools and all(n["args_hash"] is None for n in tools))
    ):
        return dict.fromkeys(names)
    again, ends = [], []
    for node in nodes:
        if source(graph, node["op"], "retries") is None:
            chain = list(_chain(graph, node["op"]))
            again.append(len(chain) - 1 + sum(n["hidden_attempts"] or 0 for n in chain))
            stopped = _STOPPED.search(chain[-1]["error_type"] or "")
            ends.append(None if stopped else chain[-1]["failed"])
    known = [float(end) for end in ends if end is not None]
    values = (max(again), max(again) > 0, sum(again), mean(known) if known else None, _repairs(tools))
    return dict(zip(names, values, strict=True))


def _chain(graph: Graph, first: Any) -> Iterator[Node]:
    node: Any = first
    while node is not None:
        yield graph.nodes[node]
        node = next(iter(targets(graph, node, "retries")), None)


def _repairs(tools: list[Node]) -> int:
    deepest = 0
    before: dict[Any, tuple[Node, int]] = {}
    for node in tools:
        depth, key = 0, (node["scope"], node["name"])
        if key in before:
            last, so_far = before[key]
            times = (node["start_ns"], last["end_ns"])
            after = last["turn"] != node["turn"] or (None not in times and times[0] >= times[1])
            if last["failed"] and after:
                depth = so_far + (last["args_hash"] != node["args_hash"])
        before[key] = node, depth
        deepest = max(deepest, depth)
    return deepest


def _context(nodes: list[Node]) -> dict[str, float | None]:
    llm = _of(nodes, "llm")
    threads: dict[Any, list[Node]] = defaultdict(list)
    for node in llm:
        if node["thread"] is not None and node["failed"] is not True:
            threads[node["thread"]].append(node)
    pairs = [pair for calls in threads.values() for pair in pairwise(_without_side_calls(calls))]
    steps = [step for pair in pairs if (step := _by_messages(*pair))]
    by_messages = bool(steps) and not any(_rewritten(*pair) or _contradicted(*pair) for pair in pairs)
    if not by_messages:
        steps = [step for pair in pairs if (step := _by_tokens(*pair))]
    shares = [kept / had for kept, had, _ in steps]
    logs = [math.log(r) if r else -math.inf for r in shares]
    losses = [
        (None if before is None else (1 - kept / had) * before) if by_messages else had - kept
        for kept, had, before in steps
    ]
    lost = sum(x for x in losses if x is not None)
    prompts = [n["in_tokens"] for n in llm if n["in_tokens"] is not None]
    cached = [n["cached_tokens"] for n in llm if None not in (n["in_tokens"], n["cached_tokens"])]
    cacheable = sum(prompts) if cached else 0
    return {
        "context_retention": sum(s[0] for s in steps) / sum(s[1] for s in steps) if steps else None,
        "context_min": min(shares, default=None),
        "context_drops": sum(r < 0.9 for r in shares) if steps else None,
        "context_lost_tokens": lost if losses and None not in losses else None,
        "context_half_life": math.log(0.5) / mean(logs) if any(logs) else None,
        "prompt_tokens_mean": mean(prompts) if prompts else None,
        "prompt_tokens_max": max(prompts, default=None),
        "cache_share": sum(cached) / cacheable if cacheable else None,
    }


def _by_messages(before: Node, now: Node) -> tuple[int, int, int | None] | None:
    if not before["messages"] or not now["messages"]:
        return None
    lengths = _lengths(before)
    length = dict(zip(before["messages"], lengths, strict=True))
    kept: Counter[int] = Counter(before["messages"]) & Counter(now["messages"])
    return sum(n * length[m] for m, n in kept.items()), sum(lengths), before["in_tokens"]


def _without_side_calls(calls: list[Node]) -> list[Node]:
    """Return the calls but those that share no message with their neighbours, where these share some."""
    alone = set()
    for i, (before, call, after) in enumerate(zip(calls, calls[1:], calls[2:], strict=False)):
        a, b, c = (set(n["messages"] or ()) for n in (before, call, after))
        if b and a & c and not a & b and not b & c:
            alone.add(i + 1)
    return [call for i, call in enumerate(calls) if i not in alone]


def _rewritten(before: Node, now: Node) -> bool:
    """Say whether only the last message differs and grew: a history written into one message."""
    a, b = before["messages"] or [], now["messages"] or []
    if not a or len(a) != len(b) or a[:-1] != b[:-1] or a[-1] == b[-1]:
        return False
    return _lengths(before)[-1] < _lengths(now)[-1]


def _contradicted(before: Node, now: Node) -> bool:
    """Say whether all messages are still there, and more, although the prompt is shorter by a tenth."""
    a, b, tokens = before["messages"] or [], now["messages"] or [], (before["in_tokens"], now["in_tokens"])
    if not a or len(b) <= len(a) or Counter(a) - Counter(b) or None in tokens:
        return False
    return bool(tokens[1] < 0.9 * tokens[0])


def _lengths(node: Node) -> list[int]:
    given = node["message_lens"] or []
    fits = len(given) == len(node["messages"])
    return [max(1, n or 1) for n in given] if fits else [1] * len(node["messages"])


def _by_tokens(before: Node, now: Node) -> tuple[int, int, int | None] | None:
    if None in (before["in_tokens"], before["out_tokens"], now["in_tokens"]):
        return None
    had = before["in_tokens"] + max(0, before["out_tokens"] - (before["reasoning_tokens"] or 0))
    return (min(now["in_tokens"], had), had, before["in_tokens"]) if had else None


def _budget(graph: Graph, nodes: list[Node]) -> dict[str, float | None]:
    run, llm = graph.graph, _of(nodes, "llm")
    used, budget = _used(run, llm)
    busy_nodes = [n for n in nodes if n["cls"] != "agent" or not targets(graph, n["op"], "contains")]
    busy, busy_llm = _covered(_timed(busy_nodes)), _covered(_timed(_of(busy_nodes, "llm")))
    latencies = [n["end_ns"] - n["start_ns"] for n in _timed(llm)]
    answers = [n for n in _timed(llm) if n["ttft_s"] is not None]
    answering = sum(n["end_ns"] - n["start_ns"] for n in answers)
    commits: dict[Any, int] = {}
    for n in nodes:
        if n["branch_committed"] and n["end_ns"] is not None:
            branch = (n["branch_group"], n["branch_id"])
            which = n["op"] if None in branch else branch
            commits[which] = max(commits.get(which, n["end_ns"]), n["end_ns"])
    cut = run["cut"]
    shown = run["tools"] is not None and _tools_timed(busy_nodes)
    return {
        "budget_used": None if budget is None or used is None else min(used, budget) / budget,
        "budget_allocated": budget,
        "budget_cut": None if cut is None else cut or bool(llm and llm[-1]["finish"] == "length"),
        "busy_time": math.log(busy / 1e9) if busy else None,
        "llm_share": busy_llm / busy if busy and busy_llm is not None and shown else None,
        "time_to_commit": (min(commits.values()) - run["start_ns"]) / 1e9
        if commits and run["start_ns"] is not None
        else None,
        "queue_share": sum(n["ttft_s"] for n in answers) * 1e9 / answering if answering else None,
        "step_latency": median(latencies) / 1e9 if latencies else None,
    }


def _used(run: Mapping[str, Any], llm: list[Node]) -> tuple[float | None, float | None]:
    """Return (used, budget) of the first declared budget whose use is known, else of the first declared."""
    ends = (run["start_ns"], run["end_ns"])
    wall = (ends[1] - ends[0]) / 1e9 if None not in ends else None
    spent = [n["in_tokens"] + n["out_tokens"] for n in llm if None not in (n["in_tokens"], n["out_tokens"])]
    known = {
        "time": _first(run["used_time_s"], wall, run["budget_time_s"] if run["cut"] else None),
        "tokens": _first(run["used_tokens"], sum(spent) if spent else None),
        "steps": _first(run["used_steps"], run["llm_calls"]),
    }
    limits = {"time": "budget_time_s", "tokens": "budget_tokens", "steps": "budget_steps"}
    declared = [(known[name], run[column]) for name, column in limits.items() if (run[column] or 0) > 0]
    usable = [pair for pair in declared if pair[0] is not None]
    return (usable or declared or [(None, None)])[0]


def _first(*values: float | None) -> float | None:
    return next((v for v in values if v is not None), None)


def _of(nodes: Iterable[Node], kind: str) -> list[Node]:
    return [n for n in nodes if n["cls"] == kind]


def _holder(graph: Graph, op: Any) -> str:
    return str(graph.nodes[source(graph, op, "contains")]["kind"])


def _timed(nodes: Iterable[Node]) -> list[Node]:
    return [n for n in nodes if n["start_ns"] is not None and n["end_ns"] is not None]


def _tools_timed(nodes: Iterable[Node]) -> bool:
    tools = _of(nodes, "tool")
    return not tools or bool(_timed(tools))


def _covered(timed: list[Node]) -> int | None:
    """Return the length of the union of the nodes' intervals, None without any."""
    total, until = 0, -math.inf
    for start, end in sorted((n["start_ns"], n["end_ns"]) for n in timed):
        total += max(0, end - max(start, until)) if until > -math.inf else end - start
        until = max(until, end)
    return total if timed else None
