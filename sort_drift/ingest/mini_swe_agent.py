"""mini-swe-agent trajectories: one JSON object a run, ``<instance>.traj.json``.

https://mini-swe-agent.com (``trajectory_format`` 1 and 1.1). Every tool call is a shell command, so the
operation is its program (shell.py). An exit code of 1 is no failure: grep without a match ends so, and
``| head`` hides real ones; failures are a time-out, 126 and 127 (geometry.md 3.2). Whether the task was
solved stands in the ``results_<directory>.json`` of the SWE-bench harness, where that lies beside the
trajectories.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct, field

from sort_drift.ingest import jsontext, trajectory
from sort_drift.ingest.batches import Block
from sort_drift.ingest.files import Export
from sort_drift.ingest.shell import program
from sort_drift.ingest.trajectory import Call, Run

_KEYS = re.compile(rb'"(?:mini_version|trajectory_format|model_stats)"\s*:')
_OPENER = re.compile(r"```(?:bash|mswea_bash_command)\s*\n")
_CLOSER = "\n```"
_OBSERVED = re.compile(r"<returncode>(-?\d+)</returncode>|The last command ")
_TIMED_OUT = " timed out"
"""How a command and its result stand in the text of messages before version 2."""

_ERRORS: Mapping[int, str] = {126: "command_not_executable", 127: "command_not_found"}
_ENDS: Mapping[str, str] = {
    "Submitted": "submitted",
    "LimitsExceeded": "limits_exceeded",
    "TimeExceeded": "timeout",
    "UserInterruption": "cancelled",
}
"""``exit_status`` -> ``sort_drift.finish_reason``; every other one names the exception that ended the run."""

_CUT = ("LimitsExceeded", "TimeExceeded", "UserInterruption")
_YEAR_2100 = 4_102_444_800


class Action(Struct):
    """A command that the model asked for."""

    command: str
    tool_call_id: str | None = None


class Details(Struct):
    """Parts of a token count, of the prompt or of the completion."""

    cached_tokens: int | None = None
    reasoning_tokens: int | None = None


class Usage(Struct):
    """Token counts of one LLM call, in the words of several providers."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    prompt_cache_hit_tokens: int | None = None
    prompt_tokens_details: Details | None = None
    completion_tokens_details: Details | None = None


class Choice(Struct):
    """One answer of the model."""

    finish_reason: str | None = None


class Response(Struct):
    """The provider's answer."""

    id: str | None = None
    model: str | None = None
    system_fingerprint: str | None = None
    choices: list[Choice] = []
    usage: Usage | None = None


class Extra(Struct):
    """What the agent noted beside a message."""

    timestamp: float | None = None
    actions: list[Action] | None = None
    response: Response | None = None
    returncode: int | None = None
    raw_output: str | None = None
    exception_info: str | None = None
    exception_type: str | None = None


class Message(Struct):
    """One message."""

    role: str = ""
    content: Any = None
    tool_call_id: str | None = None
    extra: Extra = field(default_factory=Extra)


class AgentConfig(Struct):
    """The limits of the agent; 0 is none."""

    step_limit: float | None = None
    wall_time_limit_seconds: float | None = None


class ModelConfig(Struct):
    """The model as configured."""

    model_name: str | None = None


class Config(Struct):
    """The configuration of the run."""

    agent: AgentConfig = field(default_factory=AgentConfig)
    model: ModelConfig = field(default_factory=ModelConfig)


class Stats(Struct):
    """Totals."""

    instance_cost: float | None = None
    api_calls: int | None = None


class Info(Struct):
    """What is known of the run as a whole."""

    exit_status: str | None = None
    mini_version: str | None = None
    model_stats: Stats = field(default_factory=Stats)
    config: Config = field(default_factory=Config)


class Trajectory(Struct):
    """One run."""

    messages: list[Message]
    info: Info = field(default_factory=Info)
    instance_id: str | None = None


def recognises(head: bytes) -> bool:
    """Return whether ``head`` begins an object with mini-swe-agent's own keys.

    >>> recognises(b'{"info": {"model_stats": {"instance_cost": 0.1}}}'), recognises(b'{"info": {}}')
    (True, False)
    """
    return head.lstrip()[:1] == b"{" and bool(_KEYS.search(head))


def read(export: Export) -> Iterator[Block]:
    """Yield the one block of a trajectory."""
    tree = trajectory.document(export)
    found = None if tree is None else jsontext.fitted(tree, Trajectory, "", export.reject)
    if found is not None:
        scope = ("mini-swe-agent", found.info.mini_version or "")
        yield {"service.name": "mini-swe-agent"}, scope, _run(found, export).rows


