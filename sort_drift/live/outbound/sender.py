"""One hook: its queue, its thread, its tries. What waits is bounded, and what is given up is counted.

Delivered in order, so that an end never comes before its alarm. A hook that does not answer is tried again
after 1, 2, 4 ... 60 s, each with jitter, for as long as it takes; one that says no is tried five times.
"""

from __future__ import annotations

import random
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import blake2b
from time import monotonic, time_ns
from typing import Protocol

from sort_drift.live.board import Board, Happening
from sort_drift.live.outbound.addresses import Target
from sort_drift.live.outbound.ledger import Ledger
from sort_drift.live.outbound.post import Outcome, post
from sort_drift.report.numbers import plural

QUEUE = 1_000
REFUSALS = 5
"""Tries of what is answered with a redirect or "no": the address or the token may be put right meanwhile."""

_REMEMBERED_S = 86_400.0
"""For so long it is a problem that something was given up."""


@dataclass(frozen=True, slots=True)
class Pace:
    """When what is tried again."""

    first_s: float = 1.0
    most_s: float = 60.0
    again_s: float = 60.0  # between two times that open alarms are sent
    lease_s: float = 240.0  # for which an alarm is open without that: three may be lost

    def wait(self, tries: int) -> float:
        """Return the seconds until the next try: doubled each time, less up to half, so that hooks part."""
        return min(self.most_s, self.first_s * 2.0 ** min(tries - 1, 30)) * random.uniform(0.5, 1.0)  # noqa: S311


class Form(Protocol):
    """What is sent of a happening. Called by the thread of the hook alone, but for ``wants``."""

    def wants(self, happening: Happening, /) -> bool:
        """Whether it is sent at all."""

    def bodies(self, happening: Happening, now_ns: int, /) -> Sequence[bytes]:
        """Return the bodies to POST, in order."""

    def standing(self, now_ns: int, /) -> Sequence[bytes]:
        """Return what is sent again and again."""


@dataclass(slots=True)
class _Trouble:
    """What there is to say of a hook."""

    since: datetime | None = None  # that it fails
    said: str = ""
    lost: int = 0
    lost_at: float = field(default=-_REMEMBERED_S)

    def lines(self, waiting: int) -> list[str]:
        lines = []
        if self.since is not None:
            more = f", {plural(waiting, 'event')} waiting" if waiting else ""
            lines.append(f"{self.said} since {self.since:%Y-%m-%d %H:%M} UTC{more}")
        if self.lost and monotonic() - self.lost_at < _REMEMBERED_S:
            lines.append(f"{plural(self.lost, 'event')} given up")
        return lines


class Sender(threading.Thread):
    """The thread of one hook."""

    def __init__(
        self, hook: str, target: Target, token: str, form: Form, *, ledger: Ledger, board: Board, pace: Pace
    ) -> None:
        super().__init__(name=f"webhook {hook}", daemon=True)
        self._hook, self._target, self._token, self._form = hook, target, token, form
        self._ledger, self._board, self._pace = ledger, board, pace
        self._queue: deque[Happening] = deque()
        self._queued: set[str] = set()
        self._changed = threading.Condition()
        self._until: float | None = None  # set by ``stop``
        self._tries = 0  # of the first in the queue
        self._due = 0.0  # when it is tried next
        self._again = 0.0  # when open alarms are sent next
        self._trouble = _Trouble()

    # -- from other threads

    def put(self, happening: Happening) -> None:
        """Queue a happening, unless it was delivered or waits already."""
        if not self._form.wants(happening) or self._ledger.settled(self._hook, happening.id) is not None:
            return
        dropped = None
        with self._changed:
            if happening.id in self._queued:
                return
            if len(self._queue) >= QUEUE:
                dropped = self._queue.popleft().id
                self._queued.discard(dropped)
            self._queue.append(happening)
            self._queued.add(happening.id)
            self._changed.notify()
        if dropped is not None:
            self._give_up(dropped, "overflow")

    def end(self, until: float) -> None:
        """Let the thread deliver what it has not tried yet, until a time of ``monotonic``, and end."""
        with self._changed:
            self._until = until
            self._changed.notify()

    @property
    def waiting(self) -> int:
        """Happenings that are not delivered."""
        return len(self._queue)

    def problem(self) -> str:
        """Say what is wrong; "" if nothing is. The path of the address may be secret: it is not in it."""
        said = self._trouble.lines(self.waiting)
        return f"webhook {self._target}: {'; '.join(said)}" if said else ""

    # -- its own thread

    def run(self) -> None:
        """Send what comes, until ``end``."""
        while True:
            head = self._next()
            if head is not None:
                self._deliver(head)
            elif self._until is None:
                self._again = monotonic() + self._pace.again_s
                self._send(self._form.standing(time_ns()))
            else:
                return

    def _next(self) -> Happening | None:
        """Wait for what is due: a happening, or None where open alarms are to be sent again."""
        with self._changed:
            while self._until is None:
                now = monotonic()
                if self._queue and now >= self._due:
                    return self._queue[0]
                if now >= self._again:
                    return None
                self._changed.wait(min(self._again, self._due if self._queue else self._again) - now)
            if self._queue and not self._tries and monotonic() < self._until:
                return self._queue[0]
            return None

    def _deliver(self, happening: Happening) -> None:
        if happening.resolves and self._ledger.settled(self._hook, happening.resolves) is False:
            self._ledger.settle(self._hook, [happening.id], delivered=False)  # nobody was told of the alarm
            self._done(happening)
            return
        mark = blake2b(happening.id.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
        outcome = self._send(self._form.bodies(happening, time_ns()), {"Idempotency-Key": mark})
        if outcome.ok:
            self._ledger.settle(self._hook, [happening.id], delivered=True)
            self._done(happening)
            return
        self._tries += 1
        if outcome.lasting and self._tries >= REFUSALS:
            self._give_up(happening.id, "given up")
            self._done(happening)
            return
        self._due = monotonic() + max(outcome.wait_s, self._pace.wait(self._tries))

    def _done(self, happening: Happening) -> None:
        self._tries, self._due = 0, 0.0
        with self._changed:
            self._queued.discard(happening.id)
            if self._queue and self._queue[0] is happening:  # else the queue was full, and it was dropped
                self._queue.popleft()

    def _give_up(self, id_: str, reason: str) -> None:
        self._trouble.lost += 1
        self._trouble.lost_at = monotonic()
        self._board.count("webhook_failures", reason=reason)
        self._ledger.settle(self._hook, [id_], delivered=False)

    def _send(self, bodies: Sequence[bytes], headers: dict[str, str] | None = None) -> Outcome:
        """POST one body after the other, up to the first that fails."""
        outcome = Outcome(ok=True)
        for body in bodies:
            outcome = post(self._target, body, token=self._token, headers=headers)
            if not outcome.ok:
                self._board.count("webhook_failures", reason=outcome.reason)
                self._trouble.since = self._trouble.since or datetime.now(UTC)
                self._trouble.said = outcome.said
                break
            self._board.count("webhooks")
            self._trouble.since = None
        return outcome
