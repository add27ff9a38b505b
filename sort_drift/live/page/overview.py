"""The first page: agents and their variables in one table, calm unless something changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sort_drift.live.board import AgentState, VariableState
from sort_drift.live.page import links, sentences
from sort_drift.live.page.spark import spark
from sort_drift.live.page.start import start
from sort_drift.live.page.view import RECENT, Screen, View, names, state_of
from sort_drift.report.markup import Child, Html, tag, text
from sort_drift.report.numbers import plural
from sort_drift.report.runs import quantity

FILTER_FROM = 8
"""Agents from which on a field to filter them is of use."""


def overview(view: View, _: Mapping[str, str]) -> Screen:
    """Return the overview, or how to send spans where none has come."""
    kind, said = sentences.headline(view)
    sign = {"alarm": "!", "calm": "=", "wait": "-"}[kind]
    mark = tag("span", sign, class_="sign drift" if kind == "alarm" else "sign", aria_hidden="true")
    rate = view.settings.watching.rate
    promised = tag("p", sentences.promise(view.agents, rate), class_="promise") if view.agents else None
    banner = tag("div", tag("h1", mark, said), promised, _lost(view), class_=f"banner {kind}")
    body = _table(view) if view.agents else start(view.settings, view.health)
    return Screen("Overview", text(banner, body))


def _lost(view: View) -> Html | None:
    """Say what did not get in: refusing is losing."""
    counts: dict[str, int] = {"refused": 0, "rejected": 0, "errors": 0}
    for (name, _), n in view.reasons().items():
        if name in counts:
            counts[name] += n
    parts = [f"{plural(counts['refused'], 'request')} refused"] if counts["refused"] else []
    parts += [f"{plural(counts['rejected'], 'span')} rejected"] if counts["rejected"] else []
    parts += [f"{plural(counts['errors'], 'run')} not measured"] if counts["errors"] else []
    if not parts:
        return None
    return tag(
        "p", f"{', '.join(parts)} since the start: ", tag("a", "health", href="/health"), class_="soft"
    )


def _table(view: View) -> Html:
    """Return agents x variables, agents with open alarms first."""
    columns = names(view.agents)
    agents = sorted(view.agents, key=lambda a: (not any(v.alarm for v in a.variables), a.name))
    head = tag("tr", tag("th", "agent", scope="col"), *(_head(view, name) for name in columns))
    body = [_row(view, agent, columns) for agent in agents]
    said = (
        "Mean of the last 20 runs that show a variable, beside what is usual for the same tasks; the line "
        f"has the last {RECENT} runs. Colour and the sign ! mark an open alarm."
    )
    field = tag("div", data_filters="agents", data_keep=True, class_="filter", aria_live="polite")
    table = tag("table", tag("thead", head), tag("tbody", body), class_="fleet")
    return text(
        tag("p", said, class_="lead"),
        field if len(agents) >= FILTER_FROM else None,
        tag("div", table, class_="scroll", id="agents"),
    )


def _head(view: View, name: str) -> Html:
    known = view.variables.get(name)
    return tag(
        "th",
        name,
        tag("small", _shown_unit(view.unit(name))),
        scope="col",
        title=known.what if known else None,
    )


def _shown_unit(unit: str) -> str:
    return unit.removeprefix("ln ")


def _row(view: View, agent: AgentState, columns: Sequence[str]) -> Html:
    cells = [_cell(view, agent, state_of(agent, name), name) for name in columns]
    learning = sentences.learning(agent, view.settings.watching.learn)
    facts = learning or plural(agent.runs, "run")
    if agent.taskless and agent.taskless == agent.runs:
        facts = f"{facts}, none with a task: nothing to compare"
    alarm = any(v.alarm for v in agent.variables)
    return tag(
        "tr",
        tag("th", sentences.agent_link(agent.name), tag("small", facts), scope="row", class_="agent"),
        cells,
        data_key=links.key(agent.name),
        class_="changed" if alarm else "learning" if learning else None,
    )


def _cell(view: View, agent: AgentState, state: VariableState | None, name: str) -> Html:
    if state is None:
        return tag("td", tag("span", "not watched", class_="soft"))
    if not state.observed:
        early = agent.learning is not None and not state.missing
        why = tag(
            "small",
            "once the agent is learnt" if early else state.missing or "no run shows it",
            class_="clamp",
        )
        return tag("td", "not yet" if early else "not observable", why, class_="none")
    alarm = state.alarm is not None
    latest, usual = quantity(state.latest, state.unit), quantity(state.usual, state.unit)
    said = f"{name} of {agent.name}: {latest}, usual {usual}" + (", alarm open" if alarm else "")
    tolerance = view.tolerance(name, state.usual)
    drawn = spark(view.recent.get(agent.name, {}).get(name, ()), state.usual, tolerance, said, alarm=alarm)
    mark: Child = tag("span", "!", class_="sign drift", aria_hidden="true") if alarm else None
    value = tag("strong", latest) if alarm else tag("span", latest, class_="value")
    unknown = None if agent.learning is not None else tag("small", "nothing to compare with")
    beside = tag("small", f"usual {usual}") if state.usual is not None else unknown
    link = tag("a", mark, value, " ", beside, drawn, href=links.variable(agent.name, name))
    return tag("td", link, class_="changed" if alarm else None)
