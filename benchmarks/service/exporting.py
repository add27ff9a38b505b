"""Agents in a process of their own, exported by the real OpenTelemetry SDK, with a ledger of what was taken.

    python -m benchmarks.service.exporting --transport http --endpoint URL --ledger FILE --seed 1

The exporter is OpenTelemetry's own; a wrapper notes each span before it hands it over (FILE.sent) and again
when the exporter reports success, which it does after the server's answer (FILE.taken): a line is
"<trace> <span> <end in ns>". SIGUSR1 lets the agents behave otherwise (tools fail, and are called again),
SIGTERM ends them: what waits is exported before the process ends.
"""

from __future__ import annotations

import argparse
import logging
import random
import signal
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TextIO

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import SpanKind, StatusCode, Tracer

BATCH, DELAY_MS = 64, 50
"""Spans of a request and ms between two: small, so that many answers are under way when the server dies."""

TASKS, TOOLS = 5, ("search", "read_file", "edit", "run_tests")


class Ledger(SpanExporter):
    """An exporter that notes what it was given and what was acknowledged."""

    def __init__(self, real: SpanExporter, sent: TextIO, taken: TextIO) -> None:
        self._real, self._sent, self._taken = real, sent, taken

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Export; a span is acknowledged when the real exporter says so."""
        lines = "".join(map(line, spans))
        self._note(self._sent, lines)
        result = self._real.export(spans)
        if result is SpanExportResult.SUCCESS:
            self._note(self._taken, lines)
        return result

    def shutdown(self) -> None:
        """Shut the real one down."""
        self._real.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Flush the real one."""
        return self._real.force_flush(timeout_millis)

    @staticmethod
    def _note(file: TextIO, lines: str) -> None:
        file.write(lines)
        file.flush()


def line(span: ReadableSpan) -> str:
    """Return the line of a span."""
    context = span.get_span_context()
    assert context is not None, "an ended span has a context"
    return f"{context.trace_id:032x} {context.span_id:016x} {span.end_time}\n"


def exporter(transport: str, endpoint: str, timeout_s: float) -> SpanExporter:
    """Return OpenTelemetry's exporter for a transport."""
    if transport == "grpc":
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as Grpc

        return Grpc(endpoint=endpoint, insecure=True, timeout=timeout_s)
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as Http

    return Http(endpoint=f"{endpoint}/v1/traces", timeout=timeout_s)


# ---------------------------------------------------------------------------------------------------------
# agents


def work(
    tracer: Tracer, draw: random.Random, agent: str, changed: threading.Event, over: threading.Event
) -> None:
    """Run an agent again and again: one to three turns of an LLM call and a tool call, then the answer."""
    while not over.is_set():
        task = draw.randrange(TASKS)
        root = {
            "gen_ai.operation.name": "invoke_agent",
            "gen_ai.agent.name": agent,
            "sort_drift.task.id": f"t{task}",
        }
        with tracer.start_as_current_span(f"invoke_agent {agent}", attributes=root):
            for _ in range(1 + task % 3):
                _chat(tracer, draw, over)
                failures = 2 if changed.is_set() else int(draw.random() < 0.05)
                tool = draw.choice(TOOLS)
                for attempt in range(failures + 1):
                    _tool(tracer, draw, over, tool, failed=attempt < failures)
            _chat(tracer, draw, over)


def _chat(tracer: Tracer, draw: random.Random, over: threading.Event) -> None:
    attributes: dict[str, Any] = {
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": "m",
        "gen_ai.usage.input_tokens": draw.randrange(500, 1500),
        "gen_ai.usage.output_tokens": draw.randrange(10, 200),
    }
    with tracer.start_as_current_span("chat m", kind=SpanKind.CLIENT, attributes=attributes):
        over.wait(draw.uniform(0.001, 0.01))


def _tool(tracer: Tracer, draw: random.Random, over: threading.Event, tool: str, *, failed: bool) -> None:
    attributes = {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": tool,
        "gen_ai.tool.call.arguments": f'{{"path": "{tool}"}}',  # the same again: a retry
    }
    with tracer.start_as_current_span(f"execute_tool {tool}", attributes=attributes) as span:
        over.wait(draw.uniform(0.001, 0.01))
        if failed:
            span.set_status(StatusCode.ERROR)
            span.set_attribute("error.type", "timeout")


def main(argv: list[str]) -> int:
    """Export until SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.service.exporting", description=__doc__)
    parser.add_argument("--transport", choices=("http", "grpc"), required=True)
    parser.add_argument("--endpoint", required=True)
    parser.add_argument("--ledger", type=Path, required=True)
    parser.add_argument("--threads", type=int, default=3)
    parser.add_argument(
        "--timeout", type=float, default=10, help="of an export with its repetitions, seconds"
    )
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args(argv)
    logging.disable(logging.CRITICAL)  # that exports fail is the point here
    changed, over = threading.Event(), threading.Event()
    signal.signal(signal.SIGUSR1, lambda *_: changed.set())
    signal.signal(signal.SIGTERM, lambda *_: over.set())
    with sent(chosen.ledger).open("w") as first, taken(chosen.ledger).open("w") as second:
        ledger = Ledger(exporter(chosen.transport, chosen.endpoint, chosen.timeout), first, second)
        provider = TracerProvider(resource=Resource({"service.name": f"kill-{chosen.transport}"}))
        batches = BatchSpanProcessor(ledger, schedule_delay_millis=DELAY_MS, max_export_batch_size=BATCH)
        provider.add_span_processor(batches)
        tracer = provider.get_tracer("benchmarks.kill")
        threads = [
            threading.Thread(
                target=work,
                args=(tracer, random.Random(f"{chosen.seed} {n}"), f"agent-{n % 2}", changed, over),
            )
            for n in range(chosen.threads)
        ]
        for thread in threads:
            thread.start()
        while not over.wait(0.2):  # the main thread runs signal handlers
            time.sleep(0)
        for thread in threads:
            thread.join()
        provider.shutdown()
    return 0


def sent(ledger: Path) -> Path:
    """Return the file of spans that were handed to the exporter."""
    return ledger.with_suffix(".sent")


def taken(ledger: Path) -> Path:
    """Return the file of spans that were acknowledged."""
    return ledger.with_suffix(".taken")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
