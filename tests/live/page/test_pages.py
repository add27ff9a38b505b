"""What single pages say: the sentence on top, what is missing, the course of a variable, the map, health."""

from __future__ import annotations

import re
from dataclasses import replace
from html import unescape
from math import exp

import polars as pl
import pytest

from sort_drift.live.board import COUNTERS, Board, Health
from sort_drift.live.page import links
from sort_drift.live.page.course import BANDS, course, plain
from sort_drift.live.page.fleet import AGENTS, fleet, fleet_map
from sort_drift.live.page.health import health
from sort_drift.live.page.overview import overview
from sort_drift.live.page.run import run
from sort_drift.live.page.variable import variable
from sort_drift.live.page.view import Look, Screen, View, load_names
from sort_drift.live.settings import Address, Settings
from sort_drift.model import Population
from sort_drift.monitor import false_alarms
from sort_drift.regimes import assign
from sort_drift.report import svg_graph
from sort_drift.report.html import links as trace_links
from sort_drift.report.svg_graph import ALONE, execution
from tests.live.page import boards


def seen(board: Board, settings: Settings = boards.SETTINGS) -> View:
    """Look at a board."""
    return Look(board, settings)()


def words(screen: Screen) -> str:
    """Return the text of a page."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", screen.main)).split())


def test_nothing_changed_is_one_sentence() -> None:
    """All is calm: how many are watched, what is promised, no colour anywhere."""
    screen = overview(seen(boards.board(boards.FLEET[1:3])), {})
    said = words(screen)
    assert "nothing changed: 1 agent watched, 1 agent learning" in said
    assert "changed" not in re.sub(r"nothing changed", "", screen.main)
    assert "learning, 37 of 60 runs" in said


def test_the_promise_is_that_of_the_monitors() -> None:
    """Runs a day of all agents times the rate; unknown paces are left out."""
    board = boards.board(boards.FLEET[:2])
    board.show(agents=[replace(a, per_day=p) for a, p in zip(board.agents, (1234.0, None), strict=True)])
    expected = false_alarms({"a": 1234.0}, 1e-4)
    assert f"At most {expected:.2f} false alarms a day are expected: 1 in 10,000 runs" in words(
        overview(seen(board), {})
    )


def test_what_no_run_shows_is_not_zero() -> None:
    """A variable without any value says so and why; an agent without it says that it is not watched."""
    board = boards.board(boards.FLEET[1:3])
    first, second = board.agents
    board.show(agents=[first, replace(second, variables=second.variables[:1])])
    said = words(overview(seen(board), {}))
    assert "not observable the order of tools is not shown" in said
    assert "not watched" in said


def test_what_is_being_learnt_is_not_called_missing() -> None:
    """While an agent learns, what has no value yet for no other reason says so, and nothing is compared."""
    board = boards.board(boards.FLEET[2:3])
    agent = board.agents[0]
    bare = [replace(v, usual=None, missing="") for v in agent.variables]
    board.show(agents=[replace(agent, variables=tuple(bare))])
    said = words(overview(seen(board), {}))
    assert "not yet once the agent is learnt" in said
    assert "not observable" not in said
    assert "nothing to compare with yet: 1 agent learning" in said
    assert said.count("nothing to compare with") == 1


@pytest.mark.parametrize(
    ("health_", "said"),
    [
        (Health("starting"), "starting: the store is being read"),
        (Health("running"), "no spans yet: how to send some"),
        (Health("running", spans_waiting=5, runs_open=1), "no run is over yet: 1 run under way"),
        (Health("running", spans_stored=5), "spans have come, but no run of an agent among them yet"),
    ],
)
def test_an_empty_page_says_what_is_waited_for(health_: Health, said: str) -> None:
    """Before the first run the page says at which step things are."""
    board = Board()
    board.show(health=health_)
    assert said in words(overview(seen(board), {}))


def test_the_start_names_the_endpoints_of_this_service() -> None:
    """Addresses, encryption and the token's header as they were set; a listener that is off is not named."""
    settings = replace(boards.SETTINGS, otlp_http=Address("0.0.0.0", 14318), otlp_grpc=None, token="geheim")
    said = words(overview(seen(Board(), settings), {}))
    assert "OTEL_EXPORTER_OTLP_ENDPOINT=http://<name of this machine>:14318" in said
    assert 'OTEL_EXPORTER_OTLP_HEADERS="authorization=Bearer%20<the token>"' in said
    assert "grpc" not in said
    assert "geheim" not in said
    both = replace(boards.SETTINGS, otlp_http=None, otlp_grpc=None)
    assert "No receiver is switched on" in words(overview(seen(Board(), both), {}))


