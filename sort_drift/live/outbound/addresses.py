"""Where a webhook may lead: addresses of configuration, and of the connection that is really open.

A service that reaches what others cannot must not be talked into asking there (SSRF): a host is named in the
configuration or it is this machine, and the address that answers is looked at again, since a name may
resolve to anything at any time.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Literal, cast
from urllib.parse import urlsplit

from sort_drift.errors import UsageError
from sort_drift.live.settings import Webhook

PORTS = {"http": 80, "https": 443}
ALERTS = "/api/v2/alerts"
"""Where Alertmanager takes alerts, below the path it is served at."""

_METADATA = frozenset(
    ip_address(text)
    for text in ("100.100.100.200", "168.63.129.16", "192.0.0.192", "fd00:ec2::254", "fd20:ce::254")
)
"""Metadata services of clouds that are not link-local (Alibaba, Azure, Oracle, AWS and Google over IPv6)."""

_THIS_NETWORK = ip_network("0.0.0.0/8")
_NAT64 = ip_network("64:ff9b::/96")
_COMPATIBLE = ip_network("::/96")  # an IPv4 address in the last 32 bits
_HOST = re.compile(r"[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?|[0-9a-f:.]+(%[a-z0-9_.-]+)?")
_VISIBLE = re.compile(r"[!-~]+")


@dataclass(frozen=True, slots=True)
class Target:
    """A webhook's address in parts. The path may hold a secret: it is neither shown nor logged."""

    scheme: Literal["http", "https"]
    host: str
    port: int
    path: str = field(repr=False)  # with the query
    local: bool  # the host is this machine, by its name

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}" + (f":{self.port}" if self.port != PORTS[self.scheme] else "")


def check(hooks: Sequence[Webhook], allowed_hosts: Iterable[str] = ()) -> None:
    """Refuse webhooks that could not or must not be sent to.

    Raises
    ------
    UsageError
        On the first mistake; the message shows no path and no token.

    """
    allowed = _allowed(allowed_hosts)
    seen: set[tuple[str, str]] = set()
    for number, hook in enumerate(hooks, 1):
        target(hook, allowed, where=f"webhook {number}")
        if (hook.form, hook.url) in seen:
            raise UsageError("it is given twice", where=f"webhook {number}", todo="Remove one")
        seen.add((hook.form, hook.url))


def target(hook: Webhook, allowed_hosts: Iterable[str], where: str = "webhook") -> Target:
    """Return the address of ``hook`` in parts.

    Raises
    ------
    UsageError
        If it is none, or leads to a host that nobody named.

    """

    def wrong(what: str, todo: str) -> UsageError:
        return UsageError(what, where=where, todo=todo)

    write = "Write http://HOST:PORT/PATH or https://HOST/PATH"
    try:
        parts = urlsplit(hook.url)
        port, host = parts.port, (parts.hostname or "").rstrip(".")
    except ValueError:
        raise wrong("its url cannot be read", write) from None
    if parts.scheme not in PORTS:
        raise wrong(f"its scheme is {parts.scheme[:20]!r}", write)
    if parts.username is not None or parts.password is not None:
        raise wrong("its url has a user name or a password", "Put the secret into a file: token_file")
    if not _VISIBLE.fullmatch(hook.url) or not _HOST.fullmatch(host) or port == 0 or parts.fragment:
        raise wrong("its url cannot be read", write)
    if hook.token and not _VISIBLE.fullmatch(hook.token):
        raise wrong("its token has characters that no header may have", "Check the file of the token")
    local = _loopback(host)
    if not local and host not in set(allowed_hosts):
        raise wrong(
            f"its host {host} is not allowed", f'Add it to the configuration: webhook_hosts = ["{host}"]'
        )
    if (literal := _literal(host)) is not None and (why := refused(literal, local=local)):
        raise wrong(f"its host {host} is {why}", "Name the address of the receiver")
    scheme = cast("Literal['http', 'https']", parts.scheme)
    path = parts.path.rstrip("/") if hook.form == "alertmanager" else parts.path or "/"
    if hook.form == "alertmanager" and not path.endswith(ALERTS):
        path += ALERTS
    query = f"?{parts.query}" if parts.query else ""
    return Target(scheme, host, port or PORTS[scheme], path + query, local)


def refused(peer: str, *, local: bool) -> str:
    """Say why nothing may be sent to the address ``peer``; "" if it may.

    ``local``: the host was named as this machine. A name of another one that leads here is refused, since it
    would reach what listens on loopback because nobody else can reach it.

    >>> refused("169.254.169.254", local=False), refused("::ffff:169.254.169.254", local=False)
    ('a link-local address', 'a link-local address')
    >>> refused("10.1.2.3", local=False), refused("127.0.0.1", local=True), refused("127.0.0.1", local=False)
    ('', '', 'this machine, under another name (write localhost)')
    """
    address = _unwrapped(ip_address(peer))
    if address.is_loopback:
        return "" if local else "this machine, under another name (write localhost)"
    if local:
        return "localhost, but leads elsewhere"
    if address.is_unspecified or (address.version == 4 and address in _THIS_NETWORK):
        return "an unspecified address"
    if address.is_link_local:
        return "a link-local address"
    if address.is_multicast or (address.version == 4 and address.is_reserved):
        return "a multicast, broadcast or reserved address"
    return "an address of a cloud's metadata" if address in _METADATA else ""


def _unwrapped(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """Return the IPv4 address that an IPv6 one stands for, in whichever of the ways; else itself."""
    if isinstance(address, IPv4Address) or address.is_loopback or address.is_unspecified:
        return address
    if address in _NAT64 or address in _COMPATIBLE:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or (address.teredo or (None, address))[1]


def _allowed(hosts: Iterable[str]) -> frozenset[str]:
    for host in hosts:
        if not _HOST.fullmatch(host) or (":" in host and _literal(host) is None):
            raise UsageError(
                f"{host[:80]!r} is no host name",
                where="webhook_hosts",
                todo='Write names without scheme and port, in small letters: "hooks.example.com"',
            )
    return frozenset(hosts)


def _literal(host: str) -> str | None:
    try:
        ip_address(host)
    except ValueError:
        return None
    return host


def _loopback(host: str) -> bool:
    return host == "localhost" or ((found := _literal(host)) is not None and ip_address(found).is_loopback)
