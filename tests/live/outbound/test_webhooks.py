"""Webhooks: each alarm once to each place, in order, across failures and restarts; nobody waits for one."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from sort_drift.errors import UsageError
from sort_drift.live.board import Board
from sort_drift.live.outbound import sender
from sort_drift.live.outbound.webhooks import Pace, Webhooks
from sort_drift.live.settings import Webhook
from tests.live.outbound.fleets import AGENT, agent, alarm, resolved, running, shift, state
from tests.live.outbound.programs import free_port
from tests.loopback import Answer, Server, serving
from tests.shared_data import ROOT
from tests.waiting import until

FAST = Pace(first_s=0.01, most_s=0.05, again_s=0.2, lease_s=60)
PAGE = "http://127.0.0.1:8321"
SCHEMA = json.loads((ROOT / "examples" / "live" / "webhook.schema.json").read_text())


@contextmanager
def sending(
    folder: Path, *hooks: Webhook, board: Board | None = None, past: Any = (), **options: Any
) -> Iterator[Webhooks]:
    """Run webhooks whose state is in ``folder``."""
    made = Webhooks(hooks, (), board or running(), PAGE, folder / "webhooks.json", pace=FAST, **options)
    made.start(past)
    try:
        yield made
    finally:
        made.stop()


def bodies(server: Server) -> list[dict[str, Any]]:
    """Return what a server was sent, checked against the schema where it is the generic form."""
    found = [json.loads(body) for _, _, body in server.requests]
    for body in found:
        if isinstance(body, dict):
            jsonschema.validate(body, SCHEMA)
    return found


def ids(server: Server) -> list[str]:
    """Return the ids of the happenings that a server was told of."""
    return [body["sort_drift"]["id"] for body in bodies(server)]


def test_an_alarm_and_its_end(tmp_path: Path) -> None:
    """Two bodies: the alarm with its numbers and units, and its end with the same group and beginning."""
    opened, board = alarm(), running()
    over = resolved(opened)
    with (
        serving(Answer()) as server,
        sending(tmp_path, Webhook(server.url, token="t0ken"), board=board) as hooks,
    ):
        board.show(events=[opened])
        hooks.send(opened)
        hooks.send(over)
        until(lambda: len(server.requests) == 2)
        assert server.requests[0][1]["authorization"] == "Bearer t0ken"
    first, second = bodies(server)
    assert (first["status"], second["status"]) == ("firing", "resolved")
    assert first["groupKey"] == second["groupKey"]
    assert first["alerts"][0]["labels"] == second["alerts"][0]["labels"]
    assert first["alerts"][0]["fingerprint"] == second["alerts"][0]["fingerprint"]
    assert first["alerts"][0]["startsAt"] == second["alerts"][0]["startsAt"] < second["alerts"][0]["endsAt"]
    assert first["alerts"][0]["endsAt"] == "0001-01-01T00:00:00Z"
    assert first["alerts"][0]["generatorURL"].startswith(f"{PAGE}/alarm/")
    told = first["sort_drift"]["variables"][0]
    assert (told["name"], told["unit"], told["before"], told["effect"]) == (
        "retry_depth",
        "re-attempts",
        0.4,
        0.7,
    )
    assert told["effect_95"] == pytest.approx([0.5, 0.9])
    assert told["onset"]["runs_95"] == ["run-0171", "run-0186"]
    assert second["sort_drift"]["resolves"] == opened.id
    assert board.counts()["webhooks"] == 2
    assert hooks.problems() == ()


def test_what_people_read(tmp_path: Path) -> None:
    """What changed, by how much, since when; no cause, and nothing that the monitors did not say."""
    with serving(Answer()) as server, sending(tmp_path, Webhook(server.url)) as hooks:
        hooks.send(alarm())
        until(lambda: server.requests)
    said = bodies(server)[0]["alerts"][0]["annotations"]
    assert (
        said["summary"]
        == "retry_depth of shop/planner went from 0.40 to 1.10 re-attempts (+0.70 [0.50, 0.90])"
    )
    assert said["description"].removeprefix(said["summary"]) == (
        ", beginning at run run-0180 (between run-0171 and run-0186), 34 comparable runs ago; "
        "decided by run run-0214, number 215 of this agent. "
        "E-value 2.5e+04, where an alarm needs 10,000; tolerance 0.25 re-attempts."
    )


def test_a_ratio_reads_as_one(tmp_path: Path) -> None:
    """A mean of logarithms is shown as seconds, and its change as a factor."""
    slower = shift("busy_time", 0.693, before=2.526, after=3.219, interval=(0.6, 0.8), unit="ln seconds")
    with serving(Answer()) as server, sending(tmp_path, Webhook(server.url)) as hooks:
        hooks.send(alarm(slower))
        until(lambda: server.requests)
    summary = bodies(server)[0]["alerts"][0]["annotations"]["summary"]
    assert summary == "busy_time of shop/planner went from 12.5 s to 25 s (x2.00 [1.82, 2.23])"


def test_a_change_of_unknown_size(tmp_path: Path) -> None:
    """New tasks only: the alarm is sent, and says that its size is not known; null, not 0."""
    unknown = shift(effect=None, after=None, n=(0, 0), onset_ns=None, onset_interval=("", ""))
    with serving(Answer()) as server, sending(tmp_path, Webhook(server.url)) as hooks:
        hooks.send(alarm(unknown))
        until(lambda: server.requests)
    (body,) = bodies(server)
    assert "its size is not known" in body["alerts"][0]["annotations"]["summary"]
    told = body["sort_drift"]["variables"][0]
    assert (told["before"], told["effect"], told["effect_95"], told["onset"]["run_started_at"]) == (None,) * 4


def test_a_variable_below_its_tolerance_has_no_alert(tmp_path: Path) -> None:
    """Its bets were won too, and nothing will ever end it: it is among the numbers only."""
    with serving(Answer()) as server, sending(tmp_path, Webhook(server.url)) as hooks:
        hooks.send(alarm(shift(), shift("busy_time", 0.01)))
        until(lambda: server.requests)
    (body,) = bodies(server)
    assert [alert["labels"]["variable"] for alert in body["alerts"]] == ["retry_depth"]
    assert [(v["name"], v["material"]) for v in body["sort_drift"]["variables"]] == [
        *(("retry_depth", True), ("busy_time", False))
    ]


def test_minor_changes_are_sent_only_where_asked_for(tmp_path: Path) -> None:
    """Nobody is woken by what does not matter."""
    small = alarm(shift(effect=0.1), kind="minor", number=3)
    with serving(Answer()) as server, sending(tmp_path, Webhook(server.url)) as hooks:
        hooks.send(small)
        hooks.send(alarm())
        until(lambda: server.requests)
        assert ids(server) == [alarm().id]
    with serving(Answer()) as server, sending(tmp_path / ".", Webhook(server.url), minor=True) as hooks:
        hooks.send(small)
        until(lambda: server.requests)
        assert bodies(server)[0]["sort_drift"]["kind"] == "minor"


def test_the_same_happening_is_delivered_once(tmp_path: Path) -> None:
    """However often it is said, also by a service that has started again."""
    opened = alarm()
    with serving(Answer()) as server:
        with sending(tmp_path, Webhook(server.url)) as hooks:
            for _ in range(5):
                hooks.send(opened)
            until(lambda: server.requests)
        with sending(tmp_path, Webhook(server.url), past=[opened]) as hooks:
            hooks.send(opened)
            hooks.send(alarm(number=500))
            until(lambda: len(server.requests) == 2)
        assert ids(server) == [opened.id, alarm(number=500).id]
        marks = [headers["idempotency-key"] for _, headers, _ in server.requests]
        assert len(set(marks)) == 2


def test_what_a_crash_left_is_delivered_by_the_next_start(tmp_path: Path) -> None:
    """An event is in the file before it is sent: what was not delivered is, and nothing else."""
    told, untold = alarm(number=1), alarm(number=2)
    port = free_port()
    hook = Webhook(f"http://127.0.0.1:{port}")
    with serving(Answer()) as server, sending(tmp_path, Webhook(server.url), hook) as hooks:
        hooks.send(told)
        until(lambda: server.requests)
        hooks.send(untold)
        until(lambda: len(server.requests) == 2)
        with sending(tmp_path, Webhook(server.url), hook, past=[told, untold]) as again:
            assert again.waiting() == 2  # of the hook that nobody answers
            time.sleep(0.1)
        assert ids(server) == [told.id, untold.id]


def test_a_hook_that_is_new_is_told_what_is_open_and_not_what_is_over(tmp_path: Path) -> None:
    """A hundred old alarms would be no welcome; an open one is news to it, with the ends of its parts."""
    old, opened = alarm(number=1), alarm(shift(), shift("busy_time"), number=2)
    past = [old, resolved(old, number=9), opened, resolved(opened, "busy_time", number=11)]
    board = running(agent(AGENT, state(opened=opened), state("busy_time")))
    board.show(events=past)
    with serving(Answer()) as server, sending(tmp_path, Webhook(server.url), board=board, past=past) as hooks:
        until(lambda: len(server.requests) == 2)
        time.sleep(0.1)
        assert hooks.waiting() == 0
    assert ids(server) == [opened.id, past[3].id]


def test_failures_are_tried_again_and_the_end_comes_after_the_alarm(tmp_path: Path) -> None:
    """Errors, busy, a hang-up: in the end each came once, in order, and the problem is gone."""
    answers = [Answer(500), Answer(503), Answer(cut=True), Answer(429), Answer(408), Answer(200)]
    opened, board = alarm(), running()
    with serving(*answers) as server, sending(tmp_path, Webhook(server.url), board=board) as hooks:
        hooks.send(opened)
        hooks.send(resolved(opened))
        until(lambda: len(server.requests) == 7)
        until(lambda: not hooks.waiting())
        assert hooks.problems() == ()
    assert ids(server) == [opened.id] * 6 + [resolved(opened).id]
    counted = {reason: n for (name, reason), n in board.reasons().items() if name == "webhook_failures"}
    assert counted == {"status 5xx": 2, "unreachable": 1, "status 4xx": 2}
    assert board.counts()["webhooks"] == 2


def test_waits_grow_and_differ() -> None:
    """1, 2, 4 ... 60 s, less up to a half, also after a month."""
    pace = Pace()
    for tries, most in ((1, 1), (2, 2), (5, 16), (7, 60), (50_000, 60)):
        waits = {pace.wait(tries) for _ in range(50)}
        assert most / 2 <= min(waits) < max(waits) <= most
        assert len(waits) > 10


def test_a_no_is_given_up_after_five_tries_and_said(tmp_path: Path) -> None:
    """A wrong token: the alarm is given up, counted and said; its end is not sent, the next alarm is."""
    opened, after = alarm(), alarm(number=900)
    board = running()
    with (
        serving(*[Answer(401)] * 5, Answer(200)) as server,
        sending(tmp_path, Webhook(f"{server.url}/services/s3cret"), board=board) as hooks,
    ):
        hooks.send(opened)
        until(lambda: "401" in "".join(hooks.problems()))
        hooks.send(resolved(opened))
        hooks.send(after)
        until(lambda: len(server.requests) == 6)
        (said,) = until(hooks.problems)
        assert "1 event given up" in said
        assert "s3cret" not in said
        until(lambda: not hooks.waiting())
    assert ids(server) == [opened.id] * 5 + [after.id]
    assert board.reasons()["webhook_failures", "given up"] == 1


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_a_failure(tmp_path: Path, status: int) -> None:
    """Given up like any other no; nobody goes where it points."""
    with serving(Answer()) as other:
        to = Answer(status, headers={"location": other.url})
        with serving(to) as server, sending(tmp_path, Webhook(server.url)) as hooks:
            hooks.send(alarm())
            until(lambda: not hooks.waiting())
            assert "given up" in "".join(hooks.problems())
        assert not other.requests


def test_a_full_queue_drops_the_oldest_and_says_so(tmp_path: Path) -> None:
    """A hook that is gone for days: 1,000 wait, the others are counted, and sending never waits."""
    board = running()
    with sending(tmp_path, Webhook(f"http://127.0.0.1:{free_port()}/s3cret"), board=board) as hooks:
        began = time.monotonic()
        for number in range(sender.QUEUE + 7):
            hooks.send(alarm(number=number))
        assert time.monotonic() - began < 5
        assert hooks.waiting() == sender.QUEUE
        until(lambda: "waiting" in "".join(hooks.problems()))
        (said,) = hooks.problems()
    assert "refused" in said
    assert "1,000 events waiting" in said
    assert "7 events given up" in said
    assert "s3cret" not in said
    assert board.reasons()["webhook_failures", "overflow"] == 7


def test_the_end_of_a_dropped_alarm_is_not_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody was told that it began."""
    monkeypatch.setattr(sender, "QUEUE", 20)
    with serving(Answer(503)) as server, sending(tmp_path, Webhook(server.url)) as hooks:
        for number in range(sender.QUEUE + 1):
            hooks.send(alarm(number=number))
        server.answers[:] = [Answer(200)]
        until(lambda: hooks.waiting() < 20)
        hooks.send(resolved(alarm(number=0), number=5_000))
        hooks.send(resolved(alarm(number=1), number=5_001))
        until(lambda: not hooks.waiting())
    sent = [json.loads(body)["sort_drift"]["id"] for _, _, body in server.requests]
    assert f"{AGENT}/5000/resolved" not in sent
    assert sent[-1] == f"{AGENT}/5001/resolved"


