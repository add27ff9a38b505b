"""SWE-agent trajectories: one JSON object a run, ``<instance>.traj``.

https://swe-agent.com (``agent/agents.py`` of 0.5 to 1.1 writes the file). A step is an LLM call and the shell
command in its answer, so the operation is that command's program (shell.py). There are no times of day, only
how long each command took, and tokens are counted for the run alone. Exit codes are not in the file: a
command failed where SWE-agent put its own words in place of an observation, or where the shell says last that
it could not run it (126, 127; geometry.md 3.2). Several attempts at one instance are branches, of which a
reviewer picked one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from msgspec import Struct, field

from sort_drift.ingest import jsontext, trajectory
from sort_drift.ingest.batches import Block
from sort_drift.ingest.files import Export
from sort_drift.ingest.shell import program
from sort_drift.ingest.trajectory import Call, Run

_NO_TIMES = "it holds no time of day: only how long each command took"
_NO_TOKENS = "tokens are counted for the run alone"

LOST: Mapping[str, str] = {
    "service": "one agent wrote it; there is no resource",
    "server": "not where its model was called",
    "serving_build": "not which model answered",
    "start_ns": _NO_TIMES,
    "end_ns": _NO_TIMES,
    "block": _NO_TIMES,
    "root_closed": _NO_TIMES,
    "busy_time": _NO_TIMES,
    "llm_share": _NO_TIMES,
    "step_latency": _NO_TIMES,
    "concurrency_peak": _NO_TIMES,
    "tokens_present": _NO_TOKENS,
    "prompt_tokens": _NO_TOKENS,
    "prompt_tokens_mean": _NO_TOKENS,
    "prompt_tokens_max": _NO_TOKENS,
    "cache_share": _NO_TOKENS,
    "context_lost_tokens": _NO_TOKENS,
}

_LIST = re.compile(rb'"(?:trajectory|history|attempts)"\s*:\s*\[')
_OWN = re.compile(rb'"(?:observation|execution_time|message_type|replay_config|swe_agent_version)"\s*:')
_OTHER = re.compile(rb'"(?:trajectory_format|mini_version)"\s*:')  # mini-swe-agent

_UNTIMED = (None, None)
_EXITING = re.compile(r"exit(?:ing|ed)? due to\b", re.IGNORECASE)
"""How the last step begins where SWE-agent itself ended the run: no model wrote it."""

_SHELL = r"(?:\A|\n)(?:(?!sh: )[^\n])*+sh: [^\n]*: "
"""What a shell says before its reason; of the ``sh: `` of a line the first, so that time stays linear."""

_FAILED = (
    (re.compile(r"was cancelled because it took more than \S+ seconds"), "timeout"),
    (re.compile(r"(?:\A|\n)EXECUTION TIMED OUT"), "timeout"),
    (re.compile(r"\A\s*(?:EXECUTION FAILED OR COMMAND MALFORMED|COMMAND FAILED TO EXECUTE)"), "not_executed"),
    (re.compile(r"\A\s*BROKEN PIPE ERROR"), "not_executed"),
    (re.compile(_SHELL + r"command not found\s*\Z"), "command_not_found"),
    (re.compile(_SHELL + r"(?:Permission denied|Is a directory)\s*\Z"), "command_not_executable"),
)
"""What stands in an observation, and the ``error.type`` it means."""

_ENDS: Mapping[str, str] = {
    "submitted": "submitted",
    "exit_command": "exit_command",
    "exit_forfeit": "forfeited",
    "exit_cost": "limits_exceeded",
    "exit_total_execution_time": "timeout",
    "early_exit": "early_exit",
}
"""``exit_status`` -> ``sort_drift.finish_reason``; every other one names what broke the run."""

_CUT = ("exit_cost", "exit_total_execution_time")


class Step(Struct):
    """One turn."""

    action: str | None = None
    observation: str | None = None
    response: Any = None
    execution_time: float | None = None  # seconds; 0: the command was never run
    query: list[dict[str, Any]] | None = None  # what the model was sent (1.0.1 and later)


class Stats(Struct):
    """Totals."""

    instance_cost: float | None = None
    api_calls: int | None = None
    tokens_sent: int | None = None
    tokens_received: int | None = None


class Info(Struct):
    """What is known of the run as a whole."""

    exit_status: str | int | None = None
    model_stats: Stats = field(default_factory=Stats)
    swe_agent_version: str | None = None
    best_attempt_idx: int | None = None


class Attempt(Struct):
    """One attempt at an instance."""

    trajectory: list[Step]
    history: list[dict[str, Any]] = []
    info: Info = field(default_factory=Info)


class Problem(Struct):
    """What is to be solved."""

    id: str | None = None


class Model(Struct):
    """The model as configured."""

    name: str | None = None
    per_instance_call_limit: float | None = None


class Agent(Struct):
    """The agent as configured."""

    model: Model = field(default_factory=Model)


class Config(Struct):
    """How to run it again."""

    problem_statement: Problem = field(default_factory=Problem)
    agent: Agent = field(default_factory=Agent)


class Trajectory(Struct):
    """One run; without ``trajectory`` it is still at its attempts."""

    trajectory: list[Step] | None = None
    history: list[dict[str, Any]] = []
    info: Info = field(default_factory=Info)
    attempts: list[Attempt] | None = None
    replay_config: Any = None
    instance_id: str | None = None


def recognises(head: bytes) -> bool:
    """Return whether ``head`` begins an object with SWE-agent's lists and keys.

    >>> recognises(b'{"environment": "swe_main", "trajectory": [{"action": "ls", "observation": ""')
    True
    >>> recognises(b'{"messages": [], "trajectory_format": "mini-swe-agent-1.1"}')
    False
    """
    begins = head.lstrip()[:1] == b"{" and _LIST.search(head) and _OWN.search(head)
    return bool(begins) and not _OTHER.search(head)


def read(export: Export) -> Iterator[Block]:
    """Yield the one block of a trajectory."""
    tree = trajectory.document(export)
    found = None if tree is None else jsontext.fitted(tree, Trajectory, "", export.reject)
    if found is not None and found.trajectory is None and not found.attempts:
        export.bad("there is no trajectory: this is a demonstration, or no SWE-agent file", "trajectory")
    elif found is not None:
        yield {}, ("swe-agent", found.info.swe_agent_version or ""), _run(found).rows


def _run(found: Trajectory) -> Run:
    """Return the spans of one trajectory."""
    attempts = found.attempts or []
    run = Run("swe-agent", [found.instance_id, found.trajectory, attempts])
    config, info = _config(found.replay_config), found.info
    task = found.instance_id or config.problem_statement.id
    status = _status(info)
    run.root(
        "swe-agent",
        _UNTIMED,
        {
            "sort_drift.run.id": f"{task}/{run.trace[:8]}" if task else None,
            "sort_drift.task.id": task,
            "sort_drift.outcome.cost_usd": info.model_stats.instance_cost or None,  # 0: no price is known
            "sort_drift.budget.steps": (limit := config.agent.model.per_instance_call_limit or None),
            "sort_drift.budget.used_steps": info.model_stats.api_calls if limit else None,
            "sort_drift.finish_reason": _ENDS.get(status, status) if status else None,
            "sort_drift.deadline_exceeded": status in _CUT if status else None,
            "gen_ai.request.model": config.agent.model.name,
            "swe_agent.tokens_sent": info.model_stats.tokens_sent,
            "swe_agent.tokens_received": info.model_stats.tokens_received,
            "error.type": status if status and status not in _ENDS else None,
            **_asked(found.history or [m for a in attempts[:1] for m in a.history]),
        },
    )
    if not attempts:
        _steps(run, found.trajectory or [], config.agent.model.name)
        return run
    root = run.within
    for i, attempt in enumerate(attempts):
        run.within = root
        branch = {
            "sort_drift.branch.group": "attempts",
            "sort_drift.branch.id": str(i),
            "sort_drift.branch.committed": _equal(i, info.best_attempt_idx),
        }
        run.within = run.agent(f"attempt {i}", _UNTIMED, branch)
        _steps(run, attempt.trajectory, config.agent.model.name)
    return run


def _steps(run: Run, steps: list[Step], model: str | None) -> None:
    """Add the LLM call and the command of each step."""
    for i, step in enumerate(steps):
        text, action = trajectory.text_of(step.response), (step.action or "").strip()
        if i == len(steps) - 1 and text and _EXITING.match(text):
            continue
        arguments = msgspec.json.encode({"command": step.action}).decode()
        calls = [Call("bash", None, arguments, program(action))] if action else []
        given = [message for message in step.query or () if message]  # [{}]: nothing was noted
        run.chat(
            model, _UNTIMED, {"gen_ai.input.messages": given or None, **trajectory.answer(text, calls, None)}
        )
        if calls and step.execution_time != 0:
            seen = step.observation or ""
            error = next((kind for pattern, kind in _FAILED if pattern.search(seen)), None)
            took = {"swe_agent.execution_time": step.execution_time}
            run.tool(calls[0], step.observation, _UNTIMED, {"error.type": error, **took})


def _status(info: Info) -> str | None:
    """Return why the run ended; a patch that was saved from a run that broke does not hide it.

    >>> [_status(Info(s)) for s in ("submitted", "submitted (exit_cost)", 0, None)]
    ['submitted', 'exit_cost', None, None]
    """
    status = info.exit_status
    if not isinstance(status, str) or not status:
        return None
    inner = re.fullmatch(r"submitted \((\w+)\)", status)
    return inner[1] if inner else status


def _config(replay: Any) -> Config:
    """Return what the replay configuration says; nothing where it is none, or another version's."""
    try:
        tree = jsontext.parse(replay.encode()) if isinstance(replay, str) else replay
        return msgspec.convert(tree, Config)
    except (ValueError, RecursionError):
        return Config()


def _asked(history: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the attributes that say what was asked; demonstrations are of other tasks."""
    said = [m for m in history if not m.get("is_demo") and m.get("message_type") != "demonstration"]
    texts = {str(m.get("role")): trajectory.text_of(m.get("content")) for m in reversed(said)}
    return trajectory.prompt(texts.get("system"), texts.get("user"))


def _equal(i: int, best: int | None) -> bool | None:
    return None if best is None else i == best
