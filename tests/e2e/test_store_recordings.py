"""Real recordings through the store: read in pieces, they give the runs that reading them at once gives."""

from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from sort_drift import pipeline, store
from sort_drift.hashing import Hasher
from tests.shared_data import shared

PLAIN = "openai-plain-genai.otlp.jsonl"
RECORDINGS = (
    (PLAIN, False),  # runs are chains of message prefixes over traces, and all begin with one message
    ("agent-framework-native.otlp.jsonl", True),  # span links, conversations
    ("claude-agent-sdk-native.otlp.jsonl", True),
    ("langgraph-openinference-b.otlp.jsonl", True),
)


@pytest.mark.parametrize(("name", "divisible"), RECORDINGS)
def test_pieces_give_the_runs_of_the_whole(tmp_path, name, divisible):
    """Whatever belongs to one run comes in one piece; only the last digits of sums may differ."""
    path = shared("recordings") / name
    spans = pl.concat(list(pipeline.spans(path, Hasher(), pipeline.AS_IT_IS, [])))
    whole = pipeline.measure(spans)
    done = pipeline.ingest([str(path)], tmp_path / "store", tags=["v=1"])
    assert (done.files, done.spans - done.duplicates, done.runs) == (1, spans.height, whole.height)
    opened = store.Store.open(tmp_path / "store")
    parts = [pipeline.measure(part) for part in opened.spans(rows=max(spans.height // 10, 1))]
    assert (len(parts) > 1) == divisible
    same = [column for column in whole.columns if column not in {"run", "source", "tags"}]
    pieces, kept = pl.concat(parts, how="vertical_relaxed"), opened.runs()
    for table in (pieces, kept):
        assert_frame_equal(
            table.select(same).sort("run_id"), whole.select(same).sort("run_id"), rel_tol=1e-12
        )
    assert kept.select("source", "tags").unique().rows() == [(Path(name).name, ["v=1"])]
    assert opened.pending() == []


@pytest.mark.fault(40)
def test_ingesting_a_recording_in_two_halves_equals_ingesting_it_whole(tmp_path):
    """Runs that the first half cut in two are measured again when the second half comes."""
    lines = (shared("recordings") / PLAIN).read_text().splitlines(keepends=True)
    assert len(lines) > 1
    halves = (lines[: len(lines) // 2], lines[len(lines) // 2 :])
    for i, half in enumerate(halves):
        (tmp_path / f"{i}.jsonl").write_text("".join(half))
    for name in ("0.jsonl", "1.jsonl", "0.jsonl"):
        pipeline.ingest([str(tmp_path / name)], tmp_path / "halves")
    pipeline.ingest([str(shared("recordings") / PLAIN)], tmp_path / "whole")
    halves_, whole = (store.Store.open(tmp_path / name).runs() for name in ("halves", "whole"))
    columns = ["run_id", "trace_ids", "task", "llm_calls", "tools", "prompt_tokens", "start_ns"]
    assert_frame_equal(halves_.select(columns), whole.select(columns))
