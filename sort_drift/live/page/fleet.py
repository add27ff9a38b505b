"""The agent map: agents, tools they call and agents they hand over to, as far as run tables show it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sort_drift.live.board import AgentState
from sort_drift.live.page import links, sentences
from sort_drift.live.page.view import Screen, View
from sort_drift.report.markup import Html, join, tag, text
from sort_drift.report.numbers import plural
from sort_drift.report.plain import clip, inert
from sort_drift.report.svg import label, picture, rect

AGENTS, TOOLS = 40, 40
"""Most boxes of a column; the table below has all agents."""

NAMED = 12
"""Tools of an agent that the table names."""

WIDTH, PITCH, HEIGHT = 1120.0, 40.0, 30.0
_LEFT, _AGENT, _TOOL_LEFT, _TOOL = 90.0, 380.0, 800.0, 300.0
"""Pixels: where agents begin, how wide they are, the same of tools."""

_LETTER = 6.4


@dataclass(frozen=True, slots=True)
class Fleet:
    """Who calls what, in the runs that the board has."""

    agents: tuple[AgentState, ...]  # those with most runs first
    tools: Mapping[str, Counter[str]]  # agent -> tool -> first attempts
    hands: Mapping[str, Counter[str]]  # agent -> agent -> calls


def fleet(view: View) -> Fleet:
    """Count tools and handoffs: a tool that is named as another agent is a handoff to it."""
    known = view.runs.select("agent_name", "tools").explode("tools").drop_nulls()
    counted = known.group_by("agent_name", "tools").len().sort("len", "tools", descending=[True, False])
    agents = sorted(view.agents, key=lambda a: (-a.runs, a.name))
    short: dict[str, list[str]] = defaultdict(list)
    for agent in agents:
        short[_short(agent.name)].append(agent.name)
    tools: dict[str, Counter[str]] = defaultdict(Counter)
    hands: dict[str, Counter[str]] = defaultdict(Counter)
    for name, tool, n in counted.iter_rows():
        other = _other(name, short.get(tool, ()))
        (hands if other else tools)[name][other or tool] += n
    return Fleet(tuple(agents), tools, hands)


def _short(name: str) -> str:
    return name.partition("/")[2] or name


def _other(name: str, agents: Sequence[str]) -> str | None:
    """Return the agent that a tool stands for: of several with its name the one of the same service."""
    others = [agent for agent in agents if agent != name]
    service = name.partition("/")[0]
    near = [agent for agent in others if agent.partition("/")[0] == service]
    return next((found[0] for found in (near, others) if len(found) == 1), None)


def fleet_map(view: View, _: Mapping[str, str]) -> Screen:
    """Return the map and the same as a table."""
    found = fleet(view)
    if not found.agents:
        return Screen("Map", text(tag("h1", "Map"), tag("p", "No agent has been seen yet.")))
    said = "Who calls which tools, and hands over to whom, in the last runs"
    return Screen(
        "Map",
        text(
            tag("h1", f"{plural(len(found.agents), 'agent')} ", tag("span", said.lower(), class_="soft")),
            tag("figure", _drawn(found), _caption(found), class_="map"),
            _table(found),
        ),
    )


def _caption(found: Fleet) -> Html:
    tools = {tool for counter in found.tools.values() for tool in counter}
    cut = [plural(max(0, len(found.agents) - AGENTS), "agent"), plural(max(0, len(tools) - TOOLS), "tool")]
    left = [c for c in cut if not c.startswith("0 ")]
    more = f" {' and '.join(left)} with fewer runs or calls left out." if left else ""
    return tag("figcaption", f"Thicker: more calls. Dashed, on the left: handoffs between agents.{more}")


def _drawn(found: Fleet) -> Html:
    agents = [agent.name for agent in found.agents[:AGENTS]]
    place = {name: i for i, name in enumerate(agents)}
    tools = _ordered(found, place)
    rows = max(len(agents), len(tools))
    top = {"agents": (rows - len(agents)) / 2, "tools": (rows - len(tools)) / 2}
    y = {name: PITCH * (i + top["agents"]) + 6 for name, i in place.items()}
    z = {tool: PITCH * (i + top["tools"]) + 6 for i, tool in enumerate(tools)}
    most = max((n for c in found.tools.values() for n in c.values()), default=1)
    edges = [
        _edge(y[name] + HEIGHT / 2, z[tool] + HEIGHT / 2, n / most)
        for name in agents
        for tool, n in found.tools.get(name, Counter()).items()
        if tool in z
    ]
    for name in agents:
        edges += [
            _arc(y[name], y[other], n) for other, n in found.hands.get(name, Counter()).items() if other in y
        ]
    boxes = [_agent(agent, y[agent.name]) for agent in found.agents[:AGENTS]]
    calls = Counter[str]()
    for counter in found.tools.values():
        calls.update(counter)
    boxes += [_tool(tool, z[tool], calls[tool]) for tool in tools]
    said = f"{plural(len(agents), 'agent')} on the left, {plural(len(tools), 'tool')} they call on the right"
    return picture(WIDTH, PITCH * rows + 4, said, edges, boxes)


def _ordered(found: Fleet, place: Mapping[str, int]) -> list[str]:
    """Return the tools with most calls, each beside the agents that call it: fewer lines cross."""
    calls: Counter[str] = Counter()
    pull: Counter[str] = Counter()
    for name, counter in found.tools.items():
        if name in place:
            for tool, n in counter.items():
                calls[tool] += n
                pull[tool] += n * place[name]
    shown = [tool for tool, _ in calls.most_common(TOOLS)]
    return sorted(shown, key=lambda tool: (pull[tool] / calls[tool], tool))


def _edge(y1: float, y2: float, share: float) -> Html:
    x1, x2 = _LEFT + _AGENT, _TOOL_LEFT
    bend = (x2 - x1) / 2
    way = f"M{x1:.0f} {y1:.0f}C{x1 + bend:.0f} {y1:.0f} {x2 - bend:.0f} {y2:.0f} {x2:.0f} {y2:.0f}"
    return tag("path", d=way, class_="edge", stroke_width=1.0 + 4.0 * share**0.5)


def _arc(y1: float, y2: float, n: int) -> Html:
    """Return a handoff, from the upper part of a box to the lower part of the other, left of both."""
    a, b = y1 + HEIGHT / 3, y2 + 2 * HEIGHT / 3
    out = max(_LEFT - 24 - abs(b - a) / 4, 4.0)
    way = f"M{_LEFT:.0f} {a:.0f}C{out:.0f} {a:.0f} {out:.0f} {b:.0f} {_LEFT:.0f} {b:.0f}"
    end = f"M{_LEFT - 6:.0f} {b - 4:.0f}L{_LEFT:.0f} {b:.0f}L{_LEFT - 6:.0f} {b + 4:.0f}"
    return text(tag("path", tag("title", plural(n, "handoff")), d=way, class_="edge hands"),
                tag("path", d=end, class_="edge head"))  # fmt: skip


def _agent(agent: AgentState, top: float) -> Html:
    alarms = sum(v.alarm is not None for v in agent.variables)
    facts = plural(agent.runs, "run") + (f", {plural(alarms, 'alarm')} open" if alarms else "")
    facts += ", learning" if agent.learning is not None else ""
    parts = [
        rect(_LEFT, top, _AGENT, HEIGHT, "node agent only" if alarms else "node agent"),
        label(_LEFT + 10, top + 13, ("! " if alarms else "") + _fit(agent.name, _AGENT), "on"),
        label(_LEFT + 10, top + 25, facts),
    ]
    return tag("a", parts, href=links.agent(agent.name))


def _tool(tool: str, top: float, calls: int) -> Html:
    return text(
        rect(_TOOL_LEFT, top, _TOOL, HEIGHT, "node tool"),
        label(_TOOL_LEFT + 10, top + 13, _fit(tool, _TOOL), "on"),
        label(_TOOL_LEFT + 10, top + 25, plural(calls, "call")),
    )


def _fit(name: str, width: float) -> str:
    return clip(inert(name), int((width - 20) / _LETTER) - 2)


def _table(found: Fleet) -> Html:
    heads = ("agent", "runs", "alarms", "tools, by first attempts", "hands over to", "last run")
    head = [tag("th", h, scope="col", class_="n" if i in (1, 2) else None) for i, h in enumerate(heads)]
    body = [_row(found, agent) for agent in found.agents]
    whole = tag(
        "table", tag("caption", "The same as a table."), tag("thead", tag("tr", head)), tag("tbody", body)
    )
    return tag("div", whole, class_="scroll")


def _row(found: Fleet, agent: AgentState) -> Html:
    tools = found.tools.get(agent.name, Counter()).most_common()
    more = f" and {len(tools) - NAMED} more" if len(tools) > NAMED else ""
    hands = [
        text(tag("a", other, href=links.agent(other)), f" {n:,}")
        for other, n in found.hands.get(agent.name, Counter()).most_common(NAMED)
    ]
    alarms = sum(v.alarm is not None for v in agent.variables)
    return tag(
        "tr",
        tag("th", sentences.agent_link(agent.name), scope="row", class_="agent"),
        tag("td", f"{agent.runs:,}", class_="n"),
        tag("td", f"{alarms}" if alarms else "", class_="n verdict"),
        tag("td", ", ".join(f"{tool} {n:,}" for tool, n in tools[:NAMED]) + more or "none shown"),
        tag("td", join(", ", hands)),
        tag("td", sentences.moment(agent.last_ns), class_="nowrap"),
        data_key=links.key(agent.name),
        class_="changed" if alarms else None,
    )
