"""Webhooks: alarms and their ends, to each place that was named, once. READ FIRST of the sending half.

    keeper -> send(happening) -> one queue and thread a hook (sender.py) -> POST

``generic`` is told of each alarm and of each end, once. ``alertmanager`` is also told again and again what is
open, since Alertmanager forgets; what is open says the board, so that nothing has to be remembered for it.
Changes below their tolerance are not sent.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from time import monotonic

from sort_drift.live.board import Board, Happening
from sort_drift.live.outbound import addresses, generic
from sort_drift.live.outbound.addresses import check
from sort_drift.live.outbound.alerts import Alert, Writer, posted, started
from sort_drift.live.outbound.ledger import KEPT, Ledger, key
from sort_drift.live.outbound.sender import Form, Pace, Sender
from sort_drift.live.settings import Webhook
from sort_drift.monitor import RATE

__all__ = ["Pace", "Webhooks", "check"]

Key = tuple[str, str]
"""Of an open alert: id of the alarm, and the variable."""


class Webhooks:
    """All hooks. ``start`` before ``send``; ``stop`` leaves what waits to the next start."""

    def __init__(
        self,
        hooks: Sequence[Webhook],
        allowed_hosts: Iterable[str],
        board: Board,
        page_url: str,
        state_path: Path,
        *,
        rate: float = RATE,
        minor: bool = False,
        pace: Pace | None = None,
    ) -> None:
        """Take what ``check`` lets through; ``rate`` is that of false alarms, ``minor``: send those too."""
        hosts, pace = tuple(allowed_hosts), pace or Pace()
        check(hooks, hosts)
        self._board = board
        self._ledger = Ledger(state_path)
        writer = Writer(page_url, rate)
        self._senders: dict[str, Sender] = {}
        for hook in hooks:
            form: Form = (
                Standing(writer, board, pace.lease_s)
                if hook.form == "alertmanager"
                else Once(writer, board, minor=minor)
            )
            self._senders[key(hook)] = Sender(
                *(key(hook), addresses.target(hook, hosts), hook.token, form),
                ledger=self._ledger,
                board=board,
                pace=pace,
            )

    def start(self, past: Iterable[Happening] = ()) -> None:
        """Begin; the board shows agents and events by now.

        Of the ``past``, oldest first, is sent what was not delivered before a crash or a stop. A hook that is
        new is told of the alarms that are open, and not of what is over.
        """
        past = tuple(past)
        still = {happening.id for happening in self._board.open}
        for hook, sender in self._senders.items():
            if not self._ledger.known(hook):
                over = [one.id for one in past if one.id not in still and one.resolves not in still]
                self._ledger.settle(hook, over, delivered=True)
            for happening in past:
                sender.put(happening)
            sender.start()

    def send(self, happening: Happening) -> None:
        """Queue a happening for every hook; never waits for one."""
        for sender in self._senders.values():
            sender.put(happening)

    def stop(self, patience_s: float = 2.0) -> None:
        """Deliver what nobody has tried yet, for ``patience_s`` seconds at most, and end."""
        until = monotonic() + patience_s
        for sender in self._senders.values():
            sender.end(until)
        for sender in self._senders.values():
            if sender.is_alive():
                sender.join(max(0.0, until - monotonic()))

    def waiting(self) -> int:
        """Happenings that are not delivered, over all hooks."""
        return sum(sender.waiting for sender in self._senders.values())

    def problems(self) -> tuple[str, ...]:
        """Say what is wrong, a line each, for the health on the board."""
        said = [sender.problem() for sender in self._senders.values()]
        return tuple(
            line for line in [*said, self._ledger.problem and f"webhooks: {self._ledger.problem}"] if line
        )


class Once:
    """Each happening once, with its numbers."""

    def __init__(self, writer: Writer, board: Board, *, minor: bool) -> None:
        self._writer, self._board, self._minor = writer, board, minor

    def wants(self, happening: Happening) -> bool:
        """Alarms and their ends; changes below their tolerance where they were asked for."""
        return self._minor or happening.kind != "minor"

    def bodies(self, happening: Happening, now_ns: int) -> Sequence[bytes]:
        """Return one body."""
        found = [self._begun(alert) for alert in self._writer.alerts(happening, now_ns)]
        return [generic.body(happening, found, self._writer)]

    def standing(self, _: int) -> Sequence[bytes]:
        """Return nothing: what was delivered stays delivered."""
        return []

    def _begun(self, alert: Alert) -> Alert:
        """Return an alert that ended with the time at which it began."""
        if alert.ends_ns is None:
            return alert
        began = next((event.at_ns for event in self._board.events if event.id == alert.alarm), None)
        return alert.since(started(began, alert.starts_ns))


class Standing:
    """What is open, told again and again, and once that it is over."""

    def __init__(self, writer: Writer, board: Board, lease_s: float) -> None:
        self._writer, self._board, self._lease_s = writer, board, lease_s
        self._open: dict[Key, Alert] = {}
        self._missing: frozenset[Key] = frozenset()  # of those, not on the board when it was last looked at
        self._over: dict[Key, int] = {}  # when they began

    def wants(self, happening: Happening) -> bool:
        """Alarms and their ends: what is below its tolerance has no end."""
        return happening.kind != "minor"

    def bodies(self, happening: Happening, now_ns: int) -> Sequence[bytes]:
        """Return the alerts of a happening.

        Not those that are over by now, where it waited for long: Alertmanager tells of an old alert at once.
        """
        found = list(self._writer.alerts(happening, now_ns))
        if happening.kind == "resolved":
            found = [alert.since(self._end(alert, now_ns)) for alert in found]
        else:
            ends = [event for event in self._board.events if event.resolves == happening.id]
            over = {shift.variable for event in ends for shift in event.shifts}
            found = [alert for alert in found if alert.variable not in over and alert.key not in self._over]
            self._open.update({alert.key: alert for alert in found})
        return list(posted(found, now_ns, self._lease_s))

    def standing(self, now_ns: int) -> Sequence[bytes]:
        """Return every alert that is open, and as ended those that the board did not have twice in a row.

        It may get to know later than we do; and an agent may go without a word.
        """
        states = {(v.alarm, v.name): (a.name, v) for a in self._board.agents for v in a.variables if v.alarm}
        known = {event.id: event for event in self._board.events}
        for alarm, name in states.keys() - self._open.keys() - self._over.keys():
            agent, state = states[alarm, name]
            said = self._writer.alerts(known[alarm], now_ns) if alarm in known else ()
            alert = next((alert for alert in said if alert.variable == name), None)
            self._open[alarm, name] = alert or self._writer.standing(agent, state, now_ns)
        missing = frozenset(self._open.keys() - states.keys())
        ended = [self._open[gone].over(now_ns) for gone in sorted(missing & self._missing)]
        self._missing = missing
        for alert in ended:
            self._end(alert, now_ns)
        return list(posted([*self._open.values(), *ended], now_ns, self._lease_s))

    def _end(self, alert: Alert, now_ns: int) -> int:
        """Forget an alert; return when it began. A delivery that is tried again comes here again."""
        opened = self._open.pop(alert.key, alert)
        began = self._over.setdefault(alert.key, min(now_ns, opened.starts_ns))
        for old in list(self._over)[:-KEPT]:
            del self._over[old]
        return began
