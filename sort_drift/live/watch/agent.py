"""One agent of the stream: its first runs are learnt (or its baseline), then every further one is watched.

While it learns nothing is known to place its runs by, so they are held. With the last of them the footing is
found, the monitor learns them, and the watching begins. Runs without a task are counted, never held.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from sort_drift.live.board import Happening, Shift
from sort_drift.live.watch.footing import Footing, found_in
from sort_drift.live.watch.pace import Pace
from sort_drift.live.watch.rows import ORDER, Row
from sort_drift.monitor import Event, Evidence, Run, Settings, Watch
from sort_drift.monitor.events import Stratum

RECENT = 20
"""Last runs that show a variable: what the page calls its latest value."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How agents are watched, the same for all of them."""

    settings: Settings
    names: tuple[str, ...]  # of settings.variables
    units: Mapping[str, str]
    by: tuple[str, ...]
    learn: int


@dataclass(slots=True)
class Shown:
    """What the stream has shown of one variable."""

    observed: int = 0
    missing: str = ""  # why the last run without a value has none
    recent: deque[tuple[Stratum | None, float]] = field(default_factory=lambda: deque(maxlen=RECENT))

    def take(self, stratum: Stratum | None, value: float | None, note: str) -> None:
        """Take the value of one run; ``stratum`` None: not known yet."""
        if value is None:
            self.missing = note
        else:
            self.observed += 1
            self.recent.append((stratum, value))


@dataclass(slots=True)
class Agent:
    """One agent; a run comes here once, when it is over."""

    plan: Plan
    watch: Watch
    footing: Footing | None = None  # None: it learns
    held: list[Row] = field(default_factory=list)
    runs: int = 0
    last_run: str = ""
    pace: Pace = field(default_factory=Pace)
    shown: list[Shown] = field(default_factory=list)
    starts: deque[tuple[int, int | None]] = field(default_factory=deque)  # number and start of watched runs
    alarms: dict[str, Happening] = field(default_factory=dict)  # by variable, those not over

    def __post_init__(self) -> None:
        self.shown = self.shown or [Shown() for _ in self.plan.names]
        self.starts = deque(self.starts, maxlen=self.plan.settings.history)

    @property
    def name(self) -> str:
        """Its key, "<service>/<agent>"."""
        return self.watch.agent

    @property
    def learning(self) -> int | None:
        """Runs that are missing until it is watched; None: it is."""
        return None if self.footing else self.plan.learn - len(self.held)

    def begin(self, rows: Sequence[Row], at: Footing | None = None) -> None:
        """Learn runs, in their order, and watch from now on; ``at``: what is known of the footing."""
        footing, fitted = found_in(rows, at)
        plan = self.plan
        placed = [footing.place(row, plan.names, plan.by, fitted=row.run_id in fitted) for row in rows]
        watch = Watch(self.name, plan.settings, number=self.watch.number, taskless=self.watch.taskless)
        watch.learn(placed)
        self.starts.extend((self.watch.number + i, row.start_ns) for i, row in enumerate(rows))
        self.watch, self.footing = watch, footing
        if at is None and ORDER in plan.names:  # the stream's own runs, which had no score so far
            order = plan.names.index(ORDER)
            for row, run in zip(rows, placed, strict=True):
                why = footing.why_not(row, row.notes[order], fitted=row.run_id in fitted)
                self.shown[order].take((run.task or "", run.regime), run.values[ORDER], why)

    def observe(self, row: Row) -> list[Happening]:
        """Take the next run and return what it decides; where it raises, the run has not been taken."""
        if row.task is None:
            self.watch.observe(Run(row.run_id, None, {}))
            happenings: list[Happening] = []
        elif self.footing is None:
            self._hold(row)
            happenings = []
        else:
            happenings = self._watched(row, self.footing)
        self.runs += 1
        self.last_run = row.run_id
        if row.end_ns is not None:
            self.pace.take(row.end_ns)
        return happenings

    def accept(self, variable: str) -> Happening:
        """Make the change of an open alarm the normal (``Watch.accept``); KeyError where there is none."""
        event = self.watch.accept(variable)
        alarm = self.alarms.pop(variable)
        shift = next(shift for shift in alarm.shifts if shift.variable == variable)
        for now in event.variables:  # the onset is the alarm's, the sizes are those of by now
            found = self._shift(now, {}, {})
            shift = replace(
                found,
                e_value=shift.e_value,
                onset_run=shift.onset_run,
                onset_ns=shift.onset_ns,
                onset_interval=shift.onset_interval,
            )
        number = self.watch.number - 1
        what = f"{self.name}/{self.last_run}/accepted/{variable}"
        return Happening(
            what, "resolved", self.name, self.last_run, number, self.pace.last_ns, (shift,), alarm.id
        )

    def _hold(self, row: Row) -> None:
        self.held.append(row)
        if len(self.held) >= self.plan.learn:
            held, self.held = self.held, []  # if it raises it would with every further run: it learns anew
            self.begin(held)
        for shown, name, value, note in self._columns(row):
            if name != ORDER:
                shown.take(None, value, note)

    def _watched(self, row: Row, footing: Footing) -> list[Happening]:
        run = footing.place(row, self.plan.names, self.plan.by)
        number = self.watch.number
        events = self.watch.observe(run)
        self.starts.append((number, row.start_ns))
        stratum = (run.task or "", run.regime)
        for shown, name, value, note in self._columns(row):
            if name == ORDER:
                shown.take(stratum, run.values[ORDER], footing.why_not(row, note))
            else:
                shown.take(stratum, value, note)
        return self._happenings(events, row) if events else []

    def _columns(self, row: Row) -> Iterator[tuple[Shown, str, float | None, str]]:
        return zip(self.shown, self.plan.names, row.values, row.notes, strict=True)

    def _happenings(self, events: Sequence[Event], row: Row) -> list[Happening]:
        ids = {known.number: known.run_id for known in self.watch.history}
        starts = dict(self.starts)
        found: list[Happening] = []
        for event in events:
            shifts = tuple(self._shift(evidence, ids, starts) for evidence in event.variables)
            what = f"{self.name}/{event.run_id}/{event.kind}"
            if any(earlier.id == what for earlier in found):  # two alarms are over with one run
                what = f"{what}/{shifts[0].variable}"
            over = self.alarms.pop(shifts[0].variable, None) if event.kind == "resolved" else None
            happening = Happening(
                *(what, event.kind, self.name, event.run_id, event.number, row.end_ns, shifts),
                resolves=over.id if over else "",
            )
            if event.kind == "alarm":
                opened = [shift.variable for shift in shifts if shift.variable in self.watch.open]
                self.alarms.update((name, happening) for name in opened if name not in self.alarms)
            found.append(happening)
        return found

    def _shift(self, found: Evidence, ids: Mapping[int, str], starts: Mapping[int, int | None]) -> Shift:
        low, high = found.onset_interval
        return Shift(
            variable=found.variable,
            unit=self.plan.units[found.variable],
            e_value=found.e_value,
            onset_run=found.onset_run,
            onset_ns=starts.get(found.onset),
            onset_interval=(ids.get(low, ""), ids.get(high, "")),
            before=found.before,
            after=found.after,
            effect=found.effect,
            interval=found.interval,
            tolerance=found.tolerance,
            n=found.n,
        )
