"""The list of runs: a form that filters, a table, pages of it. Works as plain links and a GET form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from sort_drift.live.page import links, sentences
from sort_drift.live.page.filters import OPERATORS, OUTCOMES, choose, numeric
from sort_drift.live.page.shell import void
from sort_drift.live.page.view import Screen, View
from sort_drift.report.markup import Child, Html, tag, text
from sort_drift.report.numbers import amount, finite, plural
from sort_drift.report.runs import quantity

PAGE = 50
"""Runs of one page."""

FIELDS = ("agent", "task", "outcome", "load", "variable", "op", "value", "from", "to")


def runs(view: View, asked: Mapping[str, str]) -> Screen:
    """Return the runs that the form asks for, newest first."""
    chosen = choose(view, asked)
    total = len(chosen.rows)
    pages = max(1, -(-total // PAGE))
    page = min(max(1, int(asked["page"])), pages) if asked.get("page", "").isdecimal() else 1
    at = chosen.rows.slice((page - 1) * PAGE, PAGE)
    shown = view.runs[at].with_columns(load_name=view.loads.gather(at))
    given = {name: asked[name] for name in FIELDS if asked.get(name)}
    filtered = bool(given.keys() - {"op", "variable"}) or ("variable" in given and "value" in given)
    of = f" of {view.runs.height:,}" if filtered else ""
    count = f"{plural(total, 'run')}{of}"
    wrong = tag("ul", [tag("li", one) for one in chosen.wrong], class_="troubles") if chosen.wrong else None
    none = tag("p", "No run is like this." if filtered else "No run has been measured yet.")
    main = text(
        tag("h1", "Runs ", tag("span", count, class_="soft")),
        _form(view, asked, filtered=filtered),
        wrong,
        run_table(view, shown) if total else none,
        _paging(given, page, pages) if pages > 1 else None,
    )
    return Screen("Runs", main, live="ask")


def run_table(view: View, shown: pl.DataFrame, *, with_agent: bool = True) -> Html:
    """Return one row a run: when, where, how it ended, and the values that are watched."""
    seen = view.runs
    names = [n for n in view.primary if n in seen.columns and seen[n].null_count() < seen.height]
    heads = ["run", "ended", *(["agent"] if with_agent else []), "task", "load", "outcome", *names]
    digits = len(heads) - len(names) - 1
    head = [tag("th", h, scope="col", class_="n" if i >= digits else None) for i, h in enumerate(heads)]
    rows = [_row(view, row, names, with_agent=with_agent) for row in shown.iter_rows(named=True)]
    whole = tag("table", tag("thead", tag("tr", head)), tag("tbody", rows))
    return tag("div", whole, class_="scroll")


def _row(view: View, row: Mapping[str, Any], names: list[str], *, with_agent: bool) -> Html:
    run_id, agent = str(row["run_id"]), str(row["agent_name"])
    name = tag("td", sentences.agent_link(agent), class_="agent") if with_agent else None
    cells = [_value(row, n, view.unit(n)) for n in names]
    return tag(
        "tr",
        tag("th", tag("a", run_id, href=links.run(run_id), class_="short"), scope="row", class_="id"),
        tag("td", sentences.moment(row["at_ns"]), class_="nowrap"),
        name,
        tag("td", tag("span", "-" if row["task"] is None else row["task"], class_="clamp")),
        tag("td", row["load_name"] or "-"),
        tag("td", amount(row["outcome"], ""), class_="n"),
        cells,
        data_key=run_id,
    )


def _value(row: Mapping[str, Any], name: str, unit: str) -> Html:
    """Return a cell; of a missing value the reason is its title."""
    value = finite(row[name])
    note = None if value is not None else (row.get(f"{name}.note") or "not observable")
    return tag("td", quantity(value, unit), class_="n", title=note)


def _form(view: View, asked: Mapping[str, str], *, filtered: bool) -> Html:
    agents = [(key, agent.name) for key, agent in sorted(view.keys.items(), key=lambda kv: kv[1].name)]
    loads = sorted({load or "unknown" for load in view.loads.unique()})
    clear = tag("a", "clear", href="/runs") if filtered else None
    return tag(
        "form",
        _field("Agent", _select("agent", asked, agents)),
        _field("Task has", _input("task", asked, type_="search", id_="filter")),
        _field("Outcome", _select("outcome", asked, [(k, said) for k, (said, _) in OUTCOMES.items()])),
        _field("Load", _select("load", asked, [(n, n) for n in loads])),
        tag(
            "fieldset",
            tag("legend", "Variable"),
            _select("variable", asked, [(n, n) for n in numeric(view)], label="Variable"),
            _select("op", asked, list(OPERATORS.items()), label="At least or at most", empty=False),
            _input("value", asked, label="Threshold", inputmode="decimal", size="7"),
        ),
        _field("Began from", _input("from", asked, placeholder="2026-11-28T10:00", size="17")),
        _field("until (UTC)", _input("to", asked, size="17")),
        tag("div", tag("button", "Filter", type="submit"), " ", clear, class_="submit"),
        action="/runs",
        method="get",
        class_="filters",
        role="search",
    )


def _field(name: str, control: Html) -> Html:
    return tag("label", tag("span", name), control)


def _input(name: str, asked: Mapping[str, str], *, label: str | None = None, type_: str = "text",
           id_: str | None = None, **more: str) -> Html:  # fmt: skip
    value = asked.get(name) or None
    return void(
        "input", type=type_, name=name, value=value, id=id_, aria_label=label, autocomplete="off", **more
    )


def _select(
    name: str,
    asked: Mapping[str, str],
    options: list[tuple[str, str]],
    *,
    label: str | None = None,
    empty: bool = True,
) -> Html:
    chosen = asked.get(name, "")
    first = [tag("option", "any", value="")] if empty else []
    others = [tag("option", shown, value=value, selected=value == chosen) for value, shown in options]
    return tag("select", first, others, name=name, aria_label=label)


def _paging(given: Mapping[str, str], page: int, pages: int) -> Html:
    def to(number: int, said: str, rel: str) -> Child:
        if not 1 <= number <= pages or number == page:
            return tag("span", said, class_="soft")
        return tag("a", said, href=links.runs(**given, page=number), rel=rel)

    return tag(
        "nav",
        to(1, "newest", "first"),
        to(page - 1, "newer", "prev"),
        tag("span", f"page {page:,} of {pages:,}"),
        to(page + 1, "older", "next"),
        to(pages, "oldest", "last"),
        aria_label="Pages of runs",
        class_="paging",
    )
