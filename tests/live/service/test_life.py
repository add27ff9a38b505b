"""The service from start to end: what is in its way, late spans, clocks that jump, SIGTERM under load."""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from sort_drift.live.keep import journal
from sort_drift.store import Store
from tests.contract.test_json_schema import check as described
from tests.live.service import SOON, Service, command, running, sending
from tests.live.service.sending import Trace
from tests.waiting import until

LINE = re.compile(r"sort-drift: .+[.?] \[[a-z-]+\]\n")


def metrics(service: Service) -> dict[str, float]:
    """Return every counter and gauge of /metrics, over all of its labels."""
    found: dict[str, float] = {}
    status, text = sending.get(f"{service.page_url}/metrics")
    assert status == 200
    for line in text.splitlines():
        if not line.startswith("#"):
            name, _, number = line.rpartition(" ")
            name = name.partition("{")[0].removeprefix("sort_drift_").removesuffix("_total")
            found[name] = found.get(name, 0) + float(number)
    return found


def sent(service: Service, trace: Trace, **options: Any) -> None:
    """Send what a trace has, and have it acknowledged."""
    status, body = sending.post(service, trace.part(), **options)
    assert (status, body) == (200, b"")


# ---------------------------------------------------------------------------------------------------------
# starting


@contextmanager
def taken() -> Iterator[str]:
    """Listen on a port of loopback, and return it as an address."""
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        yield f"127.0.0.1:{busy.getsockname()[1]}"


@pytest.mark.fault(47)
@pytest.mark.parametrize("option", ["--otlp-http", "--otlp-grpc", "--page"])
def test_a_port_in_use_is_one_line(tmp_path: Path, option: str) -> None:
    """It names the address, the exit code is 2, and the store is free for the next start."""
    options = dict.fromkeys(("--otlp-http", "--otlp-grpc", "--page"), "127.0.0.1:0")
    with taken() as address:
        line = [text for pair in {**options, option: address}.items() for text in pair]
        done = command("live", "--store", str(tmp_path / "store"), *line)
    assert done.returncode == 2, done.stderr
    said = [
        line for line in done.stderr.splitlines(keepends=True) if not line.startswith("sort-drift live: ")
    ]
    assert len(said) == 1, done.stderr
    assert LINE.fullmatch(said[0])
    assert address in said[0]
    with running(tmp_path / "store") as service:
        assert service.stop() == 0


@pytest.mark.fault(46, 53)
def test_one_service_a_store_and_a_probe_of_it(tmp_path: Path) -> None:
    """A second one is told who has the store and where; a probe is written and read back."""
    store = tmp_path / "store"
    with running(store) as service:
        other = command(
            "live", "--store", str(store), "--otlp-http", "127.0.0.1:0", "--page", "off", "--otlp-grpc", "off"
        )
        assert other.returncode == 2
        assert LINE.fullmatch(other.stderr)
        assert str(service.pid) in other.stderr
        assert service.page_url in other.stderr
        probed = command("live", "selftest", "--store", str(store), "--otlp-http", service.http_url, "--json")
        assert probed.returncode == 0, probed.stderr
        described("live-selftest", probed.stdout)
        found = json.loads(probed.stdout)
        assert found["spans"] == 3
        assert 0 < found["acknowledged_s"] < found["readable_s"]
        assert service.stop() == 0
    probed = command("live", "selftest", "--store", str(store), "--otlp-http", service.http_url)
    assert probed.returncode == 2
    assert LINE.fullmatch(probed.stderr)


# ---------------------------------------------------------------------------------------------------------
# running


