"""Spans that can be decoded and still cannot be: times of another century, marks that turn text around.

Times that are impossible (0, beyond 64 bits, an end before its start) are missing since the decoding
(``ingest.batches.moments``); times that are possible and absurd would put a run at the end of every window,
or where retention deletes it at once.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from sort_drift.ingest.batches import Block, Row
from sort_drift.live.receive.terms import Encoding
from sort_drift.model import LOG

EARLIEST = 946_684_800_000_000_000
"""2000-01-01 [Unix ns]: a time in milliseconds, or since the machine started, lies before it."""

AHEAD = 366 * 86_400_000_000_000
"""How far a client's clock may be ahead of ours [ns]: a year."""

_MARKED = re.compile(rb"\xe2(?:\x80[\xaa-\xae]|\x81[\xa6-\xa9])")
_ESCAPED = re.compile(rb"\\u20(?:2[a-eA-E]|6[6-9])")
"""U+202A to U+202E and U+2066 to U+2069: as UTF-8, and as JSON may write them."""

_MARKS = dict.fromkeys((*range(0x202A, 0x202F), *range(0x2066, 0x206A)), "\ufffd")
"""Marks that embed, override and isolate directions: a name with one can look like another name. Each becomes
one U+FFFD, so that lengths stay. What Arabic and Hebrew text needs (U+200E, U+200F, U+061C) stays, too."""


def timed(rows: list[Row], now_ns: int, reject: Callable[[str, str], None]) -> list[Row]:
    """Return the rows whose times can be; the others go to ``reject``."""
    latest = now_ns + AHEAD
    for row in rows:
        start, end = row[5], row[6]
        if (start is not None and not EARLIEST <= start <= latest) or (end is not None and end > latest):
            break
    else:
        return rows
    kept = []
    for row in rows:
        why = _absurd(row, now_ns)
        if why:
            record = "log record of " if row[4] == LOG else ""
            reject(f"{record}span {row[1]} of trace {row[0]}", why)
        else:
            kept.append(row)
    return kept


def _absurd(row: Row, now_ns: int) -> str:
    """Return what is wrong with the times of a row, "" where nothing is.

    >>> _absurd(("t", "s", None, "", 0, 1_795_312_192_263, None, 0, "", {}, [], []), 9 * EARLIEST)
    'its time is 1795312192263 ns, 1970-01-01: milliseconds instead of nanoseconds?'
    """
    for time in (row[5], row[6]):
        if time is None:
            continue
        if time < EARLIEST:
            unit = next((name for name, ns in _UNITS if EARLIEST <= time * ns <= now_ns + AHEAD), "")
            guess = f"{unit} instead of nanoseconds" if unit else "a clock that starts with the machine"
            return f"its time is {time} ns, {_day(time)}: {guess}?"
        if time > now_ns + AHEAD:
            return f"its time is {time} ns, {_day(time)}: more than a year ahead of this machine's clock"
    return ""


_UNITS = (("microseconds", 1_000), ("milliseconds", 1_000_000), ("seconds", 1_000_000_000))


def _day(time: int) -> str:
    return f"{datetime.fromtimestamp(time / 1e9, UTC):%Y-%m-%d}"


def marked(body: bytes, encoding: Encoding) -> bool:
    r"""Return whether a request may hold marks that turn text around.

    >>> marked(b'"gpj.\xe2\x80\xaeexe"', "protobuf"), marked(rb'"gpj.\u202eexe"', "json")
    (True, True)
    >>> marked("שלום".encode(), "json")
    False
    """
    if b"\xe2" in body and _MARKED.search(body):  # one byte is found 10 times as fast as a pattern
        return True
    return encoding == "json" and b"\\u20" in body and _ESCAPED.search(body) is not None


def straight(block: Block) -> Block:
    """Return a block without those marks."""
    resource, scope, rows = block
    return (
        _straight(resource),
        (scope[0].translate(_MARKS), scope[1].translate(_MARKS)),
        [(*row[:3], row[3].translate(_MARKS), *row[4:8], *_straight(row[8:11]), row[11]) for row in rows],
    )


def _straight(value: Any) -> Any:
    if isinstance(value, str):
        return value.translate(_MARKS)
    if isinstance(value, dict):
        return {key.translate(_MARKS): _straight(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_straight(item) for item in value]
    if isinstance(value, tuple):  # an event
        return tuple(_straight(item) for item in value)
    return value


def deepest(rows: list[Row], most: int) -> bool:
    """Return whether attribute values nest deeper than ``most`` levels."""
    return any(
        _deeper(value, most)
        for row in rows
        for values in (row[9], *(event[2] for event in row[10]))
        for value in values.values()
    )


def _deeper(value: Any, left: int) -> bool:
    if isinstance(value, dict):
        value = list(value.values())
    if not isinstance(value, list):
        return False
    return left <= 0 or any(_deeper(item, left - 1) for item in value)
