"""The page of an alarm: its evidence, what else changed, and no cause that runs cannot tell apart."""

from __future__ import annotations

import re
import shlex
from dataclasses import replace
from html import unescape
from pathlib import Path
from urllib.parse import unquote

import polars as pl
import pytest

from sort_drift import pipeline
from sort_drift.live.board import Board, Happening
from sort_drift.live.page import links
from sort_drift.live.page.advice import command
from sort_drift.live.page.alarm import alarm
from sort_drift.live.page.alarms import alarms
from sort_drift.live.page.view import Look, NotThereError, View
from sort_drift.live.settings import Settings
from tests.live.page import boards

PLANNER = boards.FLEET[0]


def seen(board: Board, settings: Settings = boards.SETTINGS) -> View:
    """Look at a board."""
    return Look(board, settings)()


def words(board: Board, event: Happening) -> str:
    """Return what the page of an event says."""
    html = alarm(seen(board), {"id": links.key(event.id)}).main
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", re.sub(r"<svg.*?</svg>", "", html))).split())


def test_an_alarm_shows_its_evidence() -> None:
    """Size with interval and tolerance, before and after, n, onset with interval, e-value, runs later."""
    board = boards.board((PLANNER,))
    event = board.open[0]
    shift = event.shifts[0]
    said = words(board, event)
    ids = board.runs["run_id"].to_list()
    later = ids.index(event.run_id) - ids.index(shift.onset_run) + 1
    assert shift.effect is not None
    assert shift.interval is not None
    for part in (
        f"+{shift.effect:.2f} re-attempts [{shift.interval[0]:.2f}, {shift.interval[1]:.2f}]",
        f"{shift.before:.2f} -> {shift.after:.2f} re-attempts",
        "tolerance 0.25",
        f"{shift.n[0]} before, {shift.n[1]} after",
        f"began run {shift.onset_run}",
        f"from run {shift.onset_interval[0]} to run {shift.onset_interval[1]}",
        f"seen after {later} runs",
        f"e-value {shift.e_value:,.0f}; an alarm needs 10,000",
        f"number {event.number + 1} of this agent",
        "sort-drift live accept --store runs checkout/planner retry_depth",
    ):
        assert part in said, part


@pytest.mark.parametrize(
    ("changed", "rule"),
    [
        ((), "No recorded thing changed with it"),
        (("model",), "One recorded thing changed about the same time, which does not make it the cause"),
        (
            ("model", "serving_build"),
            "Several things changed about the same time. These runs cannot tell them apart",
        ),
    ],
)
def test_no_cause_is_named_that_runs_cannot_tell_apart(changed: tuple[str, ...], rule: str) -> None:
    """Nothing, one thing or several that changed at the onset: what is said of each, and never "because"."""
    board = boards.board((PLANNER,))
    event = board.open[0]
    onset = board.runs["start_ns"][board.runs["run_id"].to_list().index(event.shifts[0].onset_run)]
    after = pl.col("start_ns") >= onset
    same = {name: pl.lit("one") for name in ("model", "serving_build")} | {"load": pl.lit(1.0)}
    other = {name: pl.when(after).then(pl.lit("two")).otherwise(pl.lit("one")) for name in changed}
    board.show(runs=board.runs.with_columns(**(same | other)))
    said = words(board, event)
    assert rule in said
    for name in changed:
        assert f"{name.replace('_', ' ')}: one -> two" in said
    if len(changed) > 1:
        assert "changed together: they cannot be told apart, none is named as the cause" in said
    for word in ("because", "caused by", "due to"):
        assert word not in said


def test_an_alarm_whose_runs_are_gone_still_shows() -> None:
    """The board forgets old runs; the evidence stays, the rest says that it cannot be looked at."""
    board = boards.board((PLANNER,))
    event = board.open[0]
    board.show(runs=board.runs.tail(20))
    said = words(board, event)
    assert "The runs of it are not among the last ones." in said
    assert "began run" in said


