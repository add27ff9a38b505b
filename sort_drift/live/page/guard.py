"""What every request passes first, and every answer carries: methods, Host, token, headers.

The page is read-only: any method but GET and HEAD is refused, except the one form that logs in.
"""

from __future__ import annotations

import secrets
from http.cookies import CookieError, SimpleCookie

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sort_drift.live.page import assets
from sort_drift.live.page.login import COOKIE, Sessions, form
from sort_drift.live.receive import security
from sort_drift.live.receive.terms import Refused
from sort_drift.live.settings import Address, Settings
from sort_drift.report.plain import inert

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
"""On every answer; no CORS header ever."""

OPEN = frozenset({"/login", *(f"/static/{name}" for name in assets.FILES)})
"""Paths without a token: the form itself, and what it looks like, which is public code."""


def policy(nonce: str) -> str:
    """Return the Content-Security-Policy of one answer."""
    return (
        f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'self'; connect-src 'self'; "
        "img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
    )


class Guard:
    """Wraps the application; ``scope["nonce"]`` is that of the policy."""

    def __init__(self, app: ASGIApp, settings: Settings, sessions: Sessions) -> None:
        self._app, self._settings, self._sessions = app, settings, sessions
        self._asked = security.Guard(settings.page or Address("localhost", 0), settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse what is not allowed; let the rest through, with headers on the answer."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope["nonce"] = secrets.token_urlsafe(16)
        answer = self.refusal(scope) or self._app
        await answer(scope, receive, _with_headers(send, scope["nonce"]))

    def refusal(self, scope: Scope) -> Response | None:
        """Return why a request goes no further."""
        headers, path, method = Headers(scope=scope), scope["path"], scope["method"]
        try:
            self._asked.host(headers.get("host"), (scope.get("server") or ("",))[0])
        except Refused as refused:
            return PlainTextResponse(f"{inert(refused.message)}\n", refused.status)
        if method not in ("GET", "HEAD") and (method, path) != ("POST", "/login"):
            return PlainTextResponse("The page is read-only.\n", 403)
        if self._settings.token and path not in OPEN and not self._known(headers):
            return HTMLResponse(form(), 401, {"WWW-Authenticate": "Bearer"})
        return None

    def _known(self, headers: Headers) -> bool:
        try:
            self._asked.token(headers.get("authorization"))
        except Refused:
            return self._sessions.known(cookie(headers.get("cookie", "")))
        return True


def cookie(header: str) -> str:
    """Return the session of a Cookie header; "" where there is none.

    >>> cookie("a=1; sort_drift_session=xyz"), cookie("nothing here;;=")
    ('xyz', '')
    """
    try:
        found = SimpleCookie(header).get(COOKIE)
    except CookieError:
        return ""
    return found.value if found else ""


def _with_headers(send: Send, nonce: str) -> Send:
    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers["Content-Security-Policy"] = policy(nonce)
            for name, value in HEADERS.items():
                headers[name] = value
        await send(message)

    return sent
