"""Agents as the page shows them: what each variable is now, and what is usual for such runs."""

from __future__ import annotations

from statistics import fmean

from sort_drift.live.board import AgentState, VariableState
from sort_drift.live.watch.agent import Agent, Shown
from sort_drift.monitor.conformal import Cell, Reference


def state(agent: Agent) -> AgentState:
    """Return one agent as it is now."""
    return AgentState(
        name=agent.name,
        runs=agent.runs,
        learning=agent.learning,
        judged=agent.watch.ranked,
        taskless=agent.watch.taskless,
        e_value=agent.watch.e_value,
        variables=tuple(_variable(agent, at) for at in range(len(agent.plan.names))),
        last_ns=agent.pace.last_ns,
        per_day=agent.pace.per_day,
    )


def _variable(agent: Agent, at: int) -> VariableState:
    name, shown = agent.plan.names[at], agent.shown[at]
    alarm = agent.alarms.get(name)
    return VariableState(
        name=name,
        unit=agent.plan.units[name],
        e_value=agent.watch.tracks[at].e,
        alarm=alarm.id if alarm else None,
        latest=fmean(value for _, value in shown.recent) if shown.recent else None,
        usual=_usual(agent, at, shown),
        observed=shown.observed,
        missing=shown.missing,
    )


def _usual(agent: Agent, at: int, shown: Shown) -> float | None:
    """Return the mean of what the latest runs are compared with, each with runs of its own stratum.

    So ``latest`` and ``usual`` differ by what changed, not by which tasks came. Before there are such runs:
    the mean of what was learnt.
    """
    references = agent.watch.references
    strata = [stratum for stratum, _ in shown.recent if stratum in references]
    means = {stratum: _mean(references[stratum][at]) for stratum in set(strata) if stratum}
    found = [mean for stratum in strata if stratum and (mean := means[stratum]) is not None]
    if found:
        return fmean(found)
    cells: list[Cell] = [kept[at].learnt for kept in references.values() if kept[at].learnt.n]
    return sum(cell.n * cell.mean for cell in cells) / sum(cell.n for cell in cells) if cells else None


def _mean(reference: Reference) -> float | None:
    if reference.learnt.n:
        return reference.learnt.mean
    return fmean(reference.values) if reference.values else None