def test_one_hook_that_hangs_holds_nobody(tmp_path: Path) -> None:
    """Neither the keeper nor another hook waits for it."""
    with (
        serving(Answer(delay_s=3)) as slow,
        serving(Answer()) as quick,
        sending(tmp_path, Webhook(slow.url), Webhook(quick.url)) as hooks,
    ):
        began = time.monotonic()
        hooks.send(alarm())
        assert time.monotonic() - began < 0.5
        until(lambda: quick.requests)
        assert time.monotonic() - began < 2
        hooks.stop(0.1)
        assert time.monotonic() - began < 2.5


def test_a_stop_delivers_what_has_just_come(tmp_path: Path) -> None:
    """SIGTERM right after an alarm; what fails is left to the next start, without waiting for it."""
    with serving(Answer(delay_s=0.05)) as server:
        made = Webhooks(
            [Webhook(server.url), Webhook(f"http://127.0.0.1:{free_port()}")],
            *((), running(), PAGE, tmp_path / "webhooks.json"),
        )
        made.start()
        for number in range(5):
            made.send(alarm(number=number))
        began = time.monotonic()
        made.stop(5)
        assert time.monotonic() - began < 3
        assert len(server.requests) == 5
        assert made.waiting() == 5  # of the other
    assert not any(thread.is_alive() for thread in made._senders.values())


