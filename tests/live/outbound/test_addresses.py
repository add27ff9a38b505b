"""Where a webhook may lead: what the configuration may say, and whom a connection may reach (SSRF)."""

from __future__ import annotations

import socket
from contextlib import suppress
from ipaddress import ip_address
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sort_drift.errors import UsageError
from sort_drift.live.outbound.addresses import check, refused, target
from sort_drift.live.outbound.post import post
from sort_drift.live.settings import Webhook
from tests.loopback import Answer, serving

pytestmark = pytest.mark.fault(75)
ALLOWED = (
    "hooks.example.com",
    "10.0.0.7",
    "169.254.169.254",
    "0.0.0.0",
    "224.0.0.1",
    "fd00:ec2::254",
    "127.1",
)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:9093",
        "http://[::1]:9093/alerts",
        "http://localhost/x?y=z",
        "https://LOCALHOST:8443",
        "http://127.8.9.1/",
        "https://hooks.example.com/services/T0/B0/secret",
        "https://hooks.example.com./x",
        "http://hooks.example.com:8080/",
        "http://10.0.0.7/",
    ],
)
def test_loopback_and_named_hosts_are_fine(url: str) -> None:
    """This machine needs no permission, any other host is named."""
    check([Webhook(url, token="a.b-c")], ALLOWED)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("", "scheme"),
        ("hooks.example.com/x", "scheme"),
        ("ftp://hooks.example.com/x", "scheme"),
        ("file:///etc/passwd", "scheme"),
        ("gopher://127.0.0.1:6379/_x", "scheme"),
        ("unix:///run/docker.sock", "scheme"),
        ("http:///x", "cannot be read"),
        ("http://user:pa55@hooks.example.com/x", "password"),
        ("http://hooks.example.com@evil.example/x", "user name"),
        ("http://127.0.0.1:9093@evil.example/x", "user name"),
        ("http://@127.0.0.1/x", "user name"),
        ("http://127.0.0.1:99999/x", "cannot be read"),
        ("http://127.0.0.1:0/x", "cannot be read"),
        ("http://[::1/x", "cannot be read"),
        ("http://127.0.0.1/x\r\nHost: evil", "cannot be read"),
        ("http://127.0.0.1/x y", "cannot be read"),
        ("http://127.0.0.1\t/", "cannot be read"),
        ("http://127.0.0.1/x#y", "cannot be read"),
        ("http://bücher.example/x", "cannot be read"),
        ("http://ⓛocalhost/x", "cannot be read"),
        ("https://evil.example/secret-path", "not allowed"),
        ("https://sub.hooks.example.com/", "not allowed"),
        ("https://hooks.example.com.evil.example/", "not allowed"),
        ("http://10.0.0.8/", "not allowed"),
        ("http://2130706433/", "not allowed"),
        ("http://0x7f.1/", "not allowed"),
        ("http://[::ffff:10.0.0.8]/", "not allowed"),
        ("http://localhost.evil.example/", "not allowed"),
        ("http://169.254.169.254/latest/meta-data", "link-local"),
        ("http://0.0.0.0:9093/", "unspecified"),
        ("http://224.0.0.1/", "multicast"),
        ("http://[fd00:ec2::254]/", "metadata"),
    ],
)
def test_any_other_address_is_refused_at_the_start(url: str, said: str) -> None:
    """One line that says which webhook, what is wrong and what to do, without its path or a password."""
    with pytest.raises(UsageError, match=said) as error:
        check([Webhook("http://127.0.0.1"), Webhook(url)], ALLOWED)
    line = error.value.line()
    assert "(webhook 2)" in line
    assert "\n" not in line
    assert "secret-path" not in line
    assert "pa55" not in line
    assert error.value.todo


@pytest.mark.parametrize(
    "host",
    ["https://hooks.example.com", "hooks.example.com/x", "*.example.com", "Hooks.example.com", "a b", "a:1"],
)
def test_a_wrong_entry_of_the_allow_list_is_refused(host: str) -> None:
    """What could never match is a mistake, and said."""
    with pytest.raises(UsageError, match="no host name"):
        check([], [host])


def test_a_token_that_no_header_may_have_is_refused() -> None:
    """A line break in a token would be a further header."""
    with pytest.raises(UsageError, match="token") as error:
        check([Webhook("http://127.0.0.1", token="abc\r\nX-Evil: 1")])
    assert "abc" not in error.value.line()


def test_the_same_hook_twice_is_refused() -> None:
    """Every alarm would come twice."""
    check([Webhook("http://127.0.0.1/x"), Webhook("http://127.0.0.1/x", "alertmanager")])
    with pytest.raises(UsageError, match="twice"):
        check([Webhook("http://127.0.0.1/x"), Webhook("http://127.0.0.1/x")])


