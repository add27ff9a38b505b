"""The service's benchmarks send what they say, count what is there, and their pages say what was found."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from benchmarks import kill, receiver, soak
from benchmarks.service import client, feeding, ledger, load, peers, process, soaking, table, turns, watching
from benchmarks.service.killing import Outcome
from sort_drift import pipeline
from sort_drift.hashing import Hasher
from sort_drift.ingest import otlp_protobuf
from sort_drift.reading import Reading
from sort_drift.store import files, manifest
from tests.loopback import Answer, serving

NOTHING = load.Nonce(bytes(16), np.uint64(0))


@pytest.fixture(scope="module")
def messages() -> list[ExportTraceServiceRequest]:
    """Three requests of the load."""
    return load.messages(1_200, seed=7, agents=3)


def _spans(path: Path) -> pl.DataFrame:
    return pl.concat(pipeline.spans(path, Hasher(), Reading(), []))


def _together(folder: Path, bodies: list[bytes]) -> pl.DataFrame:
    frames = []
    for number, body in enumerate(bodies):
        path = folder / f"{number}.pb"
        path.write_bytes(body)
        frames.append(_spans(path))
    return pl.concat(frames)


# ---------------------------------------------------------------------------------------------------------
# the load


@pytest.mark.parametrize("encoding", ["protobuf", "json"])
def test_a_template_without_a_nonce_is_the_request(messages, encoding) -> None:
    """Writing the same ids and times over a body leaves it as it was: every place is the right one."""
    for message in messages:
        template = load.template(message, encoding)
        assert template.made(NOTHING) == template.body


def test_both_encodings_say_the_same(messages, tmp_path) -> None:
    """The same request with the same nonce is read as the same spans from protobuf and from JSON."""
    nonce = load.nonce(1, 2, later_ns=123_456_789)
    kinds: list[tuple[load.Encoding, str]] = [("protobuf", "pb"), ("json", "json")]
    frames = []
    for encoding, suffix in kinds:
        path = tmp_path / f"request.{suffix}"
        path.write_bytes(load.template(messages[0], encoding).made(nonce))
        frames.append(_spans(path))
    assert frames[0].equals(frames[1])


def test_a_nonce_makes_other_runs_of_the_same_shape(messages, tmp_path) -> None:
    """Ids are other ones, parents still are in the same trace, times move, durations stay."""
    made, nonce = [load.template(message) for message in messages], load.nonce(1, 2, later_ns=10**9)
    old = _together(tmp_path, [template.body for template in made])
    new = _together(tmp_path, [template.made(nonce) for template in made])
    assert not set(old["span_id"]) & set(new["span_id"])
    assert not set(old["trace_id"]) & set(new["trace_id"])
    assert (new["start_ns"] - old["start_ns"]).unique().to_list() == [10**9]
    assert (new["end_ns"] - new["start_ns"]).equals(old["end_ns"] - old["start_ns"])
    known = set(new.select("trace_id", "span_id").rows())
    children = new.filter(pl.col("parent_id").is_not_null()).select("trace_id", "parent_id").rows()
    assert len(children) == 1_200 - 40
    assert known.issuperset(children)
    sent = new["span_id"].str.to_integer(base=16, dtype=pl.UInt64).to_list()
    assert sent == np.concatenate([template.ids(nonce) for template in made]).tolist()


def test_the_load_is_that_of_the_design(messages) -> None:
    """512 spans a request, about 15 attributes, arguments of about 300 bytes, runs of three agents."""
    spans = [span for message in messages for span in load.spans(message)]
    attributes = [{pair.key: pair.value for pair in span.attributes} for span in spans]
    assert [len(load.spans(message)) for message in messages] == [512, 512, 176]
    assert 12 <= np.mean([len(one) for one in attributes]) <= 16
    arguments = [one["gen_ai.tool.call.arguments"] for one in attributes if "gen_ai.tool.name" in one]
    assert 250 <= np.mean([len(one.string_value) for one in arguments]) <= 350
    agents = {one["gen_ai.agent.name"].string_value for one in attributes}
    assert agents == {"agent-0", "agent-1", "agent-2"}


def test_each_trace_of_the_load_is_one_run(messages, tmp_path) -> None:
    """What a receiver is sent becomes as many runs as there are roots, although no run id is declared."""
    frame = _together(tmp_path, [message.SerializeToString() for message in messages])
    runs = pipeline.measure(frame.with_columns(seq=pl.int_range(pl.len())))
    assert runs["trace_ids"].list.len().max() == 1
    assert runs.height == frame["trace_id"].n_unique() == 40


def test_late_spans_are_held_back_and_complete_the_block() -> None:
    """A block and its late spans together are whole runs; no root is late."""
    made, late, last = feeding.templates(seed=3)
    ids = [template.span_ids for template in made]
    assert [template.encoding for template in made].count("json") == 1
    assert 20 <= len(late.span_ids) <= 26
    assert len(np.unique(np.concatenate([*ids, late.span_ids]))) == load.whole(feeding.BLOCK_SPANS)
    blocks = list(otlp_protobuf.blocks(late.body, lambda *_: None))
    assert all(row[2] for _, _, rows in blocks for row in rows)  # a parent each
    assert last > 1_795_312_192_000_000_000


# ---------------------------------------------------------------------------------------------------------
# the client


def test_the_client_comes_again_where_it_is_asked_to() -> None:
    """503 with Retry-After is sent again, 400 is not."""
    busy, fine, bad = Answer(503, headers={"retry-after": "0.01"}), Answer(200), Answer(400)
    with serving(busy, fine, bad) as server:
        port = int(server.url.rpartition(":")[2])
        sent = client.send(port, [b"a", b"b"], {"content-type": "x"}, connections=1)
    assert (sent.acknowledged, sent.again, sent.lost) == (1, 1, ["status 400"])
    assert [body for _, _, body in server.requests] == [b"a", b"a", b"b"]
    assert len(sent.took_s) == 1


def test_the_feeder_counts_what_was_acknowledged() -> None:
    """Each span counts once, however often its request was sent."""
    with serving(Answer(200)) as server:
        feeder = feeding.Feeder(int(server.url.rpartition(":")[2]), rate=30_000, seed=5)
        feeder.start()
        while feeder.fed.spans < 30_000:
            pass
        fed = feeder.stop()
    kinds = [headers["content-type"] for _, headers, _ in server.requests]
    assert kinds.count("application/json") >= len(kinds) // 11
    assert fed.twice > 0
    assert fed.late > 0
    assert fed.spans == len(fed.acknowledged()) + fed.twice
    assert not fed.sent.lost


# ---------------------------------------------------------------------------------------------------------
# what is there


def test_a_process_is_looked_at_with_its_children() -> None:
    """Memory, descriptors and CPU of a child count for its parent."""
    code = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'sum(range(10**7)); input()'])"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE) as parent:
        assert parent.stdin is not None
        while (seen := process.look(parent.pid)).processes < 2 or seen.cpu_s < 0.1:
            pass
        parent.stdin.close()
    assert seen.rss > 10 * table.MIB
    assert seen.descriptors >= 6
    assert process.look(parent.pid) == process.Look(0, 0, 0, 0, 0)


def test_descriptors_that_are_opened_are_counted() -> None:
    """A file more is a descriptor more."""
    before = process.look(os.getpid()).descriptors
    with Path(os.devnull).open("rb"):
        assert process.look(os.getpid()).descriptors == before + 1


def test_the_others_are_counted_in_their_database(tmp_path) -> None:
    """Rows of the table of spans; none before there is a table."""
    peer = peers.phoenix(Path(sys.executable), tmp_path, 10)
    assert peer.stored() == 0
    with sqlite3.connect(peer.database) as made:
        assert peer.stored() == 0
        made.execute("CREATE TABLE spans (id INTEGER)")
        made.executemany("INSERT INTO spans VALUES (?)", [(1,), (2,)])
    made.close()
    assert peer.stored() == 2


def test_an_interpreter_without_the_package_is_recognised(tmp_path) -> None:
    """No such package, or no such interpreter: both are None."""
    assert peers.installed(Path(sys.executable), "no-such-package") is None
    assert peers.installed(tmp_path / "python", "polars") is None
    assert peers.installed(Path(sys.executable), "polars") == pl.__version__


def _ledger(*spans: tuple[str, str, int]) -> pl.DataFrame:
    return pl.DataFrame(spans, schema=ledger.SCHEMA, orient="row")


def test_what_differs_is_counted() -> None:
    """Lost, double, changed and invented spans, each by itself; acknowledged twice is no difference."""
    a, b, c, d = ("t", "a", 1), ("t", "b", 2), ("t", "c", 3), ("t", "d", 4)
    same = ledger.compare(_ledger(a, a, b), _ledger(a, b, c), _ledger(a, b, c))
    assert same.none
    assert (same.acknowledged, same.stored) == (2, 3)
    found = ledger.compare(_ledger(a, b), _ledger(a, b), _ledger(("t", "b", 9), c, c, d))
    assert (found.lost, found.double, found.changed, found.invented) == (1, 1, 1, 3)
    assert "t/a" in found.examples


def test_a_ledger_that_is_being_written_is_read(tmp_path) -> None:
    """Whole lines count; the last one has no end yet."""
    file = tmp_path / "ledger"
    file.write_text("t a 1\nt b 2\nt c")
    assert ledger.read([file, tmp_path / "none"]).rows() == [("t", "a", 1), ("t", "b", 2)]


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A manifest that lists segment 3 and journal 7."""
    line = manifest.SpanSegment("spans/date=unknown/0000000003-00000000.parquet", 1, None, None, "", 1)
    manifest.append(tmp_path, [line, manifest.Journal(7, "")])
    return tmp_path


