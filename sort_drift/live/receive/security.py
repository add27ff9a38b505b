"""Who may send: a token, names that a Host header may have, addresses that need no token.

The token comes from a file or the environment (never from a command line, which every user of a machine can
read) and is compared in constant time.
"""

from __future__ import annotations

import hmac

from sort_drift.errors import UsageError
from sort_drift.live.receive.terms import Refused
from sort_drift.live.settings import Address, Settings

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})

TOKEN_LENGTH = 16
"""Characters that a token has at least where others can reach us: they may try as often as they like."""

_ANY = frozenset({"0.0.0.0", "::"})  # noqa: S104 - what check_bind looks for, nothing listens here


def check_bind(address: Address, settings: Settings, option: str = "") -> None:
    """Refuse to listen where others can reach us and nothing is asked of them.

    Raises ``UsageError`` unless the address is of loopback, or there is a token that cannot be guessed, or
    client certificates are asked for, or the operator said ``--insecure-no-auth``.
    """
    mutual = settings.tls is not None and settings.tls.client_ca is not None
    if address.loopback or mutual or settings.insecure or len(settings.token) >= TOKEN_LENGTH:
        return
    what = "an address that other machines can reach needs a token or client certificates"
    if settings.token:
        what = f"the token can be guessed: it has fewer than {TOKEN_LENGTH} characters"
    raise UsageError(
        what,
        where=f"{option} {address}".strip(),
        todo="Set a token (openssl rand -hex 32), or a certificate authority of clients, or listen on "
        "127.0.0.1; --insecure-no-auth goes without",
    )


class Guard:
    """What is asked of the head of every request to one listener."""

    def __init__(self, address: Address, settings: Settings) -> None:
        self._token = settings.token.encode()
        self._hosts = LOOPBACK | {name.lower().rstrip(".") for name in settings.hosts}
        if address.host not in _ANY:
            self._hosts |= {address.host.lower()}

    def host(self, header: str | None, local: str | None) -> None:
        """Check the name that the client has for us; ``local`` is the address that it reached.

        A page of another site may have a name that leads here (DNS rebinding): then this is that name.
        Raises ``Refused`` (400).
        """
        name = hostname(header or "")
        if name in self._hosts or (name and name == local):
            return
        raise Refused(400, f"Host {name[:80]!r} is not a name of this service; allow it with hosts")

    def token(self, header: str | bytes | None) -> None:
        """Check an ``Authorization`` header, where a token is asked for; raises ``Refused`` (401)."""
        if not self._token:
            return
        given = header.encode("latin-1", "replace") if isinstance(header, str) else header or b""
        scheme, _, token = given.partition(b" ")
        if not hmac.compare_digest(token.strip(), self._token) or scheme.lower() != b"bearer":
            raise Refused(401, "a bearer token is asked for: Authorization: Bearer TOKEN")


def hostname(header: str) -> str:
    """Return the name in a Host header, without the port.

    >>> hostname("LocalHost:4318"), hostname("[::1]:4318"), hostname("127.0.0.1"), hostname("a.b.:80")
    ('localhost', '::1', '127.0.0.1', 'a.b')
    """
    text = header.strip().lower()
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0].rstrip(".")
