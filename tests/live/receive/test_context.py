"""Metrics of serving systems: what is read of them, and which spans ran under that load."""

from __future__ import annotations

import json
import threading
import time
from typing import Any

import polars as pl
import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from sort_drift.live.receive import context as module
from sort_drift.live.receive.context import Context
from sort_drift.live.receive.metrics import NAMES, Point, points
from sort_drift.live.receive.terms import Refused
from sort_drift.live.settings import Limits
from sort_drift.model import SPANS
from tests.live.receive.serving import NOW, Service, request, serving, span

S = 10**9
LIMITS = Limits()


def sent(
    *metrics: tuple[str, float], at: int = NOW, resource: dict[str, str] | None = None, **labels: str
) -> bytes:
    """Return a metrics request of gauges with one data point each."""
    out = ExportMetricsServiceRequest()
    of = out.resource_metrics.add()
    for key, said in (resource or {}).items():
        of.resource.attributes.add(key=key).value.string_value = said
    scoped = of.scope_metrics.add()
    for name, value in metrics:
        point = scoped.metrics.add(name=name).gauge.data_points.add(time_unix_nano=at, as_double=value)
        for label, text in labels.items():
            point.attributes.add(key=label.replace("__", ".")).value.string_value = text
    return out.SerializeToString()


MUCH = json.dumps(
    {
        "resourceMetrics": [
            {
                "scopeMetrics": [
                    {"metrics": [{"name": "tgi_queue_size", "sum": {"dataPoints": [{"asDouble": "much"}]}}]}
                ]
            }
        ]
    }
)


def frame(*rows: dict[str, Any]) -> pl.DataFrame:
    """Return canonical spans: LLM calls that began at NOW, where a row does not say otherwise."""
    whole = [{"cls": "llm", "start_ns": NOW, **row} for row in rows]
    return pl.DataFrame([{name: row.get(name) for name in SPANS} for row in whole], schema=dict(SPANS))


def loads(found: pl.DataFrame) -> list[tuple[float | None, float | None]]:
    """Return the load of every span."""
    return list(found.select("load_running", "load_waiting").iter_rows())


def taken(*points: Point) -> Context:
    """Return a context that was given samples."""
    context = Context()
    context.take(points)
    return context


def running(server: str, value: float, ns: int = NOW - S) -> Point:
    """Return a sample of running requests."""
    return Point(server, ns, "running", value)


@pytest.mark.parametrize(
    ("name", "value", "read_as"),
    [
        ("vllm:num_requests_running", 3, ("running", 3)),
        ("vllm.num.requests.waiting", 2, ("waiting", 2)),
        ("vllm_gpu_cache_usage_perc", 0.5, ("kv_cache", 0.5)),
        ("vllm:kv_cache_usage_perc", 0.5, ("kv_cache", 0.5)),
        ("sglang:num_running_reqs", 3, ("running", 3)),
        ("sglang_num_queue_reqs", 1, ("waiting", 1)),
        ("tgi_batch_current_size", 4, ("running", 4)),
        ("tgi.queue.size", 4, ("waiting", 4)),
        ("hw.gpu.utilization", 0.9, ("gpu", 0.9)),
        ("hw_gpu_utilization_ratio", 0.9, ("gpu", 0.9)),
        ("DCGM_FI_DEV_GPU_UTIL", 90, ("gpu", 0.9)),
        ("http.server.duration", 1, None),
    ],
)
def test_metrics_are_recognised_however_they_are_written(name, value, read_as):
    """Colons, dots, underscores, upper case; percent becomes a share."""
    found = points(sent((name, value)), "protobuf", LIMITS)
    assert found.total == 1
    assert [(p.measure, pytest.approx(p.value)) for p in found.used] == ([read_as] if read_as else [])


def test_both_encodings_read_alike():
    """Gauges and sums, integers and doubles, with resource and labels."""
    labels = [{"key": "instance", "value": {"stringValue": "GPU-1:8000"}}]
    point = {"timeUnixNano": str(NOW), "attributes": labels}
    tree = {
        "resourceMetrics": [
            {
                "resource": {"attributes": []},
                "scopeMetrics": [
                    {
                        "metrics": [
                            {
                                "name": "vllm:num_requests_running",
                                "gauge": {"dataPoints": [{**point, "asDouble": 3}]},
                            },
                            {
                                "name": "vllm:num_requests_waiting",
                                "sum": {"dataPoints": [{**point, "asInt": "2"}]},
                            },
                            {"name": "vllm:e2e_seconds", "histogram": {"dataPoints": [{}, {}]}},
                            {
                                "name": "tgi_queue_size",
                                "gauge": {"dataPoints": [{**point, "asDouble": "NaN"}]},
                            },
                        ]
                    }
                ],
            }
        ]
    }
    found = points(json.dumps(tree).encode(), "json", LIMITS)
    twin = points(
        sent(("vllm:num_requests_running", 3), ("vllm:num_requests_waiting", 2), instance="GPU-1:8000"),
        "protobuf",
        LIMITS,
    )
    assert (
        found.used
        == twin.used
        == (
            Point("gpu-1:8000", NOW, "running", 3.0),
            Point("gpu-1:8000", NOW, "waiting", 2.0),
        )
    )
    assert found.total == 5


