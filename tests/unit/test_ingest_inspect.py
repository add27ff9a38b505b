"""Inspect logs -> spans: archives and documents, samples, agents, limits, scores, damaged ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from sort_drift.errors import BadRecord, InputError, UnknownFormat
from sort_drift.ingest import recognise
from tests import loading
from tests.ingest_exports import read, written
from tests.inspect_logs import at, begun, call, dump, entries, event, log, packed, ran, zipfile
from tests.shared_data import shared

WRITTEN = Path(__file__).parent.parent / "data" / "inspect_debug.eval"


# ---------------------------------------------------------------------------------------------------------
# what Inspect wrote


def test_a_log_that_inspect_wrote():
    """Two samples, two epochs: a solved run with failures and a sub-agent, one that its time limit ended."""
    assert recognise(WRITTEN) == "inspect"
    runs, ops = loading.runs(WRITTEN)
    assert runs["task"].to_list() == ["debug/fix", "debug/wait"] * 2
    assert runs["outcome"].to_list() == [1.0, 0.0] * 2
    assert runs["cut"].to_list() == [False, True] * 2
    assert runs["budget_time_s"].to_list() == [2.0] * 4
    assert runs["tool_errors"].to_list() == [2, 1] * 2
    assert set(runs["instrumentor"]) == {"inspect 0.3.285"}
    assert runs["content"].to_list() == ["full"] * 4
    solved = ops.filter(pl.col("run") == 0)
    assert solved.select("cls", "name").rows() == [
        ("llm", "mockllm/model"),
        ("tool", "run_tests"),
        ("tool", "search"),
        ("llm", "mockllm/model"),
        ("tool", "run_tests"),
        ("llm", "mockllm/model"),
        ("tool", "run_tests"),
        ("llm", "mockllm/model"),
        ("tool", "helper"),
        ("agent", "helper"),
        *[("llm", "mockllm/model"), ("tool", "search"), ("llm", "mockllm/model"), ("tool", "submit")],
        ("llm", "mockllm/model"),
        ("tool", "submit"),
    ]
    assert solved["attempt"].to_list()[6] == 1  # the crashed tests once more
    assert solved["parent"].to_list()[8:14] == [None, 8, 9, 9, 9, 9]
    calls = solved.filter(pl.col("cls") == "llm")
    assert calls["in_tokens"].to_list()[:3] == [220, 520, 720]
    assert set(calls["cached_tokens"]) == {20}
    assert calls["messages"].list.len().to_list() == [2, 5, 7, 9, 2, 4, 11]
    waited = ops.filter(pl.col("run") == 1)
    assert waited.select("name", "failed", "error_type", "end_ns").rows()[1] == (
        *("run_tests", True, "Cancelled"),
        None,
    )


def test_the_shared_log():
    """A browser agent of May 2025: no start of the sample is noted, cached tokens are counted in."""
    runs, ops = loading.runs(
        shared("05_framework_traces", "inspect", "2025-05-12T20-27-36-04-00_browser.json")
    )
    assert runs.select("task", "outcome", "llm_calls", "tool_calls", "tool_errors").row(0) == (
        *("browser/1", 1.0),
        *(5, 4, 0),
    )
    calls = ops.filter(pl.col("cls") == "llm")
    assert (calls["in_tokens"].sum(), calls["cached_tokens"].sum()) == (15235, 9088)
    took = (runs["end_ns"] - runs["start_ns"])[0] / 1e9
    assert took == pytest.approx(19.69, abs=0.01)  # from the first event to where scoring begins
    assert calls["message_lens"].list.first().to_list() == [195] * 5  # the attachment, not its reference


# ---------------------------------------------------------------------------------------------------------
# samples


def test_an_archive_is_the_document(tmp_path):
    """Both kinds of log give the same spans; whether entries are packed with zstd, deflate or not at all."""
    whole = log(call(1.0), ran(2.0, None, "ls"))
    expected, _ = read(dump(tmp_path, whole))
    for method in (zipfile.ZIP_ZSTANDARD, zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED):
        raw, _ = read(packed(tmp_path, entries(whole), method))
        assert raw == expected


def test_an_evaluation_without_a_header_is_read(tmp_path):
    """A run that was killed leaves its journal and the samples that it finished."""
    found = entries(log(call(1.0)))
    del found["header.json"]
    raw, _ = read(packed(tmp_path, found))
    assert raw.name == ["invoke_agent generate", "chat m"]
    empty, _ = read(packed(tmp_path, {"_journal/start.json": found["_journal/start.json"]}))
    assert len(empty) == 0


def test_scoring_is_no_part_of_the_run(tmp_path):
    """A judge's model calls are not the agent's, in logs with spans and in older ones with steps."""
    spans = log(
        call(1.0),
        begun(3.0, "j", "scorers", "scorers"),
        begun(3.1, "k", "scorer", "judge", "j"),
        call(3.2, "k"),
        completed_at=at(9.0),
    )
    steps = log(
        call(1.0),
        event("step", 3.0, action="begin", type="scorer", name="judge"),
        call(3.2),
        event("step", 4.0, action="end", type="scorer", name="judge"),
        call(5.0),
    )
    raw, _ = read(dump(tmp_path, spans))
    assert (raw.name, raw.end_ns[0]) == (["invoke_agent generate", "chat m"], 3 * 10**9)
    raw, _ = read(dump(tmp_path, steps))
    assert raw.start_ns[1:] == [10**9, 5 * 10**9]


def test_agents_are_scopes_wherever_they_are_called(tmp_path):
    """Two calls of one agent tool at once, a handoff and a subtask: each holds its own calls."""
    whole = log(
        call(1.0, "main", "look", "look"),
        begun(0.5, "main", "solver", "react"),
        begun(2.1, "t1", "tool", "look", "main"),
        begun(2.2, "a1", "agent", "looker", "t1"),
        begun(2.4, "t2", "tool", "look", "main"),
        begun(2.5, "a2", "agent", "looker", "t2"),
        ran(2.0, "main", "look"),
        ran(2.3, "main", "look"),
        call(2.6, "a1"),
        call(2.7, "a2"),
        begun(4.0, "h", "handoff", "expert", "main"),
        begun(4.1, "t3", "tool", "transfer", "h"),
        begun(4.2, "a3", "agent", "expert", "t3"),
        ran(3.9, "main", "transfer"),
        call(4.3, "a3"),
        begun(6.0, "f", "subtask", "branch", "main"),
        call(6.1, "f"),
    )
    raw, _ = read(dump(tmp_path, whole))
    name = dict(zip(raw.span_id, raw.name, strict=True))
    parents = [(n, name.get(p or "")) for n, p in zip(raw.name, raw.parent_id, strict=True)]
    top = "invoke_agent generate"
    assert parents == [
        (top, None),
        ("chat m", top),
        ("execute_tool look", top),
        ("invoke_agent looker", "execute_tool look"),
        ("execute_tool look", top),
        ("invoke_agent looker", "execute_tool look"),
        ("chat m", "invoke_agent looker"),
        ("chat m", "invoke_agent looker"),
        ("execute_tool transfer", top),
        ("invoke_agent expert", "execute_tool transfer"),
        ("chat m", "invoke_agent expert"),
        ("invoke_agent branch", top),
        ("chat m", "invoke_agent branch"),
    ]
    _, ops = loading.runs(dump(tmp_path, whole))
    assert ops.filter(pl.col("cls") == "llm")["scope"].n_unique() == 5


def test_logs_without_spans_nest_their_events(tmp_path):
    """Before 0.3.95 what a tool or a subtask did lay inside its event."""
    inner: dict[str, Any] = {"events": [call(2.1)]}
    raw, _ = read(
        dump(tmp_path, log(ran(2.0, None, "ask", **inner), event("subtask", 3.0, name="sub", **inner)))
    )
    name = dict(zip(raw.span_id, raw.name, strict=True))
    assert [name.get(p or "") for p in raw.parent_id] == [
        *(None, "invoke_agent generate"),
        *("execute_tool ask", "invoke_agent generate", "invoke_agent sub"),
    ]


def test_messages_come_from_pool_and_attachments(tmp_path):
    """Ranges of the pool and references to long texts are put back; an answer hashes as it comes back."""
    said = {
        "role": "assistant",
        "content": "so",
        "tool_calls": [{"id": "1.0ls", "function": "ls", "arguments": {}}],
    }
    failed = {
        "role": "tool",
        "content": "",
        "function": "ls",
        "error": {"type": "timeout", "message": "late"},
    }
    pool = [{"role": "user", "content": "attachment://x"}, said, failed]
    whole = log(
        call(1.0, None, "ls", input_refs=[[0, 1]]),
        call(3.0, None, input_refs=[[0, 1], [1, 3]]),
        events_data={"messages": pool, "calls": []},
        attachments={"x": "please " * 99},
        input="attachment://x",
    )
    frame = loading.spans(dump(tmp_path, whole)).filter(pl.col("cls") != "tool")
    agent, first, second = frame.to_dicts()
    assert [len(call["messages"]) for call in (first, second)] == [1, 3]
    assert second["messages"][1] == first["out_message"]
    assert second["message_lens"] == [693, 6, 4]
    assert agent["task_hash"] == first["task_hash"]
    assert agent["user_len"] == 693


def test_failures_retries_and_compaction(tmp_path):
    """Errors by type, API retries as hidden attempts, and the call after a compaction has less context."""
    whole = log(
        call(1.0, None, retries=2),
        ran(2.0, None, "a", error={"type": "permission", "message": "no"}, result=""),
        ran(2.1, None, "b", failed=True),
        ran(2.2, None, "c", error={"type": "cancelled", "message": "stop"}),
        ran(2.3, None, "d", completed=None, pending=True),
        event("compaction", 2.4, type="summary", tokens_before=9),
        call(3.0, None, error="openai.APITimeoutError('late')", output={"choices": []}),
        call(4.0, None, error="Cancelled by limit", output={"choices": []}),
    )
    _, ops = loading.runs(dump(tmp_path, whole))
    errors = dict(ops.filter(pl.col("cls") == "tool").select("name", "error_type").rows())
    assert errors == {"a": "permission", "b": "tool_error", "c": "Cancelled", "d": "Cancelled"}
    calls = ops.filter(pl.col("cls") == "llm").sort("start_ns")
    assert calls["error_type"].to_list() == [None, "openai.APITimeoutError", "Cancelled"]
    assert calls["hidden_attempts"].to_list()[0] == 2
    assert calls["compacted"].to_list() == [None, True, None]


@pytest.mark.parametrize(
    ("usage", "prompt"),
    [
        (
            {"input_tokens": 544, "output_tokens": 17, "total_tokens": 1585, "input_tokens_cache_read": 1024},
            1568,
        ),
        (
            {
                "input_tokens": 1568,
                "output_tokens": 17,
                "total_tokens": 1585,
                "input_tokens_cache_read": 1024,
            },
            1568,
        ),
        ({"input_tokens": 5, "output_tokens": 1, "total_tokens": 16, "input_tokens_cache_write": 10}, 15),
        ({"input_tokens": 5, "output_tokens": 1}, 5),
        ({}, None),
    ],
)
def test_prompt_tokens_include_cached_ones(tmp_path, usage, prompt):
    """Whether a version counts cached tokens in or apart, the total tells."""
    output = {"model": "m", "choices": [], "usage": {"output_tokens": 17, **usage}}
    raw, _ = read(dump(tmp_path, log(call(1.0, output=output))))
    assert raw.attributes[1].get("gen_ai.usage.input_tokens") == prompt


def test_epochs_and_logs_are_told_apart_and_stable(tmp_path):
    """Each epoch is a run of the same task; read twice it has the same ids; its retries are counted."""
    whole = log(call(1.0), uuid=None, error_retries=[{"message": "x"}])
    again = {**whole["samples"][0], "epoch": 2}
    whole["samples"].append(again)
    first, _ = read(dump(tmp_path, whole))
    second, _ = read(packed(tmp_path, entries(whole)))
    assert first.trace_id == second.trace_id
    assert len(set(first.trace_id)) == 2
    assert first.attributes[0]["sort_drift.run.id"].startswith("t/s/1/")
    assert first.attributes[0]["sort_drift.attempt.number"] == 1
    assert loading.runs(dump(tmp_path, whole))[0]["task"].to_list() == ["t/s", "t/s"]


# ---------------------------------------------------------------------------------------------------------
# bad input


@pytest.mark.parametrize(
    ("change", "where", "why"),
    [
        ({"version": 3}, "version", "log version 3 is not known"),
        ({"version": "2"}, "version", "Expected `int`"),
        ({"eval": {}}, "eval", "missing required field `task`"),
        ({"samples": {}}, "samples", "not a list"),
        ({"samples": [5]}, "samples[0]", "Expected `object`"),
        ({"samples": [{"id": 1}]}, "samples[0]", "missing required field `epoch`"),
        ({"samples": [{"id": 1, "epoch": 1, "events": [{}]}]}, "samples[0].events[0]", "field `event`"),
        (
            {"samples": [{"id": 1, "epoch": 1, "started_at": "noon"}]},
            "samples[0]",
            "started_at 'noon' is not an ISO 8601 time",
        ),
    ],
)
def test_what_does_not_fit_is_one_line(tmp_path, change, where, why):
    """A wrong version, type or time is named by its path in a document and by its entry in an archive."""
    whole = log(call(1.0)) | change
    path = dump(tmp_path, whole)
    with pytest.raises(BadRecord) as caught:
        read(path, format="inspect")
    assert caught.value.where == f"{path}:{where}"
    assert why in caught.value.what
    raw, skipped = read(path, format="inspect", skip_bad=True)
    assert (len(raw), len(skipped)) == (0, 1)


def test_a_bad_sample_of_an_archive_is_named_and_the_others_are_read(tmp_path):
    """Wrong types, cut JSON and text that is none: each is one line with its entry."""
    found = entries(log(call(1.0)))
    found |= {
        "samples/a_epoch_1.json": {"id": "a"},
        "samples/b_epoch_1.json": b'{"id": "b", "ep',
        "samples/c_epoch_1.json": b"[]",
        "samples/d_epoch_1.json": b'"\xff"',
    }
    path = packed(tmp_path, found)
    with pytest.raises(BadRecord) as caught:
        read(path)
    assert caught.value.where == f"{path}:samples/a_epoch_1.json"
    raw, skipped = read(path, skip_bad=True)
    assert len(raw) == 2
    assert [(bad.where.rpartition("/")[2][0], bad.why[:12]) for bad in skipped] == [
        *(("a", "Object missi"), ("b", "the JSON end")),
        *(("c", "Expected `ob"), ("d", "not UTF-8 te")),
    ]


@pytest.mark.fault(69)
def test_damaged_and_foreign_archives_are_one_line(tmp_path):
    """A cut archive, one with a damaged entry, an encrypted one, and a zip that is no log."""
    whole = packed(tmp_path, entries(log(call(1.0), metadata={"noise": list(range(999))})))
    content = whole.read_bytes()
    with pytest.raises(InputError, match="zip archive is cut or damaged") as caught:
        read(written(tmp_path, content[: len(content) // 2], "cut.eval"))
    assert caught.value.where.endswith("cut.eval")
    with zipfile.ZipFile(whole) as archive:
        info = archive.getinfo("samples/s_epoch_1.json")
    middle = info.header_offset + 30 + len(info.filename) + info.compress_size // 2
    broken = content[:middle] + bytes(b ^ 255 for b in content[middle : middle + 40]) + content[middle + 40 :]
    path = written(tmp_path, broken, "broken.eval")
    with pytest.raises(BadRecord, match=r"cannot be unpacked.*samples/s_epoch_1\.json"):
        read(path)
    assert len(read(path, skip_bad=True)[1]) == 1
    with pytest.raises(UnknownFormat, match="zip archive and no Inspect log") as unknown:
        read(packed(tmp_path, {"spans.json": []}))
    assert "Unpack it" in unknown.value.line()


def test_events_nested_without_end_are_one_line(tmp_path):
    """Deeper than Python's stack: the sample is refused with its path, and the log goes on."""
    nested = '{"event": "tool", "function": "f", "events": [' * 450 + "]}" * 450
    text = json.dumps(log({"event": "here"}, call(1.0))).replace('{"event": "here"}', nested)
    with pytest.raises(BadRecord, match=r"nested too deeply .*samples\[0\]"):
        read(written(tmp_path, text.encode()))


def test_an_archive_inside_gz_is_unpacked(tmp_path):
    """A log that was packed once more is read all the same."""
    path = packed(tmp_path, entries(log(call(1.0))))
    assert read(written(tmp_path, path.read_bytes(), "again.gz", gz=True))[0] == read(path)[0]
