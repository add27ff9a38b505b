"""``sd.run(...)``: one run of an agent on one task, its budget, its outcome and how it ended."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from types import TracebackType
from typing import Any, Self

from sort_drift_sdk import context, load, mechanisms, semconv, settings
from sort_drift_sdk.attempts import Attempt, attempts
from sort_drift_sdk.branches import Branch
from sort_drift_sdk.context import Frame
from sort_drift_sdk.quiet import quietly, warn_once
from sort_drift_sdk.spans import Scope, cancelled, stopped

_BUDGETS = {
    "time_s": (semconv.BUDGET_TIME_S, semconv.BUDGET_USED_TIME_S),
    "steps": (semconv.BUDGET_STEPS, semconv.BUDGET_USED_STEPS),
    "tokens": (semconv.BUDGET_TOKENS, semconv.BUDGET_USED_TOKENS),
}


_TOLD = (semconv.TASK_ID, semconv.BLOCK_ID, *(declared for declared, _ in _BUDGETS.values()))
"""What a run says at its beginning as well."""

_NEARLY = 0.99
"""Share of a time budget with which it is used up: ``asyncio.timeout`` around a run begins earlier."""

KILLED = "killed"
"""Finish reason of a run whose root never came."""


class Run:
    """One run of an agent on one task, as a context manager (``with`` or ``async with``).

    Everything that happens inside belongs to it, in whatever trace, thread or task its context is carried to.
    A run inside a run is a run of its own. Wrong arguments are logged once, like any failure.

    :param task: what identical runs share: they are compared with each other
    :param agent: name of the agent; the service's by default
    :param id: identifier of the run, for one that several processes share; made up by default
    :param budget_s: seconds that the run may take
    :param budget_steps: steps that it may take; ``step`` counts them
    :param budget_tokens: tokens that it may use; ``tokens`` counts them
    :param block: day or batch that the run belongs to; the UTC date by default
    :param attributes: further attributes of its root span
    """

    def __init__(
        self,
        task: str | None = None,
        *,
        agent: str | None = None,
        id: str | None = None,  # noqa: A002 - the word that users know it by
        budget_s: float | None = None,
        budget_steps: int | None = None,
        budget_tokens: int | None = None,
        block: str | None = None,
        attributes: Mapping[str, Any] | None = None,
    ) -> None:
        self.id = id or uuid.uuid4().hex
        self.task = task
        self._agent = agent or settings.service() or "agent"
        self._budgets = {"time_s": budget_s, "steps": budget_steps, "tokens": budget_tokens}
        self._own = {
            "gen_ai.operation.name": "invoke_agent",
            "gen_ai.agent.name": self._agent,
            semconv.RUN_ID: self.id,
            semconv.TASK_ID: task,
            semconv.BLOCK_ID: block,
            **{name: self._budgets[kind] for kind, (name, _) in _BUDGETS.items()},
            **(attributes or {}),
        }
        self._lock = threading.Lock()
        self._used = {"steps": 0, "tokens": 0}
        self._decisions = 0
        self._reason: str | None = None
        self._scope: Scope | None = None
        self._began = 0.0
        self._ended: Scope | None = None
        self._entered = 0

    # -- around the run

    def __enter__(self) -> Self:
        self._entered += 1
        if self._entered > 1:
            warn_once("a run was entered again before it was left: one object is one run")
            return self
        with quietly("starting a run"):
            now = {**settings.facts(), **load.snapshot()}
            # beside every hash, where the Resource does not say it
            key = {name: now[name] for name in (semconv.HASH_FINGERPRINT,) if name in now}
            frame = Frame(self, {semconv.RUN_ID: self.id, **key})
            self._scope = Scope(f"invoke_agent {self._agent}", {**now, **self._own}, frame)
            self._scope.enter()
            self._begin(frame)
        self._began = time.monotonic()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._entered -= 1
        scope = self._scope
        if self._entered or scope is None:
            return
        self._scope, self._ended = None, scope
        with quietly("leaving a run"):
            scope.leave()
        with quietly("describing a run"):
            scope.span.set_attributes(self._found(error))
        with quietly("ending a run"):
            scope.end(error)

    def _begin(self, frame: Frame) -> None:
        """Say what is lost with the root of a run that is killed; where there is a root, that counts."""
        told = {name: value for name, value in self._own.items() if name in _TOLD}
        Scope("sort_drift.run.begin", {**told, semconv.FINISH_REASON: KILLED}, frame).end()

    def suspend(self) -> None:
        """Leave the run's context without ending it, as a generator does between two values."""
        with quietly("leaving a run"):
            if self._scope is not None:
                self._scope.leave()

    def resume(self) -> None:
        """Enter the run's context again."""
        with quietly("entering a run again"):
            if self._scope is not None:
                self._scope.enter()

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.__exit__(kind, error, traceback)

    def _found(self, error: BaseException | None) -> dict[str, Any]:
        """Return what is known at the end."""
        used = time.monotonic() - self._began
        limit = self._budgets["time_s"]
        late = limit is not None and used >= _NEARLY * limit
        reason = self._reason or _why(error, late=late)
        found: dict[str, Any] = {semconv.FINISH_REASON: reason}
        if limit is not None:
            found[semconv.BUDGET_USED_TIME_S] = used
        for kind, amount in self._used.items():
            if amount:  # nothing counted is not nothing used
                found[_BUDGETS[kind][1]] = amount
        if reason == "deadline":
            found[semconv.DEADLINE_EXCEEDED] = True
        return {name: value for name, value in found.items() if value is not None}

    # -- inside the run

    def branch(self, id: str, *, group: str | None = None) -> Branch:  # noqa: A002
        """Return a context manager around one alternative of a decision.

        Branches belong to one decision until one of them is committed; ``group`` names the decision yourself.
        """
        with self._lock:
            if group is None:
                group = f"{self.id}:{self._decisions}"
        return Branch(self, id, group)

    def decided(self) -> None:
        """State that the alternatives so far were all that this decision had; ``Branch.commit`` does."""
        with self._lock:
            self._decisions += 1

    def attempts(self, name: str, *, max: int) -> Iterator[Attempt]:  # noqa: A002
        """Yield up to ``max`` attempts at one operation; a failed one is followed by the next."""
        return attempts(name, most=max)

    def step(self, count: int = 1) -> None:
        """Count steps of the step budget."""
        self._use("steps", count)

    def tokens(self, count: int) -> None:
        """Count tokens of the token budget."""
        self._use("tokens", count)

    def _use(self, what: str, count: int) -> None:
        with quietly(f"counting {what}"), self._lock:
            self._used[what] += count

    def budget(self, *, steps: int | None = None, tokens: int | None = None) -> None:
        """Declare a budget that became known inside the run; one that was declared before stays."""
        with self._lock:
            found = {"steps": steps, "tokens": tokens}
            new = {kind: most for kind, most in found.items() if self._budgets[kind] is None}
            self._budgets |= new
        self.set(**{_BUDGETS[kind][0]: most for kind, most in new.items()})

    def context(self, *, tokens: int | None = None, window: int | None = None) -> None:
        """State how many tokens the context holds now, and how many fit."""
        self._note("context", {semconv.CONTEXT_TOKENS: tokens, semconv.CONTEXT_WINDOW: window})

    def compaction(self, *, before: int, after: int) -> None:
        """State that the context was compacted, from so many tokens to so many."""
        self._note(
            "compaction",
            {semconv.COMPACTION_BEFORE_TOKENS: before, semconv.COMPACTION_AFTER_TOKENS: after},
        )

    def mechanism(self, name: str, **parameters: Any) -> None:
        """State that an optimisation mechanism was at work in this run, with its parameters."""
        with quietly("recording a mechanism"):
            self.set(**mechanisms.attributes(name, parameters))

    def outcome(self, *, correct: bool | float | None = None, cost_usd: float | None = None) -> None:
        """State whether the run solved its task, or its reward between 0 and 1, and what it cost.

        Also after the run: who judges it often comes later.
        """
        self.set(**{semconv.OUTCOME_CORRECT: correct, semconv.OUTCOME_COST_USD: cost_usd})

    def finish(self, reason: str) -> None:
        """State why the run ends, before it does: ``answered``, ``max_steps``, ``retry_cap``..."""
        if self._ended is not None:
            warn_once("finish() came after the end of its run")
        self._reason = reason

    def set(self, **attributes: Any) -> None:
        """Set attributes of the run's root span; after its end a span of no length carries them."""
        with quietly("describing a run"):
            given = {name: value for name, value in attributes.items() if value is not None}
            if self._scope is not None:
                self._scope.span.set_attributes(given)
            elif self._ended is not None:
                self._note("outcome", given, below=self._ended)
            else:
                self._own |= given

    def _note(self, what: str, attributes: Mapping[str, Any], below: Scope | None = None) -> None:
        """Record a moment as a span of no length: an event would be lost where only attributes are kept."""
        with quietly(f"recording {what}"), context.attached(below.context) if below else nullcontext():
            frame = context.current() or Frame(self, {semconv.RUN_ID: self.id})
            Scope(f"sort_drift.{what}", attributes, frame).end()


def _why(error: BaseException | None, *, late: bool) -> str | None:
    """Return why a run ended: its deadline, somebody, an error, or nothing that is known."""
    if error is None:
        return None
    if late and (isinstance(error, TimeoutError) or cancelled(error)):
        return "deadline"
    if isinstance(error, TimeoutError):
        return "timeout"
    return "cancelled" if stopped(error) else "error"


def current_run() -> Run | None:
    """Return the run that the current context belongs to, None outside of any."""
    with quietly("looking for a run"):
        frame = context.current()
        return None if frame is None else frame.run
    return None