def test_a_body_has_at_most_64_kib(tmp_path: Path) -> None:
    """As many variables as fit, and how many do not; names are cut before."""
    many = [
        shift(f"{i} " + "工" * 500, onset_run="r" * 1000, onset_interval=("a" * 1000, "b" * 1000))
        for i in range(300)
    ]
    with serving(Answer()) as server, sending(tmp_path, Webhook(server.url)) as hooks:
        hooks.send(alarm(*many, agent="x" * 5000))
        until(lambda: server.requests)
    (body,) = bodies(server)
    assert 16 * 1024 < len(server.requests[0][2]) <= 64 * 1024
    kept = len(body["sort_drift"]["variables"])
    assert kept > 10
    assert body["truncatedAlerts"] == body["sort_drift"]["variables_left_out"] == 300 - kept
    assert len(body["alerts"]) == kept


def test_a_ledger_that_cannot_be_read_is_said_and_begins_anew(tmp_path: Path) -> None:
    """Nothing old is sent again: what is over counts as told."""
    (tmp_path / "webhooks.json").write_bytes(b'{"hooks": {"x": [1, \xff')
    old = alarm(number=1)
    with serving(Answer()) as server, sending(tmp_path, Webhook(server.url), past=[old]) as hooks:
        hooks.send(alarm(number=2))
        until(lambda: server.requests)
        assert ids(server) == [alarm(number=2).id]
        assert hooks.problems() == ()  # it could be written since
    assert b"127.0.0.1" not in (tmp_path / "webhooks.json").read_bytes()  # the address may hold a secret


