"""What to do about an alarm: what to look at, what to run. No cause is named that runs cannot tell apart."""

from __future__ import annotations

import shlex
from urllib.parse import quote

from sort_drift.live.board import Happening, Shift
from sort_drift.live.page import links
from sort_drift.live.page.together import Together
from sort_drift.live.page.view import View
from sort_drift.report.markup import LONGEST, Child, Html, tag, text
from sort_drift.report.plain import inert
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
        steps.append(text(compare, _typed(command(view, event.agent, iso), command(view, "AGENT", iso))))
    if beside and beside.compared:
        steps.append(SEVERAL if beside.causes > 1 else ONE if beside.causes else NONE)
    if any(view.still_open(event, one) for one in event.shifts):
        meant = "If it is meant and stays, make it the new normal:"
        lines = [accept(view, name, shift.variable) for name in (event.agent, "AGENT")]
        steps.append(text(meant, _typed(*lines)))
    return tag("section", tag("h2", "What to do"), tag("ol", [tag("li", step) for step in steps]))


def _typed(line: str, general: str) -> Html:
    """Return a command to be copied: a general one where names in it would be cut or escaped."""
    whole = line if inert(line) == line and len(line) <= LONGEST else general
    return tag("pre", whole, class_="pre code", tabindex="0")


def command(view: View, agent: str, iso: str) -> str:
    """Return the command that compares the runs before with those after a time."""
    store, named = view.settings.store, _conditions(view, agent)
    sides = (f"{store}?{named}&{when}={iso[:19]}Z" for when in ("until", "since"))
    by = [f"--by {','.join(view.settings.watching.by)}"] if view.settings.watching.by else []
    return " ".join(["sort-drift compare", *(shlex.quote(side) for side in sides), *by])


def _conditions(view: View, agent: str) -> str:
    """Return what selects the runs of an agent, as its runs say; a service may have a slash in its name."""
    runs = view.runs.filter(agent_name=agent)
    parts = runs.select("service", "agent").row(-1) if runs.height else (agent, None)
    named = zip(("service", "agent"), parts, strict=True)
    return "&".join(f"{key}={quote(part, safe='')}" for key, part in named if part)


def accept(view: View, agent: str, variable: str) -> str:
    """Return the command that ends an alarm by taking the change for the normal."""
    return shlex.join(["sort-drift", "live", "accept", "--store", str(view.settings.store), agent, variable])
