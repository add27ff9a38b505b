"""Boards as a service fills them: recorded runs, repeated and perturbed, watched by real monitors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from sort_drift import geometry, pipeline, regimes
from sort_drift.executions import execution
from sort_drift.exhibits import Execution
from sort_drift.live.board import AgentState, Board, Happening, Health, Shift, VariableState
from sort_drift.live.settings import Settings, Watching
from sort_drift.model import Population
from sort_drift.monitor import Settings as Watches
from sort_drift.monitor import Watch, feed
from sort_drift.monitor.events import Event

START_NS = 1_795_312_800_000_000_000
STEP_NS = 90_000_000_000
LEARN = 60
SETTINGS = Settings(Path("runs"), watching=Watching(learn=LEARN))
NAMES = ("branching_width", "retry_depth", "context_retention", "budget_used", "busy_time")


@dataclass(frozen=True, slots=True)
class Plan:
    """One agent: how many runs, and from which of them on it is another one."""

    service: str
    agent: str
    runs: int
    changed: int | None = None
    back: int | None = None
    fresh: bool = False  # too few runs to be watched
    retries: float = 1.5  # mean of retry_depth after the change


FLEET = (
    Plan("checkout", "planner", 420, changed=330),
    Plan("checkout", "payment", 260),
    Plan("support", "triage", 37, fresh=True),
    Plan("warehouse", "stock", 380, changed=150, back=230, retries=3.0),
)


@cache
def recorded(name: str) -> pl.DataFrame:
    """Return the run table of a bundled recording."""
    return pipeline.population(str(pipeline.BUNDLED / f"{name}.otlp.jsonl.gz")).runs


def table(plan: Plan, seed: int = 7) -> pl.DataFrame:
    """Return the runs of one agent, oldest first: recorded ones under another name, at other times."""
    draw = np.random.default_rng([seed, *plan.agent.encode()])
    pool = recorded("g_base").filter(pl.col("task") < "t10")
    rows = pool[draw.integers(0, pool.height, plan.runs)]
    at = np.arange(plan.runs)
    other = np.zeros(plan.runs, bool)
    if plan.changed is not None:
        other = (at >= plan.changed) & (at < (plan.back or plan.runs))
    begun = START_NS + at * STEP_NS
    load = np.where(at % 60 > 44, 6.0, np.where(at % 60 > 30, 3.0, 1.0)) + draw.integers(0, 2, plan.runs)
    ids = [blake2b(f"{plan}{i}".encode(), digest_size=16).hexdigest() for i in range(plan.runs)]
    tools = rows["tools"].to_list()
    return rows.with_columns(
        run_id=pl.Series(ids),
        trace_ids=pl.Series([[i] for i in ids]),
        service=pl.lit(plan.service),
        agent=pl.lit(plan.agent),
        start_ns=pl.Series(begun),
        end_ns=pl.Series(begun + (10e9 + draw.normal(0, 1e9, plan.runs)).astype(int)),
        load=pl.Series(load),
        load_source=pl.lit("declared"),
        model=pl.Series(np.where(other & (plan.back is None), "qwen2.5-coder-q8", "qwen2.5-coder-q4")),
        retry_depth=pl.Series(draw.poisson(np.where(other, plan.retries, 0.3)).astype(float)),
        context_retention=pl.Series(np.clip(draw.normal(0.93, 0.03, plan.runs), 0, 1)),
        busy_time=pl.col("busy_time") + pl.Series(draw.normal(0, 0.15, plan.runs)),
        tools=pl.Series([[*t, "triage"] if plan.agent == "planner" else t for t in tools]),
        outcome=pl.Series(draw.integers(0, 2, plan.runs).astype(float)),
    )


def board(plans: Sequence[Plan] = FLEET) -> Board:
    """Return a board on which the runs of some agents are, with what their monitors say."""
    found = [made_by(plan) for plan in plans]
    tables, states = [runs for runs, _, _ in found], [state for _, state, _ in found]
    happened = [event for _, _, events in found for event in events]
    made = Board()
    whole = pl.concat(tables).sort("end_ns").with_columns(run=pl.int_range(pl.len(), dtype=pl.UInt32))
    health = Health("running", started_ns=START_NS, spans_stored=9_124, spans_waiting=120, runs_open=2,
                    runs_stored=whole.height, segments=14, store_bytes=5 << 20, lag_s=4.2, assembly_lag_s=0.3,
                    last_ns=whole["end_ns"].max())  # type: ignore[arg-type]  # fmt: skip
    made.show(runs=whole, agents=states, events=sorted(happened, key=lambda h: h.at_ns or 0), health=health)
    made.count("requests", 812)
    made.count("spans", 9_244)
    made.count("redacted", 4_100)
    made.count("deduplicated", 12)
    made.count("refused", 3, "overload")
    made.count("rejected", 7, "id of wrong length")
    made.count("rejected", 2, "time out of range")
    return made


@cache
def made_by(plan: Plan) -> tuple[pl.DataFrame, AgentState, list[Happening]]:
    """Return the runs of an agent, and what its monitor says of them: nothing of it changes."""
    runs = table(plan)
    return runs, *watched(runs, plan)


def watched(runs: pl.DataFrame, plan: Plan) -> tuple[AgentState, list[Happening]]:
    """Return what a real monitor makes of the runs of one agent."""
    name = "/".join((runs["service"][0], runs["agent"][0]))
    found = regimes.assign(Population("", runs), Population("", runs))[0].runs
    variables = geometry.variables()
    watch = Watch(name, Watches(feed.watched(variables, NAMES), history=2000))
    happened: list[Happening] = []
    alarms: dict[str, str] = {}
    for at, one in enumerate(feed.runs(found, NAMES)):
        for event in [] if plan.fresh else watch.observe(one):
            happened.append(happening(event, runs, alarms))
            for shift in happened[-1].shifts:
                if event.kind == "alarm" and shift.variable in watch.open:
                    alarms[shift.variable] = happened[-1].id
                elif event.kind == "resolved":
                    alarms.pop(shift.variable, None)
        assert at < runs.height
    states = [_state(n, runs, watch, alarms.get(n)) for n in (*NAMES[:3], "order_surprise", *NAMES[3:])]
    state = AgentState(
        name,
        runs=runs.height,
        learning=LEARN - runs.height if plan.fresh else None,
        judged=watch.ranked,
        taskless=0,
        e_value=watch.e_value,
        variables=tuple(states),
        last_ns=runs["end_ns"][-1],
        per_day=960.0,
    )
    return state, happened


def _state(name: str, runs: pl.DataFrame, watch: Watch, alarm: str | None) -> VariableState:
    unit = geometry.variables()[name].unit
    values = runs[name].drop_nulls().to_list()
    if not values:
        return VariableState(name, unit, 0.0, None, None, None, 0, "the order of tools is not shown")
    track = watch.tracks[NAMES.index(name)]
    usual = float(np.mean(values[:150]))
    return VariableState(name, unit, track.e, alarm, float(np.mean(values[-20:])), usual, len(values), "")


def happening(event: Event, runs: pl.DataFrame, alarms: dict[str, str]) -> Happening:
    """Return an event as the board has it."""
    unit = {name: v.unit for name, v in geometry.variables().items()}
    start = dict(zip(runs["run_id"], runs["start_ns"], strict=True))
    end = dict(zip(runs["run_id"], runs["end_ns"], strict=True))
    ids = runs["run_id"].to_list()
    shifts = tuple(
        Shift(
            variable=e.variable,
            unit=unit[e.variable],
            e_value=e.e_value,
            onset_run=e.onset_run,
            onset_ns=start[e.onset_run],
            onset_interval=(ids[e.onset_interval[0]], ids[e.onset_interval[1]]),
            before=e.before,
            after=e.after,
            effect=e.effect,
            interval=e.interval,
            tolerance=e.tolerance,
            n=e.n,
        )
        for e in event.variables
    )
    resolves = alarms.get(shifts[0].variable, "") if event.kind == "resolved" else ""
    id_ = f"{event.agent}/{event.number}/{event.kind}"
    return Happening(
        id_, event.kind, event.agent, event.run_id, event.number, end[event.run_id], shifts, resolves
    )


def hostile(text: str) -> Board:
    """Return a board on which every name that comes from an export is ``text``."""
    made, was = Board(), board((Plan("s", "a", 420, changed=330),))
    ids = {run_id: f"{text}{i}" for i, run_id in enumerate(was.runs["run_id"])}
    names = ("service", "agent", "task", "model", "serving_build", "server", "hardware", "instrumentor",
             "source", "dialect")  # fmt: skip
    runs = was.runs.with_columns(
        *(pl.lit(text).alias(name) for name in names),
        pl.col("run_id").replace_strict(ids),
        pl.concat_list(pl.col("run_id").replace_strict(ids)).alias("trace_ids"),
        pl.lit([text, text]).alias("tools"),
        pl.lit([f"{text}={text}"]).alias("tags"),
        pl.lit(text).alias("retry_depth.note"),
        pl.lit(text).alias("order_surprise.note"),
    )
    events = [_renamed(event, ids, f"{text}/{text}") for event in was.events]
    new = {event.id: renamed.id for event, renamed in zip(was.events, events, strict=True)}
    agents = [
        replace(
            agent,
            name=f"{text}/{text}",
            variables=tuple(replace(v, missing=text, alarm=new.get(v.alarm or "")) for v in agent.variables),
        )
        for agent in was.agents
    ]
    health = replace(was.health, why=text, problems=(text, text))
    made.show(runs=runs, agents=agents, events=events[::-1], health=health)
    made.count("rejected", 2, text)
    return made


def _renamed(event: Happening, ids: dict[str, str], agent: str) -> Happening:
    shifts = tuple(
        replace(
            s, onset_run=ids[s.onset_run], onset_interval=(ids[s.onset_interval[0]], ids[s.onset_interval[1]])
        )
        for s in event.shifts
    )
    id_ = f"{agent}/{event.number}/{event.kind}"
    return replace(event, id=id_, agent=agent, run_id=ids[event.run_id], shifts=shifts)


def many(agents: int = 60) -> Board:
    """Return a board of many agents, one of them with an alarm, one with a very long name."""
    plans = [Plan(f"service-{i % 7}", f"agent-number-{i:02d}", 80) for i in range(agents - 2)]
    long = "a-service-with-a-very-long-name.production.eu-central-1.example.internal"
    plans += [Plan(long, "an_agent_whose_name_is_as_long_as_a_sentence_and_has_no_break_anywhere", 80)]
    return board((*plans, FLEET[0]))


class Graphs:
    """What the service answers for one run: the row of the board, the graph of a recorded run."""

    def __init__(self, made: Board, rename: str | None = None) -> None:
        self.board, self.rename = made, rename

    def __call__(self, run_id: str) -> tuple[dict[str, Any] | None, Execution | None, str]:
        """Return row, graph and why there is none."""
        found = (
            self.board.runs.filter(pl.col("run_id") == run_id) if self.board.runs.width else pl.DataFrame()
        )
        if not found.height:
            return None, None, "there is no such run"
        return found.row(-1, named=True), drawn(self.rename), ""


@cache
def drawn(rename: str | None = None) -> Execution:
    """Return the execution graph of a recorded run, the longest of its file."""
    from sort_drift import assembly

    frame = pl.concat(
        list(pipeline.span_frames(str(pipeline.BUNDLED / "g_base.otlp.jsonl.gz"), pipeline.AS_IT_IS))
    )
    runs, ops = assembly.assemble(frame)
    row = runs.sort("tool_calls", descending=True).row(0, named=True)
    found = execution(row, ops)
    if rename is None:
        return found
    return replace(found, operations=tuple(replace(o, name=rename) for o in found.operations))
