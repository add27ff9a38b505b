"""The live page in a browser: light and dark, by keyboard, with news, with hostile names, on paper."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import urlsplit

import pytest

from sort_drift.live.board import Board, Health
from sort_drift.live.page import links
from tests.browser.chromium import PROGRAM, Page, chromium
from tests.browser.test_html_report import contrast
from tests.live.page import boards
from tests.live.page.served import Served, served
from tests.property.test_report_hostile import NAMES

pytestmark = [
    pytest.mark.skipif(PROGRAM is None, reason="no chromium here (apt-get install chromium); CI installs it"),
    pytest.mark.xdist_group("browser"),
]

PLANNER = "checkout/planner"
ALARM = f"{PLANNER}/358/alarm"


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    """Yield one tab."""
    with chromium() as browser:
        yield Page(browser)


@pytest.fixture(scope="module")
def live() -> Iterator[Served]:
    """Serve a fleet of four agents: one with an open alarm, one that was back, one that learns."""
    with served(boards.board()) as found:
        yield found
    # A page that listens when its server ends complains, rightly: the next test opens another one.


def paths(board: Board) -> dict[str, str]:
    """Return every page, by name."""
    agent = board.agents[0].name
    alarm = next(e for e in board.events if e.kind == "alarm" and e.agent == agent)
    return {
        "overview": "/",
        "variable": links.variable(agent, "retry_depth"),
        "seconds": links.variable(agent, "busy_time"),
        "unseen": links.variable(agent, "order_surprise"),
        "agent": links.agent(agent),
        "alarms": "/alarms",
        "alarm": links.alarm(alarm.id),
        "runs": "/runs?outcome=right&variable=retry_depth&value=1",
        "run": links.run(board.runs["run_id"][-1]),
        "map": "/map",
        "health": "/health",
    }


ROOMS = (
    "overview",
    "variable",
    "seconds",
    "unseen",
    "agent",
    "alarms",
    "alarm",
    "runs",
    "run",
    "map",
    "health",
)

PAIRS = """[...document.querySelectorAll('p,td,th,h1,h2,h3,a,dd,dt,li,small,button,label span,.sign,.count')]
  .filter(node => node.textContent.trim()).map(node => {
    let behind = node;
    const ground = (n) => getComputedStyle(n).backgroundColor;
    while (behind && ground(behind) === 'rgba(0, 0, 0, 0)') behind = behind.parentElement;
    return [getComputedStyle(node).color, ground(behind ?? document.body), node.className + node.tagName];
  })"""


def opened(page: Page, live: Served, path: str, **media: bool) -> None:
    """Open a page of the service as it is on a screen."""
    page.media(**media)
    page.open(live.url + path)


def quiet(page: Page, live: Served) -> None:
    """Assert that nobody complained, and nobody but the service was asked."""
    assert page.complaints() == []
    hosts = {urlsplit(url).netloc for url in page.requests() if not url.startswith("data:")}
    assert hosts == {urlsplit(live.url).netloc}


@pytest.mark.parametrize("name", ROOMS)
def test_every_page_is_quiet_and_fits_and_can_be_read(page: Page, live: Served, name: str) -> None:
    """In light and dark, 1280 to 400 wide: no complaint, no other host, no overflow, a contrast of 4.5."""
    for dark in (False, True):
        opened(page, live, paths(live.board)[name], dark=dark)
        quiet(page, live)
        for ink, ground, what in page.run(PAIRS):
            assert contrast(ink, ground) >= 4.5, (ink, ground, what)
        for width in (1280, 800, 400):
            page.size(width)
            assert page.run("document.documentElement.scrollWidth") <= width
        page.size(1280)


def test_the_overview_is_calm_but_for_what_changed(page: Page, live: Served) -> None:
    """One sentence on top; colour and a sign in one cell, that of the alarm; a learning agent says so."""
    opened(page, live, "/")
    assert page.run("document.querySelector('h1').innerText").endswith("1 alarm open: checkout/planner")
    assert page.run("[...document.querySelectorAll('td.changed')].map(td => td.innerText.split(' ')[0])") == [
        "!1.8"
    ]
    assert page.run("document.querySelectorAll('svg.sparkline').length") == 20
    text = page.run("document.querySelector('main').innerText")
    assert "learning, 37 of 60 runs" in text
    assert "At most 0.38 false alarms a day" in text
    assert "not observable" in text
    assert page.run("document.title").startswith("(1) ")


def test_the_chart_is_drawn_and_walked_by_keyboard(page: Page, live: Served) -> None:
    """UPlot takes the place of the picture; arrows go from run to run and say it, Enter opens one."""
    opened(page, live, paths(live.board)["variable"])
    assert page.run("document.querySelectorAll('#chart canvas').length") == 1
    assert page.run("document.querySelectorAll('#chart svg').length") == 0
    page.run("document.getElementById('chart').focus()")
    page.press("ArrowLeft")
    page.press("ArrowLeft")
    said = page.run("document.querySelector('#chart + [role=status]').innerText")
    run = live.board.runs.filter(service="checkout", agent="planner").row(-2, named=True)
    assert run["run_id"][:12] in said
    assert said.endswith(f"{run['retry_depth']:g} re-attempts")
    page.press("Enter")
    page.until(f"location.pathname === '/run/{run['run_id']}'")
    page.until("document.querySelectorAll('.graph svg .node').length >= 12")
    quiet(page, live)


def test_the_keyboard_reaches_what_matters(page: Page, live: Served) -> None:
    """Tab begins with a link to the content; / leads into the filter, except while something is typed."""
    opened(page, live, "/")
    page.press("Tab")
    assert page.run("document.activeElement.innerText") == "Skip to the content"
    page.press("Enter")
    page.press("Tab")
    assert page.run("document.activeElement.innerText") == "1 alarm open"
    opened(page, live, "/runs")
    page.press("/")
    assert page.run("document.activeElement.name") == "task"
    assert page.run("document.activeElement.value") == ""
    page.type("t07")
    page.press("/")
    assert page.run("document.activeElement.value") == "t07/"
    quiet(page, live)


def test_filtering_runs_is_a_form(page: Page, live: Served) -> None:
    """Enter in a field sends the form; the address holds what was asked, the list what fits."""
    opened(page, live, "/runs")
    page.run("document.getElementById('filter').focus()")
    page.type("T07")
    page.press("Enter")
    page.until("new URLSearchParams(location.search).get('task') === 'T07'")
    page.until("document.readyState === 'complete'")
    tasks = page.run("[...document.querySelectorAll('tbody tr')].map(r => r.cells[3].innerText)")
    assert set(tasks) == {"t07"}
    quiet(page, live)


def test_news_come_without_a_reload(page: Page) -> None:
    """A change of the board reaches the overview by an event; focus and scroll stay as they are."""
    board = boards.many(12)
    with served(board) as live:
        opened(page, live, "/")
        page.until("document.getElementById('live').innerText === 'live'")
        page.run("window.same = true")
        link = "document.querySelector('#agents tbody tr:nth-child(5) a')"
        page.run(f"{link}.focus(); window.scrollTo(0, 150)")
        name = page.run(f"{link}.innerText")
        board.show(
            agents=[replace(a, runs=a.runs + 1, variables=a.variables) for a in board.agents][::-1],
            runs=board.runs,
        )
        page.until("document.querySelector('main').innerText.includes('81 runs')")
        assert page.run("window.same")
        assert page.run("document.activeElement.innerText") == name
        assert page.run("window.scrollY") == 150
        quiet(page, live)


def test_an_alarm_that_opens_and_ends_is_seen_at_once(page: Page) -> None:
    """The count in the navigation and the sentence on top follow the board; rows stay what they are."""
    board = boards.board()
    agents = board.agents
    calm = [replace(a, variables=tuple(replace(v, alarm=None) for v in a.variables)) for a in agents]
    board.show(agents=calm)
    with served(board) as live:
        opened(page, live, "/")
        assert page.run("document.querySelector('h1').innerText").endswith(
            "3 agents watched, 1 agent learning"
        )
        board.show(agents=agents)
        page.until("document.querySelector('h1').innerText.includes('1 alarm open')")
        assert page.run("document.getElementById('alarm-count').innerText") == "1"
        board.show(agents=calm)
        page.until("document.querySelector('h1').innerText.includes('nothing changed')")
        assert page.run("document.title").startswith("Overview")
        quiet(page, live)


def test_the_chart_follows_and_a_list_asks_first(page: Page) -> None:
    """New runs are drawn without a reload; a list of runs offers them and does not move under the reader."""
    board = boards.board()
    whole = board.runs
    with served(board) as live:
        board.show(runs=whole.head(900))
        opened(page, live, paths(board)["variable"])
        page.until("document.getElementById('live').innerText === 'live'")
        before = page.run("JSON.parse(document.getElementById('chart-data').textContent).times.length")
        board.show(runs=whole)
        page.until(f"JSON.parse(document.getElementById('chart-data').textContent).times.length > {before}")
        assert page.run("document.querySelectorAll('#chart canvas').length") == 1
        opened(page, live, "/runs")
        first = page.run("document.querySelector('tbody tr th').innerText")
        board.show(runs=whole.head(1000))
        page.until("document.getElementById('offer') !== null")
        assert page.run("document.querySelector('tbody tr th').innerText") == first
        page.run("document.getElementById('offer').focus()")
        page.press("Enter")
        page.until(f"document.querySelector('tbody tr th').innerText !== '{first}'")
        assert page.run("document.getElementById('offer')") is None
        quiet(page, live)


def test_many_agents_can_be_filtered(page: Page) -> None:
    """Sixty agents and very long names: words leave the rows that have them, Escape brings all back."""
    with served(boards.many()) as live:
        opened(page, live, "/")
        for width in (1280, 800):
            page.size(width)
            assert page.run("document.documentElement.scrollWidth") <= width
        page.size(1280)
        page.press("/")
        page.type("service-3 number-17")
        shown = (
            "[...document.querySelectorAll('#agents tbody tr')].filter(r => !r.hidden).map(r => r.innerText)"
        )
        assert len(page.run(shown)) == 1
        assert page.run("document.querySelector('.filter [role=status]').innerText") == "1 of 60 rows"
        page.press("Escape")
        assert len(page.run(shown)) == 60
        opened(page, live, "/map")
        assert page.run("document.documentElement.scrollWidth") <= 1280
        quiet(page, live)


def test_an_empty_service_says_how_to_send_spans(page: Page) -> None:
    """Nothing has come: the endpoint and the variable that exporters read, on every page no error."""
    board = Board()
    board.show(health=Health("running"))
    with served(board) as live:
        opened(page, live, "/")
        text = page.run("document.querySelector('main').innerText")
        assert "no spans yet" in text
        assert "OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318\n" in text
        assert "OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4317\n" in text
        for path in ("/alarms", "/runs", "/map", "/health"):
            opened(page, live, path)
            quiet(page, live)


def test_without_script_every_page_reads(page: Page, live: Served) -> None:
    """No script: the chart is a picture, the table has its numbers, no field that does nothing."""
    for name in ("overview", "variable", "alarm", "runs", "map"):
        page.open(live.url + paths(live.board)[name], scripts=False)
        tree = page.call("DOM.getDocument", depth=-1)
        outer = page.call("DOM.getOuterHTML", nodeId=tree["root"]["nodeId"])["outerHTML"]
        assert "<h1" in outer
        assert ('class="still"' in outer) == (name in ("variable", "alarm"))
        assert "Filter rows" not in outer
    page.open(live.url + "/")


def test_a_page_prints(page: Page, live: Served) -> None:
    """On paper: dark ink, no navigation, no fields."""
    opened(page, live, paths(live.board)["variable"], print_=True, dark=True)
    assert page.run("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    for gone in (".top nav", "#live", ".tabs"):
        assert page.run(f"getComputedStyle(document.querySelector('{gone}')).display") == "none"
    assert page.pdf().startswith(b"%PDF-")
    page.media()


ELEMENTS = (
    "[...document.querySelectorAll('*')].map(e => e.tagName + [...e.attributes].map(a => ' ' + a.name))"
)
HOSTILE = f"{NAMES['xss']}{NAMES['close']}a\u2028b\u2029{{{{7*7}}}}\u202edc\x1b[2J</script><!--<script>"
NAMED = ("overview", "variable", "agent", "alarm", "runs", "run", "map", "health")
"""Pages that show names, each in other places."""


@pytest.mark.fault(63, 64)
def test_hostile_names_are_text(page: Page) -> None:
    """Names that are markup, scripts and templates add no element, run nothing and load nothing, anywhere."""
    seen = []
    for text in ("x" * len(HOSTILE), HOSTILE):
        board = boards.hostile(text)
        with served(board, rename=text) as live:
            trees = {}
            for room in NAMED:
                opened(page, live, paths(board)[room])
                trees[room] = page.run(ELEMENTS)
                quiet(page, live)
                assert not [e for e in page.browser.events if e["method"] == "Page.javascriptDialogOpening"]
            seen.append(trees)
            shown = page.run("document.body.innerText")
            assert text[:40] in shown
    for room in NAMED:
        assert seen[0][room] == seen[1][room], room


@pytest.mark.fault(64)
def test_names_that_are_addresses_lead_nowhere(page: Page) -> None:
    """Every link stays on the page's host or follows the template of traces; a click on one opens its run."""
    board = boards.hostile("javascript:alert(1)//../../..")
    with served(board) as live:
        for room in ("alarm", "map", "runs"):
            opened(page, live, paths(board)[room])
            ways = page.run("[...document.links].map(a => a.protocol + a.host)")
            assert len(ways) >= 8
            assert set(ways) == {f"http:{urlsplit(live.url).netloc}"}
        page.run("document.querySelector('tbody tr th a').click()")
        page.until("document.querySelector('h1').innerText.startsWith('Run javascript:')")
        assert f"https:{'traces.example'}" in page.run("[...document.links].map(a => a.protocol + a.host)")
        quiet(page, live)


