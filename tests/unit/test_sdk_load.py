"""Load and state of the moment: sampled in the background, stamped on run roots, never in the way."""

from __future__ import annotations

import os
import threading
import time

import pytest

import sort_drift_sdk as sd
from sort_drift_sdk import host, load, semconv, serving
from tests.loopback import Answer
from tests.loopback import serving as served
from tests.sdk import caught
from tests.waiting import until

PAGES = {
    "vllm": 'vllm:num_requests_running{engine="0"} 3.0\nvllm:num_requests_waiting{engine="0"} 2.0\n'
    'vllm:kv_cache_usage_perc{engine="0"} 0.25\nvllm:num_preemptions_total{engine="0"} 4\n',
    "sglang": 'sglang:num_running_reqs{model="m"} 3\nsglang:num_queue_reqs{model="m"} 2\n'
    'sglang:token_usage{model="m"} 0.25\n',
    "tgi": "tgi_batch_current_size 3\ntgi_queue_size 2\n",
    "llama.cpp": "llamacpp:requests_processing 3\nllamacpp:requests_deferred 2\n"
    "llamacpp:kv_cache_usage_ratio 0.25\n",
}


@pytest.fixture(autouse=True)
def quiet():
    """No sampler outlives its test."""
    yield
    load.stop()


@pytest.mark.parametrize("engine", PAGES)
def test_serving_engines_say_how_busy_they_are(engine):
    """Running and waiting requests, and cache use where the engine has it."""
    page = f"# HELP x\n# TYPE x gauge\n{PAGES[engine]}up 1\nother NaN\n"
    found = serving.read(page)
    assert (found[semconv.LOAD_RUNNING], found[semconv.LOAD_QUEUE_DEPTH]) == (3, 2)
    assert found.get(semconv.LOAD_KV_CACHE, 0.25) == 0.25


def test_several_replicas_on_one_page():
    """Counts add up; of shares the fullest counts."""
    page = 'vllm:num_requests_running{engine="0"} 3\nvllm:num_requests_running{engine="1"} 2\n'
    page += 'vllm:kv_cache_usage_perc{engine="0"} 0.2\nvllm:kv_cache_usage_perc{engine="1"} 0.9\n'
    assert serving.read(page) == {semconv.LOAD_RUNNING: 5, semconv.LOAD_KV_CACHE: 0.9}


def test_run_roots_are_stamped_with_the_load(tmp_path):
    """A run says what the server said when it began; spans inside it do not repeat that."""
    with served(Answer(body=PAGES["vllm"].encode())) as server:
        load.start([serving.page(server.url)], interval_s=0.01)
        until(load.snapshot)
        with caught() as seen, sd.run(task="t"), sd.run(task="u"):
            pass
    rows = seen.runs(tmp_path)
    assert rows["load_source"].to_list() == ["declared", "declared"]
    roots = [said for said in seen.said() if "gen_ai.agent.name" in said]
    assert [said[semconv.LOAD_QUEUE_DEPTH] for said in roots] == [2, 2]


def test_a_page_that_fails_leaves_nothing_stale():
    """Load that is not known any more is not stamped, and no exception reaches anybody."""
    with served(Answer(body=PAGES["vllm"].encode())) as server:
        load.start([serving.page(server.url)], interval_s=0.01)
        until(load.snapshot)
    until(lambda: not load.snapshot())
    with caught() as seen, sd.run(task="t"):
        pass
    assert semconv.LOAD_RUNNING not in seen.of("invoke_agent agent")


@pytest.mark.parametrize("body", [b"\xff\xfe", b"", b"{" * 10_000, b"vllm:num_requests_running x\n"])
def test_pages_that_are_none_tell_nothing(body):
    """Whatever an address serves, it is no load."""
    with served(Answer(body=body)) as server:
        assert serving.page(server.url)() == {}


def test_a_slow_source_holds_nobody():
    """Runs begin at once while a source hangs."""
    hang = threading.Event()
    first = iter([True])

    def slow() -> dict[str, float]:
        if not next(first, False):
            hang.wait(5)
        return {semconv.LOAD_RUNNING: 1.0}

    load.start([slow], interval_s=0.001)
    began = time.monotonic()
    with sd.run(task="t"):
        pass
    assert time.monotonic() - began < 1
    hang.set()


def test_broken_sources_are_left_out(caplog):
    """One that raises costs one warning, the others go on."""

    def broken() -> dict[str, float]:
        raise RuntimeError("no device")

    load.start([broken, lambda: {semconv.LOAD_CONCURRENCY: 4}], interval_s=0.005)
    until(load.snapshot)
    time.sleep(0.05)
    assert load.snapshot() == {semconv.LOAD_CONCURRENCY: 4}
    assert len([r for r in caplog.records if "no device" in r.message]) == 1


def test_nothing_runs_before_somebody_asks():
    """Without sources there is no thread and no snapshot."""
    until(lambda: not [t for t in threading.enumerate() if t.name == "sort-drift-load"])
    load.start([])
    assert load.snapshot() == {}
    assert not [t for t in threading.enumerate() if t.name == "sort-drift-load"]


def test_the_thread_ends():
    """A stopped sampler is gone within a period or two."""
    load.start([dict], interval_s=0.01)
    load.stop()
    until(lambda: not [t for t in threading.enumerate() if t.name == "sort-drift-load"])


def test_a_forked_child_samples_for_itself():
    """The thread does not survive a fork; the child starts its own."""
    load.start([lambda: {"pid": os.getpid()}], interval_s=0.01)
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        end = time.monotonic() + 5
        while load.snapshot().get("pid") != os.getpid() and time.monotonic() < end:
            time.sleep(0.01)
        os.write(writer, b"y" if load.snapshot().get("pid") == os.getpid() else b"n")
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(reader, 1) == b"y"


def test_the_host_says_what_it_can():
    """Every fact is a number in its range, or absent."""
    found = host.host_state()
    assert 0 <= found.get(semconv.HOST_MEMORY_PRESSURE, 0) <= 1
    assert 0 <= found.get(semconv.HOST_BATTERY, 0) <= 1
    assert -50 < found.get(semconv.HOST_TEMPERATURE_C, 20) < 150
