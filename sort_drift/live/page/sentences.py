"""What the page says in words: the line on top, times, what an event found."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from sort_drift.digits import plain
from sort_drift.live.board import AgentState, Happening, Shift
from sort_drift.live.page import links
from sort_drift.live.page.view import View
from sort_drift.monitor import false_alarms
from sort_drift.report import numbers
from sort_drift.report.markup import Child, Html, join, tag
from sort_drift.report.numbers import plural, with_unit
from sort_drift.report.runs import quantity

SIGNS = {"alarm": "!", "minor": "~", "resolved": "="}
"""Kind of an event -> its sign, which needs no colour."""

KINDS = {"alarm": "alarm", "minor": "below tolerance", "resolved": "back to normal"}


def when(ns: int | None) -> str:
    """Return a time of UTC to the second, ``-`` where there is none.

    >>> when(1_750_000_000_123_456_789), when(None), when(2**62)
    ('2025-06-15 15:06:40', '-', '2116-02-20 23:53:38')
    """
    if ns is None:
        return "-"
    try:
        return f"{datetime.fromtimestamp(ns // 1_000_000_000, UTC):%Y-%m-%d %H:%M:%S}"
    except (ValueError, OverflowError, OSError):
        return "-"


def moment(ns: int | None) -> Html:
    """Return a time as an element that programs can read."""
    shown = when(ns)
    if shown == "-":
        return tag("span", "-")
    return tag("time", shown, datetime=shown.replace(" ", "T") + "Z")


def lasting(seconds: float) -> str:
    """Return a duration in words.

    >>> lasting(0.42), lasting(95), lasting(7300), lasting(200_000)
    ('0.4 s', '1 min 35 s', '2 h 1 min', '2 d 7 h')
    """
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    whole = int(seconds)
    for size, name, below, smaller in ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= size:
            return f"{whole // size:,} {name} {whole % size // below} {smaller}"
    return f"{whole} s"


def bytes_(size: float) -> str:
    """Return a number of bytes.

    >>> bytes_(900), bytes_(1536), bytes_(5 << 30)
    ('900 B', '1.5 KiB', '5.0 GiB')
    """
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024:
            return f"{size:.0f} B" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:,.1f} TiB"


def evidence(e_value: float) -> str:
    """Return an e-value.

    >>> evidence(0.0), evidence(36.87), evidence(110_873.2), evidence(4e15)
    ('0', '36.9', '110,873', '4e+15')
    """
    if e_value >= 1e9:
        return f"{e_value:.1g}"
    return f"{e_value:,.0f}" if e_value >= 100 else f"{e_value:.3g}"


def change(shift: Shift) -> str:
    """Return before, after and the size of a change.

    >>> change(Shift("retry_depth", "attempts", 2e4, "a", 1, ("a", "a"), .4, 1.3, .9, (.7, 1.1), .25, (9, 8)))
    '0.4 -> 1.3, +0.90 attempts [0.70, 1.10]'
    """
    if shift.effect is None:
        return "size not known: no task was run before and after"
    before, after = quantity(shift.before, shift.unit), quantity(shift.after, shift.unit)
    beside = (shift.effect, shift.tolerance, *(shift.interval or ()))
    size = with_unit(numbers.change(shift.effect, shift.unit, *beside), shift.unit)
    spread = numbers.between(shift.interval, shift.unit, *beside) if shift.interval else "(no interval)"
    return f"{before} -> {after}, {size} {spread}"


def alarm_link(event: Happening, shown: Child) -> Html:
    """Return a link to the page of an event."""
    return tag("a", shown, href=links.alarm(event.id))


def agent_link(name: str) -> Html:
    """Return a link to an agent that may break behind its service."""
    service, slash, rest = name.partition("/")
    parts = (service, slash, Html("<wbr>") if rest else None, rest)
    return tag("a", *parts, href=links.agent(name), title=name if len(name) > 60 else None, class_="clamp")


def learning(agent: AgentState, learn: int) -> str:
    """Say how far an agent is from being watched: "learning, 37 of 200 runs"; "" where it is.

    >>> from dataclasses import replace
    >>> one = AgentState("a", 37, 163, 0, 0, 0.0, (), None, None)
    >>> learning(one, 200), learning(replace(one, learning=None), 200)
    ('learning, 37 of 200 runs', '')
    """
    if agent.learning is None:
        return ""
    return f"learning, {max(0, learn - agent.learning):,} of {learn:,} runs"


def headline(view: View) -> tuple[str, Html]:
    """Return the one sentence on top, and its class: "alarm", "calm" or "wait"."""
    if view.open:
        agents = list(dict.fromkeys(event.agent for event in view.open))
        named = join(", ", [tag("a", name, href=links.agent(name)) for name in agents[:3]])
        more = f" and {len(agents) - 3} more" if len(agents) > 3 else ""
        count = plural(len(view.open), "alarm")
        return "alarm", tag("span", tag("a", f"{count} open", href="/alarms"), ": ", named, more)
    if not view.agents:
        return "wait", tag("span", _nothing_yet(view))
    watched = sum(agent.learning is None for agent in view.agents)
    still = len(view.agents) - watched
    parts = [f"{plural(watched, 'agent')} watched"] if watched else []
    parts += [f"{plural(still, 'agent')} learning"] if still else []
    said = "nothing changed" if watched else "nothing to compare with yet"
    return ("calm" if watched else "wait"), tag("span", f"{said}: {', '.join(parts)}")


def _nothing_yet(view: View) -> str:
    health = view.health
    if health.state == "starting":
        return "starting: the store is being read"
    if health.runs_open:
        return f"no run is over yet: {plural(health.runs_open, 'run')} under way"
    if health.spans_stored or health.spans_waiting:
        return "spans have come, but no run of an agent among them yet"
    return "no spans yet: how to send some"


def promise(agents: Iterable[AgentState], rate: float) -> str:
    """Say how many false alarms the fleet may expect.

    >>> one = AgentState("a", 900, None, 0, 0, 0.0, (), None, 2000.0)
    >>> promise([one], 1e-4)
    'At most 0.2 false alarms a day are expected: 1 in 10,000 runs, at 2,000 runs a day.'
    >>> promise([], 1e-4)
    'At most 1 false alarm in 10,000 runs is expected.'
    """
    per_day = {agent.name: agent.per_day for agent in agents if agent.per_day is not None}
    of = f"{1 / rate:,.0f} runs"
    if not per_day:
        return f"At most 1 false alarm in {of} is expected."
    expected = plain(false_alarms(per_day, rate))
    return (
        f"At most {expected} false alarms a day are expected: 1 in {of}, at "
        f"{sum(per_day.values()):,.0f} runs a day."
    )


def troubles(view: View) -> list[Child]:
    """Return what is wrong with the service itself, for the top of every page."""
    health = view.health
    said: list[Child] = []
    if health.state in ("draining", "failed"):
        said.append(f"the service is {health.state}" + (f": {health.why}" if health.why else ""))
    said += health.problems[:3]
    if len(health.problems) > 3:
        said.append(f"and {plural(len(health.problems) - 3, 'further problem')}")
    return said
