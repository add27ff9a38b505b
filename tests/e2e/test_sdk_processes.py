"""The SDK in processes of its own: files, receivers that are there or dead, zero code, exit."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from sort_drift import geometry
from tests import loading
from tests.loopback import Answer, serving

AGENT = """
import sort_drift_sdk as sd

@sd.tool
def look(where):
    return where

{init}
with sd.run(task="fix-42", budget_s=30) as run:
    look("a")
    run.outcome(correct=True)
"""


def python(script: str, *before: str, env: dict[str, str]) -> str:
    """Run a script in a fresh interpreter and return what it wrote to stderr."""
    command = [*before, sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True, env=env)
    return done.stderr


def environment(**extra: str) -> dict[str, str]:
    """Return this process's environment without OpenTelemetry's variables, with ``extra``."""
    return {k: v for k, v in os.environ.items() if not k.startswith(("OTEL_", "SORT_DRIFT_"))} | extra


def test_a_file_for_ci(tmp_path):
    """Two lines, no service: the run is in the file when the process has ended."""
    out = tmp_path / "runs.otlp.jsonl"
    said = python(
        AGENT.format(init=f"sd.init(service='debug-agent', exporter='file:{out}')"), env=environment()
    )
    row = geometry.measure(*loading.runs(out)).row(0, named=True)
    assert said == ""
    assert (row["task"], row["service"], row["outcome"], row["tools"]) == (
        *("fix-42", "debug-agent", 1.0),
        ["look"],
    )
    assert out.read_text().count("sort_drift.run.id") == 3  # every span is stamped, not the root alone
    assert row["hardware"] is not None


@pytest.mark.parametrize("end", ["os.kill(os.getpid(), signal.SIGTERM)", "os._exit(3)"])
def test_a_killed_run_is_seen_as_one(tmp_path, end):
    """No handler runs: what was exported by then has the run's task and budget, and says it was cut."""
    out = tmp_path / "runs.otlp.jsonl"
    script = f"""
import os, signal, time
import sort_drift_sdk as sd
from opentelemetry import trace

@sd.tool
def look(where):
    return where

sd.init(service="s", exporter="file:{out}")
for task in ("done", "killed"):
    with sd.run(task=task, budget_s=30):
        look("a")
        look("b")
        if task == "killed":
            trace.get_tracer_provider().force_flush()
            {end}
"""
    subprocess.run([sys.executable, "-c", script], check=False, timeout=60, env=environment())
    rows = {row["task"]: row for row in geometry.measure(*loading.runs(out)).iter_rows(named=True)}
    assert {task: row["tools"] for task, row in rows.items()} == {
        "done": ["look"] * 2,
        "killed": ["look"] * 2,
    }
    assert {task: row["budget_time_s"] for task, row in rows.items()} == {"done": 30, "killed": 30}
    assert rows["killed"]["cut"] is True
    assert rows["done"]["cut"] is not True


def test_a_file_that_cannot_be_written_is_one_warning(tmp_path):
    """The agent runs to its end, and says once where its spans went."""
    said = python(AGENT.format(init=f"sd.init(exporter='file:{tmp_path}')"), env=environment())
    assert said.count("cannot be written") == 1


def test_spans_reach_a_receiver():
    """``OTEL_EXPORTER_OTLP_ENDPOINT`` alone is enough: OTLP over HTTP at exit."""
    with serving(Answer(body=b"", headers={"content-type": "application/x-protobuf"})) as server:
        python(
            AGENT.format(init="sd.init(service='s')"), env=environment(OTEL_EXPORTER_OTLP_ENDPOINT=server.url)
        )
    sent = [ExportTraceServiceRequest.FromString(body) for _, _, body in server.requests]
    scopes = [scope for body in sent for resource in body.resource_spans for scope in resource.scope_spans]
    names = [span.name for scope in scopes for span in scope.spans]
    assert sorted(names) == ["execute_tool look", "invoke_agent s", "sort_drift.run.begin"]


