"""Addresses on the page. A name of somebody's agent becomes part of one only as letters, digits and a hash.

A browser resolves ``..`` in a path whichever way it is written, and names hold slashes and anything else.
"""

from __future__ import annotations

import re
from hashlib import blake2b
from urllib.parse import quote, urlencode

_PLAIN = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}")
"""Run ids that are a path as they are."""

_SLUG = 40


def key(name: str) -> str:
    """Return what stands for a name in an address: what can be read of it, and 40 bits of its hash.

    >>> key("checkout/planner"), key("../<b>")
    ('checkout-planner-c9fe4dc630', 'b-ce60af864c')
    """
    readable = re.sub(r"[^A-Za-z0-9]+", "-", name[: 4 * _SLUG])[:_SLUG].strip("-").lower()
    digest = blake2b(name.encode("utf-8", "surrogatepass"), digest_size=5).hexdigest()
    return f"{readable}-{digest}".lstrip("-")


def agent(name: str) -> str:
    """Return the page of an agent."""
    return f"/agent/{key(name)}"


def variable(agent_name: str, name: str) -> str:
    """Return the page of a variable of an agent."""
    return f"{agent(agent_name)}/{quote(name, safe='')}"


def alarm(id_: str) -> str:
    """Return the page of a happening (``Happening.id``): stable, so that a webhook may carry it."""
    return f"/alarm/{key(id_)}"


def run(run_id: str) -> str:
    """Return the page of a run; ids that are no plain path go behind a question mark.

    >>> run("4f1c"), run("../x")
    ('/run/4f1c', '/run?id=..%2Fx')
    """
    if _PLAIN.fullmatch(run_id):
        return f"/run/{run_id}"
    return f"/run?{urlencode({'id': run_id}, errors='backslashreplace')}"


def runs(**filters: str | float | None) -> str:
    """Return the list of runs, filtered; ``from_`` is ``from``."""
    given = {name.rstrip("_"): value for name, value in filters.items() if value not in (None, "")}
    return f"/runs?{urlencode(given, errors='backslashreplace')}" if given else "/runs"
