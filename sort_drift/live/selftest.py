"""A prober: sends one run to a running service and reads it back from the store."""

from __future__ import annotations

import json
import secrets
import ssl
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from sort_drift.errors import StoreError, UsageError
from sort_drift.live.settings import SELFTEST
from sort_drift.store import Store

NS = 1_000_000_000
_POLL_S = 0.25


@dataclass(frozen=True, slots=True)
class Probe:
    """What was found; times in seconds since the request was sent."""

    trace_id: str
    spans: int
    acknowledged_s: float
    readable_s: float


def probe(
    store: Path, url: str, *, token: str = "", patience_s: float = 60.0, ca: Path | None = None
) -> Probe:
    """Write three spans to the OTLP/HTTP endpoint at ``url``, and wait until they are in ``store``.

    Raises
    ------
    UsageError
        If the service cannot be reached, or does not take them.
    StoreError
        If they are not there in time, or are not what was sent.

    """
    Store.open(store)  # says at once that there is none
    trace, body = _request()
    began = time.monotonic()
    _post(f"{url.rstrip('/')}/v1/traces", body, token, ca)
    acknowledged = time.monotonic() - began
    while (found := _spans(store, trace)) < 3:
        if time.monotonic() - began > patience_s:
            todo = (
                "See the health page, and the lines that the service wrote; seal_s may be longer than --wait"
            )
            raise StoreError(
                f"{found} of 3 spans were readable after {patience_s:g} s", where=str(store), todo=todo
            )
        time.sleep(_POLL_S)
    return Probe(trace, found, acknowledged, time.monotonic() - began)


def _spans(store: Path, trace: str) -> int:
    now = time.time_ns()
    return Store.open(store).spans_of([trace], now - 3600 * NS, now + 3600 * NS).height


def _request() -> tuple[str, bytes]:
    trace, ids = secrets.token_hex(16), [secrets.token_hex(8) for _ in range(3)]
    now = time.time_ns()
    spans = [
        {
            "traceId": trace,
            "spanId": own,
            "parentSpanId": ids[0] if i else "",
            "name": name,
            "kind": 1,
            "startTimeUnixNano": str(now - NS + i * NS // 4),
            "endTimeUnixNano": str(now if not i else now - NS // 2 + i * NS // 10),
            "attributes": [{"key": "gen_ai.operation.name", "value": {"stringValue": operation}}],
        }
        for i, (own, name, operation) in enumerate(
            zip(
                ids,
                ("invoke_agent selftest", "chat selftest", "execute_tool selftest"),
                ("invoke_agent", "chat", "execute_tool"),
                strict=True,
            )
        )
    ]
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": SELFTEST}}]}
    made = {
        "resourceSpans": [
            {"resource": resource, "scopeSpans": [{"scope": {"name": SELFTEST}, "spans": spans}]}
        ]
    }
    return trace, json.dumps(made).encode()


def _post(url: str, body: bytes, token: str, ca: Path | None) -> None:
    headers = {"content-type": "application/json", **({"authorization": f"Bearer {token}"} if token else {})}
    if not url.startswith(("http://", "https://")):
        raise UsageError("this is no address of a service", where=url, todo="Write http://127.0.0.1:4318")
    context = ssl.create_default_context(cafile=str(ca)) if ca else None
    request = urllib.request.Request(url, body, headers)  # noqa: S310 - checked above
    try:
        with urllib.request.urlopen(request, timeout=10, context=context) as answer:  # noqa: S310
            said = json.loads(answer.read() or b"{}")
    except urllib.error.HTTPError as error:
        why = f"{error.code} {error.read()[:200].decode(errors='replace')}"
        raise UsageError(f"the service refused: {why}", where=url, todo="See its health page") from None
    except (OSError, ValueError) as error:
        raise UsageError(
            f"the service cannot be reached: {error}", where=url, todo="Is it running?"
        ) from None
    if said.get("partialSuccess"):
        raise UsageError(f"the service took only a part: {said['partialSuccess']}", where=url)
