"""One event with its evidence: how sure, since when, how large, what else changed, and what to do next."""

from __future__ import annotations

from collections.abc import Mapping

from sort_drift.live.board import Happening, Shift
from sort_drift.live.page import links, sentences
from sort_drift.live.page.advice import advice
from sort_drift.live.page.alarms import state
from sort_drift.live.page.course import course
from sort_drift.live.page.still import still
from sort_drift.live.page.together import Together, together
from sort_drift.live.page.view import Screen, View
from sort_drift.report import numbers
from sort_drift.report.markup import Child, Html, tag, text
from sort_drift.report.numbers import amount, plural
from sort_drift.report.runs import quantity

CHART = 600
"""Last runs in the picture of a change."""


def alarm(view: View, asked: Mapping[str, str]) -> Screen:
    """Return the page of one event."""
    event = view.happening(asked["id"])
    first = event.shifts[0] if event.shifts else None
    beside = together(view, event, first) if first and event.kind != "resolved" else None
    main = text(
        _head(view, event, first),
        [_shift(view, event, shift, beside) for shift in event.shifts],
        _beside(beside),
        advice(view, event, first, beside) if first and event.kind != "resolved" else None,
    )
    return Screen(f"{sentences.KINDS[event.kind]}: {event.agent}", main)


def _head(view: View, event: Happening, first: Shift | None) -> Html:
    opened = any(view.still_open(event, shift) for shift in event.shifts)
    sign = tag(
        "span", sentences.SIGNS[event.kind], class_="sign drift" if opened else "sign", aria_hidden="true"
    )
    what = state(view, event, first) if first else sentences.KINDS[event.kind]
    names = ", ".join(shift.variable for shift in event.shifts)
    agent = tag("a", event.agent, href=links.agent(event.agent))
    decided = tag("a", event.run_id, href=links.run(event.run_id))
    lines: list[Child] = [
        text("Decided by run ", decided, f", number {event.number + 1:,} of this agent, ended ",
             sentences.moment(event.at_ns), "."),
    ]  # fmt: skip
    if event.kind == "minor":
        lines.append("The change is real as far as the bets say, and smaller than its tolerance: no alarm.")
    if event.resolves:
        lines.append(text("It ends ", tag("a", "this alarm", href=links.alarm(event.resolves)), "."))
    title = tag("h1", sign, f"{what}: {names} of ", agent)
    kind = "banner alarm" if opened else "banner"
    return tag("div", title, [tag("p", line, class_="soft") for line in lines], class_=kind)


def _shift(view: View, event: Happening, shift: Shift, beside: Together | None) -> Html:
    """Return the evidence of one variable, and its picture."""
    end = view.end_of(event, shift) if event.kind == "alarm" else None
    ended = text(" ended ", sentences.alarm_link(end, sentences.when(end.at_ns))) if end else None
    limit = 1 / view.settings.watching.rate
    low, high = (tag("a", run_id, href=links.run(run_id), class_="id") for run_id in shift.onset_interval)
    onset = tag("a", shift.onset_run, href=links.run(shift.onset_run), class_="id")
    effect = numbers.with_unit(numbers.change(shift.effect, shift.unit), shift.unit)
    spread = numbers.between(shift.interval, shift.unit, shift.effect) if shift.interval else "no interval"
    later = beside.after.height if beside and shift is event.shifts[0] else None
    means = f"{quantity(shift.before, shift.unit)} -> {quantity(shift.after, shift.unit)}"
    size: Child = text(tag("strong", effect), f" {spread}") if shift.effect is not None else (
        "not known: no task was run before and after the onset")  # fmt: skip
    facts: list[tuple[str, Child]] = [
        ("change", size),
        ("before -> after", f"{means} {numbers.unit_name(shift.unit) if not _log(shift) else ''}".strip()),
        ("tolerance", f"{amount(shift.tolerance, shift.unit)}; a smaller change raises no alarm"),
        ("runs compared", f"{shift.n[0]:,} before, {shift.n[1]:,} after, within the same task and regime"),
        ("began", text("run ", onset, ", ", sentences.moment(shift.onset_ns))),
        ("95 % interval of it", text("from run ", low, " to run ", high)),
        ("seen after", plural(later, "run") if later is not None else None),
        ("evidence", f"e-value {sentences.evidence(shift.e_value)}; an alarm needs {limit:,.0f}"),
    ]
    rows = [text(tag("dt", name), tag("dd", said)) for name, said in facts if said is not None]
    found = course(view, event.agent, shift.variable, CHART)
    return tag(
        "section",
        tag("h2", tag("a", shift.variable, href=links.variable(event.agent, shift.variable)), ended),
        tag("dl", rows, class_="evidence"),
        tag("figure", still(found, f"{shift.variable} of {event.agent} over time"), class_="course"),
        class_="changed" if view.still_open(event, shift) else None,
    )


def _log(shift: Shift) -> bool:
    return numbers.is_ratio(shift.unit)


def _beside(found: Together | None) -> Html | None:
    """Say what else the runs show to have changed; of several things none is the cause."""
    if found is None:
        return None
    if not found.compared:
        said: Child = tag("p", found.why, class_="soft")
    elif not (found.differs or found.reasons):
        said = tag("p", "Nothing else that runs record (model, serving build, server, hardware, load, "
                        "instrumentor, task mix) differs between the runs before and after.")  # fmt: skip
    else:
        parts = {"differs": found.differs, "confounded": found.confounded, "seen otherwise": found.reasons}
        rows = [text(tag("dt", k), *(tag("dd", one) for one in v)) for k, v in parts.items() if v]
        said = tag("dl", rows, class_="evidence")
    of = f"{plural(found.before.height, 'run')} before and {found.after.height:,} after the onset"
    return tag("section", tag("h2", "What else changed ", tag("span", of, class_="soft")), said)
