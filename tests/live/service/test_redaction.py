"""Addresses, keys and card numbers, in content and beside it, over every transport: nowhere afterwards."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from sort_drift.live.keep import journal
from sort_drift.live.keep.committer import decode
from tests.live.service import SOON, Service, command, running, sending
from tests.live.service.sending import Trace
from tests.waiting import until

MAIL, KEY, CARD = "maria.curie@example.com", "sk-proj-Zq3abcdefghijklmnop12345678", "4111 1111 1111 1111"
NUMBER = 5555_5555_5555_4444
WORDS = "hunter2zebra"
TEXT = f"Mail {MAIL} with {KEY}, card {CARD} or {NUMBER}: the password is {WORDS}."
NEEDLES = (MAIL, "maria.curie", KEY, "Zq3abcdefghijklmnop", CARD, CARD.replace(" ", ""), str(NUMBER), WORDS)

MESSAGES = json.dumps([{"role": "user", "parts": [{"type": "text", "content": TEXT}]}])
CHAT = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "m"}
TOOL = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "search"}

CONTENT: dict[str, list[dict[str, object]]] = {  # scope of an instrumentor -> attributes of its spans
    "opentelemetry.instrumentation.openai_v2": [
        {**CHAT, "gen_ai.input.messages": MESSAGES, "gen_ai.output.messages": MESSAGES},
        {**CHAT, "gen_ai.system_instructions": MESSAGES, "gen_ai.tool.definitions": MESSAGES},
        {**TOOL, "gen_ai.tool.call.arguments": json.dumps({"q": TEXT}), "gen_ai.tool.call.result": TEXT},
        {**TOOL, "gen_ai.tool.call.arguments": {"q": TEXT, "deep": [{"er": TEXT}]}},
    ],
    "openinference.instrumentation.langchain": [
        {
            "openinference.span.kind": "LLM",
            "llm.input_messages.0.message.content": TEXT,
            "llm.output_messages.0.message.content": TEXT,
            "llm.output_messages.0.message.tool_calls.0.tool_call.function.arguments": json.dumps(
                {"q": TEXT}
            ),
            "input.value": TEXT,
            "output.value": TEXT,
            "llm.invocation_parameters": json.dumps({"user": TEXT}),
        },
        {"openinference.span.kind": "TOOL", "tool.name": "s", "input.value": TEXT, "output.value": TEXT},
        {"openinference.span.kind": "RETRIEVER", "retrieval.documents.0.document.content": TEXT},
        {"openinference.span.kind": "AGENT", "input.value": TEXT, "metadata": json.dumps({"note": TEXT})},
    ],
    "opentelemetry.instrumentation.openai": [
        {"llm.request.type": "chat", "gen_ai.prompt.0.content": TEXT, "gen_ai.completion.0.content": TEXT},
        {"traceloop.span.kind": "tool", "traceloop.entity.name": "s", "traceloop.entity.input": TEXT},
        {"traceloop.span.kind": "workflow", "traceloop.entity.output": TEXT},
    ],
    "langfuse-sdk": [
        {"langfuse.observation.type": "generation", "langfuse.observation.input": TEXT},
        {"langfuse.observation.type": "tool", "langfuse.observation.output": TEXT},
        {"langfuse.observation.type": "agent", "langfuse.trace.input": TEXT, "langfuse.trace.output": TEXT},
    ],
    "ai": [
        {
            "ai.operationId": "ai.generateText.doGenerate",
            "ai.prompt.messages": MESSAGES,
            "ai.response.text": TEXT,
        },
        {
            "ai.operationId": "ai.toolCall",
            "ai.toolCall.args": json.dumps({"q": TEXT}),
            "ai.toolCall.result": TEXT,
        },
    ],
    "pydantic-ai": [
        {"gen_ai.operation.name": "invoke_agent", "pydantic_ai.all_messages": MESSAGES, "final_result": TEXT},
        {**TOOL, "tool_arguments": json.dumps({"q": TEXT}), "tool_response": TEXT},
    ],
    "langsmith": [
        {"langsmith.span.kind": "llm", "gen_ai.prompt": MESSAGES, "gen_ai.completion": MESSAGES},
        {"langsmith.span.kind": "tool", "gen_ai.prompt": TEXT, "gen_ai.completion": TEXT},
    ],
    "mlflow.tracing": [{"mlflow.spanType": '"LLM"', "mlflow.spanInputs": TEXT, "mlflow.spanOutputs": TEXT}],
    "strands.telemetry.tracer": [
        {**CHAT, "gen_ai.prompt": TEXT, "gen_ai.completion": TEXT, "system_prompt": TEXT}
    ],
    "nobody.knows.this": [
        {"my.prompt": TEXT, "my.final_result": TEXT, "my.args": [TEXT], "my.query": {"a": TEXT}}
    ],
}

FACTS = {  # attributes that nobody knows: kept for people, cleared of what looks personal
    "app.owner": MAIL,
    "app.note": f"asked by {MAIL}",
    "app.lines": f"first\n{MAIL}\n{KEY}\n{CARD}\t{NUMBER}",
    "app.quoted": f'"{MAIL}" \\{KEY} "{CARD}"',
    "app.control": f"\x01{MAIL}\x01{KEY}\x01{CARD}",
    "app.card": NUMBER,
    "app.cards": [NUMBER, float(NUMBER), str(NUMBER)],
    "app.token": f"Bearer {KEY}",
    f"app.{KEY}": 1,
}


def trace(scope: str) -> Trace:
    """Return a run of one instrumentor, with secrets wherever text can be."""
    made = Trace(
        "shop", scope, **{"deployment.contact": MAIL, "process.command_args": ["agent", f"--key={KEY}"]}
    )
    root = made.add(
        f"ask {MAIL}", attributes={"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "a"}
    )
    for attributes in CONTENT[scope]:
        events = {
            "gen_ai.user.message": {"content": TEXT, "gen_ai.system": "x"},
            "gen_ai.choice": {"message": json.dumps({"content": TEXT})},
            "exception": {
                "exception.type": "ValueError",
                "exception.message": TEXT,
                "exception.stacktrace": TEXT,
            },
        }
        made.add(f"work for {MAIL}", root, attributes=attributes, events=events, status=TEXT)
    made.add("facts", root, attributes=FACTS)
    made.add("many facts", root, attributes={**FACTS, **{f"app.n{i}": i for i in range(200)}})
    return made


def feed(service: Service) -> set[str]:
    """Send the traces of every instrumentor over every transport; returns their ids."""
    made = set()
    for scope in CONTENT:
        for way in ("protobuf", "json", "grpc"):
            one = trace(scope)
            body = one.part()
            if way == "grpc":
                assert sending.call(service, body) == b""
            else:
                media = sending.PROTOBUF if way == "protobuf" else sending.JSON
                sent = body if way == "protobuf" else sending.as_json(body)
                assert sending.post(service, sent, media)[0] == 200
            made.add(one.hex)
    one = Trace("shop", "com.anthropic.claude_code.tracing")
    root = one.add("claude_code.interaction")
    assert sending.post(service, one.part())[0] == 200
    records: dict[str, tuple[Any, dict[str, Any]]] = {
        "gen_ai.user.message": (TEXT, {"gen_ai.system": "x"}),
        "gen_ai.client.inference.operation.details": (None, {"gen_ai.input.messages": MESSAGES}),
        "user_prompt": (None, {"prompt": TEXT}),
        "tool_result": (None, {"tool_name": "Bash", "tool_parameters": json.dumps({"c": TEXT}), **FACTS}),
        "gen_ai.evaluation.result": (None, {"gen_ai.evaluation.explanation": TEXT}),
        "app.said": ({"content": TEXT}, FACTS),
    }
    for scope in (
        "com.anthropic.claude_code.events",
        "opentelemetry.instrumentation.openai_v2",
        "gcp.vertex.agent",
    ):
        body = sending.logs(one.id, root, scope, records)
        assert sending.post(service, body, path="/v1/logs")[0] == 200
        said = sending.as_json(body, ExportLogsServiceRequest)
        assert sending.post(service, said, sending.JSON, "/v1/logs")[0] == 200
        sending.call(service, body, "logs.v1.LogsService")
    # what is refused must not be quoted either
    assert sending.post(service, json.dumps({"resourceSpans": TEXT}).encode(), sending.JSON)[0] == 400
    assert sending.post(service, TEXT.encode())[0] == 400
    odd = {
        "traceId": TEXT,
        "spanId": TEXT,
        "name": TEXT,
        "startTimeUnixNano": TEXT,
        "attributes": {"a": TEXT},
    }
    sending.post(
        service, json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [odd]}]}]}).encode(), sending.JSON
    )
    return made


def found(texts: Iterator[tuple[str, str]]) -> list[str]:
    """Return which secrets are where."""
    return [f"{needle} in {place}" for place, text in texts for needle in NEEDLES if needle in text]


def written(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield every file below a folder as it is, and decoded where it is packed."""
    for path in sorted(folder.rglob("*")):
        if not path.is_file():
            continue
        yield path.name, path.read_bytes().decode("latin-1")
        if path.suffix == ".parquet":
            for name, text in _columns(pl.read_parquet(path)):
                yield f"{path.name}: {name}", text
        if path.parent.name == journal.FOLDER and path.suffix == ".j":
            for payload in journal.read(path).payloads:
                frame = decode(payload)
                for name, text in _columns(frame):
                    yield f"{path.name}: {name}", text
                plain = BytesIO()  # what no value shows may still be in a buffer of the file
                frame.write_ipc_stream(plain, compression="uncompressed")
                yield f"{path.name}: unpacked", plain.getvalue().decode("latin-1")


