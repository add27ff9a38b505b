"""How many bytes of requests are in memory at once: over the limit clients are asked to come again.

Counted is what has arrived and what was inflated, not what a head announces: who announces and sends nothing
would lock the others out.
"""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Self

from sort_drift.live.receive.terms import Refused

RETRY_S = 1.0
"""After which a client that was refused for overload is to come again."""


class Admission:
    """The bytes of all requests that are not answered yet. For any thread."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._bytes = 0
        self._lock = threading.Lock()

    @property
    def bytes(self) -> int:
        """How many there are now."""
        return self._bytes

    def enter(self) -> Ticket:
        """Return the account of one request; it is closed by leaving its ``with`` block."""
        return Ticket(self)

    def add(self, count: int) -> None:
        """Take ``count`` more bytes (or give back, below 0); ``Refused`` (503) where there is no room."""
        with self._lock:
            if count > 0 and self._bytes + count > self._most:
                raise Refused(
                    503,
                    f"overloaded: {self._most:,} bytes of requests are being worked on",
                    retry_after_s=RETRY_S,
                )
            self._bytes += count


class Ticket:
    """What one request holds."""

    def __init__(self, admission: Admission) -> None:
        self._admission = admission
        self._bytes = 0

    def grow(self, count: int) -> None:
        """Account for ``count`` more bytes of this request; ``Refused`` (503) where there is no room."""
        self._admission.add(count)
        self._bytes += count

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._admission.add(-self._bytes)
        self._bytes = 0
