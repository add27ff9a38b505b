"""OpenTelemetry's JavaScript exporters, from npm: http/json, http/protobuf and gRPC, plain and gzip."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl
import pytest

from tests.live.service import running

JS = Path(__file__).parent / "js"
RUNS, SPANS = 5, 15
FORMS = [(form, compression) for form in ("http", "proto", "grpc") for compression in ("none", "gzip")]

pytestmark = [
    pytest.mark.skipif(shutil.which("node") is None, reason="no node here (apt-get install nodejs)"),
    pytest.mark.skipif(not (JS / "node_modules" / ".ready").exists(), reason="no exporters here: make js"),
]


class Interop(NamedTuple):
    """What was sent by each exporter, by span id; and what a store then holds and lists."""

    sent: dict[tuple[str, str], dict[str, Any]]
    spans: pl.DataFrame
    runs: list[dict[str, Any]]


@pytest.fixture(scope="module")
def interop(tmp_path_factory: pytest.TempPathFactory) -> Interop:
    """Run every exporter against one service."""
    sent = {}
    with running(tmp_path_factory.mktemp("js") / "store") as service:
        for form, compression in FORMS:
            url = f"http://{service.grpc_target}" if form == "grpc" else f"{service.http_url}/v1/traces"
            command = ["node", "send.mjs", form, compression, url, str(RUNS)]
            done = subprocess.run(command, cwd=JS, capture_output=True, text=True, timeout=60, check=False)
            assert done.returncode == 0, done.stderr
            spans = map(json.loads, done.stdout.splitlines())
            sent[form, compression] = {span["span_id"]: span for span in spans}
        traces = {span["trace_id"] for spans in sent.values() for span in spans.values()}
        found = service.all_spans(SPANS * len(FORMS))
        return Interop(sent, found, service.runs(traces))


def exact(value: Any, form: str) -> Any:
    """Return a number as it was sent: JavaScript prints large ones rounded, also into OTLP/JSON."""
    if isinstance(value, list):
        return [exact(item, form) for item in value]
    if isinstance(value, int) and not isinstance(value, bool) and form != "http":
        return int(float(value))
    return value


@pytest.mark.fault(1, 2, 14, 18)
@pytest.mark.parametrize(("form", "compression"), FORMS)
def test_every_span_and_attribute_arrives_once(interop: Interop, form: str, compression: str) -> None:
    """What Node made is in the store as it was: ids, times, values, links and errors."""
    sent = interop.sent[form, compression]
    assert len(sent) == SPANS
    found = interop.spans.filter(pl.col("service") == f"js-{form}-{compression}")
    assert sorted(found["span_id"]) == sorted(sent)
    for row in found.iter_rows(named=True):
        span = sent[row["span_id"]]
        for field in ("trace_id", "parent_id", "name"):
            assert row[field] == span[field]
        for field in ("start", "end"):
            seconds, nanoseconds = span[field]
            assert row[f"{field}_ns"] == seconds * 10**9 + nanoseconds
        assert (row["links"] or []) == span["links"]
        assert json.loads(row["resource"])["app.zone"] == "Zürich 工"
        own = {name: exact(v, form) for name, v in span["attributes"].items() if name.startswith("app.")}
        assert json.loads(row["attributes"] or "{}") == own
        assert row["error_type"] == ("TypeError" if span["events"] else None)
        assert row["in_tokens"] == span["attributes"].get("gen_ai.usage.input_tokens")
    assert found["args_len"].drop_nulls().to_list() == [len('{"q":"工 0"}')] * RUNS


@pytest.mark.parametrize(("form", "compression"), FORMS)
def test_its_runs_are_listed_once(interop: Interop, form: str, compression: str) -> None:
    """``sort-drift runs STORE --json`` has each run, with task, agent, tools and failures."""
    runs = [run for run in interop.runs if run["regime"]["service"] == f"js-{form}-{compression}"]
    traces = {span["trace_id"] for span in interop.sent[form, compression].values()}
    assert sorted(trace for run in runs for trace in run["trace_ids"]) == sorted(traces)
    assert sorted(run["task"] for run in runs) == ["t0", "t0", "t1", "t1", "t2"]
    assert {(run["agent"], run["llm_calls"], *run["tools"]) for run in runs} == {("planner 工", 1, "search")}
    assert sum(run["tool_errors"] for run in runs) == 2
