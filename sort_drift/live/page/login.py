"""The form that takes the token, and what it gives for it: a session in an HttpOnly cookie of this site only.

The cookie holds a random session and not the token: browsers send cookies to every port of a host.
"""

from __future__ import annotations

import asyncio
import hmac
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response

from sort_drift.live.page.shell import document, void
from sort_drift.live.page.view import Screen
from sort_drift.live.settings import Settings
from sort_drift.report.markup import Html, tag, text

COOKIE = "sort_drift_session"
LASTS_S = 12 * 3600
MOST = 1_000
"""Sessions at once; then the oldest ends."""

BODY = 4096
"""Bytes of a form; a token is no longer."""

PATIENCE_S = 10.0


class Sessions:
    """Who has logged in, in memory: a restart of the service ends them all."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._ends: OrderedDict[str, float] = OrderedDict()

    def begin(self) -> str:
        """Return a new session."""
        session = secrets.token_urlsafe(32)
        self._ends[session] = self._clock() + LASTS_S
        while len(self._ends) > MOST:
            self._ends.popitem(last=False)
        return session

    def known(self, session: str) -> bool:
        """Say whether a session has begun and not ended. A look-up by hash: 256 random bits, not compared."""
        return self._ends.get(session, 0.0) > self._clock()


def form(said: str = "") -> str:
    """Return the page that asks for the token."""
    field = void(
        "input", type="password", name="token", autocomplete="current-password", required=True, autofocus=True
    )
    main: Html = text(
        tag("h1", "This page asks for a token"),
        tag("p", said, class_="changed") if said else None,
        tag(
            "form",
            tag("label", tag("span", "Token"), field),
            tag("div", tag("button", "Log in", type="submit"), class_="submit"),
            action="/login",
            method="post",
            class_="filters",
        ),
        tag("p", "It is the one that the service was started with. Programs send it as a header: ",
            tag("code", "Authorization: Bearer ..."), class_="soft"),
    )  # fmt: skip
    return document(None, Screen("Log in", main, live="off"), path="/login", nonce="")


class Login:
    """GET shows the form, POST takes it."""

    def __init__(self, settings: Settings, sessions: Sessions) -> None:
        self._settings, self._sessions = settings, sessions

    async def answer(self, request: Request) -> Response:
        """Answer one request."""
        if not self._settings.token:
            return RedirectResponse("/", 303)
        if request.method != "POST":
            return HTMLResponse(form())
        if not _own(request):
            return PlainTextResponse("The form of another site is not taken.\n", 403)
        given = await _token(request)
        if not hmac.compare_digest(given.encode("utf-8", "surrogatepass"), self._settings.token.encode()):
            return HTMLResponse(form("That is not the token."), 403)
        done = RedirectResponse("/", 303)
        secure = request.url.scheme == "https"
        done.set_cookie(
            COOKIE, self._sessions.begin(), LASTS_S, httponly=True, samesite="strict", secure=secure
        )
        return done


def _own(request: Request) -> bool:
    """Say whether a form was sent from this very site; a program sends neither header."""
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    if site is not None:  # over plain HTTP browsers send it to this machine alone
        return site in ("same-origin", "none")
    return origin is None or urlsplit(origin).netloc == request.headers.get("host")


async def _token(request: Request) -> str:
    """Return what the form says, "" for anything that is no form of ours."""
    body = b""
    try:
        async with asyncio.timeout(PATIENCE_S):
            async for piece in request.stream():
                body += piece
                if len(body) > BODY:
                    return ""
    except (TimeoutError, ClientDisconnect):
        return ""
    return parse_qs(body.decode("utf-8", "replace")).get("token", [""])[0]
