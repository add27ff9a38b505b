"""Alarms as Alertmanager has them: one alert a variable of an agent, the same until it is over.

Two forms are made of it: what its API takes (``/api/v2/alerts``), and what its webhooks send (version 4),
which is what most receivers understand (generic.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Any

import msgspec

from sort_drift.live.board import Happening, Shift, VariableState
from sort_drift.live.outbound import words
from sort_drift.live.outbound.labels import label
from sort_drift.live.page import links

NAME = "SortDriftAlarm"
"""As in examples/live/alerts.rules.yml: routes and silences are the same either way."""

SEVERITY = "warning"
RUNBOOK = "docs/how-to/alerts.md#sortdriftalarm"
MOST_BYTES = 64 * 1024
FAR_NS = 253_402_300_799 * 10**9
"""Year 9999: later times have no text."""


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert; ``ends_ns`` None: it is firing."""

    agent: str
    variable: str
    alarm: str  # id of the happening that raised it
    starts_ns: int
    ends_ns: int | None
    summary: str
    description: str
    url: str

    @property
    def key(self) -> tuple[str, str]:
        """What it is of, among those that are open."""
        return self.alarm, self.variable

    @property
    def labels(self) -> dict[str, str]:
        """What Alertmanager knows it by; the id of the alarm is not among it, so that a silence holds."""
        named = {"agent": label(self.agent), "variable": label(self.variable)}
        return {"alertname": NAME, "severity": SEVERITY, **{k: v for k, v in named.items() if v}}

    @property
    def annotations(self) -> dict[str, str]:
        """What it says."""
        said = {"summary": self.summary, "description": self.description, "runbook": RUNBOOK}
        return {**said, "alarm": label(self.alarm)}

    def since(self, starts_ns: int) -> Alert:
        """Return it with another beginning."""
        return replace(self, starts_ns=starts_ns)

    def over(self, now_ns: int) -> Alert:
        """Return it as ended."""
        return replace(self, ends_ns=max(now_ns, self.starts_ns))


class Writer:
    """Makes alerts of happenings: where the page is, and what an alarm needs."""

    def __init__(self, page_url: str, rate: float) -> None:
        self.page_url = page_url.rstrip("/")
        self.threshold = 1 / rate

    def alerts(self, happening: Happening, now_ns: int) -> Iterator[Alert]:
        """Yield one alert a variable: firing of an alarm, ended of its end.

        A variable whose change is below its tolerance may have won its bets too; it has no alarm to end.
        """
        at = started(happening.at_ns, now_ns)
        ended = happening.kind == "resolved"
        for shift in happening.shifts:
            if happening.kind == "alarm" and not material(shift):
                continue
            said = words.over if ended else words.summary
            yield Alert(
                happening.agent,
                shift.variable,
                happening.resolves if ended else happening.id,
                at,
                now_ns if ended else None,
                said(happening.agent, shift),
                self._description(happening, shift),
                self.url(happening.id),
            )

    def standing(self, agent: str, state: VariableState, now_ns: int) -> Alert:
        """Return the alert of an open alarm whose happening is not known any more."""
        said = words.standing(agent, state)
        alarm = state.alarm or ""
        return Alert(agent, state.name, alarm, now_ns, None, said, said, self.url(alarm))

    def url(self, id_: str) -> str:
        """Return the page of a happening; "" where there is no page."""
        return self.page_url and self.page_url + links.alarm(id_)

    def _description(self, happening: Happening, shift: Shift) -> str:
        decided = f"decided by run {label(happening.run_id)}, number {happening.number + 1:,} of this agent"
        if happening.kind == "resolved":
            return f"{words.over(happening.agent, shift)}; {decided}."
        said = f"{words.summary(happening.agent, shift)}, {words.onset(shift)}; {decided}."
        return f"{said} {words.evidence(shift, self.threshold)}."


def material(shift: Shift) -> bool:
    """Whether a change is as large as its tolerance, or nobody can say how large (monitor.Evidence)."""
    return shift.effect is None or abs(shift.effect) >= shift.tolerance


def started(at_ns: int | None, now_ns: int) -> int:
    """Return when something began; agents' clocks may be ahead, and a future alert is not shown.

    >>> started(None, 9), started(5, 9), started(2**62, 9)
    (9, 5, 9)
    """
    return now_ns if at_ns is None or not 0 < at_ns <= now_ns else at_ns


def posted(alerts: Iterable[Alert], now_ns: int, lease_s: float) -> Iterator[bytes]:
    """Yield bodies for ``/api/v2/alerts``, each of at most MOST_BYTES.

    A firing alert ends ``lease_s`` from now unless it is sent again: as Prometheus does it, and whatever
    Alertmanager's resolve_timeout is.
    """
    lease = now_ns + int(lease_s * 1e9)
    encoded = (msgspec.json.encode(_v2(alert, lease)) for alert in alerts)
    held: list[bytes] = []
    for one in encoded:
        if held and sum(map(len, held)) + len(held) + len(one) + 2 > MOST_BYTES:
            yield b"[" + b",".join(held) + b"]"
            held = []
        held.append(one)
    if held:
        yield b"[" + b",".join(held) + b"]"


def _v2(alert: Alert, lease_ns: int) -> dict[str, Any]:
    return {
        "labels": alert.labels,
        "annotations": alert.annotations,
        "startsAt": words.moment(alert.starts_ns),
        "endsAt": words.moment(lease_ns if alert.ends_ns is None else alert.ends_ns),
        **({"generatorURL": alert.url} if alert.url else {}),
    }


def v4(alert: Alert) -> dict[str, Any]:
    """Return an alert as Alertmanager's webhooks have it."""
    named = alert.labels
    digest = blake2b(msgspec.json.encode(sorted(named.items())), digest_size=8).hexdigest()
    return {
        "status": "firing" if alert.ends_ns is None else "resolved",
        "labels": named,
        "annotations": alert.annotations,
        "startsAt": words.moment(alert.starts_ns),
        "endsAt": "0001-01-01T00:00:00Z" if alert.ends_ns is None else words.moment(alert.ends_ns),
        "generatorURL": alert.url,
        "fingerprint": digest,
    }
