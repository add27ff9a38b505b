"""What to do about an alarm: what to look at, what to run. No cause is named that runs cannot tell apart."""

from __future__ import annotations

import shlex
from urllib.parse import quote

from sort_drift.live.board import Happening, Shift
from sort_drift.live.page import links
from sort_drift.live.page.together import Together
from sort_drift.live.page.view import View
from sort_drift.report.markup import Child, Html, tag, text
from sort_drift.report.runs import time

SEVERAL = (
    "Several things changed about the same time. These runs cannot tell them apart: to separate them, change "
    "one back at a time and run the same tasks."
)
ONE = (
    "One recorded thing changed about the same time, which does not make it the cause: what no run records "
    "(prompts, tools' back ends, data) may have changed as well. To know, change it back and run the same "
    "tasks."
)
NONE = (
    "No recorded thing changed with it: look at what runs do not record (prompts, tools' back ends, data, "
    "limits)."
)


def advice(view: View, event: Happening, shift: Shift, beside: Together | None) -> Html:
    """Return the section that says what to do about an alarm, or a change below its tolerance."""
    key, iso = links.key(event.agent), time(shift.onset_ns)
    steps: list[Child] = []
    if iso:
        after = links.runs(agent=key, from_=iso[:19], variable=shift.variable)
        before = links.runs(agent=key, to=iso[:19], variable=shift.variable)
        look = text("Look at runs ", tag("a", "after", href=after), " and ", tag("a", "before", href=before))
        steps.append(text(look, " the onset, those of one task side by side."))
        compare = "Compare both sides with tests, effects and execution graphs:"
        steps.append(text(compare, _typed(command(view, event.agent, iso))))
    if beside and beside.compared:
        steps.append(SEVERAL if beside.causes > 1 else ONE if beside.causes else NONE)
    if any(view.still_open(event, one) for one in event.shifts):
        meant = "If it is meant and stays, make it the new normal:"
        steps.append(text(meant, _typed(accept(view, event.agent, shift.variable))))
    return tag("section", tag("h2", "What to do"), tag("ol", [tag("li", step) for step in steps]))


def _typed(line: str) -> Html:
    return tag("pre", line, class_="pre code", tabindex="0")


def command(view: View, agent: str, iso: str) -> str:
    """Return the command that compares the runs before with those after a time."""
    service, slash, name = agent.partition("/")
    named = f"service={quote(service, safe='')}" + (f"&agent={quote(name, safe='')}" if slash else "")
    store = view.settings.store
    sides = (f"{store}?{named}&{when}={iso[:19]}Z" for when in ("until", "since"))
    by = [f"--by {','.join(view.settings.watching.by)}"] if view.settings.watching.by else []
    return " ".join(["sort-drift compare", *(shlex.quote(side) for side in sides), *by])


def accept(view: View, agent: str, variable: str) -> str:
    """Return the command that ends an alarm by taking the change for the normal."""
    return shlex.join(["sort-drift", "live", "accept", "--store", str(view.settings.store), agent, variable])