def test_an_alarm_of_unknown_size_says_so() -> None:
    """No stratum had runs before and after: no effect, no interval, and no made-up number."""
    board = boards.board((PLANNER,))
    event = board.open[0]
    bare = replace(
        event.shifts[0], before=None, after=None, effect=None, interval=None, onset_ns=None, n=(0, 0)
    )
    board.show(events=[replace(event, id="other/1/alarm", shifts=(bare,))])
    said = words(board, board.events[0])
    assert "not known: no task was run before and after the onset" in said


def test_an_alarm_that_is_over_says_what_ended_it() -> None:
    """The end leads to its alarm and the alarm to its end; the list says what is open and what is over."""
    board = boards.board(boards.FLEET[3:])
    end, begin = board.events[:2]
    assert (end.kind, begin.kind) == ("resolved", "alarm")
    assert "alarm, over" in words(board, begin)
    assert "accept" not in words(board, begin)
    assert links.alarm(end.id) in alarm(seen(board), {"id": begin.id}).main
    assert links.alarm(begin.id) in alarm(seen(board), {"id": end.id}).main
    listed = alarms(seen(board), {}).main
    assert "No alarm is open" in listed
    assert "back to normal" in listed


def test_a_minor_change_is_no_alarm() -> None:
    """It is said to be real and smaller than its tolerance."""
    board = boards.board((PLANNER,))
    minor = replace(board.open[0], id="checkout/planner/9/minor", kind="minor")
    board.show(events=[minor])
    assert "smaller than its tolerance: no alarm" in words(board, minor)


@pytest.mark.fault(66)
@pytest.mark.parametrize("name", ["a\u202eb\x1b[2J", "x" * 500, "'; rm -rf ~ #", "$(id) `id`"])
def test_a_command_to_copy_is_whole_or_general(name: str) -> None:
    """Names in a command are one quoted word; AGENT stands for those that a page would cut or escape."""
    board = boards.hostile(name)
    html = alarm(seen(board), {"id": board.events[0].id}).main
    lines = [
        unescape(part.partition("</pre>")[0]) for part in html.split('class="pre code" tabindex="0">')[1:]
    ]
    assert len(lines) == 2
    for line in lines:
        program, verb, *rest = shlex.split(line)
        assert program == "sort-drift"
        assert verb in ("compare", "live")
        assert len(rest) in (4, 5), rest
        assert "AGENT" in line or name in rest[-2] or name in unquote(rest[0])


def test_an_event_of_another_id_is_not_there() -> None:
    """Ids and their keys are found, nothing else."""
    view = seen(boards.board((PLANNER,)))
    event = view.open[0]
    assert view.happening(event.id) is view.happening(links.key(event.id)) is event
    with pytest.raises(NotThereError):
        view.happening("checkout/planner")


def test_the_command_names_both_sides(tmp_path: Path) -> None:
    """What the page says to run is understood: the runs of the agent before and after, and all of them."""
    folder = tmp_path / "a store"
    pipeline.ingest([str(pipeline.BUNDLED / "g_base.otlp.jsonl.gz")], folder)
    runs = pipeline.population(str(folder)).runs.sort("start_ns")
    onset = runs["start_ns"][20]
    agent = f"{runs['service'][0]}/{runs['agent'][0]}"
    board = Board()
    board.show(runs=runs)
    view = seen(board, replace(boards.SETTINGS, store=folder))
    iso = pl.Series([onset]).cast(pl.Datetime("ns")).dt.strftime("%Y-%m-%dT%H:%M:%S")[0]
    program, verb, before, after, *rest = shlex.split(command(view, agent, iso))
    assert (program, verb, rest) == ("sort-drift", "compare", ["--by", "load"])
    slashed = boards.board((replace(PLANNER, service="team/shop"),))
    assert "service=team%2Fshop&agent=planner&" in command(seen(slashed), "team/shop/planner", iso)
    sides = [pipeline.population(side).runs for side in (before, after)]
    assert sum(side.height for side in sides) == runs.height
    assert max(sides[0]["start_ns"].to_list()) < min(sides[1]["start_ns"].to_list())