def test_what_a_kill_interrupted_is_told_by_what_it_left(store) -> None:
    """Journals before and after their seal, half files, segments that nothing lists."""
    names = {
        "journal/0000000007.j": "a journal, sealed",
        "journal/0000000008.j": "a journal, not sealed",
        "runs/0000000004-00000000.parquet": "a segment not listed yet",
        "FORMAT.json.tmp": "a file half written",
        "spans/date=unknown/0000000003-00000000.parquet": None,
    }
    for name, said in names.items():
        assert ledger.interrupted(store, [str(store / name)]) == ({said} if said else set())
    assert files.segment_number("runs/0000000004-00000000.parquet") == 4


# ---------------------------------------------------------------------------------------------------------
# the pages


def _found(lost: int = 0) -> ledger.Found:
    return ledger.Found(ledger.Difference(10, 12, lost), 3, 0, 0, 2, 0, verify="")


def test_the_page_of_kills_says_what_is_wrong() -> None:
    """A lost span makes the page say so; none makes it say that nothing is wrong."""
    out = Outcome(looks=[_found()], starts_s=[2.0], drained=0)
    out.kills["any"] += 4
    assert "Nothing is wrong" in kill.page(out, "x")
    assert "killed 4 times" in kill.page(out, "x")
    out.looks.append(_found(lost=1))
    assert "look 2: 1 spans lost" in kill.page(out, "x")
    assert Outcome(looks=[_found()], drained=1).wrong == ["exit code 1 at the end"]