def test_what_did_not_get_in_is_on_the_first_page() -> None:
    """Refused requests and rejected spans are said where people look, with a way to the reasons."""
    assert "3 requests refused, 9 spans rejected since the start" in words(overview(seen(boards.board()), {}))


def test_a_course_has_every_run_with_a_value_and_a_time() -> None:
    """Values and means are those of the table; seconds are seconds; runs without a time are counted."""
    board = boards.board(boards.FLEET[:1])
    runs = board.runs.with_row_index("i").with_columns(
        busy_time=pl.when(pl.col("i") == 3)
        .then(None)
        .when(pl.col("i") == 4)
        .then(float("nan"))
        .otherwise("busy_time"),
        start_ns=pl.when(pl.col("i") == 5).then(None).otherwise("start_ns"),
        end_ns=pl.when(pl.col("i") == 5).then(None).otherwise("end_ns"),
    )
    board.show(runs=runs.drop("i"))
    found = course(seen(board), "checkout/planner", "busy_time", 5000)
    assert len(found.values) == 420 - 3
    assert (found.untimed, found.earlier) == (1, 0)
    assert list(found.times_s) == sorted(found.times_s)
    assert found.means[-1] == pytest.approx(sum(found.values[-20:]) / 20)
    assert found.means[3] is None
    drawn = plain(found)
    assert drawn["log"]
    assert drawn["values"][0] == pytest.approx(exp(found.values[0]), rel=1e-4)
    short = course(seen(board), "checkout/planner", "busy_time", 200)
    assert (len(short.values), short.earlier) == (200, 217)
    assert short.values == found.values[-200:]


def test_marks_lie_where_the_events_say() -> None:
    """Onset, interval and decision in the time of their runs; what is over is not open."""
    board = boards.board(boards.FLEET[3:])
    found = course(seen(board), "warehouse/stock", "retry_depth", 5000)
    end = dict(zip(board.runs["run_id"], board.runs["end_ns"], strict=True))
    begin, back = board.events[::-1]
    assert [m.kind for m in found.marks] == ["alarm", "resolved"]
    assert found.marks[0].onset_s == end[begin.shifts[0].onset_run] / 1e9
    assert found.marks[0].at_s == end[begin.run_id] / 1e9
    assert found.marks[0].interval_s is not None
    assert not found.marks[0].open
    assert found.marks[1].address == links.alarm(back.id)


def test_bands_cover_the_time_without_gaps() -> None:
    """Stretches of load lie end to end, and there are few of them however often load changes."""
    found = course(seen(boards.board(boards.FLEET[:1])), "checkout/planner", "retry_depth", 5000)
    assert found.bands[0].start_s == found.times_s[0]
    assert found.bands[-1].end_s == found.times_s[-1]
    for before, after in zip(found.bands, found.bands[1:], strict=False):
        assert before.end_s == after.start_s
        assert before.regime != after.regime
    assert {"normal", "busy"} <= {band.regime for band in found.bands}
    assert len(found.bands) <= BANDS + 1


def test_names_of_load_are_those_of_a_report() -> None:
    """What the page calls busy is what regimes.assign calls busy, for declared and for counted load."""
    runs = boards.board(boards.FLEET[:1]).runs
    counted = runs.with_columns(load=pl.lit(None, pl.Float64), load_source=pl.lit(None, pl.String))
    for table in (runs, counted.drop("open_runs")):
        side = Population("", table)
        assert load_names(table).to_list() == assign(side, side)[0].runs["load_name"].to_list()


def test_a_variable_without_values_says_why() -> None:
    """No chart, no table, and the reason; the order of tools is scored in the monitor alone."""
    board = boards.board(boards.FLEET[:1])
    view = seen(board)
    asked = {"key": links.key("checkout/planner"), "variable": "order_surprise"}
    assert "Not observable : the order of tools is not shown" in words(variable(view, asked))
    agent = board.agents[0]
    scored = [replace(v, observed=99, latest=0.4, usual=0.4) if v.name == "order_surprise" else v
              for v in agent.variables]  # fmt: skip
    board.show(agents=[replace(agent, variables=tuple(scored))])
    screen = variable(seen(board), asked)
    assert "which its monitor holds" in words(screen)
    assert not screen.chart


