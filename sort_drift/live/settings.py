"""What the service was told: addresses, limits, times, what is watched.

Plain values, read once at the start from options and a ``live`` table (config.py); nothing opens anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Literal

MIB = 1 << 20

SELFTEST = "sort-drift-selftest"
"""``service.name`` of what ``live selftest`` sends: stored like any other run, watched by no monitor."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen. Port 0: a free one, which the service then says."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach it.

        >>> Address("127.0.0.1", 1).loopback, Address("::1", 1).loopback, Address("0.0.0.0", 1).loopback
        (True, True, False)
        """
        if self.host == "localhost":
            return True
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return False


@dataclass(frozen=True, slots=True)
class Limits:
    """What one request, and all of them together, may cost."""

    body_bytes: int = 16 * MIB  # of a request after decompression; at most 64 MiB
    flight_bytes: int = 64 * MIB  # of all requests that are not answered yet
    spans: int = 50_000  # of a request: 3.9 KB of gzip can hold 2,000,000 empty ones
    depth: int = 50  # of attribute values inside attribute values
    attributes: int = 128  # kept of a span that no vocabulary names; the others are counted
    header_s: float = 10.0  # until the head of a request is there
    body_s: float = 30.0  # between two pieces of a body
    idle_s: float = 75.0  # of a connection between requests
    connections: int = 1_000  # open at once, of one listener
    rpcs: int = 256  # gRPC calls under way at once


@dataclass(frozen=True, slots=True)
class Tls:
    """Files of a certificate and its key; with ``client_ca`` clients must show one that it signed."""

    certificate: Path
    key: Path
    client_ca: Path | None = None


@dataclass(frozen=True, slots=True)
class Webhook:
    """Where alarms are sent."""

    url: str
    form: Literal["generic", "alertmanager"] = "generic"
    token: str = field(default="", repr=False)  # sent as a bearer token


@dataclass(frozen=True, slots=True)
class Watching:
    """What is watched, and how."""

    variables: tuple[str, ...] = ()  # the primary ones
    tolerances: Mapping[str, float] = field(default_factory=dict)  # in the unit
    by: tuple[str, ...] = ("load",)
    rate: float = 1e-4  # false alarms a run of an agent, at most
    learn: int = 200  # first runs of an agent that are its reference, where there is no baseline
    seed: int = 20261122
    agents: int = 1_000  # watched at once; further ones are stored, not watched


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that the service was told."""

    store: Path
    otlp_http: Address | None = Address("127.0.0.1", 4318)
    otlp_grpc: Address | None = Address("127.0.0.1", 4317)
    page: Address | None = Address("127.0.0.1", 8321)
    baseline: Path | None = None
    token: str = field(default="", repr=False)  # bearer token asked of every request; "": none is asked
    insecure: bool = False  # --insecure-no-auth
    tls: Tls | None = None
    hosts: tuple[str, ...] = ()  # further names that a Host header may have
    trace_url: str | None = None  # link to a trace elsewhere, with {trace_id}
    content: Literal["drop", "keep"] = "drop"
    redact: tuple[str, ...] = ()  # further patterns (Rust regex) whose matches leave kept text
    limits: Limits = Limits()
    grace_s: float = 5.0  # after the end of a run's root, until it counts as over
    idle_s: float = 300.0  # without a span, of a run whose root did not end
    late_s: float = 600.0  # for which the spans of a run stay in memory after it was over
    held_spans: int = 300_000  # in memory at most, of open runs and of those just over
    seal_s: float = 15.0  # after which a journal becomes a segment
    seal_bytes: int = 32 * MIB
    retention_days: float | None = None
    retention_bytes: int | None = None
    compact_every_s: float = 600.0
    deleted_after_s: float = 3600.0  # readers of a segment that was replaced have so long to end
    drain_s: float = 8.0  # of a stop, for requests under way
    watching: Watching = Watching()
    webhooks: tuple[Webhook, ...] = ()
    webhook_hosts: tuple[str, ...] = ()  # hosts that a webhook may name; those of loopback always
