"""What a vocabulary file may fill, by the name it has there: column, reader, span classes, meaning.

docs/reference/vocabulary-columns.md is made from these tables.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from sort_drift.dialects import native, readers
from sort_drift.dialects.readers import Read
from sort_drift.dialects.vocabulary import AGENT, CLASSES, LLM, OTHER, TOOL, Kind

KEYS: Mapping[str, tuple[type, str]] = {
    "name": (str, "what the vocabulary is called, in lower case; required"),
    "extends": (str, "a built-in vocabulary that holds for everything that the file leaves out"),
    "marks": (
        list,
        "attributes: a span that has one of them is read with this file; by default those of `kinds`",
    ),
    "scopes": (
        list,
        "instrumentation scopes, or how their names begin: all their spans are read with this file",
    ),
    "kinds": (
        dict,
        '`[kinds."ATTRIBUTE"]`: value of the attribute = what the span is; `"*"` is any other value',
    ),
    "names": (dict, "span name = what the span is; `*` stands for anything; before `kinds`"),
    "columns": (
        dict,
        (
            'COLUMN = where it stands: an attribute, `"a#/b/0"` for a place in the JSON of attribute `a`, a'
            " list of which the first that is there counts, or `{ from = ..., read = READER, on = [KINDS] }`"
        ),
    ),
    "finish": (dict, "word of the framework = finish reason; the words of the providers are known"),
    "failed": (dict, "ATTRIBUTE = values (or patterns with `*`) that say that the operation failed"),
    "failed_results": (list, 'patterns of a tool\'s result that say so, such as `"ERROR:*"`'),
    "events": (dict, "name of a span event, or log record, that carries a message = whose it is"),
    "flattened": (
        dict,
        "prefix of attributes that hold messages part by part (`x.0.content`) = content column",
    ),
    "dropped": (list, "prefixes of further attributes that hold content: nothing of them is kept"),
    "cache_apart": (bool, "prompt tokens leave out cached ones: those read and written are added"),
    "blind_tools": (
        bool,
        "a tool's span says nothing of a failure unless `failed` does: else not known, not false",
    ),
    "one_candidate": (bool, "several output messages are parts of one answer"),
}
"""Keys of the file: what each is, as TOML and in words."""

CALLED: Mapping[type, str] = {
    str: "text in quotes",
    list: "a list of texts",
    dict: "a table",
    bool: "true or false",
}


class Field(NamedTuple):
    """A column of model.SPANS, or a raw part (``@``) that columns are made of."""

    column: str
    read: str  # key of READERS
    only: Collection[str]  # span classes where it is read unless `on` says otherwise
    what: str


def from_one(value: Any) -> int | None:
    """Return how many came before, of a counter that begins at 1.

    >>> from_one(1), from_one("3"), from_one(0)
    (0, 2, None)
    """
    number = readers.count(value)
    return number - 1 if number else None


READERS: Mapping[str, tuple[Read, str]] = {
    "text": (readers.text, "text that is not empty; a number as its digits"),
    "count": (readers.count, "a whole number from 0 on, or its digits"),
    "from_one": (from_one, "a counter that begins at 1, as the number before it"),
    "real": (readers.real, "a finite number, or its digits"),
    "milliseconds": (readers.milliseconds, "a number of milliseconds, as seconds"),
    "flag": (readers.flag, "true or false, 1 or 0, or the words"),
    "present": (readers.there, "any value: that the attribute is there is the fact"),
    "correct": (readers.correct, "true or false, or a score between 0 and 1"),
    "finish": (readers.finish, "a finish reason, a list of them, or the list as JSON text; see `[finish]`"),
    "stopped": (native.stopped, "why a run ended: true for deadline, timeout, max_steps, cancelled..."),
    "content": (readers.same, "text, JSON text or a structure; only keyed hashes and lengths of it are kept"),
}
"""How a value is read: name -> (function, what it takes). What does not fit is null."""

_GIVES = (
    {"text", "finish"},
    {"count", "from_one"},
    {"count", "from_one", "real", "milliseconds", "correct"},
    {"flag", "present", "stopped"},
)
"""Readers whose values are of one type: texts, whole numbers, numbers, truth."""


def readers_of(field: Field) -> tuple[str, ...]:
    """Return the readers that give what a column takes; content may be anything.

    >>> readers_of(FIELDS["branch_committed"])
    ('flag', 'present', 'stopped')
    """
    fit = next((gives for gives in _GIVES if field.read in gives), READERS)
    return tuple(name for name in READERS if name in fit)


FIELDS: Mapping[str, Field] = {
    # which run and task
    "run": Field("run_key", "text", CLASSES, "identifier of the run, where one run has several traces"),
    "conversation": Field("conversation", "text", CLASSES, "conversation, session or thread"),
    "invocation": Field("invocation", "text", CLASSES, "the framework's identifier of one agent invocation"),
    "agent": Field("agent", "text", (AGENT,), "name of the agent; without it the span's name"),
    "task": Field("task", "text", CLASSES, "what identical runs share, so that they may be compared"),
    "block": Field("block", "text", CLASSES, "day or batch of collection"),
    # calls to a model
    "model": Field("model", "text", (LLM,), "model as requested"),
    "response_model": Field("@response_model", "text", (LLM,), "model that answered"),
    "serving_build": Field("serving_build", "text", (LLM,), "build of the serving system"),
    "server": Field("server", "text", (LLM,), "address of the serving system"),
    "port": Field("@port", "count", (LLM,), "its port, which joins the address"),
    "in_tokens": Field("in_tokens", "count", (LLM,), "prompt tokens with cached ones; see `cache_apart`"),
    "cached_tokens": Field("cached_tokens", "count", (LLM,), "prompt tokens that came from a cache"),
    "cache_write": Field("@cache_write", "count", (LLM,), "prompt tokens written to a cache; `cache_apart`"),
    "out_tokens": Field("out_tokens", "count", (LLM,), "tokens of the answer, with those of reasoning"),
    "reasoning_tokens": Field("reasoning_tokens", "count", (LLM,), "tokens of reasoning in the answer"),
    "finish": Field("finish", "finish", (LLM,), "why the answer ended"),
    "choices": Field("@requested", "count", (LLM,), "candidates asked for"),
    "ttft_s": Field("ttft_s", "real", (LLM,), "seconds to the first token"),
    "compacted": Field("compacted", "flag", CLASSES, "whether the context was compacted here"),
    # tools
    "tool": Field("tool", "text", (TOOL,), "name of the tool; else what `*` in [names] stands for"),
    "call_id": Field("call_id", "text", (TOOL,), "identifier of the call in the model's answer"),
    # failures and attempts
    "error_type": Field("error_type", "text", CLASSES, "type of the error; that it is there means: failed"),
    "attempt": Field("attempt_number", "count", CLASSES, "attempts at this operation before this one"),
    "attempt_max": Field("attempt_max", "count", CLASSES, "attempts that are allowed"),
    "resend": Field("resend_count", "count", CLASSES, "further requests hidden in this operation"),
    # branches
    "branch": Field("branch_id", "text", CLASSES, "the alternative that this operation explores"),
    "branch_group": Field("branch_group", "text", CLASSES, "the decision whose alternatives are explored"),
    "branch_committed": Field("branch_committed", "flag", CLASSES, "whether this alternative was kept"),
    # budgets and outcome
    "budget_time_s": Field("budget_time_s", "real", CLASSES, "seconds that the run may take"),
    "budget_tokens": Field("budget_tokens", "real", CLASSES, "tokens that the run may use"),
    "budget_steps": Field("budget_steps", "real", CLASSES, "steps that the run may take"),
    "used_time_s": Field("used_time_s", "real", CLASSES, "seconds of the budget that were used"),
    "used_tokens": Field("used_tokens", "real", CLASSES, "tokens of the budget that were used"),
    "used_steps": Field("used_steps", "real", CLASSES, "steps of the budget that were used"),
    "cut": Field("cut", "flag", CLASSES, "whether the run was stopped before it ended"),
    "end": Field("@finish_reason", "stopped", CLASSES, "why the run ended"),
    "outcome": Field("outcome", "correct", CLASSES, "whether the run solved its task"),
    "cost_usd": Field("cost_usd", "real", CLASSES, "what the run cost, in US dollars"),
    # regime
    "load_running": Field("load_running", "real", CLASSES, "requests that the serving system worked on"),
    "load_waiting": Field("load_waiting", "real", CLASSES, "requests that waited there"),
    "load_concurrency": Field("load_concurrency", "real", CLASSES, "runs open when this one began"),
    "hw_class": Field("hw_class", "text", CLASSES, "hardware class that served the run"),
    # content: hashed on the way in, never kept
    "input": Field("@input", "content", (LLM,), "messages that went into the model"),
    "output": Field("@output", "content", (LLM,), "messages that came out of it, tool calls among them"),
    "system": Field("@system", "content", (LLM, AGENT), "system prompt, where it is not among the messages"),
    "user": Field("@user", "content", (AGENT,), "what the user asked; the task, where nothing names it"),
    "args": Field("@args", "content", (TOOL,), "arguments of the tool"),
    "result": Field("@result", "content", (TOOL,), "what the tool returned"),
}
"""Keys of ``[columns]``."""

KINDS: Mapping[str, tuple[Kind, str]] = {
    "llm": ((LLM, "chat"), "a call to a model"),
    "tool": ((TOOL, "execute_tool"), "a call of a tool"),
    "agent": ((AGENT, "invoke_agent"), "one invocation of an agent: the root of a run, or a sub-agent"),
    "root": ((OTHER, "root"), "an agent where nothing is above it, else as `other`"),
    "satellite": ((OTHER, "create_agent"), "set-up, or a server's side of a call: never a run"),
    "http": ((OTHER, "http"), "one request over the network: below a call to a model, one attempt at it"),
    "other": ((OTHER, None), "transparent: wrappers, steps, database calls"),
}
"""What a span can be, as [kinds] and [names] call it."""

ROOTS: Mapping[str | None, Kind] = {"root": (AGENT, "invoke_workflow")}
FINISHES = tuple(dict.fromkeys(readers.FINISH.values()))
ROLES = ("system", "user", "assistant", "tool", "choice")
CONTENT = tuple(name for name, field in FIELDS.items() if field.read == "content")
