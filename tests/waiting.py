"""Wait for what another thread or process does: looked at again and again, never a fixed sleep."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

PATIENCE_S = 60.0
"""How long anything may take: two cores may be shared by many."""

_T = TypeVar("_T")


def until(
    look: Callable[[], _T], patience_s: float = PATIENCE_S, *, told: Callable[[], str] = lambda: ""
) -> _T:
    """Look until there is something, and return it; or fail, with what ``told`` says then."""
    deadline = time.monotonic() + patience_s
    while not (found := look()):
        assert time.monotonic() < deadline, f"not within {patience_s:g} s\n{told()}"
        time.sleep(0.02)
    return found
