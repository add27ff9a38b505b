"""The list of runs: every filter finds what it says, together they narrow, and bad values are said."""

from __future__ import annotations

from collections.abc import Iterator
from math import log

import httpx
import polars as pl
import pytest

from sort_drift.live.page import links
from sort_drift.live.page.filters import choose
from sort_drift.live.page.runs import PAGE
from sort_drift.live.page.view import Look, View
from tests.live.page import boards
from tests.live.page.served import Served, served


@pytest.fixture(scope="module")
def view() -> View:
    """Look at a fleet."""
    return Look(boards.board(), boards.SETTINGS)()


def found(view: View, **asked: str) -> pl.DataFrame:
    """Return the runs of a form, which must be understood; ``from_`` is ``from``."""
    chosen = choose(view, {name.rstrip("_"): value for name, value in asked.items()})
    assert chosen.wrong == ()
    return view.runs[chosen.rows].with_columns(load_name=view.loads.gather(chosen.rows))


def test_nothing_asked_for_is_everything(view: View) -> None:
    """All runs, newest first; empty fields ask for nothing."""
    runs = found(view, agent="", task=" ", outcome="", load="", variable="retry_depth", op="ge", value="")
    assert runs.height == view.runs.height
    assert runs["end_ns"].is_sorted(descending=True)


def test_each_filter_finds_exactly_what_it_says(view: View) -> None:
    """Agent, task, outcome, load and times, against the table itself."""
    runs = view.runs.with_columns(load_name=view.loads)
    key = links.key("warehouse/stock")
    middle = runs["start_ns"].sort()[500]
    when = "2026-11-22T05:00"
    at = 1_795_323_600_000_000_000
    cases = [
        ({"agent": key}, pl.col("agent_name") == "warehouse/stock"),
        ({"task": "T07"}, pl.col("task") == "t07"),
        ({"outcome": "right"}, pl.col("outcome") == 1),
        ({"outcome": "wrong"}, pl.col("outcome") == 0),
        ({"load": "busy"}, pl.col("load_name") == "busy"),
        ({"from_": when}, pl.col("start_ns") >= at),
        ({"to": when}, pl.col("start_ns") < at),
        ({"agent": key, "task": "t01", "to": when}, (pl.col("agent_name") == "warehouse/stock")
         & (pl.col("task") == "t01") & (pl.col("start_ns") < at)),
    ]  # fmt: skip
    assert middle is not None
    for asked, expected in cases:
        got, want = found(view, **asked), runs.filter(expected)
        assert 0 < want.height < runs.height
        assert set(got["run_id"]) == set(want["run_id"]), asked
    assert found(view, outcome="unknown").height == 0


def test_a_threshold_is_in_the_unit_that_people_read(view: View) -> None:
    """At least or at most; seconds are seconds although the variable is their logarithm."""
    assert found(view, variable="retry_depth", op="ge", value="3")["retry_depth"].min() == 3
    assert found(view, variable="retry_depth", op="le", value="0")["retry_depth"].max() == 0
    slow = found(view, variable="busy_time", op="ge", value="10")
    assert 0 < slow.height < view.runs.height
    assert min(slow["busy_time"].to_list()) >= log(10)
    assert found(view, variable="order_surprise", op="ge", value="0").height == 0  # missing is not 0


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"variable": "retry_depth", "value": "many"}, "'many' is no number"),
        ({"variable": "busy_time", "value": "-1"}, "'-1' is no number that busy_time can have"),
        ({"variable": "task", "value": "1"}, "no variable 'task'"),
        ({"variable": "tool_order", "value": "1"}, "no variable 'tool_order'"),
        ({"from": "yesterday"}, "'yesterday' is no time"),
        ({"to": "9999-99-99"}, "is no time"),
        ({"agent": "nobody"}, "no such agent"),
        ({"outcome": "maybe"}, "no such outcome"),
    ],
)
def test_what_cannot_be_understood_is_said(view: View, asked: dict[str, str], said: str) -> None:
    """A bad value is named, and filters nothing by accident."""
    assert said in choose(view, asked).wrong[0]


@pytest.fixture(scope="module")
def live() -> Iterator[Served]:
    """Serve a fleet."""
    with served(boards.board()) as found_:
        yield found_


def test_pages_hold_every_run_once(live: Served) -> None:
    """From page to page the links lead through all runs of the filter; the form keeps what was asked."""
    asked = links.runs(agent=links.key("checkout/payment"), op="ge")
    seen: list[str] = []
    path: str | None = asked
    while path:
        text = httpx.get(live.url + path).text
        seen += [part.partition('"')[0] for part in text.split('href="/run/')[1:]]
        path = next(
            (p.rpartition('href="')[2].replace("&amp;", "&") for p in text.split('" rel="next"')[:-1]), None
        )
    ids = live.board.runs.filter(service="checkout", agent="payment")["run_id"].to_list()
    assert seen == ids[::-1]
    assert len(seen) > PAGE
    assert "selected>checkout/payment" in text


@pytest.mark.parametrize("page", ["0", "-1", "999", "x", "1e9", "²"])
def test_a_page_that_is_none_is_the_nearest(live: Served, page: str) -> None:
    """Numbers beyond the ends and no numbers at all show a page that exists."""
    assert httpx.get(f"{live.url}/runs", params={"page": page}).status_code == 200


def test_a_filter_of_hostile_text_is_text(live: Served) -> None:
    """What is typed comes back in the field, escaped; a pattern is not a pattern."""
    for text in ('"><script>alert(1)</script>', "t0[0-9]", "'; drop table runs", "%", "\u202e"):
        answer = httpx.get(
            f"{live.url}/runs", params={"task": text, "variable": text, "value": text, "load": text}
        )
        assert answer.status_code == 200
        assert "<script>alert" not in answer.text
        assert "0 runs" in answer.text
