"""The service itself: what came in, what did not and why, what waits, what is wrong."""

from __future__ import annotations

from collections.abc import Mapping

from sort_drift.live.board import COUNTERS, Health
from sort_drift.live.page import sentences
from sort_drift.live.page.view import Screen, View
from sort_drift.report.markup import Child, Html, tag, text
from sort_drift.report.numbers import plural

BAD = ("refused", "rejected", "errors", "webhook_failures", "dropped_attributes")
"""Counters that say something was lost or went wrong: marked where they are not 0."""

WAITS_S = 120.0
"""Age of the oldest unsealed journal from which on it is marked: eight times the default of ``seal_s``."""


def health(view: View, _: Mapping[str, str]) -> Screen:
    """Return the health of receiver, store and monitors."""
    found = view.health
    problems = (
        tag("ul", [tag("li", p) for p in found.problems], class_="troubles") if found.problems else None
    )
    return Screen(
        "Health",
        text(
            tag("h1", _sign(found), f"The service is {found.state}", f": {found.why}" if found.why else None),
            text(tag("h2", "Problems"), problems) if problems else None,
            tag("div", _now(view, found), _watching(view), class_="two"),
            tag("h2", "Since the start"),
            _counters(view),
        ),
    )


def _sign(found: Health) -> Html:
    good = found.state == "running" and not found.problems
    return tag("span", "=" if good else "!", class_="sign" if good else "sign drift", aria_hidden="true")


def _now(view: View, found: Health) -> Html:
    most = sentences.bytes_(view.settings.limits.flight_bytes)
    old = "changed" if found.lag_s > max(WAITS_S, 8 * view.settings.seal_s) else None
    rows: list[tuple[str, Child, str | None]] = [
        ("started", sentences.moment(found.started_ns or None), None),
        ("last span came", sentences.moment(found.last_ns), None),
        ("spans in the store", f"{found.spans_stored:,}", None),
        ("spans in the journal", f"{found.spans_waiting:,} (durable, not sealed yet)", None),
        ("oldest journal", sentences.lasting(found.lag_s), old),
        ("runs in the store", f"{found.runs_stored:,}", None),
        ("runs under way", f"{found.runs_open:,}", None),
        ("closed runs wait for", sentences.lasting(found.assembly_lag_s), None),
        ("segments", f"{found.segments:,}, {sentences.bytes_(found.store_bytes)}", None),
        ("requests in flight", f"{sentences.bytes_(found.flight_bytes)} of {most}", None),
    ]
    return _facts("Store and receiver", rows)


def _watching(view: View) -> Html:
    watching = view.settings.watching
    watched = sum(a.learning is None for a in view.agents)
    rows: list[tuple[str, Child, str | None]] = [
        ("agents watched", f"{watched:,} of {len(view.agents):,} (at most {watching.agents:,})", None),
        ("alarms open", f"{len(view.open):,}", None),
        ("false alarms", f"at most 1 in {1 / watching.rate:,.0f} runs", None),
        ("learnt from", f"the first {plural(watching.learn, 'run')} of an agent"
                        if view.settings.baseline is None else "a baseline", None),
        ("compared within", " and ".join(("task", *watching.by)), None),
        ("content of messages", "kept" if view.settings.content == "keep"
                                else "replaced by keyed hashes and lengths", None),
    ]  # fmt: skip
    return _facts("Monitors", rows)


def _facts(title: str, rows: list[tuple[str, Child, str | None]]) -> Html:
    body = [
        tag("tr", tag("th", name, scope="row"), tag("td", said, class_=mark)) for name, said, mark in rows
    ]
    return tag("section", tag("h2", title), tag("table", tag("tbody", body)))


def _counters(view: View) -> Html:
    reasons = dict(view.reasons())
    rows = []
    for name, what in COUNTERS.items():
        parts = {why: n for (counter, why), n in reasons.items() if counter == name}
        total = sum(parts.values())
        told = ", ".join(f"{why} {n:,}" for why, n in sorted(parts.items(), key=lambda p: -p[1]) if why)
        bad = "changed" if total and name in BAD else None
        rows.append(
            tag(
                "tr",
                tag("th", name.replace("_", " "), scope="row"),
                tag("td", f"{total:,}", class_="n verdict"),
                tag("td", what),
                tag("td", told),
                class_=bad,
            )
        )
    head = [tag("th", h, scope="col", class_="n" if i == 1 else None)
            for i, h in enumerate(("counter", "count", "what", "of which"))]  # fmt: skip
    whole = tag("table", tag("thead", tag("tr", head)), tag("tbody", rows), class_="counters")
    return tag("div", whole, class_="scroll")
