"""What an empty page says: which endpoint to send spans to, and how an exporter is told."""

from __future__ import annotations

from sort_drift.live.board import Health
from sort_drift.live.settings import Address, Settings
from sort_drift.report.markup import Html, join, tag, text
from sort_drift.report.numbers import plural


def start(settings: Settings, health: Health) -> Html:
    """Return how to send spans; where some came but no run is over, what is waited for."""
    waiting = _waiting(settings, health)
    ways = [_way(settings, address, *how) for address, how in _transports(settings) if address]
    none = tag("p", "No receiver is switched on: give --otlp-http or --otlp-grpc.")
    test = text(
        "To see one run come through without an agent: ", tag("code", "sort-drift live selftest"), "."
    )
    return tag(
        "section",
        waiting,
        tag("h2", "Send spans"),
        tag("p", "Any OpenTelemetry exporter will do. Set this in the environment of your agent:"),
        ways or none,
        tag("p", test, class_="soft"),
        class_="start",
    )


def _transports(settings: Settings) -> list[tuple[Address | None, tuple[str, str]]]:
    http = ("OTLP over HTTP", "http/protobuf")
    return [(settings.otlp_http, http), (settings.otlp_grpc, ("OTLP over gRPC", "grpc"))]


def _way(settings: Settings, address: Address, name: str, protocol: str) -> Html:
    scheme = "https" if settings.tls else "http"
    lines = [
        f"export OTEL_EXPORTER_OTLP_ENDPOINT={scheme}://{reachable(address)}",
        f"export OTEL_EXPORTER_OTLP_PROTOCOL={protocol}",
    ]
    if settings.token:
        lines.append('export OTEL_EXPORTER_OTLP_HEADERS="authorization=Bearer%20<the token>"')
    return tag(
        "div",
        tag("h3", name),
        tag("pre", join(Html("\n"), lines), class_="pre code", tabindex="0"),
    )


def reachable(address: Address) -> str:
    """Return where others find a listener; one on all interfaces has no name that it knows.

    >>> reachable(Address("127.0.0.1", 4318)), reachable(Address("0.0.0.0", 4318))
    ('127.0.0.1:4318', '<name of this machine>:4318')
    """
    if address.host in ("0.0.0.0", "::", ""):  # noqa: S104 - it is asked, not bound
        return f"<name of this machine>:{address.port}"
    return str(address)


def _waiting(settings: Settings, health: Health) -> Html | None:
    spans = health.spans_stored + health.spans_waiting
    if not spans and not health.runs_open:
        return None
    said = (
        f"{plural(spans, 'span')} came, {plural(health.runs_open, 'run')} under way. A run is over "
        f"{settings.grace_s:g} s after its root span ended, or after {settings.idle_s:g} s without a span; "
        "an exporter that sends in batches sends the root last."
    )
    return tag("p", said)
