"""The whole way from a request to the monitors, in one process, cut off at will."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import polars as pl
import pytest

from sort_drift import pipeline
from sort_drift.errors import StoreError
from sort_drift.hashing import Hasher
from sort_drift.ingest.batches import Row
from sort_drift.live import service
from sort_drift.live.keep import journal, startup, state
from sort_drift.live.keep import keeper as keeping
from sort_drift.live.keep import traces as remembering
from sort_drift.live.receive.terms import Decoded
from sort_drift.live.service import Running
from sort_drift.live.settings import Settings, Watching
from sort_drift.store import Store, compaction, writing
from tests.live.keep.test_committer import request
from tests.waiting import until

QUICK = Settings(
    Path(),
    otlp_http=None,
    otlp_grpc=None,
    page=None,
    grace_s=0.2,
    idle_s=2.0,
    seal_s=0.3,
    compact_every_s=1e6,
    watching=Watching(learn=20),
)


@pytest.fixture(autouse=True)
def _fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "TICK_S", 0.05)
    monkeypatch.setattr(keeping, "RUNS_S", 0.1)
    monkeypatch.setattr(keeping, "CHECKPOINT_S", 0.3)


@contextmanager
def running(store: Path, **changes: Any) -> Iterator[Running]:
    """Run everything behind the listeners for a block."""
    said: list[str] = []
    with service.parts(replace(QUICK, store=store, **changes), said.append) as made:
        yield made


def run(number: int, *, task: str = "t", retries: int = 0, calls: int = 2) -> list[Row]:
    """Return the spans of one agent run: ``calls`` calls, a tool after each, the last one retried."""
    trace, at = f"{number + 1:032x}", 1_795_348_800_000_000_000 + number * 10**10

    def row(name: str, span: int, parent: int | None, kind: str, when: tuple[int, int], **said: Any) -> Row:
        start, end = (at + t * 10**6 for t in when)
        told = {"gen_ai.operation.name": kind, **said}
        up = None if parent is None else f"{parent:016x}"
        return (trace, f"{span:016x}", up, name, 1, start, end, 0, "", told, [], [])

    rows, clock = list[Row](), 1
    for call in range(calls):
        usage = {"gen_ai.usage.input_tokens": 100 * (call + 1), "gen_ai.usage.output_tokens": 5}
        rows.append(row("chat m", 10 * call + 2, 1, "chat", (clock, clock + 10), **usage))
        clock += 11
        last = call == calls - 1
        for attempt in range(1 + (retries if last else 0)):
            failed = {"error.type": "Timeout"} if last and attempt < retries else {}
            tool = {"gen_ai.tool.name": f"tool{call}", "gen_ai.tool.call.arguments": '{"a": 1}', **failed}
            rows.append(
                row("execute_tool", 10 * call + 3 + attempt, 1, "execute_tool", (clock, clock + 5), **tool)
            )
            clock += 6
    name = {"gen_ai.agent.name": "planner", "sort_drift.task.id": task}
    return [*rows, row("invoke_agent planner", 1, None, "invoke_agent", (0, clock), **name)]


def sent(made: Running, *decoded: Decoded) -> None:
    """Hand requests to the committer and wait until they are acknowledged."""
    for future in [made.committer.submit(one) for one in decoded]:
        future.result(30)


def test_runs_come_to_the_store_as_ingest_would_put_them(tmp_path: Path) -> None:
    """Spans in pieces and in any order become the run table that measuring all of them at once gives."""
    rng = Random(1)
    rows = [row for number in range(12) for row in run(number, task=f"t{number % 3}", retries=number % 2)]
    rng.shuffle(rows)
    with running(tmp_path) as made:
        sent(made, *(request(*rows[i : i + 7]) for i in range(0, len(rows), 7)))
        measured(made, 12)
        until(lambda: made.board.health.spans_waiting == 0)
    store = Store.open(tmp_path)
    assert store.pending() == []
    found = store.runs().sort("run_id")
    (frame,) = store.spans()
    expected = pipeline.measure(frame).sort("run_id")
    same = ["run_id", "task", "tools", "retry_depth", "busy_time", "context_retention", "start_ns", "end_ns"]
    assert found.select(same).equals(expected.select(same))
    assert pipeline.population(str(tmp_path)).runs.height == 12


def test_a_stop_leaves_nothing_in_the_journal_and_finds_open_runs_again(tmp_path: Path) -> None:
    """What was acknowledged is in segments after a stop; a run without its root goes on at the next start."""
    rows = run(1)
    with running(tmp_path, idle_s=1000.0) as made:
        sent(made, request(*rows[:-1]))
    assert journal.names(tmp_path / "journal") == []
    store = Store.open(tmp_path)
    assert sum(frame.height for frame in store.spans()) == len(rows) - 1
    assert store.runs().height == 0
    assert store.pending() == [rows[0][0]]
    with running(tmp_path, idle_s=1000.0) as made:
        assert made.keeper.parts.closing.traces.open == 1
        sent(made, request(rows[-1]))
        measured(made, 1)
        assert made.board.runs["llm_calls"].to_list() == [2]


@pytest.mark.fault(39)
def test_the_same_spans_twice_count_once(tmp_path: Path) -> None:
    """Resent at once, after sealing, and after a restart: stored, measured and observed once, and counted."""
    rows = run(1)
    with running(tmp_path) as made:
        sent(made, request(*rows), request(*rows))
        until(lambda: made.board.runs.height == 1 and made.board.health.spans_waiting == 0)
        assert made.board.counts()["deduplicated"] == len(rows)
        sent(made, request(*rows))
        until(lambda: made.board.counts()["deduplicated"] == 2 * len(rows))
        until(lambda: made.board.counts()["revised"] == 1)
    with running(tmp_path) as made:
        sent(made, request(*rows))
        until(lambda: made.board.counts()["deduplicated"] == len(rows))
        assert sum(agent.runs for agent in made.board.agents) == 1
    store = Store.open(tmp_path)
    assert sum(frame.height for frame in store.spans()) == len(rows)
    assert store.runs().height == 1


@pytest.mark.fault(39)
def test_of_two_spans_with_one_id_the_newest_end_counts(tmp_path: Path) -> None:
    """A span that is sent with another end later takes the place of the first."""
    rows = run(1)
    longer = (*rows[0][:6], (rows[0][6] or 0) + 5_000_000, *rows[0][7:])
    with running(tmp_path) as made:
        sent(made, request(*rows), request(longer))
        until(lambda: made.board.health.spans_waiting == 0)
    (frame,) = Store.open(tmp_path).spans()
    assert frame.filter(span_id=rows[0][1])["end_ns"].to_list() == [longer[6]]


@pytest.mark.fault(40)
def test_a_late_span_gives_a_new_revision_and_no_second_observation(tmp_path: Path) -> None:
    """Late within memory and late beyond it: the newest revision has all spans, the monitors saw one run."""
    rows = run(1, calls=4)
    for late_s in (60.0, 0.0):
        folder = tmp_path / f"late{late_s}"
        with running(folder, late_s=late_s) as made:
            sent(made, request(*rows[2:]))
            until(lambda: made.board.runs.height == 1 and made.board.health.spans_waiting == 0)
            if not late_s:
                until(lambda: made.keeper.parts.closing.traces.spans == 0)
            sent(made, request(*rows[:2]))
            until(lambda: made.board.runs["llm_calls"].to_list() == [4])
            assert made.board.counts()["late"] == 2
            assert sum(agent.runs for agent in made.board.agents) == 1
        assert Store.open(folder).runs()["llm_calls"].to_list() == [4]


def measured(made: Running, runs: int) -> None:
    """Wait until so many runs are measured."""
    until(lambda: made.board.runs.height == runs)


@pytest.mark.parametrize("seconds", [0.0, 1e6])
def test_what_was_replayed_is_not_replayed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    """A service that crashes before its first checkpoint has one as soon as it is started again."""
    monkeypatch.setattr(startup, "CHECKPOINT_S", seconds)
    with running(tmp_path) as made:
        sent(made, *(request(*run(number)) for number in range(3)))
        measured(made, 3)
    (tmp_path / "live" / "monitors.jsonl").unlink()
    monkeypatch.setattr(keeping, "CHECKPOINT_S", 1e6)
    with running(tmp_path):
        kept = state.load(tmp_path)
        assert kept is not None
        assert kept.observed == max(number for number, _ in Store.open(tmp_path).run_tables())


@pytest.mark.fault(39, 40)
def test_a_part_of_a_run_sent_again_after_a_restart_changes_nothing(tmp_path: Path) -> None:
    """The answer was lost with the process, the client sends half of a run again: the whole run stays."""
    rows = run(1, calls=4)
    with running(tmp_path) as made:
        sent(made, request(*rows))
        measured(made, 1)
        before = made.board.runs.select("run_id", "llm_calls", "tools", "retry_depth").rows()
    with running(tmp_path) as made:
        sent(made, request(*rows[:3]))
        until(lambda: made.board.counts()["revised"] == 1 and made.board.counts()["deduplicated"] == 3)
        assert made.board.counts()["late"] == 3
    found = Store.open(tmp_path).runs()
    assert found.select("run_id", "llm_calls", "tools", "retry_depth").rows() == before


@pytest.mark.fault(39, 40)
@pytest.mark.parametrize("between", ["nothing", "a restart", "compaction"])
def test_a_part_of_a_run_that_nobody_remembers_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, between: str
) -> None:
    """Spans of a run that was over many runs ago come again: the store says so, and the whole run stays."""
    monkeypatch.setattr(startup, "REMEMBERED", 1)
    monkeypatch.setattr(remembering, "REMEMBERED", 1)
    rows = run(1, calls=4)

    def told_before(made: Running) -> None:
        for number, one in enumerate([rows, run(2), run(3)]):
            sent(made, request(*one))
            measured(made, number + 1)  # in a segment of its own
        until(lambda: made.keeper.parts.closing.traces.spans == 0)

    def told_again(made: Running) -> None:
        new = made.board.counts()
        sent(made, request(*rows[:3]), request(*run(4)))
        until(lambda: made.board.counts()["revised"] == new["revised"] + 1)
        measured(made, 4)
        assert made.board.counts()["late"] == new["late"] + 3
        assert sum(agent.runs for agent in made.keeper.parts.fleet.watches.values()) == 4

    with running(tmp_path, late_s=0.1) as made:
        told_before(made)
        if between == "nothing":
            told_again(made)
    if between == "compaction":
        with writing(tmp_path, fingerprint=Hasher().fingerprint) as writer:
            compaction.compact(writer)
    if between != "nothing":
        with running(tmp_path, late_s=0.1) as made:
            assert made.board.runs.height == 3
            told_again(made)
    found = Store.open(tmp_path).runs()
    assert found["llm_calls"].to_list() == [4, 2, 2, 2]


def drifting(count: int, change: int) -> list[list[Row]]:
    """Return runs whose retries go from none to three at run ``change``."""
    return [run(n, task=f"t{n % 2}", retries=n % 5 == 0 if n < change else 3) for n in range(count)]


def events(folder: Path) -> list[tuple[str, str, str]]:
    """Return what events.jsonl says: id, kind and run."""
    from sort_drift.live.outbound.events import Events

    return [(e.id, e.kind, e.run_id) for e in Events(folder / "live" / "events.jsonl").read()]


@pytest.mark.fault(36)
def test_a_crash_anywhere_gives_the_same_alarms_once(tmp_path: Path) -> None:
    """The store copied at any moment (a crash) and started again ends with the same events."""
    runs = drifting(120, 80)
    whole = tmp_path / "whole"
    copies = []
    with running(whole) as made:
        for i in range(0, len(runs), 10):
            sent(made, request(*(row for rows in runs[i : i + 10] for row in rows)))
            measured(made, i + 10)
            if i in {40, 90}:
                copies.append((i + 10, tmp_path / f"copy{i}"))
                shutil.copytree(whole, copies[-1][1])
    expected = events(whole)
    assert [kind for _, kind, _ in expected][:1] == ["alarm"]
    assert state.load(whole) is not None
    for done, folder in copies:
        with running(folder) as made:
            measured(made, done)
            for i in range(done, len(runs), 10):
                sent(made, request(*(row for rows in runs[i : i + 10] for row in rows)))
                measured(made, i + 10)
        assert events(folder) == expected
        assert Store.open(folder).runs().height == 120


def test_accept_makes_a_change_the_normal(tmp_path: Path) -> None:
    """Asked through the store, the running service ends the alarm, and says so once."""
    runs = drifting(120, 80)
    with running(tmp_path) as made:
        for i in range(0, len(runs), 10):
            sent(made, request(*(row for rows in runs[i : i + 10] for row in rows)))
            measured(made, i + 10)
        (alarm, *_) = made.board.open
        variable = alarm.shifts[0].variable
        state.ask(tmp_path, alarm.agent, variable)
        until(lambda: any(e.kind == "resolved" for e in made.board.events))
        assert variable not in {v.name for a in made.board.agents for v in a.variables if v.alarm}
        state.ask(tmp_path, alarm.agent, variable)
        until(lambda: any("to accept" in problem for problem in made.board.health.problems))


@pytest.mark.fault(45)
def test_a_store_that_cannot_be_written_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While sealing fails requests are taken into the journal; once it works everything is stored, once."""
    from sort_drift.store import Writer

    monkeypatch.setattr(keeping, "BACKOFF_S", 0.1)
    real, failing = Writer.seal, [True]

    def seal(self: Writer, *rest: Any, **more: Any) -> Any:
        if failing[0]:
            raise StoreError("this cannot be written: No space left on device", where="x")
        return real(self, *rest, **more)

    monkeypatch.setattr(Writer, "seal", seal)
    with running(tmp_path) as made:
        sent(made, request(*run(1)))
        until(lambda: any("No space left" in problem for problem in made.board.health.problems))
        sent(made, request(*run(2)))
        failing[0] = False
        until(lambda: made.board.runs.height == 2 and made.board.health.spans_waiting == 0)
        until(lambda: not made.board.health.problems)
    assert sum(frame.height for frame in Store.open(tmp_path).spans()) == len(run(1)) + len(run(2))


