"""What of the remaining attributes may be kept: facts, never prompts, completions, arguments or results."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from collections.abc import Mapping

_CONTENT = (
    "input output inputs outputs prompt prompts completion completions message messages content contents"
    " argument arguments args kwargs parameters result results query text body instructions description"
    " definitions tools schema json_schema answer question request_parameters invocation_parameters"
    " stacktrace documents document memory context data statement explanation"
)
_WORDS = frozenset(_CONTENT.split())
_SPLIT = re.compile(r"[._\-/]")
_LONGEST = 256
"""Text of an unknown attribute beyond this many characters is content until a table says otherwise."""


def is_content(name: str) -> bool:
    """Return whether a name says that its text is content.

    >>> is_content("haystack.agent.step.llm.input"), is_content("final_result"), is_content("langgraph_step")
    (True, True, False)
    """
    return not _WORDS.isdisjoint(_SPLIT.split(name.lower()))


def numbers(values: list[Any]) -> list[Any]:
    """Return numbers and truth values as they are, anything else as None.

    >>> numbers([1, "prompt", ["a"], 0.5])
    [1, None, None, 0.5]
    """
    return [v if isinstance(v, (int, float)) else None for v in values]


def short(values: list[Any]) -> list[Any]:
    """Return the values with long text replaced by its length.

    >>> short(["a", "b" * 300])
    ['a', '(300 characters)']
    """
    kinds = set(map(type, values))
    if kinds <= {int, float, bool} or (kinds == {str} and max(map(len, values)) <= _LONGEST):
        return values
    return [_short(v) for v in values]


def _short(value: Any) -> Any:
    if isinstance(value, (list, dict)) and len(text := _json(value)) > _LONGEST:
        return f"({len(text)} characters)"
    if isinstance(value, (str, bytes)) and len(value) > _LONGEST:
        return f"({len(value)} characters)"
    return value


def dump(columns: Mapping[str, list[Any]]) -> list[str | None]:
    """Return one JSON object a row, without its nulls; None for a row without values.

    >>> dump({"a": [1, None], "b": [b"ab", None]})
    ['{"a":1,"b":"6162"}', None]
    """
    names = tuple(columns)
    sparse = [name for name, values in columns.items() if None in values]
    found: list[str | None] = []
    for row in zip(*columns.values(), strict=True):
        facts = dict(zip(names, row, strict=True))
        for name in sparse:
            if facts[name] is None:
                del facts[name]
        found.append(_json(facts) if facts else None)
    return found


def _json(value: Any) -> str:
    try:
        return orjson.dumps(value, default=_plain).decode()
    except TypeError:  # lone surrogates, integers beyond 64 bits, deep nesting
        import json  # noqa: PLC0415  (rare)

        try:
            return json.dumps(value, default=_plain).encode("utf-8", "replace").decode()
        except RecursionError:
            return '{"nested too deeply":true}'


def _plain(value: Any) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)
