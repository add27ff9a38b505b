"""The token on the page: a header for programs, a form and a session for people."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import httpx
import pytest

from sort_drift.live.page.login import LASTS_S, MOST, Sessions
from tests.live.page import boards
from tests.live.page.served import Served, served

TOKEN = "correct horse battery"
BEARER = {"authorization": f"Bearer {TOKEN}"}


@pytest.fixture(scope="module")
def live() -> Iterator[Served]:
    """Serve a board that asks for a token."""
    with served(boards.board(boards.FLEET[2:3]), replace(boards.SETTINGS, token=TOKEN)) as found:
        yield found


@pytest.fixture
def client(live: Served) -> Iterator[httpx.Client]:
    """Yield somebody who has not logged in."""
    with httpx.Client(base_url=live.url) as made:
        yield made


@pytest.mark.fault(58)
def test_without_the_token_nothing_is_shown(client: httpx.Client) -> None:
    """Pages, fragments and events answer 401 with the form; its style is public code."""
    for path in ("/", "/?fragment=1", "/runs", "/events", "/health", "/nowhere"):
        for headers in (
            {},
            {"authorization": "Bearer wrong"},
            {"authorization": f"Basic {TOKEN}"},
            {"cookie": "x=y"},
        ):
            answer = client.get(path, headers=headers)
            assert answer.status_code == 401, path
            assert answer.headers["www-authenticate"] == "Bearer"
            assert "triage" not in answer.text
    assert client.get("/static/live.css").status_code == 200


@pytest.mark.fault(58)
def test_a_program_sends_it_as_a_header(client: httpx.Client) -> None:
    """Authorization: Bearer, whatever the case of the scheme."""
    for scheme in ("Bearer", "bearer", "BEARER"):
        assert client.get("/", headers={"authorization": f"{scheme} {TOKEN}"}).status_code == 200


@pytest.mark.fault(62)
def test_a_post_without_the_token_is_refused(client: httpx.Client) -> None:
    """No page takes a POST, with the token or without; the form takes no wrong one."""
    for path in ("/", "/runs", "/login/", "/events"):
        assert client.post(path).status_code == 403
        assert client.post(path, headers=BEARER).status_code == 403
    for data in (
        {},
        {"token": ""},
        {"token": "wrong"},
        {"token": TOKEN + " "},
        {"other": TOKEN},
        {"token": "é\u2028"},
    ):
        answer = client.post("/login", data=data)
        assert answer.status_code == 403
        assert "set-cookie" not in answer.headers


def test_the_form_gives_a_session_and_not_the_token(live: Served) -> None:
    """The cookie is of this site only, no script reads it, it is not the token, and it opens every page."""
    with httpx.Client(base_url=live.url) as client:
        answer = client.post("/login", data={"token": TOKEN})
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
        cookie = answer.headers["set-cookie"]
        for part in ("HttpOnly", "SameSite=strict", "Path=/", f"Max-Age={LASTS_S}"):
            assert part in cookie
        assert TOKEN not in cookie
        assert client.get("/").status_code == 200
        assert client.get("/runs").status_code == 200
    forged = {"cookie": f"sort_drift_session={TOKEN}"}
    assert httpx.get(live.url, headers=forged).status_code == 401


def test_the_token_is_never_shown(client: httpx.Client) -> None:
    """Not in a page, not in the empty one that says how to send spans, not in an answer's head."""
    for path in ("/", "/health", "/login", "/nowhere"):
        answer = client.get(path, headers=BEARER)
        assert TOKEN not in answer.text
        assert TOKEN not in str(answer.headers)
        assert TOKEN not in repr(replace(boards.SETTINGS, token=TOKEN))


def test_a_token_in_an_address_is_no_token(client: httpx.Client) -> None:
    """Addresses are logged: what stands there opens nothing."""
    assert client.get(f"/?token={TOKEN}").status_code == 401
    assert client.get(f"/login?token={TOKEN}").headers.get("set-cookie") is None


def test_another_site_cannot_send_the_form(live: Served) -> None:
    """A form of another origin is refused whatever it holds; one of ours is known by either header."""
    login, data = f"{live.url}/login", {"token": TOKEN}
    foreign = [{"origin": "https://evil.example"}, {"origin": "null"}, {"sec-fetch-site": "cross-site"}]
    foreign += [{"sec-fetch-site": "same-site", "origin": live.url}]
    for headers in foreign:
        assert httpx.post(login, data=data, headers=headers).status_code == 403
    for headers in ({"origin": live.url}, {"sec-fetch-site": "same-origin", "origin": "null"}):
        assert httpx.post(login, data=data, headers=headers).status_code == 303


def test_a_form_is_small(client: httpx.Client) -> None:
    """More than 4 KiB is no token; what is no form is none either."""
    for content in (b"token=" + b"x" * 100_000, b"\xff\xfe\x00", b"&&&===%zz"):
        assert client.post("/login", content=content).status_code == 403


def test_sessions_end() -> None:
    """After 12 hours, and the oldest where there are too many."""
    now = [0.0]
    sessions = Sessions(clock=lambda: now[0])
    first = sessions.begin()
    now[0] = LASTS_S - 1.0
    second = sessions.begin()
    assert sessions.known(first)
    now[0] = LASTS_S + 1.0
    assert not sessions.known(first)
    assert sessions.known(second)
    for _ in range(MOST):
        sessions.begin()
    assert not sessions.known(second)
    assert not sessions.known("")


def test_without_a_token_there_is_no_form() -> None:
    """Where none is asked for, the form leads to the overview."""
    with served(boards.board(boards.FLEET[2:3])) as open_:
        assert httpx.get(f"{open_.url}/login").headers["location"] == "/"
        assert httpx.post(f"{open_.url}/login", data={"token": "x"}).headers["location"] == "/"
