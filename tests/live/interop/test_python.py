"""OpenTelemetry's Python exporters (HTTP with protobuf, gRPC; plain and gzip), and this repository's SDK."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import grpc
import polars as pl
import pytest
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcExporter
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from tests.live.service import Service, running

FORMS = ("http", "http+gzip", "grpc", "grpc+gzip")

VALUES: Mapping[str, Any] = {
    "app.beyond": 2**53 + 1,
    "app.most": 2**63 - 1,
    "app.least": -(2**63),
    "app.double": 0.1,
    "app.tiny": 5e-324,
    "app.huge": 1.7976931348623157e308,
    "app.flags": [True, False],
    "app.numbers": [1, -(2**62)],
    "app.words": ["a", "", "工具 🛠 é"],
    "app.said": 'tab\there, "quotes", \\ and 工具 🛠 é',
    "app.empty": "",
}


def exporter(service: Service, form: str) -> SpanExporter:
    """Return OpenTelemetry's own."""
    packed = form.endswith("+gzip")
    if form.startswith("grpc"):
        how = grpc.Compression.Gzip if packed else grpc.Compression.NoCompression
        return GrpcExporter(endpoint=service.grpc_target, insecure=True, compression=how)
    way = Compression.Gzip if packed else Compression.NoCompression
    return HttpExporter(endpoint=f"{service.http_url}/v1/traces", compression=way)


class Checked(SpanExporter):
    """An exporter whose every export has to succeed."""

    def __init__(self, real: SpanExporter) -> None:
        self._real = real

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Export, and say whether it was acknowledged."""
        assert self._real.export(spans) is SpanExportResult.SUCCESS
        return SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        """Shut the real one down."""
        self._real.shutdown()


def agents(name: str, *exporters: SpanExporter) -> None:
    """Make three runs of an agent, one with a tool that fails."""
    resource = Resource({"service.name": name, "app.zone": "Zürich 工"})
    provider = TracerProvider(resource=resource, shutdown_on_exit=False, span_limits=SpanLimits())
    for one in exporters:
        provider.add_span_processor(SimpleSpanProcessor(one))
    tracer = provider.get_tracer("interop-python", "1.2.3")
    link = trace.Link(trace.SpanContext(7, 9, is_remote=True))
    for run in range(3):
        task = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": name, "sort_drift.task.id": "t"}
        with tracer.start_as_current_span("invoke_agent", attributes=task, links=[link]):
            chat = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "m", **VALUES}
            with tracer.start_as_current_span("chat m", kind=trace.SpanKind.CLIENT, attributes=chat) as span:
                span.set_attribute("gen_ai.usage.input_tokens", 1_000 + run)
            call = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "search"}
            with tracer.start_as_current_span("execute_tool search", attributes=call) as span:
                if run == 2:
                    span.record_exception(TypeError("no such page"))
                    span.set_status(trace.StatusCode.ERROR, "no such page")
    provider.shutdown()


AGENT = """
import sort_drift_sdk as sd

@sd.tool
def look(where):
    if where == "b":
        raise LookupError(where)
    return where

sd.init(service="own-sdk")
for task in ("t1", "t2"):
    with sd.run(task=task, budget_s=30) as run:
        for where in ("a", "b"):
            try:
                look(where)
            except LookupError:
                pass
        run.outcome(correct=task == "t1")
"""
OWN_SPANS = 2 * (3 + 1)  # of each run two tools, the run itself, and where it began


def own_sdk(url: str) -> None:
    """Run an agent whose only settings are two lines and a variable."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("OTEL_", "SORT_DRIFT_"))}
    clean["OTEL_EXPORTER_OTLP_ENDPOINT"] = url
    done = subprocess.run(
        [sys.executable, "-c", AGENT], capture_output=True, text=True, check=True, timeout=60, env=clean
    )
    assert done.stderr == ""


class Interop(NamedTuple):
    """What was sent by each exporter; and what a store then holds and lists."""

    sent: Mapping[str, Sequence[ReadableSpan]]
    spans: pl.DataFrame
    runs: list[dict[str, Any]]


@pytest.fixture(scope="module")
def interop(tmp_path_factory: pytest.TempPathFactory) -> Interop:
    """Run every exporter, and an agent with the SDK, against one service."""
    sent = {}
    with running(tmp_path_factory.mktemp("python") / "store") as service:
        for form in FORMS:
            memory = InMemorySpanExporter()
            agents(form, Checked(exporter(service, form)), memory)
            sent[form] = memory.get_finished_spans()
        own_sdk(service.http_url)
        count = sum(map(len, sent.values())) + OWN_SPANS
        found = service.all_spans(count)
        return Interop(sent, found, service.runs(found["trace_id"].unique()))


@pytest.mark.fault(1, 14, 18)
@pytest.mark.parametrize("form", FORMS)
def test_every_span_and_attribute_arrives_once(interop: Interop, form: str) -> None:
    """What the SDK made is in the store as it was, to the last bit of each number."""
    sent = {f"{span.context.span_id:016x}": span for span in interop.sent[form] if span.context}
    found = interop.spans.filter(pl.col("service") == form)
    assert sorted(found["span_id"]) == sorted(sent)
    for row in found.iter_rows(named=True):
        span = sent[row["span_id"]]
        said = dict(span.attributes or {})
        assert span.context
        assert row["trace_id"] == f"{span.context.trace_id:032x}"
        assert (row["name"], row["start_ns"], row["end_ns"]) == (span.name, span.start_time, span.end_time)
        assert row["parent_id"] == (f"{span.parent.span_id:016x}" if span.parent else None)
        assert (row["links"] or []) == ([f"{7:032x}:{9:016x}"] if span.links else [])
        assert json.loads(row["resource"])["app.zone"] == "Zürich 工"
        wanted = {name: v for name, v in VALUES.items() if name in said}
        assert repr(json.loads(row["attributes"] or "{}")) == repr(wanted)
        assert row["error_type"] == ("TypeError" if span.events else None)
        assert row["in_tokens"] == said.get("gen_ai.usage.input_tokens")


@pytest.mark.parametrize("form", FORMS)
def test_its_runs_are_listed_once(interop: Interop, form: str) -> None:
    """``sort-drift runs STORE --json`` has each run, with its instrumentor, tools and failures."""
    runs = [run for run in interop.runs if run["agent"] == form]
    traces = {f"{span.context.trace_id:032x}" for span in interop.sent[form] if span.context}
    assert sorted(trace for run in runs for trace in run["trace_ids"]) == sorted(traces)
    assert {run["instrumentor"] for run in runs} == {"interop-python 1.2.3"}
    assert sorted(run["tool_errors"] for run in runs) == [0, 0, 1]


def test_the_sdk_of_this_repository(interop: Interop) -> None:
    """Two lines in the agent: its runs are listed with task, outcome, budget and tools."""
    stored = interop.spans.filter(pl.col("service") == "own-sdk")
    assert stored.height == stored["span_id"].n_unique() == OWN_SPANS
    runs = [run for run in interop.runs if run["regime"]["service"] == "own-sdk"]
    assert [(run["task"], run["outcome"]) for run in runs] == [("t1", 1.0), ("t2", 0.0)]
    assert [(run["tools"], run["tool_errors"]) for run in runs] == [(["look", "look"], 1)] * 2
    assert {run["values"]["budget_used"]["why_null"] for run in runs} == {None}