@pytest.mark.fault(8, 16)
@pytest.mark.parametrize(
    ("body", "encoding", "says"),
    [
        (b"\xff\xff", "protobuf", "not an OTLP"),
        (request(span()), "protobuf", "this is a traces payload, sent to the metrics endpoint"),
        (b'{"resourceSpans": []}', "json", "this is a traces payload"),
        (b'{"resourceMetrics": [7]}', "json", "not an OTLP"),
        (b'{"resourceMetrics"', "json", "not an OTLP"),
        (MUCH.encode(), "json", "could not convert"),
        (b"[" * 100_000, "json", "nested too deeply"),
    ],
)
def test_what_is_no_metrics_request_is_400(body, encoding, says):
    """Other signals are named."""
    with pytest.raises(Refused, match=says) as caught:
        points(body, encoding, LIMITS)
    assert caught.value.status == 400


def test_a_span_gets_the_load_as_of_its_start():
    """The last sample before it, not older than a minute; the later one is of the future."""
    context = taken(
        running("a:1", 1, NOW - 50 * S), running("a:1", 2, NOW - 10 * S), running("a:1", 3, NOW + 1)
    )
    found = context.stamp(
        frame(
            {"server": "a:1"},
            {"server": "a:1", "start_ns": NOW - 20 * S},
            {"server": "a:1", "start_ns": NOW - 51 * S},
            {"server": "a:1", "start_ns": NOW + 70 * S},
            {"server": "a:1", "start_ns": NOW + 10 * S},
            {"server": "a:1", "start_ns": None},
        )
    )
    assert loads(found) == [(2, None), (1, None), (None, None), (None, None), (3, None), (None, None)]


def test_what_a_span_says_itself_stays():
    """Declared load of any kind, spans of tools, other columns: untouched."""
    context = taken(running("a:1", 9))
    before = frame(
        {"server": "a:1", "load_running": 1.0},
        {"server": "a:1", "load_waiting": 0.0},
        {"server": "a:1", "load_concurrency": 4.0},
        {"server": "a:1", "cls": "tool"},
    )
    assert context.stamp(before).equals(before)
    assert context.stamp(before).schema == before.schema


def test_series_of_one_server_add_up_and_the_fullest_counts():
    """Engines of one process at one moment; a scrape that is sent twice counts once."""
    scrape = [
        running("a:1", 3),
        running("a:1", 2),
        Point("a:1", NOW - S, "waiting", 1),
        Point("a:1", NOW - S, "kv_cache", 0.2),
        Point("a:1", NOW - S, "kv_cache", 0.7),
    ]
    context = taken(*scrape)
    context.take(scrape)
    (load,) = context.latest()
    assert (load.server, load.ns, load.running, load.waiting, load.kv_cache) == ("a:1", NOW - S, 5, 1, 0.7)
    assert loads(context.stamp(frame({"server": "a:1"}))) == [(5, 1)]


@pytest.mark.parametrize(
    ("servers", "span_server", "value"),
    [
        (("a:8000", "b:8000"), "b:8000", 1),
        (("a:8000", "b:8000"), "http://B:8000/v1", 1),
        (("a:8000", "b:8000"), "c:8000", None),
        (("a:8000", "b:8000"), None, None),
        (("a:8000", "b:8000"), "a", 0),
        (("a:8000", "a:8001"), "a", None),
        (("a:8000",), "a:9000", None),
        (("localhost:8000", "b:8000"), "127.0.0.1:8000", 0),
        (("10.0.0.7:8000",), "vllm.default.svc:8000", 0),
        (("",), "vllm:8000", 0),
        (("a:8000",), None, 0),
    ],
)
def test_a_span_finds_its_server_or_stays_without_a_load(servers, span_server, value):
    """The same address, the same host, or the only one there is; what is not clear stays empty."""
    context = taken(*(running(name, number) for number, name in enumerate(servers)))
    assert loads(context.stamp(frame({"server": span_server}))) == [(value, None)]


def test_the_only_server_is_not_taken_for_two():
    """Where spans name two servers, the metrics of one are not those of both."""
    context = taken(running("10.0.0.7:8000", 4))
    found = context.stamp(frame({"server": "vllm:8000"}, {"server": "api.example.com:443"}))
    assert loads(found) == [(None, None), (None, None)]


