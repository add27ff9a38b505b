"""One run: its facts, every value with its evidence or why there is none, and its execution graph."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sort_drift.exhibits import Execution
from sort_drift.live.page import links, sentences
from sort_drift.live.page.view import Screen, View
from sort_drift.model import Variable
from sort_drift.report.markup import Child, Html, join, tag, text
from sort_drift.report.numbers import amount, finite, plural
from sort_drift.report.runs import quantity
from sort_drift.report.svg_graph import Link, execution

FACTS = (
    ("task", "task"),
    ("model", "model"),
    ("serving build", "serving_build"),
    ("server", "server"),
    ("hardware", "hardware"),
    ("recorded by", "instrumentor"),
    ("vocabulary", "dialect"),
    ("content", "content"),
    ("source", "source"),
)
"""What it is called -> column of the run table."""


def run(view: View, row: Mapping[str, Any], graph: tuple[Execution | None, str], link: Link) -> Screen:
    """Return the page of one run; ``row`` is its row of the run table, as far as it is known."""
    run_id = str(row.get("run_id"))
    main = text(
        tag("h1", "Run ", tag("span", run_id, class_="code")),
        _facts(row, link),
        tag("h2", "Execution graph"),
        _graph(*graph, link),
        tag("h2", "Values"),
        _values(view.variables.values(), row),
    )
    return Screen(f"Run {run_id[:16]}", main, live="off")


def _facts(row: Mapping[str, Any], link: Link) -> Html:
    agent = str(row["agent_name"]) if row.get("agent_name") else None
    named = tag("a", agent, href=links.agent(agent)) if agent else None
    begun, ended = row.get("start_ns"), row.get("end_ns")
    took = f", {sentences.lasting((ended - begun) / 1e9)}" if begun and ended and ended >= begun else ""
    load = amount(row.get("load"), "") if row.get("load") is not None else None
    regime = " ".join(str(part) for part in (load, row.get("load_name")) if part)
    source = f" ({row['load_source']})" if row.get("load_source") and regime else ""
    tokens = [t for t in row.get("prompt_tokens") or () if t is not None]
    calls = (
        f"{plural(row.get('llm_calls') or 0, 'LLM call')}, {plural(row.get('tool_calls') or 0, 'tool call')}"
    )
    failed = f", {row['tool_errors']} failed" if row.get("tool_errors") else ""
    facts: list[tuple[str, Child]] = [
        ("agent", named),
        (
            "time",
            text(sentences.moment(begun), " to ", sentences.moment(ended), took) if begun or ended else None,
        ),
        ("outcome", amount(row.get("outcome"), "") if row.get("outcome") is not None else "not known"),
        (
            "cut short",
            "yes: a deadline or limit was reached, or it was cancelled" if row.get("cut") else None,
        ),
        ("load", f"{regime}{source}" if regime else None),
        ("calls", f"{calls}{failed}"),
        ("prompt tokens", f"{sum(tokens):,} in all" if tokens else None),
        ("cost", f"{row['cost_usd']:.4f} USD" if row.get("cost_usd") is not None else None),
        *((name, row.get(column)) for name, column in FACTS),
        ("tags", ", ".join(map(str, row.get("tags") or ())) or None),
        ("traces", join(", ", [_trace(t, link) for t in row.get("trace_ids") or ()])),
    ]
    shown = [text(tag("dt", name), tag("dd", said)) for name, said in facts if said not in (None, "")]
    return tag("dl", shown, class_="facts-list")


def _trace(trace_id: str, link: Link) -> Html:
    address = link(trace_id, None)
    return tag("a" if address else "span", trace_id, href=address, rel="noreferrer" if address else None,
               class_="code")  # fmt: skip


def _graph(found: Execution | None, why: str, link: Link) -> Html:
    if found is None or not found.operations:
        return tag("p", why or "No operation of this run is known.", class_="soft")
    drawn, left = execution(found, link)
    more = f" {left} left out." if left else ""
    said = f"{plural(found.total, 'operation')}, in the order in which one led to the next.{more}"
    return tag("figure", drawn, tag("figcaption", said), class_="graph")


def _values(variables: Iterable[Variable], row: Mapping[str, Any]) -> Html:
    heads = ("variable", "value", "unit", "evidence", "basis, or why there is none")
    head = [tag("th", h, scope="col", class_="n" if i == 1 else None) for i, h in enumerate(heads)]
    parts = []
    for role in ("primary", "secondary"):
        rows = [_value(v, row) for v in variables if v.role == role and v.name in row]
        if rows:
            group = tag("tr", tag("th", f"{role} variables", colspan="5", scope="colgroup"), class_="group")
            parts.append(tag("tbody", group, rows))
    if not parts:
        return tag("p", "This run has not been measured.", class_="soft")
    return tag("div", tag("table", tag("thead", tag("tr", head)), parts), class_="scroll")


def _value(variable: Variable, row: Mapping[str, Any]) -> Html:
    tools = row.get("tools")
    sequence = variable.scale == "sequence"
    value = tools if sequence else finite(row.get(variable.name))
    shown: Child = " ".join(map(str, tools or ())) or "(none)" if sequence else quantity(value, variable.unit)
    note, evidence = row.get(f"{variable.name}.note"), row.get(f"{variable.name}.evidence")
    missing = value is None
    return tag(
        "tr",
        tag("th", variable.name, scope="row", title=variable.what),
        tag("td", "-" if missing else shown, class_=None if sequence else "n"),
        tag("td", "" if missing or sequence else variable.unit.removeprefix("ln ")),
        tag("td", "" if missing else evidence or ""),
        tag("td", text("not observable" if note is None else note) if missing else note or ""),
        class_="none" if missing else None,
    )