@given(st.text(max_size=60), st.text(max_size=30))
def test_nothing_but_a_usage_error_comes_of_any_text(rest: str, token: str) -> None:
    """Whatever stands in the configuration, the mistake is a line and no traceback."""
    for url in (rest, f"http://{rest}", f"https://127.0.0.1{rest}"):
        with suppress(UsageError):
            check([Webhook(url, token=token)], ALLOWED)


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("http://127.0.0.1:9093", "/api/v2/alerts"),
        ("http://127.0.0.1:9093/", "/api/v2/alerts"),
        ("http://127.0.0.1:9093/alertmanager/", "/alertmanager/api/v2/alerts"),
        ("http://127.0.0.1:9093/api/v2/alerts", "/api/v2/alerts"),
    ],
)
def test_the_path_of_alertmanager_is_found(url: str, path: str) -> None:
    """Its address is enough, also below a prefix."""
    assert target(Webhook(url, "alertmanager"), ()).path == path
    assert target(Webhook("http://127.0.0.1?a=b"), ()).path == "/?a=b"


@pytest.mark.parametrize(
    "peer",
    [
        *("169.254.169.254", "169.254.0.1", "fe80::1", "fe80::1%eth0", "::ffff:169.254.169.254"),
        *("64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::1", "::169.254.169.254"),  # NAT64, 6to4, compatible
        *("0.0.0.0", "0.1.2.3", "::", "224.0.0.1", "ff02::1", "255.255.255.255", "240.0.0.1"),
        *("100.100.100.200", "192.0.0.192", "168.63.129.16", "fd00:ec2::254", "fd20:ce::254"),
    ],
)
def test_nobody_sends_to_these(peer: str) -> None:
    """Link-local, metadata, multicast, unspecified and reserved ones, in every disguise."""
    assert refused(peer, local=False)
    assert refused(peer, local=True)


@pytest.mark.parametrize("peer", ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1"])
def test_this_machine_is_reached_by_its_own_name_only(peer: str) -> None:
    """A name that somebody else answers for leads to no service of this machine."""
    assert refused(peer, local=False)
    assert refused(peer, local=True) == ""


@given(st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)))
def test_every_address_is_judged(address: Any) -> None:
    """No address breaks the judgement, and an IPv4 address is judged the same in an IPv6 one."""
    said = refused(str(address), local=False)
    if address.version == 4:
        assert refused(f"::ffff:{address}", local=False) == said
        assert refused(str(ip_address((0x64FF9B << 96) | int(address))), local=False) == said


@pytest.mark.parametrize("leads_to", ["127.0.0.1", "169.254.169.254", "0.0.0.0"])
def test_a_name_that_leads_elsewhere_is_looked_at_when_it_is_used(
    leads_to: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DNS rebinding: the allowed name is answered with another address; nothing is sent."""
    with serving(Answer()) as server:
        port = int(server.url.rpartition(":")[2])
        found = target(Webhook(f"http://hooks.example.com:{port}/x"), ALLOWED)
        answer = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (leads_to, port))]
        real = socket.getaddrinfo
        monkeypatch.setattr(
            socket, "getaddrinfo", lambda host, *a, **k: answer if host == found.host else real(host, *a, **k)
        )
        outcome = post(found, b"{}")
        assert (outcome.ok, outcome.reason) == (False, "address")
        assert not server.requests


def test_the_peer_of_the_open_connection_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever the packets went, the address of the other end decides, before a byte is sent."""
    with serving(Answer()) as server:
        found = target(Webhook(server.url), ())
        assert post(found, b"{}").ok
        elsewhere = socket.socketpair()
        opened = elsewhere[0]

        class Elsewhere:
            """A connection of which the other end is another one than was asked for."""

            def getpeername(self) -> tuple[str, int]:
                return "169.254.169.254", 80

            def close(self) -> None:
                opened.close()

        monkeypatch.setattr(socket, "create_connection", lambda *_: Elsewhere())
        outcome = post(found, b"{}")
        assert (outcome.ok, outcome.reason) == (False, "address")
        assert opened.fileno() == -1  # closed
        assert elsewhere[1].recv(10) == b""  # nothing came
        elsewhere[1].close()


def test_a_redirect_is_not_followed() -> None:
    """Not even to where a webhook could have led by itself."""
    with serving(Answer()) as other:
        location = {"location": f"{other.url}/latest/meta-data"}
        for status in (301, 302, 303, 307, 308):
            with serving(Answer(status, headers=location)) as server:
                outcome = post(target(Webhook(server.url), ()), b"{}", token="t0ken")
                assert (outcome.ok, outcome.reason, outcome.lasting) == (False, "redirect", True)
                assert len(server.requests) == 1
        assert not other.requests


def test_no_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy would connect in our place, to whatever it resolves."""
    with serving(Answer()) as server, serving(Answer()) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        assert post(target(Webhook(server.url), ()), b"{}").ok
        assert len(server.requests) == 1
        assert not proxy.requests