def test_handoffs_are_tools_named_as_agents() -> None:
    """A tool named as another agent is a handoff: to the one of its service, to none where two fit."""
    board = boards.board()
    found = fleet(seen(board))
    assert found.hands["checkout/planner"] == {"support/triage": 420}
    assert "triage" not in found.tools["checkout/planner"]
    other = replace(board.agents[2], name="shop/triage")
    board.show(agents=[*board.agents, other])
    assert "checkout/planner" not in fleet(seen(board)).hands
    near = replace(board.agents[2], name="checkout/triage")
    board.show(agents=[*board.agents, near])
    assert fleet(seen(board)).hands["checkout/planner"] == {"checkout/triage": 420}


def test_the_map_is_bounded_and_its_table_is_not() -> None:
    """Sixty agents: forty are drawn, all are in the table, and what is left out is said."""
    screen = fleet_map(seen(boards.many()), {})
    assert screen.main.count('class="node agent') == AGENTS
    assert "20 agents" in words(screen)
    assert screen.main.count("<tr ") == 60


def test_health_tells_every_counter() -> None:
    """Each counter with what it means and its reasons; what was lost is marked, what is zero is not."""
    board = boards.board()
    screen = health(seen(board), {})
    said = words(screen)
    for name, what in COUNTERS.items():
        assert f"{name.replace('_', ' ')} {board.counts()[name]:,} {what}" in said
    assert "id of wrong length 7, time out of range 2" in said
    assert screen.main.count('<tr class="changed">') == 2
    board.show(
        health=replace(board.health, state="failed", why="disk full", lag_s=900.0, problems=("segment bad",))
    )
    worse = health(seen(board), {})
    assert "The service is failed: disk full" in words(worse)
    assert "segment bad" in words(worse)
    assert '<td class="changed">15 min 0 s</td>' in worse.main


def test_a_run_shows_every_value_or_why_there_is_none() -> None:
    """Each variable with its evidence, basis or reason; traces lead out where there is a template."""
    board = boards.board(boards.FLEET[:1])
    view = seen(board)
    row = view.of_agent("checkout/planner").row(0, named=True)
    for template, links_ in ((None, 0), ("https://traces.example/{trace_id}", 1)):
        screen = run(view, row, (None, "its spans are no longer in the store"), trace_links(template))
        assert screen.main.count("https://traces.example/") == links_
    said = words(screen)
    for name in view.variables:
        assert f" {name} " in said
    assert "order_surprise - needs a baseline" in said
    assert (
        "retry_depth 0 re-attempts observed calls repeated after a failure" in said or "retry_depth 1" in said
    )
    assert "its spans are no longer in the store" in said


def test_a_run_is_drawn_by_itself() -> None:
    """Every operation of a short run is in its picture, unmarked; of a very long one the rest is told."""
    short = boards.drawn()
    picture, left = execution(short, trace_links(None))
    assert (picture.count('class="node '), left) == (short.total, "")
    assert "only" not in picture
    chained = svg_graph.chain([f"step {i}" for i in range(4 * ALONE)])
    picture, left = execution(chained, trace_links(None))
    assert picture.count('class="node ') == ALONE
    assert left == f"{chained.total - ALONE} operations"


@pytest.mark.parametrize(
    "name", ["..", ".", "a/../b", "a?b#c", "%2e%2e", "\x00", "\udcff", "x" * 9000, "", "::", "工具"]
)
def test_names_in_addresses_are_inert(name: str) -> None:
    """Whatever an agent or a run is called, its address is one segment of plain characters, and its own."""
    address = links.agent(name)
    assert re.fullmatch(r"/agent/[a-z0-9-]{10,60}", address)
    assert links.alarm(name).count("/") == 2
    assert re.fullmatch(r"/run/[A-Za-z0-9._-]+|/run\?id=[!-~]*", links.run(name))
    assert not links.run(name).endswith(("/..", "/."))
    assert links.key(name) != links.key(name + "x")
