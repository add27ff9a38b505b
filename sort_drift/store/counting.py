"""How many spans are there twice: counted when segments come and go, so that a store knows its spans."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sort_drift.errors import StoreError
from sort_drift.store import segments
from sort_drift.store.engine import query
from sort_drift.store.manifest import SpanSegment
from sort_drift.store.view import View


def duplicates(view: View, some: Sequence[SpanSegment]) -> int:
    """Return how many rows of ``some`` segments are in the others of the store, or twice in ``some``.

    A span that is sent again has the start that it had, so only segments whose times overlap can hold it. One
    that is damaged has none to tell: it must not keep the others from being written.

    Raises
    ------
    StoreError
        If one of ``some`` cannot be read.

    """
    if not some:
        return 0
    names = {line.segment for line in some}
    others = [
        line
        for line in view.of(SpanSegment)
        if line.segment not in names and any(segments.near(line, one) for one in some)
    ]
    try:
        return _count(view, others, some)
    except StoreError:
        return _count(view, [line for line in others if segments.is_whole(view.path, line)], some)


def _count(view: View, others: Iterable[SpanSegment], some: Iterable[SpanSegment]) -> int:
    there, added = ([str(view.path / line.segment) for line in lines] for lines in (others, some))
    return int(query("duplicates", str(view.path), files=[*there, *added], added=added).item())
