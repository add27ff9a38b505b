"""Whatever the bytes are, reading gives spans or counted bad records: no other exception, no hang."""

from __future__ import annotations

import json
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from sort_drift import ingest
from sort_drift.errors import SortDriftError
from sort_drift.model import RawSpans, Skipped
from tests.examples import examples
from tests.ingest_exports import attribute, line, message, request, span, varint

EVERY = examples(300, suppress_health_check=[HealthCheck.too_slow])

NESTED = {"values": [{"kvlistValue": {"values": [attribute("k", intValue="7")]}}, {"bytesValue": "AA=="}]}
TREE = request(
    span(
        attributes=[
            attribute("gen_ai.operation.name", stringValue="chat \\ \ud83d\ude00"),
            attribute("n", intValue="42"),
            attribute("x", doubleValue=0.5),
            attribute("l", arrayValue=NESTED),
        ],
        events=[{"timeUnixNano": "1", "name": "e", "attributes": [attribute("b", boolValue=True)]}],
        links=[{"traceId": "ab" * 16, "spanId": "cd" * 8}],
        status={"code": 2, "message": "m"},
    ),
    span(spanId="00000000000000aa"),
    attributes=[attribute("service.name", stringValue="s")],
)
TRAJECTORIES: tuple[Any, ...] = (
    [
        {
            "task_id": 1,
            "reward": 1.0,
            "trial": 0,
            "traj": [
                {"role": "user", "content": "q"},
                {
                    "role": "assistant",
                    "tool_calls": [{"id": "a", "function": {"name": "f", "arguments": "{}"}}],
                },
                {"role": "tool", "tool_call_id": "a", "content": "Error: x"},
            ],
        }
    ],
    {
        "info": {"environment_info": {"domain_name": "d"}, "agent_info": {"llm": "m"}, "max_steps": 9},
        "simulations": [
            {
                "task_id": "1",
                "start_time": "2025-01-01T00:00:00.5",
                "messages": [
                    {"role": "assistant", "content": "hi", "timestamp": "2025-01-01T00:00:01"},
                    {
                        "role": "assistant",
                        "timestamp": "2025-01-01T00:00:02",
                        "usage": {"prompt_tokens": 1, "completion_tokens": 2},
                        "tool_calls": [{"id": "a", "name": "f", "arguments": {"x": 1}}],
                    },
                    {"role": "tool", "id": "a", "content": "r", "error": False},
                ],
            }
        ],
    },
    {
        "info": {"mini_version": "2", "exit_status": "Submitted", "model_stats": {"api_calls": 1}},
        "instance_id": "i",
        "messages": [
            {
                "role": "assistant",
                "content": "c",
                "extra": {
                    "timestamp": 5.5,
                    "actions": [{"command": "cd x && ls | head", "tool_call_id": "a"}],
                    "response": {"usage": {"prompt_tokens": 3}, "choices": [{"finish_reason": "stop"}]},
                },
            },
            {"role": "tool", "content": "r", "tool_call_id": "a", "extra": {"timestamp": 6, "returncode": 0}},
        ],
    },
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just("\ud800"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


def survives(content: bytes, name: str | None) -> tuple[list[RawSpans], list[Skipped]]:
    """Read ``content`` with and without ``skip_bad``; only errors of the house tree may come out."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "export")
        path.write_bytes(content)
        for skip_bad in (False, True):
            skipped: list[Skipped] = []
            batches: list[RawSpans] = []
            with suppress(SortDriftError):
                batches = list(ingest.read(path, format=name, skip_bad=skip_bad, skipped=skipped))
        for batch in batches:
            sound(batch)
        return batches, skipped


def sound(batch: RawSpans) -> None:
    """Check what every stage behind the readers may rely on."""
    for start, end in zip(batch.start_ns, batch.end_ns, strict=True):
        assert start is None or 0 < start < 2**63
        assert end is None or 0 < end < 2**63
        assert start is None or end is None or start <= end
    assert all(0 <= index < len(batch.scopes) for index in batch.scope)
    assert all(0 <= index < len(batch.resources) for index in batch.resource)
    text = [*batch.name, *batch.status_message, *batch.trace_id, *batch.span_id]
    assert "\0" not in "".join(text)
    "".join(text).encode()
    json.dumps(batch.attributes, default=repr, ensure_ascii=False).encode()


@st.composite
def damaged(draw: st.DrawFn, content: bytes) -> bytes:
    """Return ``content`` after a few cuts, flips, insertions and repetitions."""
    out = bytearray(content)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, max(0, len(out) - 1)))
        to = min(len(out), at + draw(st.integers(1, 24)))
        change = draw(st.sampled_from(["flip", "cut", "insert", "repeat", "end"]))
        if change == "flip" and out:
            out[at] ^= 1 << draw(st.integers(0, 7))
        elif change == "cut":
            del out[at:to]
        elif change == "insert":
            out[at:at] = draw(st.binary(max_size=8))
        elif change == "repeat":
            out[at:at] = out[at:to]
        else:
            del out[at:]
    return bytes(out)


@st.composite
def altered(draw: st.DrawFn, tree: Any) -> Any:
    """Return a copy of ``tree`` with one value, anywhere, replaced by any other."""
    copy = json.loads(json.dumps(tree))
    places: list[tuple[Any, Any]] = []
    queue = [copy]
    while queue:
        node = queue.pop()
        for key in node if isinstance(node, dict) else range(len(node)):
            places.append((node, key))
            if isinstance(node[key], (dict, list)):
                queue.append(node[key])
    for _ in range(draw(st.integers(1, 2))):
        node, key = draw(st.sampled_from(places))
        node[key] = draw(VALUES)
    return copy


@pytest.mark.fault(9)
@EVERY
@given(st.data())
def test_damaged_json_lines(data):
    """Bytes changed anywhere in OTLP/JSON lines cost records, never more."""
    survives(data.draw(damaged(line(TREE) * 2)), data.draw(st.sampled_from([None, "otlp-json"])))


@EVERY
@given(st.data())
def test_damaged_json_documents(data):
    """Bytes changed anywhere in a pretty-printed document cost the document, never more."""
    survives(
        data.draw(damaged(json.dumps(TREE, indent=1).encode())),
        data.draw(st.sampled_from([None, "otlp-json"])),
    )


@pytest.mark.fault(9)
@EVERY
@given(st.data())
def test_any_value_in_any_place_of_otlp(data):
    """A value of any type in the place of any other rejects at most its span or request."""
    survives(line(data.draw(altered(TREE))) + line(TREE), "otlp-json")


@pytest.mark.fault(8, 9)
@EVERY
@given(st.data())
def test_damaged_protobuf(data):
    """Bytes changed anywhere in protobuf, framed or not, cost messages, never more."""
    one = message(size=4)
    content = data.draw(st.sampled_from([one, varint(len(one)) + one, len(one).to_bytes(4, "big") + one]))
    survives(data.draw(damaged(content * 2)), data.draw(st.sampled_from([None, "otlp-protobuf"])))


@EVERY
@given(st.sampled_from(TRAJECTORIES), st.data())
def test_any_value_in_any_place_of_a_trajectory(tree, data):
    """A trajectory with a value of any type in any place is read or refused."""
    survives(json.dumps(data.draw(altered(tree))).encode(), None)


@EVERY
@given(st.binary(max_size=200), st.sampled_from([None, *ingest.SOURCES]))
def test_any_bytes_in_any_format(content, name):
    """Bytes of no format at all are refused in one line by every reader."""
    survives(content, name)
