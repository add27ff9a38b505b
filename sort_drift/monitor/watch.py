"""One agent, watched run by run. READ FIRST (then: conformal.py, detector.py, evidence.py).

    run -> rank in its stratum -> score -> bets, one set a variable -> mean over variables >= 1 / rate
        -> onset and size of each variable that won -> alarm, or minor
        -> after an alarm: a bet that it is over -> resolved

A run in a stratum without earlier values is no bet: new tasks and regimes cannot raise anything. While the
alarm of a variable is open its references are closed, without what came after the onset, so that a change
never becomes the normal by waiting; ``accept`` makes it so.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from sort_drift.monitor import conformal, detector
from sort_drift.monitor.conformal import Reference
from sort_drift.monitor.events import Event, Evidence, Kind, Run, Settings, Stratum
from sort_drift.monitor.evidence import weigh


class Row(NamedTuple):
    """What is kept of a run: its values in the order of ``Settings.variables``."""

    number: int
    run_id: str
    stratum: Stratum
    values: tuple[float | None, ...]


@dataclass(slots=True)
class Open:
    """An alarm that is not over."""

    onset: int  # number of the first run after the change
    since: int  # number of the run that raised it
    shift: float  # not larger than the change, in standard deviations within a task
    back: float = 0.0  # how strongly the bet is won that it is over


@dataclass(slots=True)
class Track:
    """One variable of the agent."""

    key: int  # of its random numbers
    bets: list[float] = field(default_factory=lambda: [*detector.START])
    e: float = 0.0
    open: Open | None = None
    gaps: list[tuple[int, int]] = field(default_factory=list)  # runs [from, to) that are of a past change


_Bets = tuple[list[float], float, Open | None, float, list[tuple[int, int]]]
"""What a run may change of a track: bets, e, the open alarm, how strongly its end is bet on, gaps."""


@dataclass(slots=True)
class Watch:
    """The monitor of one agent. A run belongs in it once, when it is closed."""

    agent: str
    settings: Settings
    number: int = 0  # of the next run
    learnt: int = 0  # number of the first run after the baseline, which no change takes anything out of
    ranked: int = 0  # runs that had a reference: the others could not be judged
    taskless: int = 0  # runs without a task
    tracks: list[Track] = field(init=False)
    references: dict[Stratum, list[Reference]] = field(default_factory=dict)  # the one used last is last
    history: deque[Row] = field(init=False)

    def __post_init__(self) -> None:
        names = (variable.name for variable in self.settings.variables)
        self.tracks = [Track(conformal.stream(self.settings.seed, self.agent, name)) for name in names]
        self.history = deque(maxlen=self.settings.history)

    @property
    def e_value(self) -> float:
        """Mean over the variables that have bets; 1 / rate is an alarm."""
        bets = [track.e for track in self.tracks if track.e > 0]
        return sum(bets) / len(bets) if bets else 0.0

    @property
    def open(self) -> dict[str, Open]:
        """Alarms that are not over, by variable."""
        named = zip(self.settings.variables, self.tracks, strict=True)
        return {variable.name: track.open for variable, track in named if track.open}

    def learn(self, runs: Iterable[Run]) -> None:
        """Take the runs of a baseline, in their order: references, and what a change is measured against."""
        for run in runs:
            row = self._row(run)
            if row is None:
                continue
            for reference, track, value in self._parts(row):
                self._add(reference, track, row, value)
                reference.learnt.add(value)
        self.learnt = self.number

    def observe(self, run: Run) -> list[Event]:
        """Take the next run and return what it decides: nothing, most of the time.

        Where something raises, the monitor is as it was before the run (a sample that the run displaced one
        value of is one smaller), and the next run can be taken.
        """
        counts = self.number, self.ranked, self.taskless
        bets = [(t.bets, t.e, t.open, t.open.back if t.open else 0.0, t.gaps) for t in self.tracks]
        try:
            return self._observe(run)
        except BaseException:
            self._undo(counts, bets)
            raise

    def _observe(self, run: Run) -> list[Event]:
        row = self._row(run)
        if row is None:
            return []
        over = []
        judged = False
        for reference, track, value in self._parts(row):
            if reference.values:
                judged = True
                u = conformal.rank(reference.values, value, self._chance(track, row, 0))
                if self._bet(track, conformal.score(u)):
                    over.append(track)
            if track.open is None:
                self._add(reference, track, row, value)
        self.ranked += judged
        events = [event for track in over for event in self._resolved(track, row)]
        if self.e_value >= 1.0 / self.settings.rate:
            events.append(self._alarm(row))
        return events

    def accept(self, variable: str) -> Event:
        """Make an open alarm of ``variable`` the normal: its references begin again with the change.

        Returns the end of the alarm, decided by the last run; its evidence is the change as it is now, from
        the onset that the alarm has, or none if the variable has not been seen for the whole history.

        Raises
        ------
        KeyError
            If the variable has no open alarm.

        """
        opened = self.open[variable]
        at = next(i for i, known in enumerate(self.settings.variables) if known.name == variable)
        track = self.tracks[at]
        seen = any(row.number >= opened.onset and row.values[at] is not None for row in self.history)
        found = {at: self._evidence(at, opened.onset, onset=opened.onset)} if seen else {}
        for references in self.references.values():
            references[at] = Reference()
        self._end(track, opened.onset, from_=0)
        for row in self.history:
            value = row.values[at]
            if row.number >= opened.onset and value is not None and row.stratum in self.references:
                reference = self.references[row.stratum][at]
                self._add(reference, track, row, value)
                reference.learnt.add(value)
        last = self.history[-1] if self.history else Row(0, "", ("", ""), ())
        return self._event("resolved", last, found)

    def _add(self, reference: Reference, track: Track, row: Row, value: float) -> None:
        full = len(reference.values) >= self.settings.capacity
        chance = self._chance(track, row, 1) if full else 0.0  # not needed before, and 1.5 us
        conformal.add(reference, value, row.number, chance, self.settings.capacity)

    def _row(self, run: Run) -> Row | None:
        """Number a run and keep it; None where it has no task."""
        number = self.number
        self.number += 1
        if run.task is None:
            self.taskless += 1
            return None
        values = tuple(known(run.values.get(variable.name)) for variable in self.settings.variables)
        row = Row(number, run.run_id, (run.task, run.regime), values)
        self.history.append(row)
        return row

    def _parts(self, row: Row) -> Iterator[tuple[Reference, Track, float]]:
        """Yield reference, track and value of each variable that the run shows."""
        references = self.references.pop(row.stratum, None) or [Reference() for _ in self.tracks]
        self.references[row.stratum] = references
        if len(self.references) > self.settings.strata:
            del self.references[next(iter(self.references))]
        for reference, track, value in zip(references, self.tracks, row.values, strict=True):
            if value is not None:
                yield reference, track, value

    def _chance(self, track: Track, row: Row, what: int) -> float:
        """Return the random number of a run for ties (0) or for the reservoir (1)."""
        return conformal.uniform(track.key, 2 * row.number + what)

    def _bet(self, track: Track, z: float) -> bool:
        """Take one score; true where an open alarm may be over."""
        if track.open is None:
            track.bets = detector.step(track.bets, z)
            track.e = detector.value(track.bets)
            return False
        track.open.back = detector.back(track.open.back, z, track.open.shift)
        return track.open.back >= 1.0 / self.settings.rate

    def _alarm(self, row: Row) -> Event:
        """Weigh the variables that won, open alarms of those that matter, and begin all bets again."""
        won = [at for at, track in enumerate(self.tracks) if track.e >= 1.0 / self.settings.rate]
        found = {at: self._evidence(at) for at in sorted(won, key=lambda at: -self.tracks[at].e)}
        matters = any(evidence.material for evidence in found.values())
        for at, evidence in found.items():
            track = self.tracks[at]
            if evidence.material:
                track.open = Open(evidence.onset, row.number, detector.shift(track.bets))
                for references in self.references.values():
                    conformal.forget(references[at], max(evidence.onset, self.learnt))
            else:
                track.gaps = [(0, evidence.onset)]
        for track in self.tracks:
            track.bets, track.e = [*detector.START], 0.0
        return self._event("alarm" if matters else "minor", row, found)

    def _undo(self, counts: tuple[int, int, int], tracks: Iterable[_Bets]) -> None:
        """Forget the run that is being observed."""
        for track, (bets, e, opened, back, gaps) in zip(self.tracks, tracks, strict=True):
            track.bets, track.e, track.open, track.gaps = bets, e, opened, gaps
            if opened is not None:
                opened.back = back
        self.number, self.ranked, self.taskless = counts
        while self.history and self.history[-1].number >= self.number:
            row = self.history.pop()
            for reference in self.references.get(row.stratum, ()):
                conformal.drop(reference, row.number)

    def _resolved(self, track: Track, row: Row) -> list[Event]:
        """End an alarm whose end was bet on with success, unless the change is still large."""
        opened = track.open
        assert opened is not None
        at = self.tracks.index(track)
        evidence = self._evidence(at, since=opened.onset)
        if evidence.material and evidence.tolerance > 0:
            opened.back = 0.0
            return []
        self._end(track, evidence.onset, from_=opened.onset)
        return [self._event("resolved", row, {at: evidence})]

    def _end(self, track: Track, until: int, from_: int) -> None:
        oldest = self.history[0].number if self.history else 0
        track.gaps = [gap for gap in [*track.gaps, (from_, until)] if gap[1] > oldest]
        track.open = None

    def _event(self, kind: Kind, row: Row, found: Mapping[int, Evidence]) -> Event:
        return Event(kind, self.agent, row.number, row.run_id, tuple(found.values()))

    def _evidence(self, at: int, since: int = 0, *, onset: int | None = None) -> Evidence:
        """Locate and measure the change of a variable, in the history from run ``since`` on."""
        track = self.tracks[at]
        rows = [
            row
            for row in self.history
            if row.number >= since
            and row.values[at] is not None
            and not any(low <= row.number < high for low, high in track.gaps)
        ]
        return weigh(
            self.settings.variables[at],
            [(row.number, row.run_id, row.stratum, row.values[at] or 0.0) for row in rows],
            {stratum: references[at] for stratum, references in self.references.items()},
            e_value=track.e if track.open is None else track.open.back,
            seed=track.key & 0xFFFFFFFF,
            onset=onset,
        )


LARGEST = 1e100
"""A value beyond it is no measurement, and its square would be infinite."""


def known(value: float | None) -> float | None:
    """Return a value, or None where it is no number that can be reckoned with.

    >>> known(2), known(float("nan")), known(-1e200), known(None)
    (2.0, None, None, None)
    """
    return float(value) if value is not None and -LARGEST <= value <= LARGEST else None
