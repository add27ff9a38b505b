"""The generic body: what Alertmanager's webhooks send (version 4), with our own numbers as ``sort_drift``.

One form instead of two: what takes Alertmanager's webhooks (chat bridges, pagers, ticket systems) works
without an Alertmanager, and who wants numbers finds them. Schema: examples/live/webhook.schema.json.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from sort_drift.live.board import Happening, Shift
from sort_drift.live.outbound import alerts, words
from sort_drift.live.outbound.alerts import MOST_BYTES, Alert, Writer
from sort_drift.live.outbound.labels import label
from sort_drift.report.numbers import finite

SCHEMA = 1
"""Of ``sort_drift``; raised where a field changes its meaning or goes, not where one comes."""


def body(happening: Happening, found: Sequence[Alert], writer: Writer) -> bytes:
    """Return the body for one happening; over MOST_BYTES variables are left out, and counted."""
    kept = len(happening.shifts)
    while True:
        made = msgspec.json.encode(finite(_payload(happening, found, writer, kept)))
        if len(made) <= MOST_BYTES or not kept:
            return made
        kept = kept * MOST_BYTES // (len(made) + MOST_BYTES // 8)


def _payload(happening: Happening, found: Sequence[Alert], writer: Writer, kept: int) -> dict[str, Any]:
    shifts = happening.shifts[:kept]
    shown = [alert for alert in found if alert.variable in {shift.variable for shift in shifts}]
    named = [alert.labels for alert in shown]
    common = {k: v for k, v in (named[0] if named else {}).items() if all(x.get(k) == v for x in named)}
    return {
        "version": "4",
        "groupKey": f"sort-drift:{label(happening.resolves or happening.id)}",
        "truncatedAlerts": len(found) - len(shown),
        "status": "resolved" if happening.kind == "resolved" else "firing",
        "receiver": "sort-drift",
        "groupLabels": {"alertname": alerts.NAME, "agent": label(happening.agent)},
        "commonLabels": common,
        "commonAnnotations": {"runbook": alerts.RUNBOOK},
        "externalURL": writer.page_url,
        "alerts": [alerts.v4(alert) for alert in shown],
        "sort_drift": {
            "schema": SCHEMA,
            "id": label(happening.id),
            "kind": happening.kind,
            "agent": label(happening.agent),
            "resolves": label(happening.resolves) if happening.resolves else None,
            "run": {
                "id": label(happening.run_id),
                "number": happening.number,
                "ended_at": _moment(happening.at_ns),
            },
            "e_value_of_an_alarm": writer.threshold,
            "variables": [_variable(shift) for shift in shifts],
            "variables_left_out": len(happening.shifts) - kept,
            "url": writer.url(happening.id),
        },
    }


def _variable(shift: Shift) -> dict[str, Any]:
    """Return the numbers of a variable; those without a unit in their name are in ``unit``."""
    return {
        "name": label(shift.variable),
        "unit": label(shift.unit),
        "before": shift.before,
        "after": shift.after,
        "effect": shift.effect,
        "effect_95": shift.interval,
        "tolerance": shift.tolerance,
        "material": alerts.material(shift),
        "runs_before": shift.n[0],
        "runs_after": shift.n[1],
        "e_value": shift.e_value,
        "onset": {
            "run": label(shift.onset_run),
            "run_started_at": _moment(shift.onset_ns),
            "runs_95": [label(run) for run in shift.onset_interval],
        },
    }


def _moment(ns: int | None) -> str | None:
    return words.moment(ns) if ns is not None and 0 < ns < alerts.FAR_NS else None