@pytest.mark.fault(45)
def test_a_ledger_that_cannot_be_written_stops_no_delivery(tmp_path: Path) -> None:
    """A disk that is full: the alarm goes out, once while the service lives, and the problem is said."""
    folder = tmp_path / "gone"
    with serving(Answer()) as server, sending(folder, Webhook(server.url)) as hooks:
        hooks.send(alarm())
        until(lambda: server.requests)
        until(lambda: not hooks.waiting())
        hooks.send(alarm())
        hooks.send(alarm(number=2))
        until(lambda: len(server.requests) == 2)
        assert "not noted" in "".join(hooks.problems())
    assert ids(server) == [alarm().id, alarm(number=2).id]


def test_a_wrong_hook_is_refused_before_anything_starts(tmp_path: Path) -> None:
    """The same check as at the start of the service."""
    with pytest.raises(UsageError, match="not allowed"):
        Webhooks([Webhook("https://evil.example/")], (), running(), PAGE, tmp_path / "webhooks.json")


# -- the form of Alertmanager, against a server that writes down what comes (a real one: test_alerting.py)


def alerts(server: Server) -> list[list[dict[str, Any]]]:
    """Return the bodies that went to /api/v2/alerts."""
    assert {path for path, _, _ in server.requests} <= {"/api/v2/alerts"}
    return [json.loads(body) for _, _, body in server.requests]


