"""The page over HTTP: every address answers, carries its headers, writes nothing, is HTML by the standard."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import html5lib
import httpx
import pytest

from sort_drift.errors import MissingInput
from sort_drift.exhibits import Execution
from sort_drift.live.board import Board, Health
from sort_drift.live.page import assets, links
from sort_drift.live.page.app import application
from tests.live.page import boards
from tests.live.page.served import Served, served, serving

HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}


@pytest.fixture(scope="module")
def live() -> Iterator[Served]:
    """Serve a fleet."""
    with served(boards.board()) as found:
        yield found


@pytest.fixture
def client(live: Served) -> Iterator[httpx.Client]:
    """Yield a client of that service."""
    with httpx.Client(base_url=live.url) as made:
        yield made


def addresses(board: Board) -> list[str]:
    """Return every kind of page."""
    agent, alarm = board.agents[0].name, board.open[0]
    ended = next(e for e in board.events if e.kind == "resolved")
    found = [
        "/",
        "/alarms",
        "/runs",
        "/map",
        "/health",
        links.agent(agent),
        links.alarm(alarm.id),
        links.alarm(ended.id),
    ]
    found += [links.variable(agent, v.name) for v in board.agents[0].variables]
    return [*found, links.run(board.runs["run_id"][0]), f"/run?id={board.runs['run_id'][0]}"]


def test_every_page_is_html_by_the_standard(live: Served, client: httpx.Client) -> None:
    """A strict parser has nothing to complain about, in whole pages and in fragments."""
    for path in addresses(live.board):
        answer = client.get(path)
        assert answer.status_code == 200, path
        html5lib.HTMLParser(strict=True).parse(answer.text)
        assert answer.text.count("<h1") == 1
        fragment = client.get(path, params={**httpx.URL(path).params, "fragment": "1"})
        assert fragment.text.startswith('<main id="main"')
        assert "<script src" not in fragment.text


def test_every_answer_carries_its_headers(client: httpx.Client) -> None:
    """Pages, files, refusals: a policy with a nonce of its own, nosniff, no referrer, no store, no CORS."""
    answers = [
        client.get("/"),
        client.get("/nowhere"),
        client.get("/static/page.js"),
        client.get("/static/nothing"),
        client.post("/"),
        client.get("/", headers={"host": "evil.example"}),
        client.get("/login"),
    ]
    assert [a.status_code for a in answers] == [200, 404, 200, 404, 403, 400, 303]
    for answer in answers:
        assert HEADERS.items() <= dict(answer.headers).items()
        assert "access-control-allow-origin" not in answer.headers
        policy = answer.headers["content-security-policy"]
        for part in ("default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'"):
            assert part in policy
        assert "unsafe" not in policy
    nonces = {a.headers["content-security-policy"].partition("nonce-")[2].partition("'")[0] for a in answers}
    assert len(nonces) == len(answers)
    first = answers[0]
    nonce = first.headers["content-security-policy"].partition("nonce-")[2].partition("'")[0]
    assert first.text.count("<script src") == first.text.count(f'nonce="{nonce}"') == 1


@pytest.mark.fault(62)
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"])
def test_nothing_can_be_written(live: Served, client: httpx.Client, method: str) -> None:
    """Any method but GET and HEAD is refused on every address; only the form of the token takes a POST."""
    for path in [*addresses(live.board), "/events", "/static/page.js", "/nowhere"]:
        assert client.request(method, path).status_code == 403, path
    assert client.request(method, "/login").status_code == (303 if method == "POST" else 403)


@pytest.mark.fault(60)
@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8321", "127.0.0.1.evil.example", "", "localhost@evil"]
)
def test_a_name_that_is_not_ours_is_refused(client: httpx.Client, host: str) -> None:
    """A page of another site that had its name lead here (DNS rebinding) reads nothing, not even a file."""
    for path in ("/", "/events", "/static/page.js"):
        assert client.get(path, headers={"host": host}).status_code == 400


def test_names_of_this_machine_and_of_the_settings_are_ours() -> None:
    """Loopback by name and number, and what the settings allow."""
    with served(boards.board(boards.FLEET[2:3]), replace(boards.SETTINGS, hosts=("drift.example",))) as live:
        for host in ("localhost", "LOCALHOST:1234", "127.0.0.1", "[::1]:99", "drift.example:443"):
            assert httpx.get(live.url, headers={"host": host}).status_code == 200


def test_head_answers_without_a_body(live: Served, client: httpx.Client) -> None:
    """HEAD is GET without the content, also of the stream, which does not begin."""
    for path in [*addresses(live.board), "/events"]:
        answer = client.head(path)
        assert answer.status_code == 200
        assert answer.content == b""


@pytest.mark.parametrize(
    "path",
    ["/agent/nobody", "/agent/nobody/retry_depth", "/alarm/none", "/run/none", "/run", "/run?id=", "/static/",
     "/static/..%2fapp.py", "/static/../app.py", "/agent/", "/health/x", "/runs/", "/%00", "/run/%ff"],
)  # fmt: skip
def test_what_does_not_exist_is_not_found(client: httpx.Client, path: str) -> None:
    """Unknown agents, alarms, runs and files are a 404 that says which, never a 500."""
    assert client.get(path).status_code == 404


def test_an_agent_has_no_other_variables(live: Served, client: httpx.Client) -> None:
    """A variable that is not watched has no page."""
    answer = client.get(links.variable(live.board.agents[0].name, "tool_calls"))
    assert answer.status_code == 404
    assert "no such variable" in answer.text


def test_files_are_what_they_are(client: httpx.Client) -> None:
    """Style, script and chart come with their types; style is that of a report, and what pages add."""
    kinds = {name: client.get(f"/static/{name}").headers["content-type"] for name in assets.FILES}
    assert kinds["page.js"].startswith("text/javascript")
    assert kinds["icon.svg"] == "image/svg+xml"
    style = client.get("/static/live.css").text
    assert ".banner.drift" in style
    assert ".sparkline" in style


def test_no_page_names_another_host(live: Served, client: httpx.Client) -> None:
    """Nothing is loaded from elsewhere; only links of the trace template lead out."""
    for path in addresses(live.board):
        text = client.get(path).text
        for address in ('src="http', "src='http", "url(http", "@import"):
            assert address not in text
        assert text.count("https://") == text.count("https://traces.example/")


def test_a_store_that_cannot_be_read_costs_the_graph_alone() -> None:
    """The board still has the values of a run whose spans are gone; what is on neither is not found."""
    board = boards.board(boards.FLEET[2:3])

    def graph(_: str) -> tuple[dict[str, Any] | None, Execution | None, str]:
        raise MissingInput("the segment is gone", where="runs")

    with serving(application(board, boards.SETTINGS, graph=graph)) as url:
        answer = httpx.get(url + links.run(board.runs["run_id"][0]))
        assert answer.status_code == 200
        assert "The store cannot be read: the segment is gone." in answer.text
        assert "retry_depth" in answer.text
        assert httpx.get(f"{url}/run/none").status_code == 404


def test_a_mistake_of_ours_is_one_page_and_no_trace() -> None:
    """An exception while a page is made answers 500 without saying what it was; other pages go on."""
    board = boards.board(boards.FLEET[2:3])

    def graph(_: str) -> tuple[dict[str, Any] | None, Execution | None, str]:
        raise ZeroDivisionError("secret detail")

    with serving(application(board, boards.SETTINGS, graph=graph), quiet=True) as url:
        answer = httpx.get(url + links.run(board.runs["run_id"][0]))
        assert answer.status_code == 500
        assert "secret detail" not in answer.text
        assert HEADERS.items() <= dict(answer.headers).items()
        assert httpx.get(url).status_code == 200


def test_pages_follow_the_board(live: Served) -> None:
    """What was rendered for one version is not shown for the next; counters count without one."""
    board = boards.board(boards.FLEET[2:3])
    with served(board) as found:
        assert "learning, 37 of 60 runs" in httpx.get(found.url).text
        board.show(agents=[replace(board.agents[0], learning=3, runs=57)])
        assert "learning, 57 of 60 runs" in httpx.get(found.url).text
        board.count("late", 41)
        assert ">41<" in httpx.get(found.url + "/health").text
        board.show(health=Health("failed", why="the disk is full", problems=("segment 3 is damaged",)))
        text = httpx.get(found.url + "/alarms").text
        assert "the service is failed: the disk is full" in text
        assert "segment 3 is damaged" in text


def test_runs_without_a_service_need_no_column() -> None:
    """A board before its first run, and one whose table lacks what a variable needs, both show."""
    board = Board()
    with served(board) as live:
        for path in ("/", "/runs", "/map", "/health", "/alarms", "/runs?task=a&from=2026-01-01"):
            assert httpx.get(live.url + path).status_code == 200
        whole = boards.board(boards.FLEET[2:3])
        thin = whole.runs.drop(
            "open_runs", *[c for c in whole.runs.columns if c.startswith(("retry", "busy"))]
        )
        board.show(runs=thin, agents=whole.agents)
        for path in (
            "/",
            "/runs",
            "/map",
            links.agent("support/triage"),
            links.variable("support/triage", "busy_time"),
        ):
            assert httpx.get(live.url + path).status_code == 200, path
