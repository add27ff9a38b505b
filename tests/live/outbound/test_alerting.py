"""An alarm all the way: board -> real Prometheus with our rules -> real Alertmanager -> whoever is woken.

And the direct way: webhooks -> real Alertmanager -> the same. Everything on loopback, with ports of its own.
"""

from __future__ import annotations

import io
import json
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from sort_drift.live.board import Board
from sort_drift.live.outbound import metrics
from sort_drift.live.outbound.webhooks import Pace, Webhooks
from sort_drift.live.settings import Webhook
from tests.live.outbound.fleets import AGENT, agent, alarm, resolved, running, shift, state
from tests.live.outbound.programs import (
    ALERTMANAGER,
    alertmanager,
    free_port,
    get,
    needs,
    prometheus,
    serving,
)
from tests.loopback import Answer, Server
from tests.loopback import serving as sink
from tests.shared_data import ROOT
from tests.waiting import until

EXAMPLES = ROOT / "examples" / "live"
RULES = EXAMPLES / "alerts.rules.yml"
TESTS = Path(__file__).with_name("alerts.test.yml")


def read(name: str) -> Any:
    """Return an example as plain values."""
    return YAML(typ="safe").load((EXAMPLES / name).read_text(encoding="utf-8"))


def written(value: Any) -> str:
    """Return plain values as YAML."""
    text = io.StringIO()
    YAML(typ="safe").dump(value, text)
    return text.getvalue()


@contextmanager
def paging(folder: Path) -> Iterator[tuple[str, Server]]:
    """Run Alertmanager with the routes of the example, and what it calls; only times and address differ."""
    with sink(Answer()) as woken:
        config = read("alertmanager.yml")
        config["route"] |= {"group_wait": "0s", "group_interval": "1s"}
        config["receivers"][0]["webhook_configs"][0]["url"] = f"{woken.url}/alerts"
        with alertmanager(folder, written(config)) as address:
            yield address, woken


def told(woken: Server, status: str, name: str = "SortDriftAlarm") -> list[dict[str, Any]]:
    """Return the alerts of a status that somebody was woken with."""
    bodies = [json.loads(body) for _, _, body in list(woken.requests)]
    found = [alert for body in bodies for alert in body["alerts"]]
    return [a for a in found if a["status"] == status and a["labels"]["alertname"] == name]


def firing(address: str) -> dict[tuple[str, str], dict[str, Any]]:
    """Return the drift alarms that Alertmanager has, by agent and variable."""
    found = [a for a in get(address, "/api/v2/alerts") or [] if a["labels"]["alertname"] == "SortDriftAlarm"]
    return {(a["labels"]["agent"], a["labels"]["variable"]): a for a in found}


