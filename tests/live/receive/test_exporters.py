"""The exporters that users have: OpenTelemetry's for Python, over both transports, as they come."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry.exporter.otlp.proto.common import trace_encoder
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcExporter
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import (
    BatchSpanProcessor,
    SimpleSpanProcessor,
    SpanExporter,
    SpanExportResult,
)
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from sort_drift.live.receive.request import decode
from sort_drift.live.settings import Limits
from tests.live.receive.serving import Service, serving

TOKEN = "abc"


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    """Serve once for this file, with a token."""
    with serving(tmp_path_factory.mktemp("exporters"), grpc=True, token=TOKEN) as running:
        yield running


def exporters(service: Service) -> Iterator[tuple[str, SpanExporter]]:
    """Yield the exporters, as a user makes them."""
    headers = {"authorization": f"Bearer {TOKEN}"}
    url = f"http://127.0.0.1:{service.port}/v1/traces"
    yield "http", HttpExporter(endpoint=url, headers=headers)
    yield "http gzip", HttpExporter(endpoint=url, headers=headers, compression=Compression.Gzip)
    at = f"127.0.0.1:{service.grpc_port}"
    yield "grpc", GrpcExporter(endpoint=at, insecure=True, headers=headers)
    from grpc import Compression as GrpcCompression

    yield (
        "grpc gzip",
        GrpcExporter(endpoint=at, insecure=True, headers=headers, compression=GrpcCompression.Gzip),
    )


@pytest.mark.fault(1)
@pytest.mark.parametrize("index", range(4))
def test_what_an_exporter_sends_is_stored_as_it_was_recorded(service: Service, index):
    """A batch of nested spans with attributes, events and an error arrives, span by span the same."""
    name, exporter = list(exporters(service))[index]
    memory = InMemorySpanExporter()
    provider = TracerProvider(resource=Resource.create({"service.name": name}), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    provider.add_span_processor(SimpleSpanProcessor(memory))
    tracer = provider.get_tracer("tests", "1.0")
    with tracer.start_as_current_span("invoke_agent a") as root:
        root.set_attribute("gen_ai.operation.name", "invoke_agent")
        for number in range(600):
            with tracer.start_as_current_span(f"chat {number}") as child:
                child.set_attributes({"gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": number})
                child.set_attribute("mixed", [1, 2])
                child.add_event("e", {"k": "v"})
    assert provider.force_flush(20_000)
    provider.shutdown()
    sent = memory.get_finished_spans()
    frame = service.frame.filter(service=name)
    assert frame.height == len(sent) == 601
    by_id = {row["span_id"]: row for row in frame.iter_rows(named=True)}
    for one in sent:
        assert one.context is not None
        row = by_id[f"{one.context.span_id:016x}"]
        assert row["trace_id"] == f"{one.context.trace_id:032x}"
        assert (row["name"], row["start_ns"], row["end_ns"]) == (one.name, one.start_time, one.end_time)
        assert row["in_tokens"] == (one.attributes or {}).get("gen_ai.usage.input_tokens")
        assert row["parent_id"] == (f"{one.parent.span_id:016x}" if one.parent else None)


def test_their_encoder_and_our_decoder_agree(service: Service):
    """What the SDK encodes of any attribute it takes is what we read."""
    memory = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(memory))
    values: dict[str, Any] = {"s": "\u20ac", "b": True, "i": -(2**63), "f": 1.5, "l": ["a", "b"], "e": ""}
    with provider.get_tracer("tests").start_as_current_span("x", attributes=values):
        pass
    body = trace_encoder.encode_spans(memory.get_finished_spans()).SerializeToString()
    ((_, scope, (row,)),) = decode(body, "traces", "protobuf", Limits()).blocks
    assert scope[0] == "tests"
    assert row[9] == values


def test_an_exporter_without_the_token_is_told_so(service: Service, caplog):
    """Its export fails, and its log says what is missing; it does not try again."""
    exporter = HttpExporter(endpoint=f"http://127.0.0.1:{service.port}/v1/traces")
    memory = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(memory))
    with provider.get_tracer("tests").start_as_current_span("x"):
        pass
    assert exporter.export(memory.get_finished_spans()) is SpanExportResult.FAILURE
    assert "401" in caplog.text
    exporter.shutdown()  # type: ignore[no-untyped-call]


def test_an_exporter_comes_again_after_503(service: Service):
    """A stop of the service in between loses nothing: the exporter waits as long as it is told."""
    import threading

    headers = {"authorization": f"Bearer {TOKEN}"}
    memory = InMemorySpanExporter()
    provider = TracerProvider(resource=Resource.create({"service.name": "again"}), shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(memory))
    with provider.get_tracer("tests").start_as_current_span("x"):
        pass
    exporter = HttpExporter(endpoint=f"http://127.0.0.1:{service.port}/v1/traces", headers=headers)
    service.intake.draining = True
    threading.Timer(0.5, setattr, (service.intake, "draining", False)).start()
    try:
        assert exporter.export(memory.get_finished_spans()) is SpanExportResult.SUCCESS
    finally:
        service.intake.draining = False
        exporter.shutdown()  # type: ignore[no-untyped-call]
    assert service.frame.filter(service="again").height == 1
