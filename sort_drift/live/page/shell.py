"""The frame of every page: head, navigation, troubles, ``main``, and the scripts that make it live."""

from __future__ import annotations

import json
from typing import Any

from sort_drift import __version__
from sort_drift.live.page import sentences
from sort_drift.live.page.view import Screen, View
from sort_drift.report.markup import Child, Html, Value, tag, text
from sort_drift.report.numbers import finite

ROOMS = (
    ("/", "Overview"),
    ("/alarms", "Alarms"),
    ("/runs", "Runs"),
    ("/map", "Map"),
    ("/health", "Health"),
)
"""What the navigation leads to."""


def void(name: str, /, **attributes: Value) -> Html:
    """Return an element without content that markup.tag does not know (``input``, ``link``).

    >>> void("input", value='"x"')
    '<input value="&quot;x&quot;">'
    """
    return Html(f"<{name}{tag('meta', **attributes)[len('<meta') :]}")


def data(id_: str, value: Any) -> Html:
    r"""Return plain values for the script, as JSON that no name in it can end.

    >>> data("d", ["</script>&\u2028"])
    '<script type="application/json" id="d">["\\u003c/script\\u003e\\u0026\\u2028"]</script>'
    """
    said = json.dumps(finite(value), separators=(",", ":"), allow_nan=False)  # ASCII: U+2028/9 are escapes
    safe = said.replace("&", r"\u0026").replace("<", r"\u003c").replace(">", r"\u003e")
    return tag("script", Html(safe), type="application/json", id=id_)


def document(view: View | None, screen: Screen, *, path: str, nonce: str) -> str:
    """Return a whole page; without a view (an error, the login) it has no navigation to anything."""
    alarms = len(view.open) if view else 0
    head = [
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        # Without a view it may be the form of login.py: browsers tell its origin, but not under no-referrer.
        None if view else tag("meta", name="referrer", content="same-origin"),
        tag("meta", name="generator", content=f"sort-drift {__version__}"),
        tag("title", f"{f'({alarms}) ' if alarms else ''}{screen.title} - sort-drift live"),
        void("link", rel="icon", href="/static/icon.svg", type="image/svg+xml"),
        void("link", rel="stylesheet", href="/static/live.css"),
        void("link", rel="stylesheet", href="/static/vendor/uPlot.min.css") if screen.chart else None,
        _script("/static/vendor/uPlot.iife.min.js", nonce) if screen.chart else None,
        _script("/static/page.js", nonce) if view else None,
    ]
    body = [
        tag("a", "Skip to the content", href="#main", class_="skip"),
        _top(view, path) if view else None,
        main(view, screen),
        tag("footer", f"sort-drift {__version__}, times are UTC", class_="soft"),
    ]
    return f"<!doctype html>\n{tag('html', tag('head', head), tag('body', body), lang='en')}\n"


def main(view: View | None, screen: Screen) -> Html:
    """Return ``main``, which is all that a live page fetches again."""
    troubles = sentences.troubles(view) if view else []
    said: Child = tag("ul", (tag("li", one) for one in troubles), class_="troubles") if troubles else None
    facts: dict[str, Value] = {"data_live": screen.live, "data_title": screen.title}
    facts |= {"data_alarms": len(view.open), "data_version": view.version} if view else {}
    return tag("main", said, screen.main, id="main", tabindex="-1", **facts)


def _script(address: str, nonce: str) -> Html:
    return tag("script", src=address, nonce=nonce, defer=True)


def _top(view: View, path: str) -> Html:
    items = [_item(view, address, name, path) for address, name in ROOMS]
    state = tag("span", "", id="live", role="status", class_="soft")
    return tag(
        "header",
        tag("a", "sort-drift ", tag("b", "live"), href="/", class_="brand"),
        tag("nav", tag("ul", items), aria_label="Pages"),
        state,
        class_="top",
    )


def _item(view: View, address: str, name: str, path: str) -> Html:
    here = path == address or (address != "/" and path.startswith(address.rstrip("s")))
    here = here or (address == "/" and path.startswith("/agent"))
    open_ = len(view.open)
    count: Child = None
    if address == "/alarms":
        count = tag("span", f"{open_}" if open_ else "", class_="count", id="alarm-count")
    return tag(
        "li",
        tag(
            "a",
            text(name, " ", count) if count else name,
            href=address,
            aria_current="page" if here else None,
        ),
    )


def empty(title: str, said: Child) -> Screen:
    """Return a page that says one thing."""
    return Screen(title, text(tag("h1", title), tag("p", said)), live="off")
