"""Less shown is less known: what is left out of a recording makes values null, or rest on something else."""

from __future__ import annotations

import copy
import math
import re
from collections.abc import Mapping
from functools import cache
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, assume, given
from hypothesis import strategies as st

from benchmarks.fidelity.recordings import recordings
from sort_drift import dialects, geometry, ingest
from sort_drift.assembly import assemble
from sort_drift.dialects import privacy
from sort_drift.hashing import Hasher
from sort_drift.model import RawSpans
from tests.examples import examples

NUMBER = re.compile(r"\.\d+(?=\.|$)")
TOKENS = re.compile("(?i)usage|tokens|token_count")
OF_TOKENS = {
    *("prompt_tokens_mean", "prompt_tokens_max", "cache_share", "order_surprise"),
    *("context_retention", "context_min", "context_drops", "context_lost_tokens", "context_half_life"),
}
"""Variables that tokens play a part in."""

SAID_IN_CONTENT = {
    "gen_ai.tool.call.result": "Google's ADK: a tool that its retry plugin caught fails in its result alone",
    "gcp.vertex.agent.tool_response": "as above",
    "haystack.agent.output": "why the agent ended stands inside",
}
"""Content whose absence reads as an event that did not happen: nothing else would tell that it did."""

USAGE_NEEDED = {
    "anthropic-plain-traceloop": "two instrumentors of one request beside each other: the same by its usage",
}
"""Recordings whose structure rests on usage, and why."""

HIDDEN = "__REDACTED__"
FEW = examples(20, suppress_health_check=[HealthCheck.too_slow])
SMALL = {name: path for name, path in sorted(recordings().items()) if path.suffix == ".gz"}
"""Recordings that are part of the project: three runs of each instrumentor."""


@cache
def spans(name: str) -> tuple[RawSpans, ...]:
    return tuple(ingest.read(SMALL[name], skipped=[]))


@cache
def names(name: str) -> tuple[str, ...]:
    """Return the attribute names of a recording, those of one list as one."""
    return tuple(
        sorted({NUMBER.sub(".N", key) for raw in spans(name) for own in raw.attributes for key in own})
    )


@cache
def whole(name: str) -> pl.DataFrame:
    return measured(spans(name))


def measured(raws: tuple[RawSpans, ...]) -> pl.DataFrame:
    frames, seq = [], 0
    for raw in raws:
        frames.append(dialects.canonical(raw, Hasher(b"k"), seq=seq))
        seq += len(raw)
    return geometry.measure(*assemble(pl.concat(frames))).sort("start_ns")


def without(name: str, left_out: set[str], instead: str | None = None) -> tuple[RawSpans, ...]:
    """Return the spans of a recording without some attributes, or with a placeholder for their texts."""
    found = []
    for raw in spans(name):
        less = copy.copy(raw)
        less.attributes = [
            {
                key: instead if gone and isinstance(value, str) else value
                for key, value in own.items()
                if not (gone := NUMBER.sub(".N", key) in left_out) or instead is not None
            }
            for own in raw.attributes
        ]
        found.append(less)
    return tuple(found)


def only_less(was: pl.DataFrame, now: pl.DataFrame) -> set[str]:
    """Return variables that changed; check that each is null now, or says that it rests on something else."""
    changed = set()
    for before, after in zip(was.iter_rows(named=True), now.iter_rows(named=True), strict=True):
        for name in geometry.variables():
            old, new = (value(row, name) for row in (before, after))
            if equal(old, new):
                continue
            changed.add(name)
            basis = [[row[f"{name}.{part}"] for part in ("evidence", "note")] for row in (before, after)]
            assert old is not None, f"{name}: {basis[0]} became {new!r}, {basis[1]}"
            assert new is None or basis[0] != basis[1], f"{name}: {old!r} became {new!r}, {basis[1]}"
    return changed


def value(row: Mapping[str, Any], name: str) -> Any:
    return row["tools"] if name == "tool_order" else row[name]


def equal(a: Any, b: Any) -> bool:
    near = isinstance(a, float) and isinstance(b, float) and math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-12)
    return near or bool(a == b)


def is_content(name: str) -> bool:
    return privacy.is_content(name) and not TOKENS.search(name) and not name.endswith(".name")


@FEW
@given(data=st.data(), name=st.sampled_from(sorted(SMALL)), instead=st.sampled_from([None, HIDDEN]))
def test_content_left_out_changes_no_number(data: st.DataObject, name: str, instead: str | None) -> None:
    """One part of the content, several or all of it, absent or masked: no value becomes another one."""
    content = [n for n in names(name) if is_content(n) and n not in SAID_IN_CONTENT]
    assume(content)
    some = data.draw(st.sets(st.sampled_from(content), min_size=1) | st.just(set(content)))
    now = measured(without(name, some, instead))
    if now.height != whole(name).height:  # what messages alone held together, or alone showed
        assert "plain" in name
        return
    assert "llm_calls" not in only_less(whole(name), now)


@pytest.mark.parametrize("name", [name for name in SMALL if name not in USAGE_NEEDED])
def test_without_tokens_nothing_but_tokens_is_missing(name: str) -> None:
    """Without usage, the variables that need it are null; structure, order and times are as they were."""
    usage = {n for n in names(name) if TOKENS.search(n)}
    now = measured(without(name, usage))
    assert only_less(whole(name), now) <= OF_TOKENS
    assert now["prompt_tokens_mean"].null_count() == now.height
