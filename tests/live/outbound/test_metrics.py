"""What /metrics shows: every value with its name, bounded labels, nothing where nothing is known."""

from __future__ import annotations

import http.client
import math
import re
import subprocess
from collections.abc import Iterable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as prometheus

from sort_drift.live.board import COUNTERS, AgentState, Board
from sort_drift.live.outbound import metrics
from sort_drift.live.outbound.labels import MOST, OTHERS, label
from tests.live.outbound.fleets import agent, alarm, running, state
from tests.live.outbound.programs import needs, serving
from tests.shared_data import ROOT

OPENMETRICS = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"


def samples(
    board: Board, accept: str = "", **options: object
) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Return every sample as the client library of Prometheus reads it; a series given twice fails."""
    body, _ = metrics.render(board, accept, **options)  # type: ignore[arg-type]
    families: Iterable[Metric] = (openmetrics if accept else prometheus)(body.decode())
    found: dict[tuple[str, frozenset[tuple[str, str]]], float] = {}
    for family in families:
        for sample in family.samples:
            key = sample.name, frozenset(sample.labels.items())
            assert key not in found
            found[key] = sample.value
    return found


def value(board: Board, name: str, **labels: str) -> float | None:
    """Return one value, None where there is none."""
    return samples(board).get((f"sort_drift_{name}", frozenset(labels.items())))


@pytest.mark.parametrize("accept", ["", OPENMETRICS])
def test_both_formats_hold_the_same(accept: str) -> None:
    """Text and OpenMetrics are parsed without a complaint, and say the same."""
    board = running(agent())
    ours = {k: v for k, v in samples(board, accept).items() if k[0].startswith("sort_drift")}
    assert ours == {k: v for k, v in samples(board).items() if k[0].startswith("sort_drift")}
    assert len(ours) > 40


@pytest.mark.parametrize(
    ("accept", "answered"),
    [
        ("", "text/plain"),
        ("*/*", "text/plain"),
        (OPENMETRICS, "application/openmetrics-text"),
        ("application/openmetrics-text; version=abc", "text/plain"),
        ("application/openmetrics-text; version=", "application/openmetrics-text"),
        ("text/html, \x00", "text/plain"),
    ],
)
def test_the_format_is_negotiated(accept: str, answered: str) -> None:
    """What is asked for is answered; nonsense gets the plain format."""
    body, content_type = metrics.render(running(agent()), accept)
    assert content_type.startswith(answered)
    assert b"sort_drift_build_info" in body


@needs("promtool")
def test_promtool_finds_nothing_to_complain_of() -> None:
    """Names, types and help texts are as Prometheus wants them."""
    board = running(agent(), agent("b", learning=3))
    for counter in COUNTERS:
        board.count(counter, 2, "why")
    body, _ = metrics.render(board, store=ROOT)
    done = subprocess.run(["promtool", "check", "metrics"], input=body, capture_output=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, b"")


@pytest.mark.fault(55)
def test_every_counter_of_the_board_is_there_from_the_beginning() -> None:
    """0 before anything was counted, so that the first rise is one; with its reason afterwards."""
    board = running()
    before = samples(board)
    for counter in COUNTERS:
        name = f"sort_drift_{metrics.NAMES.get(counter, counter)}_total"
        assert before[name, frozenset({("reason", "")})] == 0
    board.count("refused", 3, "too large")
    board.count("refused", 1)
    assert value(board, "requests_refused_total", reason="too large") == 3
    assert value(board, "requests_refused_total", reason="") == 1


def test_a_counter_never_falls_whatever_reasons_come() -> None:
    """Beyond 50 reasons the rest is one sum, of which nothing moves out again."""
    board = running()
    last: dict[tuple[str, frozenset[tuple[str, str]]], float] = {}
    for turn in range(3):
        for i in range(80):
            board.count("rejected", i + turn + 1, f"reason {i}")
        now = {k: v for k, v in samples(board).items() if k[0] == "sort_drift_items_rejected_total"}
        assert len(now) == 52  # none, 50, the others
        assert all(now[key] >= last.get(key, 0) for key in now)
        assert sum(now.values()) == board.counts()["rejected"]
        last = now


def test_agents_have_their_values() -> None:
    """Latest and usual mean, e-value, alarm, runs; and what of them an alarm needs."""
    opened = alarm()
    board = running(agent("shop/planner", state(opened=opened), state("busy_time")))
    named = {"agent": "shop/planner", "variable": "retry_depth"}
    assert value(board, "variable_latest_mean", **named) == 1.1
    assert value(board, "variable_usual_mean", **named) == 0.4
    assert value(board, "variable_e_value", **named) == 3.5
    assert value(board, "variable_alarm", **named) == 1
    assert value(board, "variable_alarm", agent="shop/planner", variable="busy_time") == 0
    assert value(board, "agent_runs", agent="shop/planner") == 214
    assert value(board, "agent_learning", agent="shop/planner") == 0
    assert value(board, "alarms_open") == 1
    assert value(board, "alarm_e_value") == 10_000
    assert value(board, "variable_info", variable="retry_depth", unit="re-attempts") == 1


def test_what_is_missing_is_absent() -> None:
    """No 0 for a mean, a time or a file system that nobody knows."""
    board = running(agent("a", state(latest=None, usual=math.nan), last_ns=None), last_ns=None, started_ns=0)
    names = {name for name, _ in samples(board, store=ROOT / "no such folder")}
    for absent in (
        *("variable_latest_mean", "variable_usual_mean", "agent_last_run_timestamp_seconds"),
        *(
            "last_span_timestamp_seconds",
            "start_time_seconds",
            "agent_learning_runs_left",
            "store_free_bytes",
        ),
    ):
        assert f"sort_drift_{absent}" not in names
    assert ("sort_drift_store_free_bytes", frozenset()) in samples(board, store=ROOT)
    learning = running(agent("a", learning=37))
    assert value(learning, "agent_learning_runs_left", agent="a") == 37
    assert value(learning, "agent_learning", agent="a") == 1


def test_an_infinite_e_value_is_shown_as_one() -> None:
    """Evidence beyond all numbers is not missing."""
    assert (
        value(
            running(agent("a", state(e_value=math.inf))),
            "variable_e_value",
            agent="a",
            variable="retry_depth",
        )
        == math.inf
    )


def test_the_state_is_one_of_four() -> None:
    """Exactly one of them is 1."""
    board = running(state="draining")
    shown = {
        dict(labels)["state"]: v for (name, labels), v in samples(board).items() if name == "sort_drift_state"
    }
    assert shown == {"starting": 0, "running": 0, "draining": 1, "failed": 0}


@pytest.mark.fault(74)
def test_more_agents_than_fit_are_summed() -> None:
    """200 agents have labels of their own; alarms stand in front; the others add up, and are counted."""
    many = [agent(f"agent {i:04}", state(), state("busy_time"), runs=i) for i in range(1000)]
    many[3] = agent("agent 0003", state(opened=alarm(agent="agent 0003")), runs=3)
    board = running(*many)
    found = samples(board)
    runs = {
        dict(labels)["agent"]: v for (name, labels), v in found.items() if name == "sort_drift_agent_runs"
    }
    assert len(runs) == metrics.AGENTS + 1
    assert sum(runs.values()) == sum(range(1000))
    assert {"agent 0003", "agent 0999", OTHERS} <= runs.keys()
    assert value(board, "agents") == 1000
    assert value(board, "agents_left_out") == 800
    assert value(board, "variable_alarm", agent="agent 0003", variable="retry_depth") == 1
    assert value(board, "variable_alarm", agent=OTHERS, variable="retry_depth") == 0
    means = [labels for name, labels in found if name == "sort_drift_variable_latest_mean"]
    assert len(means) == 1 + 2 * (metrics.AGENTS - 1)  # a mean of means would be of nothing
    assert len(metrics.render(board)[0]) < 1 << 20


@pytest.mark.fault(74)
def test_alarms_of_agents_left_out_still_count() -> None:
    """More agents in alarm than have labels: the sum says so, and an alert on it fires."""
    many = [agent(f"agent {i}", state(opened=alarm(agent=f"agent {i}"))) for i in range(203)]
    assert value(running(*many), "variable_alarm", agent=OTHERS, variable="retry_depth") == 3


@pytest.mark.fault(74)
@pytest.mark.parametrize(
    "name",
    [
        'a"} 1\nfake_metric{x="',
        "back\\slash \\n",
        "line\nbreak\r\n\x00\x1b[2J",
        "right \u202e to left",
        "lone \ud800 surrogate",
        "",
        OTHERS,
        "工具" * 100,
        "x" * 100_000,
    ],
)
def test_hostile_names_stay_labels(name: str) -> None:
    """Quotes, line breaks, escapes, surrogates and length neither break the page nor add to it."""
    hostile = running(agent(name, state(name)), agent("b"))
    hostile.count("rejected", 1, name)
    found = samples(hostile)
    plain = running(agent("a", state("a")), agent("b"))
    plain.count("rejected", 1, name and "a")
    assert len(found) == len(samples(plain))
    for _, labels in found:
        for _, shown in labels:
            assert len(shown) <= MOST
            assert not re.search(r"[\x00-\x1f\u202e\ud800]", shown)
    kept = [dict(labels)["agent"] for key, labels in found if key == "sort_drift_agent_runs"]
    assert kept == ["b", label(name)] or kept == [label(name), "b"]


@pytest.mark.fault(74)
@given(st.lists(st.text(max_size=300), unique=True, max_size=20))
def test_names_that_differ_stay_apart(names: list[str]) -> None:
    """Cutting and cleaning makes no two names one."""
    shown = [label(name) for name in names]
    assert len(set(shown)) == len(names)
    assert all(len(text) <= MOST for text in shown)
    assert OTHERS not in shown


def test_a_scrape_over_http() -> None:
    """The view answers a real client with the format that it asked for, and is not to be cached."""
    with serving(running(agent())) as address:
        connection = http.client.HTTPConnection(address, timeout=10)
        connection.request("GET", "/metrics", headers={"Accept": OPENMETRICS})
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
    assert answer.status == 200
    assert answer.getheader("content-type", "").startswith("application/openmetrics-text")
    assert answer.getheader("cache-control") == "no-store"
    assert body.endswith(b"# EOF\n")


def test_the_board_may_change_meanwhile() -> None:
    """Each page is of one moment: a value is there once, whoever writes."""
    board = running(agent())
    states: list[AgentState] = [agent(f"agent {i}") for i in range(50)]
    for i in range(0, 50, 10):
        board.show(agents=states[:i], health=replace(board.health, problems=("x",) * i))
        assert value(board, "problems") == i
        assert value(board, "agents") == i