def _run(found: Trajectory, export: Export) -> Run:
    """Return the spans of one trajectory."""
    run = Run("mini-swe-agent", found)
    info, model = found.info, found.info.config.model.model_name
    instance = found.instance_id or Path(export.name).name.partition(".traj")[0]
    times = [t for m in found.messages if (t := _time(m.extra.timestamp))]
    first = {m.role: trajectory.text_of(m.content) for m in reversed(found.messages)}
    status = info.exit_status
    run.root(
        "mini-swe-agent",
        (None, max(times, default=None)),
        {
            "sort_drift.run.id": f"{instance}/{_stamp(times)}/{run.trace[:8]}",
            "sort_drift.task.id": instance,
            "sort_drift.outcome.correct": _solved(export, instance),
            "sort_drift.outcome.cost_usd": info.model_stats.instance_cost,
            "sort_drift.budget.steps": info.config.agent.step_limit or None,
            "sort_drift.budget.used_steps": info.model_stats.api_calls,
            "sort_drift.budget.time_s": info.config.agent.wall_time_limit_seconds or None,
            "sort_drift.finish_reason": _ENDS.get(status, status) if status else None,
            "sort_drift.deadline_exceeded": status in _CUT if status else None,
            "gen_ai.request.model": model,
            "error.type": status if status and status not in _ENDS else None,
            **trajectory.prompt(first.get("system"), first.get("user")),
        },
    )
    pending: list[Call] = []
    clock = None
    for message in found.messages:
        end = _time(message.extra.timestamp)
        text = trajectory.text_of(message.content) or ""
        if message.role == "assistant":
            pending = [
                Call("bash", a.tool_call_id, _arguments(a.command), program(a.command))
                for a in _commands(message, text)
            ]
            run.chat(model, (clock, end), _call(message, text, pending))
        elif pending and (observed := _observed(message.extra, text)):
            call = trajectory.answered(pending, message.tool_call_id)
            run.tool(call, text, (clock, end), observed)
        clock = end
    return run


def _commands(message: Message, text: str) -> list[Action]:
    """Return the commands of an LLM call, from the text before version 2."""
    if message.extra.actions is not None:
        return message.extra.actions
    return [Action(command) for command in _blocks(text)]


def _blocks(text: str) -> Iterator[str]:
    """Yield what stands in the shell blocks of a text."""
    at = 0
    while (opener := _OPENER.search(text, at)) and (end := text.find(_CLOSER, opener.end())) >= 0:
        yield text[opener.end() : end]
        at = end + len(_CLOSER)


def _arguments(command: str) -> str:
    return msgspec.json.encode({"command": command}).decode()


def _call(message: Message, text: str, calls: list[Call]) -> dict[str, Any]:
    """Return the attributes of an LLM call."""
    response = message.extra.response or Response()
    usage = response.usage or Usage()
    read, written = usage.prompt_tokens_details or Details(), usage.completion_tokens_details or Details()
    hit = usage.prompt_cache_hit_tokens
    return {
        "gen_ai.usage.input_tokens": usage.prompt_tokens,
        "gen_ai.usage.output_tokens": usage.completion_tokens,
        "gen_ai.usage.cache_read.input_tokens": read.cached_tokens if hit is None else hit,
        "gen_ai.usage.reasoning.output_tokens": written.reasoning_tokens,
        "gen_ai.response.id": response.id,
        "gen_ai.response.model": response.model,
        "gen_ai.response.system_fingerprint": response.system_fingerprint,
        **trajectory.answer(text, calls, response.choices[0].finish_reason if response.choices else None),
    }


def _observed(extra: Extra, text: str) -> dict[str, Any] | None:
    """Return the attributes that say how a command ended; None: this message is no result."""
    code, note = extra.returncode, f"{extra.exception_type or ''}{extra.exception_info or ''}"
    if code is None and not note:
        last = text.rfind(_TIMED_OUT)
        match = next((m for m in _OBSERVED.finditer(text) if m[1] or m.end() <= last), None)
        if match is None:
            return None
        code, note = (int(match[1]), "") if match[1] else (None, "timed out")
    error = extra.exception_type or "exception" if note else _ERRORS.get(code or 0)
    if "timed out" in note or "Timeout" in note:
        error = "timeout"
    return {"sort_drift.tool.exit_code": code, "error.type": error}


def _solved(export: Export, instance: str) -> bool | None:
    """Return what the harness's report beside the trajectories says of ``instance``; None: nothing.

    A run directory holds the trajectories, or one directory a trajectory.
    """
    for folder in list(Path(export.name).absolute().parents)[:2]:
        path = folder.parent / f"results_{folder.name}.json"
        try:
            report = jsontext.parse(path.read_bytes())
        except OSError:
            continue
        except (ValueError, RecursionError) as error:
            export.bad(f"{path.name} beside it: {jsontext.reason(error)}", "")
            return None
        if isinstance(report, dict):
            lists = [report.get(key) or () for key in ("resolved_ids", "unresolved_ids", "empty_patch_ids")]
            return next((i == 0 for i, ids in enumerate(lists) if instance in ids), None)
    return None


def _time(seconds: float | None) -> int | None:
    """Return Unix ns of Unix seconds; None for what is no time between 1970 and 2100."""
    return round(seconds * 1e9) if seconds and 0 < seconds < _YEAR_2100 else None


def _stamp(times: list[int]) -> str:
    """Return when the first message ended, for people."""
    return f"{datetime.fromtimestamp(times[0] // 10**9, UTC):%Y%m%dT%H%M%SZ}" if times else "-"
