"""What the monitors found: open alarms first, then everything of late, newest first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sort_drift.live.board import Happening, Shift
from sort_drift.live.page import links, sentences
from sort_drift.live.page.view import Screen, View
from sort_drift.report.markup import Html, tag, text
from sort_drift.report.numbers import plural

ROWS = 300
"""Events in the list; the events file of the service has all."""


def alarms(view: View, _: Mapping[str, str]) -> Screen:
    """Return the list of alarms."""
    opened = view.open
    said = f"{plural(len(opened), 'alarm')} open" if opened else "No alarm is open"
    parts: list[Html | None] = [
        tag("h1", said),
        tag("p", sentences.promise(view.agents, view.settings.watching.rate), class_="lead"),
        events_table(view, opened) if opened else None,
    ]
    others = [e for e in view.events if e not in opened]
    if others:
        what = "Alarms that are over, their ends, and changes below their tolerance."
        parts += [tag("h2", "Earlier"), tag("p", what, class_="lead"), events_table(view, others[:ROWS])]
    elif not opened:
        parts.append(tag("p", "None was raised since the service began.", class_="soft"))
    if len(others) > ROWS:
        parts.append(tag("p", f"{len(others) - ROWS:,} earlier ones are left out.", class_="soft"))
    return Screen("Alarms", text(parts))


def events_table(view: View, events: Sequence[Happening], variable: str | None = None) -> Html:
    """Return one row an event and variable; with ``variable`` of that one alone."""
    rows = [
        _row(view, event, shift)
        for event in events
        for shift in event.shifts
        if variable in (None, shift.variable)
    ]
    heads = ("what", "agent", "variable", "change", "began", "decided")
    head = tag("tr", [tag("th", h, scope="col") for h in heads])
    return tag("div", tag("table", tag("thead", head), tag("tbody", rows)), class_="scroll")


def _row(view: View, event: Happening, shift: Shift) -> Html:
    opened = event.kind == "alarm" and view.still_open(event, shift)
    sign = sentences.SIGNS[event.kind]
    kind = "sign drift" if opened else "sign"
    mark = tag("span", sign, class_=kind, aria_hidden="true")
    return tag(
        "tr",
        tag("th", mark, sentences.alarm_link(event, state(view, event, shift)), scope="row"),
        tag("td", sentences.agent_link(event.agent), class_="agent"),
        tag("td", tag("a", shift.variable, href=links.variable(event.agent, shift.variable))),
        tag("td", sentences.change(shift), class_="verdict"),
        tag("td", sentences.moment(shift.onset_ns), class_="nowrap"),
        tag("td", sentences.moment(event.at_ns), class_="nowrap"),
        data_key=f"{links.key(event.id)}/{shift.variable}",
        class_="changed" if opened else None,
    )


def state(view: View, event: Happening, shift: Shift) -> str:
    """Say what became of an event: "open alarm", "alarm, over", "below tolerance", "back to normal"."""
    if event.kind != "alarm":
        return sentences.KINDS[event.kind]
    return "open alarm" if view.still_open(event, shift) else "alarm, over"