@pytest.mark.fault(39, 40, 55)
def test_what_is_late_twice_or_wrong_is_counted(tmp_path: Path) -> None:
    """Late spans give the run's new revision, once; what came before or cannot be used is on /metrics."""
    with running(tmp_path / "store") as service:
        one = Trace()
        root = sending.run(one)
        body = one.part()
        assert sending.post(service, body) == (200, b"")
        (run,) = service.runs([one.hex])
        assert run["tools"] == ["search"]
        assert sending.post(service, body) == (200, b"")  # the acknowledgement was lost
        call = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "late"}
        one.add("execute_tool late", root, attributes=call)
        one.scope.spans.add(trace_id=one.id, span_id=b"short", name="wrong")
        status, answer = sending.post(service, one.part())
        assert status == 200
        assert b"span_id" in answer
        until(lambda: service.spans().height == 4 and not Store.open(service.store).pending())
        (run,) = service.runs()
        assert (sorted(run["tools"]), run["tool_calls"]) == (["late", "search"], 2)
        secret = {"gen_ai.operation.name": "chat", "gen_ai.input.messages": '[{"role":"user","content":"x"}]'}
        one.add("chat", root, attributes=secret)
        sent(service, one)
        assert sending.post(service, b"\xff" * 20)[0] == 400
        assert sending.post(service, b"x", "text/plain")[0] == 415
        assert service.all_spans(5)["span_id"].n_unique() == 5
        until(lambda: metrics(service)["runs_revised"])
        counted = metrics(service)
        wanted = {
            "items_rejected": 1,
            "requests_refused": 2,
            "spans_acknowledged": 8,
            "spans_deduplicated": 3,
        }
        assert {name: counted[name] for name in wanted} == wanted
        for name in ("spans_redacted", "spans_late", "runs_revised"):
            assert counted[name] >= 1, name
        assert service.stop() == 0


@pytest.mark.fault(51)
@pytest.mark.skipif(shutil.which("faketime") is None, reason="no faketime here (apt-get install faketime)")
def test_a_clock_that_jumps_loses_nothing(tmp_path: Path) -> None:
    """A day forth, two back, while runs are open: each is stored and measured once, and soon."""
    clock = tmp_path / "clock"
    clock.write_text("+0")
    told = subprocess.run(["faketime", "-f", "+0", "printenv", "LD_PRELOAD"], capture_output=True, check=True)
    faked = {
        "LD_PRELOAD": told.stdout.decode().strip().replace("libfaketime.so", "libfaketimeMT.so"),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",  # nobody sets that one
    }
    with running(tmp_path / "store", environment=faked) as service:
        traces = []
        for jump in ("+0", "+1d", "-1d", "+0"):
            opened = Trace()
            root = sending.run(opened, task=f"jump {jump}")
            sent(service, opened)  # is under way while the clock is set
            clock.write_text(jump)
            call = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "after"}
            opened.add("execute_tool after", root, attributes=call)
            sent(service, opened)
            traces.append(opened.hex)
            until(lambda: set(traces) <= service.measured())
            assert sorted(service.measured()) == sorted(traces)
        assert service.all_spans(4 * 4)["span_id"].n_unique() == 4 * 4
        until(lambda: not Store.open(service.store).pending())
        assert [sorted(run["tools"]) for run in service.runs()] == [["after", "search"]] * 4
        assert service.stop() == 0


# ---------------------------------------------------------------------------------------------------------
# stopping


@pytest.mark.fault(38)
def test_a_stop_under_load_stores_what_was_acknowledged(tmp_path: Path) -> None:
    """SIGTERM while agents send: 0 within 10 s; every acknowledged span is in a segment, once."""
    acknowledged: list[str] = []
    over = threading.Event()

    def send(service: Service, way: str) -> None:
        while not over.is_set():
            one = Trace()
            sending.run(one, tools=("a", "b", "c"))
            ids = [span.span_id.hex() for span in one.scope.spans]
            try:
                if way == "grpc":
                    sending.call(service, one.part())
                elif sending.post(service, one.part())[0] != 200:
                    return
            except Exception:  # it is gone
                return
            acknowledged.extend(ids)

    with running(tmp_path / "store", settings={**SOON, "seal_s": 600, "grace_s": 600}) as service:
        senders = [threading.Thread(target=send, args=(service, way)) for way in ("http", "http", "grpc")]
        for sender in senders:
            sender.start()
        until(lambda: len(acknowledged) > 300)
        began = time.monotonic()
        assert service.stop() == 0
        took = time.monotonic() - began
        over.set()
        for sender in senders:
            sender.join()
    assert took < 10
    assert not list((tmp_path / "store" / journal.FOLDER).glob("*.j"))
    stored = pl.concat(Store.open(tmp_path / "store").spans())["span_id"]
    assert stored.n_unique() == len(stored)
    assert set(acknowledged) <= set(stored)