@pytest.mark.fault(64)
def test_json_in_a_page_cannot_be_ended(page: Page) -> None:
    """Tasks that close the script element arrive in the chart as they were, character by character."""
    text = "</script><script>alert(1)</script>&amp;<!--"
    board = boards.hostile(text)
    with served(board) as live:
        opened(page, live, paths(board)["variable"])
        data = json.loads(page.run("document.getElementById('chart-data').textContent"))
        assert data["tasks"][0] == text
        assert page.run("document.querySelectorAll('script').length") == 3
        quiet(page, live)


def test_a_token_is_asked_for_once(page: Page) -> None:
    """The form, a wrong token, the right one; then pages and events come with the cookie alone."""
    settings = replace(boards.SETTINGS, token="a long secret")
    with served(boards.board(), settings) as live:
        page.open(live.url + "/health")
        assert page.run("document.querySelector('h1').innerText") == "This page asks for a token"
        for given, then in (("wrong", "That is not the token."), ("a long secret", "1 alarm open")):
            page.run("document.querySelector('input').focus()")
            page.type(given)
            page.press("Enter")
            page.until(f"document.body.innerText.includes('{then}')")
        page.open(live.url + "/")
        page.until("document.getElementById('live').innerText === 'live'")
        assert page.run("document.cookie") == ""  # HttpOnly
        quiet(page, live)
        page.call("Network.clearBrowserCookies")
