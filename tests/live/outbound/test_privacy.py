"""What leaves is names, numbers and ids: no content, no secret, and no word that a message was made of."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

import polars as pl
import pytest

from sort_drift.live.outbound import metrics
from sort_drift.live.outbound.events import Events
from sort_drift.live.outbound.webhooks import Webhooks
from sort_drift.live.settings import Webhook
from tests.live.outbound.fleets import AGENT, agent, alarm, resolved, running, state
from tests.live.outbound.programs import free_port
from tests.loopback import Answer, serving
from tests.waiting import until

SECRETS = ("ada@example.com", "sk-live-4242424242424242", "4111 1111 1111 1111", "hook-t0ken", "s3cret-path")
ADDRESS = re.compile(r"[\w.]+@[\w.]+|\bsk-|(?<![\d.])(?:\d[ -]?){13,16}\b")


@pytest.mark.fault(73)
def test_nothing_that_leaves_has_content(tmp_path: Path) -> None:
    """The board, the runs behind it and the hooks are full of secrets; page through all that goes out."""
    mail, key, card, token, path = SECRETS
    opened = alarm()
    missing = state("busy_time", missing=f"no span of {mail}")
    board = running(
        agent(AGENT, state(opened=opened), missing), problems=(f"{mail}: {card}",), why=f"because of {key}"
    )
    runs = pl.DataFrame({"run_id": ["r1"], "task": [f"answer {mail}"], "agent": ["planner"], "note": [key]})
    events = Events(tmp_path / "events.jsonl")
    with serving(Answer(500, body={"said": card}), Answer()) as server:
        form = (Webhook(f"{server.url}/{path}", token=token), Webhook(server.url, "alertmanager", token))
        dead = Webhook(f"http://127.0.0.1:{free_port()}/{path}", token=token)
        hooks = Webhooks([*form, dead], (), board, "http://127.0.0.1:8321", tmp_path / "webhooks.json")
        hooks.start()
        board.show(runs=runs, events=events.append([opened, resolved(opened)]))
        for happening in events.read():
            hooks.send(happening)
        until(lambda: hooks.waiting() == 2)  # of the hook that nobody answers
        until(hooks.problems)
        time.sleep(0.1)
        said = hooks.problems()
        hooks.stop()
    out = [
        *(metrics.render(board, accept)[0] for accept in ("", "application/openmetrics-text")),
        *(body for _, _, body in server.requests),
        *(file.read_bytes() for file in sorted(tmp_path.iterdir())),
        *(line.encode() for line in said),
        repr(form).encode(),
    ]
    assert len(out) >= 9
    for piece in out[:-1]:
        for secret in SECRETS:
            assert secret.encode() not in piece
        assert not ADDRESS.search(piece.decode())
    assert token.encode() not in out[-1]


@pytest.mark.fault(73)
def test_every_text_that_leaves_is_a_name_an_id_or_ours(tmp_path: Path) -> None:
    """Every string of an event's line and of a body is one of few kinds; there is no field for others."""
    opened = alarm()
    with serving(Answer()) as server:
        hooks = Webhooks([Webhook(server.url)], (), running(), "http://p", tmp_path / "webhooks.json")
        hooks.start()
        hooks.send(opened)
        until(lambda: server.requests)
        hooks.stop()
    Events(tmp_path / "events.jsonl").append([opened])
    line = json.loads((tmp_path / "events.jsonl").read_bytes())
    names = {
        AGENT,
        opened.id,
        opened.run_id,
        "retry_depth",
        "re-attempts",
        "run-0180",
        "run-0171",
        "run-0186",
    }
    assert set(_texts(line)) - names == {"alarm", ""}
    body = json.loads(server.requests[0][2])
    for one in body["alerts"]:
        one["annotations"].pop("summary")
        one["annotations"].pop("description")
    ours = re.compile(r"[\d:TZ.-]+|[0-9a-f]{16}|http://p(/alarm/[\w-]+)?|sort-drift(:.+)?|docs/how-to/\S+")
    rest = {text for text in _texts(body) if text not in names and not ours.fullmatch(text)}
    assert rest == {"firing", "alarm", "SortDriftAlarm", "warning"}


def _texts(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for item in items for text in _texts(item)]