def _columns(frame: pl.DataFrame) -> Iterator[tuple[str, str]]:
    for column in frame:
        yield column.name, "\n".join(str(value) for value in column.to_list())


def pages(service: Service) -> Iterator[tuple[str, str]]:
    """Yield every page that leads somewhere from the first, and the metrics."""
    todo, seen = ["/", "/runs", "/health", "/alarms", "/metrics"], set[str]()
    while todo and len(seen) < 60:
        path = todo.pop(0)
        if path in seen or path.startswith(("/static", "/events")):
            continue
        seen.add(path)
        status, text = sending.get(f"{service.page_url}{path}")
        assert status in {200, 404}, (path, status)
        yield path, text
        todo += [link.replace("&amp;", "&") for link in re.findall(r'href="(/[^"#]*)"', text)]
    assert len(seen) > 8


@pytest.mark.fault(73)
def test_secrets_are_nowhere(tmp_path: Path) -> None:
    """Not in the journal before it is sealed, nor in any file of the store, a log, a page, a listing."""
    store = tmp_path / "store"
    with running(store, settings={"seal_s": 3600, "grace_s": 3600}) as service:
        traces = feed(service)
        service.kill()
        assert len(list((store / journal.FOLDER).glob("*.j"))) >= 1
        assert found(written(store)) == []
        assert found(iter([("log", service.said)])) == []
    with running(store, settings=SOON) as service:
        runs = service.runs(traces)
        assert len(runs) >= len(traces)
        until(lambda: not list((store / journal.FOLDER).glob("*.j")))
        assert found(pages(service)) == []
        shown = command("show", str(store), runs[0]["run_id"])
        listed = command("coverage", str(store))
        said = [
            ("runs", json.dumps(runs)),
            ("show", shown.stdout + shown.stderr),
            ("coverage", listed.stdout),
        ]
        assert found(iter(said)) == []
        spans = service.spans()
    assert found(iter([("log", service.said)])) == []
    assert found(written(tmp_path)) == []
    # what is left can still be read, and says that something was there
    kept = [json.loads(text) for text in spans["attributes"].drop_nulls()]
    facts = next(said for said in kept if "app.owner" in said)
    assert facts["app.owner"] == "[e-mail]"
    assert "[key]" in facts["app.lines"]
    assert "[card]" in facts["app.lines"]
    assert all(json.loads(text) for text in spans["resource"].drop_nulls())
    assert max(spans["args_len"].drop_nulls().to_list()) > len(TEXT)
