"""A variable of an agent over time: chart, what events say of it, and the runs as a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sort_drift.live.board import AgentState, VariableState
from sort_drift.live.page import links, sentences
from sort_drift.live.page.alarms import events_table
from sort_drift.live.page.course import WINDOW, Course, course, plain
from sort_drift.live.page.shell import data
from sort_drift.live.page.still import still
from sort_drift.live.page.view import NotThereError, Screen, View, state_of
from sort_drift.monitor.feed import INSTEAD
from sort_drift.report.markup import Child, Html, join, tag, text
from sort_drift.report.numbers import amount, plural
from sort_drift.report.runs import quantity
from sort_drift.report.svg import line, picture, rect

SHOWN = (200, 1000, 5000)
"""Runs that the chart may show; the second where nothing is said."""

ORDER = INSTEAD["tool_order"]

ROWS = 60
"""Last runs in the table; the list of runs has all."""


def variable(view: View, asked: Mapping[str, str]) -> Screen:
    """Return the page of one variable of one agent."""
    agent = view.agent(asked["key"])
    state = state_of(agent, asked["variable"])
    if state is None:
        raise NotThereError("This agent has no such variable.")
    last = next((n for n in SHOWN if str(n) == asked.get("last")), SHOWN[1])
    found = course(view, agent.name, state.name, last)
    return Screen(
        f"{state.name} of {agent.name}",
        text(
            _head(view, agent, state),
            _figure(agent, state, found, last),
            _events(view, agent, state),
            _runs(agent, state, found),
        ),
        chart=len(found.times_s) > 1,
    )


def _head(view: View, agent: AgentState, state: VariableState) -> Html:
    known = view.variables.get(state.name)
    others = [
        tag("a", v.name, href=links.variable(agent.name, v.name),
            aria_current="page" if v.name == state.name else None)
        for v in agent.variables
    ]  # fmt: skip
    title = tag("h1", state.name, " ", tag("span", "of ", tag("a", agent.name, href=links.agent(agent.name))))
    return text(
        tag("nav", join(" ", others), aria_label="Variables of this agent", class_="tabs"),
        title,
        tag("p", known.what if known else None, class_="lead"),
        _now(view, agent, state),
    )


def _now(view: View, agent: AgentState, state: VariableState) -> Html:
    """Say how the variable stands: value, usual, alarm or not, evidence."""
    if not state.observed:
        return tag("p", tag("b", "Not observable"), f": {state.missing or 'no run shows it'}.")
    latest, usual = quantity(state.latest, state.unit), quantity(state.usual, state.unit)
    unit = "" if latest.endswith(" s") else f" {state.unit.removeprefix('ln ')}"
    limit = 1 / view.settings.watching.rate
    learning = sentences.learning(agent, view.settings.watching.learn)
    evidence = sentences.evidence(state.e_value)
    tolerance = amount(view.tolerance(state.name, state.usual), state.unit)
    facts: list[Child] = [
        text("last 20 runs ", tag("b", latest), unit),
        f"usual {usual}" if state.usual is not None else None,
        learning
        or (None if state.alarm else f"evidence of change {evidence} (an alarm from {limit:,.0f} on)"),
        f"tolerance {tolerance}",
        f"seen in {plural(state.observed, 'run')}",
        f"missing in the others: {state.missing}" if state.missing else None,
    ]
    alarm = next((e for e in view.open if e.id == state.alarm), None)
    if alarm:
        mark = tag("span", "!", class_="sign drift", aria_hidden="true")
        since = text(
            mark, sentences.alarm_link(alarm, "alarm open"), " since ", sentences.moment(alarm.at_ns)
        )
        facts.insert(0, since)
    return tag("ul", [tag("li", fact) for fact in facts if fact], class_="facts-line")


def _figure(agent: AgentState, state: VariableState, found: Course, last: int) -> Html:
    said = f"{state.name} of {agent.name} over time"
    drawn = still(found, said)
    if drawn is None:
        return tag("p", _undrawn(state), class_="soft")
    choices = [
        tag("a", f"{n:,}", href=f"?last={n}", aria_current="true" if n == last else None) for n in SHOWN
    ]
    of = f" of {found.earlier + len(found.values):,}" if found.earlier else ""
    untimed = f"; {plural(found.untimed, 'run')} without a time not drawn" if found.untimed else ""
    return tag(
        "figure",
        tag("div", drawn, id="chart", data_keep=True, data_said=said),
        _key(found),
        tag(
            "figcaption",
            f"{plural(len(found.values), 'run')}{of}{untimed}. Show the last ",
            join(" / ", choices),
            ". ",
            tag("span", "Drag to zoom, double-click for all; arrow keys go from run to run, Enter opens one.",
                class_="script-only"),
        ),
        data("chart-data", plain(found)),
        class_="course",
    )  # fmt: skip


def _undrawn(state: VariableState) -> str:
    if state.name == ORDER and state.observed > 1:
        return (
            "The order of tools is scored by a model of what this agent learnt, which its monitor holds: the "
            "runs below it have no value of it by themselves."
        )
    return "Less than two runs at two times show it: there is nothing to draw yet."


def _key(found: Course) -> Html:
    """Say what shapes and grounds mean: only what is in the picture."""
    seen = {band.regime for band in found.bands}
    kinds = {mark.kind for mark in found.marks}
    entries: list[tuple[Html, str]] = [
        (tag("circle", cx=12.0, cy=7.0, r=2.5, class_="dot"), "a run"),
        (line(2, 7, 22, 7, "mean"), f"mean of {WINDOW} runs"),
    ]
    entries += [(line(2, 7, 22, 7, "usual"), "usual")] if found.usual is not None else []
    loads = {"busy": "busy", "saturated": "saturated", "above baseline range": "beyond"}
    entries += [(rect(0, 0, 24, 14, f"load {c}"), f"load {n}") for n, c in loads.items() if n in seen]
    if kinds & {"alarm", "minor"}:
        entries.append((line(12, 0, 12, 14, "mark alarm onset"), "onset, with its 95 % interval"))
        entries.append((line(12, 0, 12, 14, "mark alarm decided"), "alarm"))
    entries += (
        [(line(12, 0, 12, 14, "mark resolved decided"), "back to normal")] if "resolved" in kinds else []
    )
    return tag(
        "div", [tag("span", picture(24, 14, name, mark), name, class_="key") for mark, name in entries]
    )


def _events(view: View, agent: AgentState, state: VariableState) -> Html | None:
    events = [
        e for e in view.events if e.agent == agent.name and any(s.variable == state.name for s in e.shifts)
    ]
    if not events:
        return None
    return text(tag("h2", "What was found"), events_table(view, events, variable=state.name))


def _runs(agent: AgentState, state: VariableState, found: Course) -> Html | None:
    if not found.values:
        return None
    columns = [found.rows[name].to_list() for name in ("run_id", "task", "load_name", "at_ns")]
    rows = list(zip(*columns, found.values, found.means, strict=True))[-ROWS:][::-1]
    heads = ("run", "ended", "task", "load", "value", f"mean of {WINDOW}")
    every = tag("a", f"all runs of {agent.name}", href=links.runs(agent=links.key(agent.name)))
    table = tag(
        "table",
        tag("caption", f"The last {plural(len(rows), 'run')} that show it, newest first; ", every, "."),
        tag("thead", tag("tr", [tag("th", h, scope="col", class_="n" if i > 3 else None)
                                for i, h in enumerate(heads)])),
        tag("tbody", [_run(row, state.unit) for row in rows]),
    )  # fmt: skip
    return text(tag("h2", "Runs"), tag("div", table, class_="scroll"))


def _run(row: Sequence[object], unit: str) -> Html:
    run_id, task, load, at_ns, value, mean = row
    return tag(
        "tr",
        tag("th", tag("a", str(run_id), href=links.run(str(run_id))), scope="row", class_="id"),
        tag("td", sentences.moment(at_ns if isinstance(at_ns, int) else None)),
        tag("td", tag("span", "-" if task is None else str(task), class_="clamp")),
        tag("td", "-" if load is None else str(load)),
        tag("td", quantity(value if isinstance(value, float) else None, unit), class_="n"),
        tag("td", quantity(mean if isinstance(mean, float) else None, unit), class_="n"),
        data_key=str(run_id),
    )