@pytest.mark.fault(52)
def test_upkeep_compacts_and_expires_while_it_runs(tmp_path: Path) -> None:
    """Many small segments become few; what readers get is the same, and old runs go by retention."""
    with running(tmp_path, compact_every_s=0.5, seal_s=0.05, deleted_after_s=0.0) as made:
        for number in range(8):
            sent(made, request(*run(number)))
            measured(made, number + 1)
        until(lambda: made.board.health.segments <= 6)
        until(lambda: made.board.health.spans_waiting == 0)
    store = Store.open(tmp_path)
    assert store.runs().height == 8
    assert sum(frame.height for frame in store.spans()) == 8 * len(run(0))
    with running(tmp_path, compact_every_s=0.2, retention_days=1e-3) as made:
        until(lambda: made.board.health.spans_stored == 0)


def test_the_graph_of_a_run_comes_from_memory_and_from_the_store(tmp_path: Path) -> None:
    """The same execution graph before the spans are sealed and after a restart; none for strangers."""
    rows = run(1, retries=2)
    with running(tmp_path, seal_s=1000.0) as made:
        sent(made, request(*rows))
        measured(made, 1)
        row, first, why = made.graphs.of(rows[0][0])
        assert (row is not None, why) == (True, "")
        assert first is not None
        assert [o.name for o in first.operations if o.kind == "tool"] == ["tool0", "tool1", "tool1", "tool1"]
        assert made.graphs.of("nobody")[::2] == (None, "there is no such run")
    with running(tmp_path) as made:
        assert made.graphs.of(rows[0][0])[1] == first