def test_the_page_of_the_receiver_forms_ratios_inside_rounds(tmp_path) -> None:
    """Ratios of each round, their median against the bar, and who is missing."""
    rounds = [
        {turns.OURS: _figures(100_000, 2.0, 2.0), "mlflow": _figures(1_000, 1.0, 1.0)},
        {turns.OURS: _figures(100_000, 4.0, 2.0), "mlflow": _figures(1_000, 2.0, 1.0)},
    ]
    assert receiver.ratios(rounds, "mlflow") == ([50.0, 50.0], [50.0, 50.0])
    peer = peers.mlflow(tmp_path / "python", tmp_path, 1_000)
    text = receiver.page(rounds, {"mlflow": peer}, ["arize-phoenix"], "x")
    assert "| ours / mlflow | 50.0 (50.0 to 50.0) | >= 25 | met | 50.0 (50.0 to 50.0) |" in text
    assert "Not measured: arize-phoenix" in text


def _figures(spans: int, seconds: float, cpu_s: float) -> turns.Figures:
    return turns.Figures(spans, seconds, seconds, cpu_s, 100 * table.MIB, 0)


def test_the_slope_of_memory_is_robust() -> None:
    """A line is found through outliers; what is flat is met, what grows is missed."""
    draw = np.random.default_rng(1)
    flat = [(5.0 * i, 400 + draw.normal() + 300 * (i % 17 == 0)) for i in range(120)]
    rising = [(t, mib + t / 6) for t, mib in flat]  # 10 MiB a minute
    assert soak.verdict(soak.slope(flat), 400) == "met"
    assert soak.slope(rising).value == pytest.approx(10, abs=0.3)
    assert soak.verdict(soak.slope(rising), 400) == "missed"


def _soaked(descriptors: int) -> soaking.Result:
    looks = [(5.0 * i, process.Look(1, 400 * table.MIB, 30 + descriptors * i, 20, 1)) for i in range(120)]
    seen = watching.Seen(looks=looks, probes=[3.0], readers=3)
    fed = feeding.Fed(ids=[np.arange(5, dtype=np.uint64)])
    plan = soaking.Plan(10, 100.0, 333.0)
    return soaking.Result(plan, fed, seen, 5, lost=0, double=0, invented=0, duplicates=1, runs=1, exit=0)


def test_the_page_of_the_soak_says_whether_descriptors_are_flat() -> None:
    """Descriptors that grow with time are wrong."""
    assert "Nothing is wrong" in soak.page(_soaked(0), "x")
    assert "| bar: at most 5% of it in ten minutes | met |" in soak.page(_soaked(0), "x")
    assert "descriptors grew from" in soak.page(_soaked(1), "x")
