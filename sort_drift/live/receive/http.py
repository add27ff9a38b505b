"""OTLP/HTTP: three paths that take a POST, in protobuf or JSON, plain or gzip; and the health of the service.

Whatever is refused has a ``google.rpc.Status`` as its body, in the encoding of the request (JSON where that
cannot be told), and no header that would let a page of another site read it.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from sort_drift.live.board import Board
from sort_drift.live.receive import answers, bodies
from sort_drift.live.receive.intake import Intake
from sort_drift.live.receive.security import Guard
from sort_drift.live.receive.terms import Encoding, Refused, Signal
from sort_drift.live.settings import Address, Limits, Settings

PATHS: Mapping[str, Signal] = {"/v1/traces": "traces", "/v1/logs": "logs", "/v1/metrics": "metrics"}
HEALTH = "/healthz"

_ENCODINGS: Mapping[str, Encoding] = {media: encoding for encoding, media in answers.MEDIA_TYPES.items()}
_CHARSETS = frozenset({"", "utf-8", "utf8", "us-ascii"})
_WHOLE = 10  # times body_s, for all of a body: 5 minutes, which 16 MiB need at 0.5 Mbit/s
_SAFE = {"x-content-type-options": "nosniff", "cache-control": "no-store"}


def application(intake: Intake, settings: Settings, board: Board) -> ASGIApp:
    """Return the receiver as an ASGI application, for ``servers.start_http``."""
    guard = Guard(settings.otlp_http or Address("127.0.0.1", 0), settings)

    async def respond(request: Request) -> Response:
        server = request.scope.get("server")
        guard.host(request.headers.get("host"), server[0] if server else None)
        path: str = request.scope["path"]
        if path == HEALTH:
            _check_method(request, "GET", "HEAD")
            return _health(board)
        guard.token(request.headers.get("authorization"))
        signal = PATHS.get(path)
        if signal is None:
            raise Refused(404, f"there is nothing at {path[:80]}; OTLP/HTTP is at {', '.join(PATHS)}")
        _check_method(request, "POST")
        encoding = _encoding(request)
        packed = bodies.compressed(request.headers.get("content-encoding"))
        _check_length(request, settings.limits, packed=packed)
        body = _pieces(request.receive, settings.limits)
        answer = await intake.take(signal, encoding, body, packed=packed)
        return Response(
            answers.success(signal, encoding, answer),
            headers={"content-type": answers.MEDIA_TYPES[encoding], **_SAFE},
        )

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        try:
            response = await respond(request)
        except Refused as refused:
            intake.count(refused)
            if refused.status == 499:  # nobody is there to be told
                return
            response = _refusal(request, refused)
        await response(scope, receive, send)

    return app


def _check_method(request: Request, *allowed: str) -> None:
    if request.method not in allowed:
        raise Refused(405, f"{request.method[:20]} is not possible here; use {allowed[0]}", field=allowed[0])


def _encoding(request: Request) -> Encoding:
    """Return the encoding that a request says; ``Refused`` (415) for another one, or none.

    Pages of other sites can post text/plain, forms and nothing else without being asked.
    """
    media, _, parameters = request.headers.get("content-type", "").partition(";")
    encoding = _ENCODINGS.get(media.strip().lower())
    if encoding is None:
        said = f"Content-Type {media[:80]!r}" if media else "no Content-Type"
        raise Refused(415, f"{said} is not OTLP; accepted are {', '.join(_ENCODINGS)}")
    for parameter in parameters.lower().split(";"):
        name, _, value = parameter.strip().partition("=")
        if name == "charset" and value.strip('"') not in _CHARSETS:
            raise Refused(415, f"charset {value[:40]!r} is not OTLP; JSON is UTF-8")
    return encoding


def _check_length(request: Request, limits: Limits, *, packed: bool) -> None:
    """Refuse by what the head says of the body, before any of it is read."""
    if _contradicts(request):
        raise Refused(400, "Content-Length and Transfer-Encoding contradict each other")
    length = request.headers.get("content-length")
    if length is not None and int(length) > bodies.most(limits.body_bytes, packed=packed):
        raise bodies.too_large(limits.body_bytes)


def _contradicts(request: Request) -> bool:
    return "content-length" in request.headers and "transfer-encoding" in request.headers


async def _pieces(receive: Receive, limits: Limits) -> AsyncIterator[bytes]:
    """Yield a body as it comes; ``Refused`` where it comes too slowly, or no more."""
    loop = asyncio.get_running_loop()
    end = loop.time() + _WHOLE * limits.body_s
    while True:
        try:
            async with asyncio.timeout_at(min(loop.time() + limits.body_s, end)):
                message = await receive()
        except TimeoutError:
            raise Refused(408, f"the body did not come: {limits.body_s:g} s without a piece of it") from None
        if message["type"] == "http.disconnect":
            raise Refused(499, "the client hung up")
        if message.get("body"):
            yield message["body"]
        if not message.get("more_body", False):
            return


def _refusal(request: Request, refused: Refused) -> Response:
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    encoding = _ENCODINGS.get(media, "json")
    headers = {"content-type": answers.MEDIA_TYPES[encoding], **_SAFE, **answers.headers(refused)}
    if refused.status == 405:
        headers["allow"] = refused.field
    elif refused.status == 415:
        headers["accept-encoding"] = bodies.ACCEPTED
    if refused.status == 408 or _contradicts(request):  # what comes next may not be a request
        headers["connection"] = "close"
    return Response(answers.failure(refused, encoding), refused.status, headers)


def _health(board: Board) -> Response:
    health = board.health
    said = {"status": health.state} | ({"why": health.why} if health.why else {})
    status = 200 if health.state == "running" else 503
    return Response(json.dumps(said), status, {"content-type": "application/json", **_SAFE})
