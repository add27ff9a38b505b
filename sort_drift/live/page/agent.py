"""One agent: its variables with their evidence, its alarms, its last runs."""

from __future__ import annotations

from collections.abc import Mapping

from sort_drift.live.board import AgentState, VariableState
from sort_drift.live.page import links, sentences
from sort_drift.live.page.alarms import events_table
from sort_drift.live.page.runs import run_table
from sort_drift.live.page.spark import spark
from sort_drift.live.page.view import Screen, View
from sort_drift.report.markup import Child, Html, tag, text
from sort_drift.report.numbers import amount, plural
from sort_drift.report.runs import quantity

LAST = 20
"""Runs in the list; the list of runs has more."""


def agent(view: View, asked: Mapping[str, str]) -> Screen:
    """Return the page of one agent."""
    found = view.agent(asked["key"])
    runs = view.of_agent(found.name).tail(LAST).reverse()
    events = [event for event in view.events if event.agent == found.name]
    every = tag("a", "all runs", href=links.runs(agent=links.key(found.name)))
    main = text(
        tag("h1", found.name),
        _facts(view, found),
        _variables(view, found),
        text(tag("h2", "What was found"), events_table(view, events)) if events else None,
        tag("h2", "Last runs ", tag("span", "(", every, ")", class_="soft")),
        run_table(view, runs, with_agent=False) if runs.height else tag("p", "None is on the board."),
    )
    return Screen(found.name, main)


def _facts(view: View, found: AgentState) -> Html:
    learning = sentences.learning(found, view.settings.watching.learn)
    limit = 1 / view.settings.watching.rate
    facts: list[Child] = [
        learning
        or f"watched; evidence of change {sentences.evidence(found.e_value)} (an alarm from {limit:,.0f} on)",
        f"{plural(found.runs, 'run')}, of which {found.judged:,} had earlier ones of their task and regime",
        f"{found.taskless:,} without a task, which nothing can be compared with" if found.taskless else None,
        f"{found.per_day:,.0f} runs a day" if found.per_day is not None else None,
        text("last run ended ", sentences.moment(found.last_ns)) if found.last_ns is not None else None,
    ]
    return tag("ul", [tag("li", fact) for fact in facts if fact], class_="facts-line")


def _variables(view: View, found: AgentState) -> Html:
    heads = ("variable", "last 20 runs", "usual", "", "unit", "tolerance", "evidence", "runs", "note")
    numbers = (1, 2, 5, 6, 7)
    head = [tag("th", h, scope="col", class_="n" if i in numbers else None) for i, h in enumerate(heads)]
    rows = [_variable(view, found, state) for state in found.variables]
    whole = tag("table", tag("thead", tag("tr", head)), tag("tbody", rows))
    return tag("div", whole, class_="scroll")


def _variable(view: View, found: AgentState, state: VariableState) -> Html:
    alarm = state.alarm is not None
    mark = tag("span", "!", class_="sign drift", aria_hidden="true") if alarm else None
    name = tag("th", mark, tag("a", state.name, href=links.variable(found.name, state.name)), scope="row")
    if not state.observed:
        why = state.missing or "no run shows it"
        return tag("tr", name, tag("td", f"not observable: {why}", colspan="8", class_="none"))
    values = view.recent.get(found.name, {}).get(state.name, ())
    tolerance = view.tolerance(state.name, state.usual)
    said = f"{state.name} of {found.name}"
    note = f"missing in some: {state.missing}" if state.missing else ""
    event = next((e for e in view.open if e.id == state.alarm), None)
    return tag(
        "tr",
        name,
        tag("td", quantity(state.latest, state.unit), class_="n verdict"),
        tag("td", quantity(state.usual, state.unit), class_="n"),
        tag("td", spark(values, state.usual, tolerance, said, alarm=alarm), class_="line"),
        tag("td", state.unit.removeprefix("ln ")),
        tag("td", amount(tolerance, state.unit), class_="n"),
        tag("td", "" if alarm else sentences.evidence(state.e_value), class_="n"),
        tag("td", f"{state.observed:,}", class_="n"),
        tag("td", sentences.alarm_link(event, "alarm open") if event else note),
        class_="changed" if alarm else None,
    )