def test_open_alarms_are_sent_again_until_they_end(tmp_path: Path) -> None:
    """With a lease that reaches beyond the next time; ended once, then silence; where it began stays."""
    opened = alarm()
    board = running(agent(AGENT, state(opened=opened)))
    board.show(events=[opened])
    with (
        serving(Answer()) as server,
        sending(tmp_path, Webhook(server.url, "alertmanager"), board=board) as hooks,
    ):
        hooks.send(opened)
        until(lambda: len(server.requests) >= 4)
        board.show(agents=[agent(AGENT, state())])
        hooks.send(resolved(opened))
        until(lambda: not hooks.waiting())
        count = len(server.requests)
        time.sleep(0.5)
        assert len(server.requests) == count
    sent = alerts(server)
    now = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime())
    assert all(body[0]["endsAt"] > now for body in sent[:-1])
    assert sent[-1][0]["endsAt"] <= time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 1))
    assert len({body[0]["startsAt"] for body in sent}) == 1
    assert len({json.dumps(body[0]["labels"]) for body in sent}) == 1


def test_after_a_restart_what_is_open_is_sent_again(tmp_path: Path) -> None:
    """From the board: with its words where the event is known, with what is now where it is not."""
    known, forgotten = alarm(number=1), alarm(shift("busy_time"), number=2, agent="shop/coder")
    board = running(
        agent(AGENT, state(opened=known)), agent("shop/coder", state("busy_time", opened=forgotten))
    )
    board.show(events=[known])
    with serving(Answer()) as server, sending(tmp_path, Webhook(server.url, "alertmanager"), board=board):
        until(lambda: len(server.requests) >= 2)
    said = {
        alert["labels"]["agent"]: alert["annotations"]["summary"] for body in alerts(server) for alert in body
    }
    assert said == {
        AGENT: "retry_depth of shop/planner went from 0.40 to 1.10 re-attempts (+0.70 [0.50, 0.90])",
        "shop/coder": "an alarm of busy_time of shop/coder is open: 1.10 re-attempts of late, 0.40 usually",
    }


def test_an_alarm_that_the_board_lost_without_a_word_ends(tmp_path: Path) -> None:
    """An agent that is no longer watched keeps no pager ringing; twice in a row, not at the first look."""
    opened = alarm()
    board = running(agent(AGENT, state(opened=opened)))
    board.show(events=[opened])
    with serving(Answer()) as server, sending(tmp_path, Webhook(server.url, "alertmanager"), board=board):
        until(lambda: len(server.requests) >= 2)
        board.show(agents=[])
        count = len(server.requests)
        until(lambda: len(server.requests) >= count + 2)
        time.sleep(0.5)
    last = alerts(server)[-1][0]
    assert last["endsAt"] < time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 1))
    assert len(server.requests) == count + 2


def test_a_storm_is_sent_in_bodies_of_64_kib(tmp_path: Path) -> None:
    """A provider changes and 500 agents are in alarm: each is sent, in bodies that are bounded."""
    opened = {f"agent {i:03}": alarm(agent=f"agent {i:03}") for i in range(500)}
    board = running(*(agent(name, state(opened=event)) for name, event in opened.items()))
    board.show(events=opened.values())
    with serving(Answer()) as server, sending(tmp_path, Webhook(server.url, "alertmanager"), board=board):
        until(lambda: len({a["labels"]["agent"] for body in alerts(server) for a in body}) == 500)
    assert max(len(body) for _, _, body in server.requests) <= 64 * 1024
    assert len(server.requests) < 50


def test_a_clock_ahead_of_ours_makes_no_future_alert(tmp_path: Path) -> None:
    """Alertmanager shows nobody an alert that begins tomorrow."""
    for at_ns in (None, 0, 2**62, time.time_ns() + 10**15):
        with serving(Answer()) as server, sending(tmp_path, Webhook(server.url, "alertmanager")) as hooks:
            hooks.send(replace(alarm(number=3), at_ns=at_ns))
            until(lambda: server.requests)
            starts = alerts(server)[0][0]["startsAt"]
        assert starts <= time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 1))
        assert starts >= time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 20))
