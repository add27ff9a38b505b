"""What a body holds, counted before anything is decoded: spans, what is in them, and objects of JSON.

3.9 KB of gzip became 2,000,000 empty spans, and decoded they took 335 MB: memory is what this saves. Counting
the spans (log records, metrics) of a protobuf request takes .4 us each. What is in them is not counted one
by one, which took ten times as long as decoding it; a look at all bytes at once tells how much of it is too
small to be real, in 1.5 us a span.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np

from sort_drift.live.receive.terms import Refused
from sort_drift.live.settings import MIB, Limits

INSIDE = 20
"""Attributes, events, links and values inside values a span, on average, of the largest request."""

LIGHT = MIB
"""Bytes of a body that cannot hold enough to matter: the densest takes 100 MB decoded."""

_INNER = 0x12
"""Tag of field 2, a message: scopes of a resource, and spans, log records or metrics of a scope."""

_TINY = 8
"""Bytes that no attribute, event or link takes less than, as its key or time alone is as long."""

_REPEATED = bytes(tag in {0x0A, 0x12, 0x4A, 0x5A, 0x6A} for tag in range(256))
"""Which tags are those of what there may be many of: fields 1, 2, 9, 11 and 13, messages."""

_STRINGS = re.compile(rb'"(?:[^"\\]+|\\.)*+"', re.DOTALL)


def prescan(body: bytes, limits: Limits) -> int:
    r"""Return how many spans (log records, metrics) a protobuf request holds.

    Raises ``Refused``: 413 over ``limits.spans`` of them, or of what is in them; 400 for what is no protobuf.

    >>> prescan(b"\n\x06\x12\x04\x12\x00\x12\x00", Limits())
    2
    """
    try:
        found = _records(body, limits.spans)
    except IndexError:
        raise broken("it ends in the middle") from None
    if len(body) > LIGHT and _tiny(body) > INSIDE * limits.spans:
        raise too_much(f"{INSIDE * limits.spans:,} attributes, events, links and values")
    return found


def prescan_json(body: bytes, limits: Limits) -> None:
    """Check how many objects and lists a JSON request may hold; an attribute is two of them.

    Raises ``Refused`` (413).
    """
    most = 2 * INSIDE * limits.spans
    if len(body) > most and _opened(body) > most and _opened(_STRINGS.sub(b"", body)) > most:
        raise too_much(f"{most:,} objects and lists")


def too_much(most: str) -> Refused:
    """Return the refusal of a request that holds more than ``most``."""
    return Refused(413, f"more than {most} in one request; send smaller batches")


def broken(why: str) -> Refused:
    """Return the refusal of what is no protobuf message."""
    return Refused(400, f"not an OTLP protobuf request: {why}")


def _opened(text: bytes) -> int:
    return text.count(b"{") + text.count(b"[")


def _records(body: bytes, most: int) -> int:
    """Count the records of a request; its resources and scopes may be as many."""
    records = resources = scopes = 0
    for number, at, end in _fields(body, 0, len(body)):
        if number != 1:
            continue
        resources += 1
        for inner, start, stop in _fields(body, at, end):
            if inner == 2:
                scopes += 1
                records = _counted(body, start, stop, records, most)
            if scopes > most:
                break
        if resources > most or scopes > most:
            raise too_much(f"{most:,} resources or scopes")
    return records


def _counted(body: bytes, at: int, end: int, found: int, most: int) -> int:
    """Add the messages in field 2 of one message to those found so far."""
    while at < end:
        size = body[at + 1]
        if body[at] != _INNER:
            number, at = _next(body, at, end)
            if number != 2:
                continue
        elif size < 128:
            at += size + 2
        elif body[at + 2] < 128:
            at += (size & 127 | body[at + 2] << 7) + 3
        else:
            at = _next(body, at, end)[1]
        found += 1
        if found > most:
            raise too_much(f"{most:,} spans, log records or metrics")
    if at > end:
        raise broken("a length reaches over its end")
    return found


def _next(body: bytes, at: int, end: int) -> tuple[int, int]:
    """Return the number of a field, 0 where it is no message, and where the next one begins."""
    tag, at = _varint(body, at)
    kind = tag & 7
    if kind == 2:
        size, at = _varint(body, at)
        at += size
    elif kind == 0:
        at = _varint(body, at)[1]
    elif kind in {1, 5}:
        at += 8 if kind == 1 else 4
    else:
        raise broken(f"a field of wire type {kind}")
    if at > end:
        raise broken("a length reaches over its end")
    return tag >> 3 if kind == 2 else 0, at


def _fields(body: bytes, at: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Yield (number, start, end) of the fields of a message that are messages, text or bytes themselves."""
    while at < end:
        start = _varint(body, at)[1]
        number, at = _next(body, at, end)
        if number:
            yield number, _varint(body, start)[1], at


def _varint(body: bytes, at: int) -> tuple[int, int]:
    """Return a base-128 number and where it ends; IndexError at the end of the body."""
    value = 0
    for shift in range(0, 70, 7):
        byte = body[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
    raise broken("a number of more than 10 bytes")


def _tiny(body: bytes) -> int:
    """Count what looks like a repeated message of less than 8 bytes: its tag, and its length."""
    tags = np.frombuffer(body.translate(_REPEATED), dtype=bool)
    small = np.frombuffer(body, dtype=np.uint8) < _TINY
    return int(np.count_nonzero(tags[:-1] & small[1:]))