def test_what_the_prober_sends_is_stored_and_watched_by_nobody(tmp_path: Path) -> None:
    """Runs of the self-test are runs of the store and no agent of the fleet."""
    from sort_drift.live.settings import SELFTEST

    with running(tmp_path) as made:
        sent(made, request(*run(1), resource={"service.name": SELFTEST}))
        measured(made, 1)
        assert made.board.agents == ()


@pytest.mark.parametrize(
    "damage",
    [
        lambda _: b"",
        lambda _: b"{",
        lambda text: text[:-20],
        lambda text: text[: text.rindex(b'{"watch')],  # an agent is gone
    ],
)
def test_a_damaged_checkpoint_is_said_and_the_monitors_begin_anew(
    tmp_path: Path, damage: Callable[[bytes], bytes]
) -> None:
    """Nothing of the runs is lost: all of them are replayed."""
    with running(tmp_path) as made:
        sent(made, *(request(*run(n)) for n in range(25)))
        measured(made, 25)
    monitors = tmp_path / "live" / "monitors.jsonl"
    monitors.write_bytes(damage(monitors.read_bytes()))
    said: list[str] = []
    with service.parts(replace(QUICK, store=tmp_path), said.append) as made:
        assert any("begin anew" in line for line in said)
        assert sum(agent.runs for agent in made.board.agents) == 25


def test_every_column_of_the_board_is_there(tmp_path: Path) -> None:
    """The table that the page gets has the values, their evidence and how many runs were open beside."""
    with running(tmp_path) as made:
        sent(made, request(*run(1)))
        measured(made, 1)
        table = made.board.runs
    assert {"run_id", "retry_depth", "retry_depth.evidence", "open_runs"} <= set(table.columns)
    assert table.select(pl.col("open_runs")).item() == 1.0
