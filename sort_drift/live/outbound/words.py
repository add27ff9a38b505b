"""Sentences of alarms, for people who are woken by them: what changed, by how much, since when. Never why."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial

from sort_drift.digits import fixed, places
from sort_drift.live.board import Shift, VariableState
from sort_drift.live.outbound.labels import label
from sort_drift.report.numbers import amount, between, change, is_ratio, plural, with_unit
from sort_drift.report.runs import quantity


def moment(ns: int) -> str:
    """Return a time in RFC 3339, UTC, to the millisecond.

    >>> moment(1_795_000_000_123_456_789)
    '2026-11-18T11:06:40.123Z'
    """
    return f"{datetime.fromtimestamp(ns // 10**6 / 1000, UTC):%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z"


def summary(agent: str, shift: Shift) -> str:
    """Say what changed.

    >>> one = Shift("depth", "re-attempts", 2e4, "r7", 1, ("r5", "r9"), .4, 1.1, .7, (.5, .9), .25, (90, 34))
    >>> summary("shop/planner", one)
    'depth of shop/planner went from 0.40 to 1.10 re-attempts (+0.70 [0.50, 0.90])'
    """
    named = f"{label(shift.variable)} of {label(agent)}"
    if shift.effect is None:
        return f"{named} changed; no task was run before and after, so that its size is not known"
    first, second = _values(shift)
    return f"{named} went from {first} to {second} ({_size(shift)})"


def over(agent: str, shift: Shift) -> str:
    """Say that an alarm is over, whether the variable is back or the change was accepted.

    >>> one = Shift("drops", "drops", 2e4, "r7", 1, ("r5", "r9"), .4, .45, .05, (-.1, .2), .25, (90, 34))
    >>> over("shop/planner", one)
    'the alarm of drops of shop/planner is over: 0.40 before it, 0.45 drops now (+0.05 [-0.10, 0.20])'
    """
    said = f"the alarm of {label(shift.variable)} of {label(agent)} is over"
    if shift.effect is None:
        return said
    first, second = _values(shift)
    return f"{said}: {first} before it, {second} now ({_size(shift)})"


def onset(shift: Shift) -> str:
    """Say where a change began.

    >>> one = Shift("v", "calls", 2e4, "r7", 1, ("r5", "r9"), .4, 1.1, .7, (.5, .9), .25, (90, 34))
    >>> onset(one)
    'beginning at run r7 (between r5 and r9), 34 comparable runs ago'
    """
    low, high = (label(run) for run in shift.onset_interval)
    spread = f" (between {low} and {high})" if low and high else ""
    ago = f", {plural(shift.n[1], 'comparable run')} ago" if shift.n[1] else ""
    return f"beginning at run {label(shift.onset_run)}{spread}{ago}"


def evidence(shift: Shift, threshold: float) -> str:
    """Say how sure that is, and what would not have mattered."""
    return (
        f"E-value {shift.e_value:.3g}, where an alarm needs {threshold:,.0f}; "
        f"tolerance {with_unit(amount(shift.tolerance, shift.unit), shift.unit)}"
    )


def standing(agent: str, state: VariableState) -> str:
    """Say of an open alarm whose event is not known any more how things are.

    >>> standing("a", VariableState("retry_depth", "re-attempts", 2.0, "a/9/alarm", 1.1, 0.4, 50, ""))
    'an alarm of retry_depth of a is open: 1.10 re-attempts of late, 0.40 usually'
    """
    said = f"an alarm of {label(state.name)} of {label(agent)} is open"
    if state.latest is None or state.usual is None:
        return said
    shown, unit = _writer(state.unit, state.latest, state.usual)
    return f"{said}: {shown(state.latest)}{unit} of late, {shown(state.usual)} usually"


def _values(shift: Shift) -> tuple[str, str]:
    """Return the means before and after; the second with the unit."""
    shown, unit = _writer(shift.unit, shift.before, shift.after, shift.effect)
    return shown(shift.before), shown(shift.after) + unit


def _writer(unit: str, *beside: float | None) -> tuple[Callable[[float | None], str], str]:
    """Return how values of a unit are written with one precision, and the unit after them."""
    if is_ratio(unit):  # a mean of logarithms is shown as what it is the logarithm of
        return partial(quantity, unit=unit), ""
    return partial(fixed, decimals=places(*beside)), f" {label(unit)}"


def _size(shift: Shift) -> str:
    beside = (shift.before, shift.after, *(shift.interval or ()))
    size = change(shift.effect, shift.unit, *beside)
    spread = between(shift.interval, shift.unit, *beside, shift.effect) if shift.interval else ""
    return f"{size} {spread}".strip()