@needs("promtool")
def test_promtool_takes_the_rules_and_the_configuration() -> None:
    """Syntax, expressions, templates: nothing to complain of."""
    for command in (["check", "rules", str(RULES)], ["check", "config", str(EXAMPLES / "prometheus.yml")]):
        done = subprocess.run(["promtool", *command], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


@needs("promtool")
def test_every_rule_fires_when_it_should_and_not_before() -> None:
    """`promtool test rules` with series for each alert."""
    done = subprocess.run(
        ["promtool", "test", "rules", str(TESTS)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    tested = {
        one["alertname"]
        for test in YAML(typ="safe").load(TESTS.read_text())["tests"]
        for one in test["alert_rule_test"]
    }
    rules = [rule for group in read("alerts.rules.yml")["groups"] for rule in group["rules"]]
    assert tested == {rule["alert"] for rule in rules if "alert" in rule}


def test_every_metric_of_the_rules_exists() -> None:
    """A name that nobody shows would be an alert that never fires."""
    board = running(agent(AGENT, state()))
    shown = metrics.render(board, store=ROOT)[0].decode()
    names = set(re.findall(r"\bsort_drift_\w+", re.sub(r"instance:\w+:sum", "", RULES.read_text())))
    assert len(names) > 15
    for name in names:
        assert f"# TYPE {name} " in shown, name
    recorded = set(re.findall(r"instance:\w+:sum", RULES.read_text()))
    rules = [rule for group in read("alerts.rules.yml")["groups"] for rule in group["rules"]]
    assert recorded == {rule["record"] for rule in rules if "record" in rule}


@needs(ALERTMANAGER, "amtool")
def test_amtool_takes_the_routes() -> None:
    """The example is a configuration that Alertmanager starts with, and its inhibition is meant."""
    command = ["amtool", "check-config", str(EXAMPLES / "alertmanager.yml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@needs("prometheus", ALERTMANAGER)
def test_an_alarm_through_prometheus_and_alertmanager(tmp_path: Path) -> None:
    """It fires, somebody is woken with its words, it ends, and somebody is told that."""
    opened = alarm()
    board = running(agent(AGENT, state(opened=opened), state("busy_time")))
    with paging(tmp_path / "alertmanager") as (pager, woken), serving(board) as scraped:
        rules = read("alerts.rules.yml")
        for group in rules["groups"]:
            for rule in group["rules"]:
                rule.pop("keep_firing_for", None)  # else its end would be five minutes late; promtool has it
        (tmp_path / "alerts.rules.yml").write_text(written(rules))
        config = read("prometheus.yml")
        config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
        config["alerting"]["alertmanagers"][0]["static_configs"][0]["targets"] = [pager]
        config["scrape_configs"][0]["static_configs"][0]["targets"] = [scraped]
        with prometheus(tmp_path, written(config)) as server:
            (alert,) = until(lambda: told(woken, "firing"), 30)
            assert (alert["labels"]["agent"], alert["labels"]["variable"]) == (AGENT, "retry_depth")
            said = alert["annotations"]["description"]
            assert said.startswith("retry_depth of shop/planner is 1.1 of late, and usually 0.4.")
            assert f"http://{scraped}/alarms" in said
            assert set(firing(pager)) == {(AGENT, "retry_depth")}
            targets = get(server, "/api/v1/targets")["data"]["activeTargets"]
            assert [(t["health"], t["lastError"]) for t in targets] == [("up", "")]

            board.show(agents=[agent(AGENT, state(), state("busy_time"))], events=[resolved(opened)])
            (over,) = until(lambda: told(woken, "resolved"), 30)
            assert over["labels"] == alert["labels"]
            until(lambda: not firing(pager))
            others = {json.loads(body)["alerts"][0]["labels"]["alertname"] for _, _, body in woken.requests}
            assert others == {"SortDriftAlarm"}  # no false word about the service


@needs(ALERTMANAGER)
def test_an_alarm_straight_to_alertmanager(tmp_path: Path) -> None:
    """It fires once, stays open while it is sent again, survives a restart, ends, and does not come back."""
    opened = alarm(shift(), shift("busy_time"))
    both = agent(AGENT, state(opened=opened), state("busy_time", opened=opened))
    with paging(tmp_path / "alertmanager") as (pager, woken):
        hook = Webhook(f"http://{pager}", "alertmanager")
        board = running(both)
        board.show(events=[opened])
        with _sending(hook, board, tmp_path) as hooks:
            hooks.send(opened)
            hooks.send(opened)
            until(
                lambda: (
                    {a["labels"]["variable"] for a in told(woken, "firing")} == {"retry_depth", "busy_time"}
                )
            )
            shown = firing(pager)[AGENT, "retry_depth"]
            assert shown["annotations"]["summary"].endswith(
                "from 0.40 to 1.10 re-attempts (+0.70 [0.50, 0.90])"
            )
            assert shown["generatorURL"].startswith("http://127.0.0.1:8321/alarm/shop-planner-214-alarm")
            began = shown["startsAt"]
            time.sleep(5)  # longer than the lease: it would have ended without being sent again
            assert set(firing(pager)) == {(AGENT, "retry_depth"), (AGENT, "busy_time")}
        with _sending(hook, board, tmp_path, past=[opened]) as hooks:  # the service starts again
            time.sleep(5)
            assert firing(pager)[AGENT, "retry_depth"]["startsAt"] == began
            assert not told(woken, "resolved")
            over = resolved(opened)
            board.show(agents=[agent(AGENT, state(), state("busy_time", opened=opened))], events=[over])
            hooks.send(over)
            until(lambda: told(woken, "resolved"))
            assert {a["labels"]["variable"] for a in told(woken, "resolved")} == {"retry_depth"}
            time.sleep(2)
            assert set(firing(pager)) == {(AGENT, "busy_time")}
            assert hooks.problems() == ()
        until(lambda: not firing(pager))  # a service that is gone leaves nothing open beyond its lease


@contextmanager
def _sending(
    hook: Webhook, board: Board, folder: Path, past: Any = (), page: str = "http://127.0.0.1:8321"
) -> Iterator[Webhooks]:
    pace = Pace(first_s=0.05, most_s=0.2, again_s=0.5, lease_s=4)
    made = Webhooks([hook], (), board, page, folder / "webhooks.json", pace=pace)
    made.start(past)
    try:
        yield made
    finally:
        made.stop()


@needs(ALERTMANAGER)
def test_an_alertmanager_that_is_down_for_a_while(tmp_path: Path) -> None:
    """When it is back it has what is open; nobody is woken for what began and ended meanwhile."""
    board = running()
    port = free_port()
    first, second = alarm(number=1), alarm(shift("busy_time"), number=2)
    over = resolved(first)
    hook = Webhook(f"http://127.0.0.1:{port}", "alertmanager")
    with _sending(hook, board, tmp_path, page="") as hooks:  # --page off: alerts without a link
        hooks.send(first)
        hooks.send(over)
        hooks.send(second)
        board.show(
            agents=[agent(AGENT, state(), state("busy_time", opened=second))], events=[first, over, second]
        )
        until(hooks.problems)
        assert hooks.waiting() >= 2
        with sink(Answer()) as woken:
            config = read("alertmanager.yml")
            config["receivers"][0]["webhook_configs"][0]["url"] = f"{woken.url}/alerts"
            config["route"] |= {"group_wait": "0s", "group_interval": "1s"}
            with alertmanager(tmp_path / "alertmanager", written(config), port=port) as pager:
                until(lambda: not hooks.waiting())
                until(lambda: set(firing(pager)) == {(AGENT, "busy_time")})
                until(lambda: told(woken, "firing"))
                assert not told(woken, "resolved")
                assert {a["labels"]["variable"] for a in told(woken, "firing")} == {"busy_time"}
                until(lambda: hooks.problems() == ())
