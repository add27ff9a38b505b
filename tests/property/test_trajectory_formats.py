"""ATIF, Inspect and SWE-agent files: damaged anywhere they are reported, packed anyhow they say the same."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sort_drift import dialects
from sort_drift.assembly import assemble
from sort_drift.errors import SortDriftError
from sort_drift.hashing import Hasher
from tests.examples import examples
from tests.ingest_exports import read, written
from tests.inspect_logs import begun, call, event, log, ran

_USER = {"step_id": 1, "source": "user", "message": "fix it", "timestamp": "2026-11-22T01:31:11Z"}
_CALLS = [{"tool_call_id": "a", "function_name": "ls", "arguments": {"p": 1}}]
_STEP = {
    "source": "agent",
    "message": "so",
    "model_name": "m-1",
    "tool_calls": _CALLS,
    "observation": {"results": [{"source_call_id": "a", "content": "x", "extra": {"is_error": True}}]},
    "metrics": {"prompt_tokens": 9, "completion_tokens": 2, "cached_tokens": 1},
    "llm_call_count": 1,
}
_ATIF = {
    "schema_version": "ATIF-v1.8",
    "session_id": "s",
    "agent": {"name": "fixer", "version": "1", "model_name": "m"},
    "steps": [_USER, _STEP, {**_STEP, "is_copied_context": True}],
}
_WHOLE = {
    **_ATIF,
    "subagent_trajectories": [{**_ATIF, "trajectory_id": "t"}],
    "final_metrics": {"total_cost_usd": 1},
}
_TRAJ_STEP = {
    "action": "ls",
    "observation": "x",
    "response": "so",
    "execution_time": 0.5,
    "query": [{"role": "user", "content": "fix it"}],
}
_TRAJ = {
    "trajectory": [_TRAJ_STEP, _TRAJ_STEP],
    "history": [{"role": "user", "content": "fix it"}],
    "info": {"exit_status": "submitted", "model_stats": {"api_calls": 2}, "swe_agent_version": "1.1"},
    "replay_config": {"problem_statement": {"id": "p"}, "agent": {"model": {"name": "m"}}},
    "attempts": [{"trajectory": [_TRAJ_STEP], "info": {}}],
}
_EVENTS = [
    begun(0.5, "main", "solver", "react"),
    call(1.0, "main", "look"),
    ran(2.0, "main", "look"),
    begun(2.1, "t", "tool", "look", "main"),
    begun(2.2, "a", "agent", "looker", "t"),
    call(2.3, "a", input_refs=[[0, 1]]),
    event("span_end", 2.9, "a", id="a"),
    event("compaction", 3.0, "main", type="trim"),
    call(4.0, "main"),
    begun(5.0, "j", "scorers", "scorers"),
    call(5.1, "j"),
]
_POOL = {"messages": [{"role": "user", "content": "attachment://x"}]}
_REST = {"attachments": {"x": "y"}, "scores": {"a": {"value": "C"}}, "started_at": _EVENTS[0]["timestamp"]}
_LOG = log(*_EVENTS, events_data=_POOL, **_REST)
WHOLE: dict[str, Any] = {"atif": _WHOLE, "swe-agent": _TRAJ, "inspect": _LOG}

Folders = pytest.TempPathFactory

WRONG = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=5),
    st.just([]),
    st.just({}),
    st.just([[]]),
    st.just({"type": []}),
    st.sampled_from(["attachment://x", "9999-99-99", "ATIF-v1.9", "a" * 9, "\ud800"]),
)


def places(tree: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of every value in a JSON tree."""
    if path:
        yield path
    items = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, value in items:
        yield from places(value, (*path, key))


@pytest.mark.parametrize("name", WHOLE)
@examples(60)
@given(data=st.data())
def test_a_damaged_value_is_reported_or_read(name: str, tmp_path_factory: Folders, data: st.DataObject):
    """Any values replaced or removed: one clear line, or spans that every later stage takes."""
    tree = json.loads(json.dumps(WHOLE[name]))  # nothing in it twice
    for _ in range(data.draw(st.integers(1, 3))):
        *above, last = data.draw(st.sampled_from(list(places(tree))))
        at = tree
        for step in above:
            at = at[step]
        if data.draw(st.booleans()):
            at[last] = copy.deepcopy(data.draw(WRONG))
        else:
            del at[last]
    path = written(tmp_path_factory.mktemp("damaged"), json.dumps(tree).encode())
    raw, skipped = read(path, format=name, skip_bad=True)
    if len(raw):
        assemble(dialects.canonical(raw, Hasher(b"k")))
    if skipped:
        with pytest.raises(SortDriftError) as caught:
            read(path, format=name)
        assert "\n" not in caught.value.line()


@given(sizes=st.lists(st.integers(0, 3), min_size=1, max_size=4))
@examples(25)
def test_atif_says_the_same_however_it_is_packed(sizes: list[int], tmp_path_factory: Folders):
    """A list, one a line, or one a file: the same spans with the same ids."""
    folder = tmp_path_factory.mktemp("packed")
    found = [{**_ATIF, "session_id": f"s{i}", "steps": [_USER, *[_STEP] * n]} for i, n in enumerate(sizes)]
    listed, _ = read(written(folder, json.dumps(found, indent=1).encode()), format="atif")
    lines, _ = read(written(folder, "".join(json.dumps(t) + "\n" for t in found).encode()), format="atif")
    single = [read(written(folder, json.dumps(t).encode()), format="atif")[0] for t in found]
    assert listed == lines
    assert listed.trace_id == [trace for one in single for trace in one.trace_id]
    assert listed.attributes == [attributes for one in single for attributes in one.attributes]


@given(seed=st.integers(0, 10**6))
@examples(25)
def test_events_of_a_sample_lie_in_time_not_in_the_file(seed: int, tmp_path_factory: Folders):
    """Inspect writes the span of a tool's work before the tool's event: order in the file says nothing."""
    tree = copy.deepcopy(_LOG)
    tree["samples"][0]["events"] = random.Random(seed).sample(_EVENTS, len(_EVENTS))
    folder: Path = tmp_path_factory.mktemp("shuffled")
    shuffled, _ = read(written(folder, json.dumps(tree).encode()), format="inspect")
    straight, _ = read(written(folder, json.dumps(_LOG).encode()), format="inspect")
    assert shuffled == straight
