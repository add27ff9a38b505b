"""Boards, agents and happenings as the monitors put them, for the tests of this folder."""

from __future__ import annotations

import time
from dataclasses import replace

from sort_drift.live.board import AgentState, Board, Happening, Health, Shift, VariableState

AGENT = "shop/planner"


def shift(variable: str = "retry_depth", effect: float | None = 0.7, **changes: object) -> Shift:
    """Return what an alarm says of one variable."""
    before = None if effect is None else 0.4
    made = Shift(
        variable=variable,
        unit="re-attempts",
        e_value=2.5e4,
        onset_run="run-0180",
        onset_ns=time.time_ns() - 3_600_000_000_000,
        onset_interval=("run-0171", "run-0186"),
        before=before,
        after=None if before is None or effect is None else before + effect,
        effect=effect,
        interval=None if effect is None else (effect - 0.2, effect + 0.2),
        tolerance=0.25,
        n=(180, 34),
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def alarm(*shifts: Shift, agent: str = AGENT, number: int = 214, kind: str = "alarm") -> Happening:
    """Return an alarm that a run decided half a minute ago."""
    return Happening(
        id=f"{agent}/{number}/{kind}",
        kind=kind,  # type: ignore[arg-type]
        agent=agent,
        run_id=f"run-{number:04}",
        number=number,
        at_ns=time.time_ns() - 30_000_000_000,
        shifts=shifts or (shift(),),
    )


def resolved(opened: Happening, variable: str = "retry_depth", number: int = 400) -> Happening:
    """Return the end of an alarm of one variable."""
    back = shift(variable, 0.05, interval=(-0.1, 0.2))
    made = alarm(back, agent=opened.agent, number=number, kind="resolved")
    return replace(made, resolves=opened.id, at_ns=time.time_ns() - 1_000_000_000)


def state(name: str = "retry_depth", *, opened: Happening | None = None, **changes: object) -> VariableState:
    """Return a variable, with an alarm or without."""
    made = VariableState(
        name=name,
        unit="re-attempts",
        e_value=3.5,
        alarm=opened.id if opened else None,
        latest=1.1 if opened else 0.45,
        usual=0.4,
        observed=200,
        missing="",
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def agent(name: str = AGENT, *variables: VariableState, **changes: object) -> AgentState:
    """Return an agent that is watched."""
    made = AgentState(
        name=name,
        runs=214,
        learning=None,
        judged=180,
        taskless=2,
        e_value=3.5,
        variables=variables or (state(),),
        last_ns=time.time_ns() - 30_000_000_000,
        per_day=400.0,
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def running(*agents: AgentState, **changes: object) -> Board:
    """Return the board of a service that is well."""
    board = Board()
    now = time.time_ns()
    health = Health(state="running", started_ns=now - 86_400 * 10**9, last_ns=now, spans_stored=1000)
    board.show(health=replace(health, **changes), agents=agents)  # type: ignore[arg-type]
    return board