@pytest.mark.parametrize(
    ("resource", "labels", "hardware"),
    [
        (
            {"host.name": "n1"},
            {"modelName": "NVIDIA H100 80GB HBM3"},
            ("NVIDIA H100 80GB HBM3", "environment"),
        ),
        ({"host.name": "n1", "hw.model": "A100"}, {}, ("A100", "resource")),
        ({"host.name": "n1"}, {"hw__name": "L40S"}, ("L40S", "environment")),
        ({"host.name": "n1"}, {}, (None, None)),
    ],
)
def test_a_metric_that_names_its_device_says_the_hardware(resource, labels, hardware):
    """GPU metrics of a host give the class of spans that name that host, where they have none."""
    context = taken(
        *points(sent(("DCGM_FI_DEV_GPU_UTIL", 50), resource=resource, **labels), "protobuf", LIMITS).used
    )
    found = context.stamp(
        frame({"server": "n1:8000"}, {"server": "n1:8000", "hw_class": "mine", "hw_source": "declared"})
    )
    assert list(found.select("hw_class", "hw_source").iter_rows()) == [hardware, ("mine", "declared")]
    assert loads(found) == [(None, None)] * 2


def test_two_kinds_of_device_on_one_host_say_nothing():
    """Which of them served is not known."""
    kinds = ("H100", "A100")
    context = taken(*(Point("n1:9400", NOW, "gpu", 0.5, kind, "environment") for kind in kinds))
    assert context.stamp(frame({"server": "n1:8000"}))["hw_class"].to_list() == [None]


@pytest.mark.fault(28)
def test_what_is_kept_is_bounded():
    """Servers, samples, age, and samples of the future: memory does not follow what is sent."""
    context = Context()
    for number in range(2_000):
        context.take(
            [running(f"s{number}:1", 1, NOW - S), Point(f"h{number}", NOW, "gpu", 0.5, f"d{number}", None)]
        )
    assert len(context.latest()) == module.SERVERS
    busy = Context()
    busy.take([running("a:1", n, NOW + n * S // 4) for n in range(10_000)])
    ring = busy._rings["a:1"]
    assert len(ring.times) == len(ring.samples) == module.SAMPLES
    old = Context()
    old.take([running("a:1", 1, NOW + n * 120 * S) for n in range(20)])
    assert len(old._rings["a:1"].times) == 6
    future = Context()
    future.take([running("a:1", 1, time.time_ns() + 2 * module.AHEAD_NS)])
    assert future.latest() == ()


def test_samples_may_come_in_any_order():
    """A Collector that catches up sends the older ones later."""
    context = Context()
    for at in (5, 1, 9, 3):
        context.take([running("a:1", at, NOW - at * S)])
    assert loads(context.stamp(frame({"server": "a:1"}, {"server": "a:1", "start_ns": NOW - 4 * S}))) == [
        (1, None),
        (5, None),
    ]


def test_taking_and_stamping_at_once_is_safe():
    """Threads of the decoder and of the committer meet here."""
    context = taken(running("a:1", 1))
    stop = threading.Event()
    failures: list[BaseException] = []

    def feed() -> None:
        number = 0
        try:
            while not stop.is_set():
                number += 1
                context.take([running(f"a:{number % 50}", number, NOW - S + number)])
                context.latest()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=feed) for _ in range(3)]
    for thread in threads:
        thread.start()
    rows = frame(*({"server": f"a:{n}"} for n in range(200)))
    for _ in range(50):
        context.stamp(rows)
    stop.set()
    for thread in threads:
        thread.join()
    assert not failures


def test_every_name_is_normal():
    """The table holds what a name is looked up as."""
    assert all(name == name.lower() and name.replace("_", "").isalnum() for name in NAMES)


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    """Serve once for this file."""
    with serving(tmp_path_factory.mktemp("context")) as running:
        yield running


def test_metrics_are_answered_with_a_warning_and_show_up_in_spans(service: Service):
    """Through HTTP and the committer: what is not used is rejected with a word; the span has its load."""
    body = sent(("vllm:num_requests_running", 7), ("process.cpu.time", 1), instance="vllm:8000")
    reply = service.post(body, "/v1/metrics")
    assert reply.status == 200
    assert (
        b"1 of 2 data points are not kept: metrics are read for load and hardware, not stored" in reply.body
    )
    one = span(start_time_unix_nano=NOW + S, end_time_unix_nano=NOW + 2 * S)
    one.attributes.add(key="gen_ai.operation.name").value.string_value = "chat"
    one.attributes.add(key="server.address").value.string_value = "vllm"
    one.attributes.add(key="server.port").value.int_value = 8000
    assert service.post(request(one)).status == 200
    assert service.frame["load_running"].to_list() == [7]
    assert (service.board.counts()["points"], service.board.reasons()["rejected", "not used"]) == (1, 1)
