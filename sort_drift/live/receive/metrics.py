"""The body of a metrics request -> what it says of the load of serving systems, and how much else there is.

Engines write to Prometheus pages, which a Collector scrapes: names come with colons, dots or underscores. Of
several series of one server (engines, models) counts add up and shares count by the fullest (context.py).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from sort_drift.dialects import resources
from sort_drift.ingest import jsontext
from sort_drift.live.receive import series
from sort_drift.live.receive.terms import Encoding, Refused
from sort_drift.live.settings import Limits

Measure = Literal["running", "waiting", "kv_cache", "gpu"]

NAMES: Mapping[str, tuple[Measure, float]] = {
    "vllm_num_requests_running": ("running", 1),
    "vllm_num_requests_waiting": ("waiting", 1),
    "vllm_kv_cache_usage_perc": ("kv_cache", 1),
    "vllm_gpu_cache_usage_perc": ("kv_cache", 1),  # before vLLM 0.10
    "sglang_num_running_reqs": ("running", 1),
    "sglang_num_queue_reqs": ("waiting", 1),
    "sglang_token_usage": ("kv_cache", 1),
    "tgi_batch_current_size": ("running", 1),
    "tgi_queue_size": ("waiting", 1),
    "llamacpp_requests_processing": ("running", 1),
    "llamacpp_requests_deferred": ("waiting", 1),
    "llamacpp_kv_cache_usage_ratio": ("kv_cache", 1),
    "sort_drift_load_running": ("running", 1),
    "sort_drift_load_queue_depth": ("waiting", 1),
    "hw_gpu_utilization": ("gpu", 1),
    "dcgm_fi_prof_gr_engine_active": ("gpu", 1),
    "dcgm_fi_dev_gpu_util": ("gpu", 0.01),
}
"""Metric, normalised -> what it says, and the factor to requests (running, waiting) or to a share of 1."""

_DEVICE = ("modelName", "hw.model", "hw.name")
"""Attribute of a GPU's data points that names the device: of NVIDIA's exporter, and of the conventions."""

_SERVER = (("server.address", "server.port"), ("net.host.name", "net.host.port"))
_SUFFIX = re.compile(r"_(?:ratio|percent)$")
_LOCAL = frozenset({"127.0.0.1", "::1", "0.0.0.0"})  # noqa: S104 - names of this machine in attributes


@dataclass(frozen=True, slots=True)
class Point:
    """One sample."""

    server: str  # "host:port", "host", or "" where nothing names it
    ns: int  # Unix
    measure: Measure
    value: float  # requests, or a share of 1
    hardware: str | None = None  # what the device is called
    how: str | None = None  # model.SPANS.hw_source


@dataclass(frozen=True, slots=True)
class Points:
    """A metrics request that was read."""

    used: tuple[Point, ...]
    total: int  # data points in it


def points(body: bytes, encoding: Encoding, limits: Limits) -> Points:
    """Read a request; raises ``Refused`` (400, 413) where it is none."""
    used: list[Point] = []
    total = 0
    try:
        for resource, name, count, samples in series.read(body, encoding, limits):
            total += count
            known = NAMES.get(name) or NAMES.get(_SUFFIX.sub("", name))
            if known:
                used += _points(known, resource, samples())
    except (ValueError, RecursionError) as error:
        raise Refused(400, f"not an OTLP metrics request: {jsontext.reason(error)}") from None
    return Points(tuple(used), total)


def _points(
    known: tuple[Measure, float], resource: Mapping[str, Any], samples: Iterable[series.Sample]
) -> Iterator[Point]:
    measure, factor = known
    for ns, value, attributes in samples:
        if 0 < ns < 2**63 and math.isfinite(value):
            hardware, how = _hardware(resource, attributes) if measure == "gpu" else (None, None)
            yield Point(server({**resource, **attributes}), ns, measure, value * factor, hardware, how)


def server(said: Mapping[str, Any]) -> str:
    """Return the address that attributes give a serving system, "" where they give none.

    >>> server({"server.address": "GPU-1", "server.port": 8000}), server({"instance": "10.0.0.7:8000"})
    ('gpu-1:8000', '10.0.0.7:8000')
    >>> server({"service.instance.id": "8f14e45f-ceea-467f-a0e6", "host.name": "gpu-1"}), server({})
    ('gpu-1', '')
    """
    for host, port in _SERVER:
        if said.get(host):
            return normal(f"{said[host]}:{said[port]}" if said.get(port) else str(said[host]))
    for name in ("instance", "service.instance.id"):  # of a Collector's Prometheus receiver: the target
        if ":" in str(said.get(name, "")):
            return normal(str(said[name]))
    return normal(str(said.get("host.name") or ""))


def normal(address: str) -> str:
    """Return an address in one form.

    >>> normal("127.0.0.1:8000"), normal("http://GPU-1:8000/v1"), normal("[::1]:80")
    ('localhost:8000', 'gpu-1:8000', 'localhost:80')
    """
    text = address.strip().lower()[:256].partition("://")
    host, colon, port = (text[2] or text[0]).partition("/")[0].rpartition(":")
    if not port.isdigit() or not colon:
        host, colon, port = f"{host}{colon}{port}", "", ""
    host = host.strip("[]")
    return f"{'localhost' if host in _LOCAL else host}{colon}{port}"


def _hardware(resource: Mapping[str, Any], attributes: Mapping[str, Any]) -> tuple[str | None, str | None]:
    device = next((attributes[name] for name in _DEVICE if attributes.get(name)), None)
    if device is not None:
        return str(device)[:128], "environment"
    return resources.describe(dict(resource))[2:]