@pytest.mark.fault(54)
def test_without_a_receiver_the_output_is_the_same():
    """Nobody listens: result, output and exit code of the agent are those of one without telemetry."""
    work = """
import sys
import sort_drift_sdk as sd

@sd.tool
def look(where):
    return where * 3

{init}
with sd.run(task="fix-42", budget_s=30) as run:
    print(look("answer "), flush=True)
    run.outcome(correct=True)
sys.exit(5)
"""
    seen = []
    for init in ("", "sd.init(service='s')", "sd.init(service='s', exporter='otlp')"):
        command = [sys.executable, "-c", work.format(init=init)]
        env = environment(OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9")
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=env)
        seen.append((done.returncode, done.stdout))
        assert "Traceback" not in done.stderr
    assert seen == [(5, "answer answer answer \n")] * 3


@pytest.mark.fault(54)
@pytest.mark.parametrize("how", ["refused", "silent", "500"])
def test_a_dead_receiver_holds_the_exit_two_seconds_at_most(how):
    """Refused connections, a server that never answers, one that fails: the process ends."""
    silent = socket.socket()
    silent.bind(("127.0.0.1", 0))
    with serving(Answer(503, b"")) as failing:
        url = failing.url if how == "500" else f"http://127.0.0.1:{silent.getsockname()[1]}"
        if how == "silent":
            silent.listen(1)
        script = AGENT.format(init="sd.init(service='s')") + "\nimport time\nprint(time.time())"
        started = subprocess.Popen(
            [sys.executable, "-c", script],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=environment(OTEL_EXPORTER_OTLP_ENDPOINT=url),
        )
        said, _ = started.communicate(timeout=60)
        left = time.time() - float(said)
    silent.close()
    assert started.returncode == 0
    assert left < 2 + 1  # a loaded machine needs a moment to end an interpreter


@pytest.mark.fault(54)
def test_an_exporter_in_a_provider_of_the_host_does_not_hold_its_exit():
    """What is added to a provider that is there already ends like one made here."""
    script = """
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
import sort_drift_sdk as sd
trace.set_tracer_provider(TracerProvider())
sd.init(service="s", exporter="otlp")
with sd.run(task="t"):
    pass
"""
    began = time.monotonic()
    python(script, env=environment(OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9"))
    assert time.monotonic() - began < 2 + 3  # OpenTelemetry's own 7 and the start of an interpreter


def test_zero_code(tmp_path):
    """``opentelemetry-instrument`` finds instrumentor and detector; the program knows nothing of either."""
    out = tmp_path / "seen.txt"
    script = f"""
from opentelemetry import trace
with trace.get_tracer("somebody").start_as_current_span("work"):
    pass
provider = trace.get_tracer_provider()
stamps = [type(p).__name__ for p in provider._active_span_processor._span_processors]
open({str(out)!r}, "w").write(repr((stamps, dict(provider.resource.attributes))))
"""
    instrument = str(Path(sys.executable).with_name("opentelemetry-instrument"))
    env = environment(
        OTEL_TRACES_EXPORTER="none",
        OTEL_METRICS_EXPORTER="none",
        OTEL_LOGS_EXPORTER="none",
        OTEL_EXPERIMENTAL_RESOURCE_DETECTORS="sort_drift",
        SORT_DRIFT_HW_CLASS="tpu-v5e",
    )
    python(script, instrument, env=env)
    seen = out.read_text()
    assert "StampProcessor" in seen
    assert "'sort_drift.hw.class': 'tpu-v5e'" in seen


def test_an_existing_provider_is_used(tmp_path):
    """The host's own provider stays the global one and gets one processor, however often asked."""
    script = """
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
import sort_drift_sdk as sd
mine = TracerProvider()
trace.set_tracer_provider(mine)
sd.init(service="s")
sd.init(service="s")
assert trace.get_tracer_provider() is mine
names = [type(p).__name__ for p in mine._active_span_processor._span_processors]
assert names == ["StampProcessor"]
"""
    assert python(script, env=environment()) == ""


def test_without_init_nothing_happens():
    """Decorators and runs of a library that uses the SDK cost its users nothing."""
    assert python(AGENT.format(init=""), env=environment()) == ""


def test_without_an_exporter_it_is_said_once():
    """Spans that go nowhere are no secret."""
    said = python(AGENT.format(init="sd.init()\nsd.init()"), env=environment())
    assert said.count("no exporter") == 1
