"""The keeper: the one thread that writes the store. READ FIRST in this folder.

    frames (durable already) -> traces in memory
    every tick: journal -> segments; traces that are quiet -> run table -> store -> monitors -> happenings
    now and then: compaction, retention, checkpoint of the monitors

Order makes a crash harmless: a run is stored before it is observed, an event before it is sent, and the
checkpoint says up to which segment of runs the monitors have seen; the rest is replayed, and gives the same.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from time import monotonic

import polars as pl

from sort_drift.errors import SortDriftError, StoreError
from sort_drift.live.board import Board, Happening
from sort_drift.live.keep import state
from sort_drift.live.keep.committer import Committer, Sealable
from sort_drift.live.keep.runs import Closing, of_agents
from sort_drift.live.keep.traces import Gone
from sort_drift.live.keep.upkeep import Upkeep
from sort_drift.live.outbound.events import Events
from sort_drift.live.outbound.webhooks import Webhooks
from sort_drift.live.settings import Settings
from sort_drift.live.watch.fleet import Fleet
from sort_drift.store import Writer

TICK_S = 0.5
RUNS_S = 2.0
"""Seconds between two segments of runs: each costs two syncs and a line of the manifest."""

CHECKPOINT_S = 30.0
"""Seconds between two checkpoints of the monitors, at least (state.SHARE)."""

BACKOFF_S = 5.0
"""Seconds until a store that could not be written to is tried again."""


@dataclass(slots=True)
class Parts:
    """What the keeper works with; startup.py puts it together."""

    settings: Settings
    board: Board
    writer: Writer
    inbox: SimpleQueue[pl.DataFrame]  # frames that are durable
    committer: Committer
    closing: Closing
    fleet: Fleet
    events: Events
    upkeep: Upkeep
    hooks: Webhooks
    flight: Callable[[], int] = int  # bytes of requests that are not answered
    draining: Callable[[], bool] = bool  # whether the service is stopping
    observed: int = 0  # number of the last segment of runs that the monitors have seen


@dataclass(slots=True)
class _Times:
    tick: float = 0.0
    runs: float = 0.0
    checkpoint: float = 0.0  # not to be written before
    store: float = 0.0  # not to be tried before


class Keeper(threading.Thread):
    """Everything behind the acknowledgement. ``failed`` says why it ended, "" while it has not."""

    def __init__(self, parts: Parts) -> None:
        super().__init__(name="keeper", daemon=True)
        self.parts = parts
        self.failed = ""
        self._stopping = threading.Event()
        self._times = _Times(checkpoint=monotonic() + CHECKPOINT_S)
        self._sealing: list[Sealable] = []  # journals that are closed and not stored
        self._unwritten: list[pl.DataFrame] = []  # run tables that are not stored
        self._lost: list[Gone] = []  # runs whose spans have to be read again
        self._oldest = parts.writer.number  # segment after which something is open, when last said
        self._saved = 0  # what the last checkpoint of this process had seen
        self._untold: list[Happening] = []  # what the monitors said and is in no file yet
        self._problem = ""

    # -- from other threads

    def spans(self, traces: Sequence[str]) -> pl.DataFrame:
        """Return spans of some traces that are in memory."""
        return self.parts.closing.traces.frames(traces)

    def stop(self) -> None:
        """Store what there is, and end. The committer has ended before."""
        self._stopping.set()
        self.join()

    # -- its own thread

    def run(self) -> None:
        """Work until ``stop``."""
        try:
            while not self._stopping.is_set():
                self._gather(TICK_S / 2)
                now = monotonic()
                if now - self._times.tick >= TICK_S:
                    self._times.tick = now
                    self._tick(now)
            self._finish()
        except SortDriftError as error:
            self.failed = f"{error.what} ({error.where})"
        except BaseException as error:  # noqa: BLE001 - the service has to know
            self.failed = f"{type(error).__name__}: {error}"

    def _gather(self, patience_s: float) -> None:
        """Take the frames that came, all at once."""
        frames = list[pl.DataFrame]()
        while True:
            try:
                frames.append(self.parts.inbox.get(block=not frames and patience_s > 0, timeout=patience_s))
            except Empty:
                break
        if not frames:
            return
        traces = self.parts.closing.traces
        late, lost = traces.add(pl.concat(frames), monotonic(), self.parts.writer.number)
        self.parts.board.count("late", late)
        self._lost += lost.values()

    def _recall(self) -> None:
        """Bring back the spans of runs that were over for long: a late span came for each of them.

        Before runs are closed, not at every frame: for traces that nobody here remembers the tables of all
        runs are looked through.
        """
        parts = self.parts
        writer, traces = parts.writer, parts.closing.traces
        if traces.unsure:
            runs = writer.store.runs_of(traces.unsure, traces.forgotten_ns).iter_rows()
            found = {run_id: Gone.of(*run) for run_id, *run in runs}
            parts.fleet.seen(found)
            parts.board.count("late", traces.sure(name for gone in found.values() for name in gone.traces))
            self._lost += found.values()
        for gone in {gone.traces: gone for gone in self._lost}.values():
            spans = writer.store.spans_of(gone.traces, gone.first_ns, gone.last_ns)
            traces.add(spans, monotonic(), writer.number, read=True)
        self._lost.clear()

    def _tick(self, now: float) -> None:
        parts = self.parts
        traces = parts.closing.traces
        try:
            if now >= self._times.store:
                if self._untold:
                    self._tell()
                self._seal()
                self._close(now)
                self._accept()
                if now >= self._times.checkpoint and parts.observed > self._saved:
                    self._checkpoint(now)
                parts.upkeep.tick(parts.writer, now, self._saved)
            self._problem = ""
        except StoreError as error:
            self._problem = error.line()
            self._times.store = now + BACKOFF_S
        parts.closing.forget(now)
        parts.board.count("hurried", traces.hurry(now))
        self._show()

    def _seal(self, *, all_: bool = False) -> None:
        """Turn a journal that is old or large enough into segments; then its file goes."""
        parts = self.parts
        settings, committer = parts.settings, parts.committer
        due = committer.age() >= settings.seal_s or committer.size() >= settings.seal_bytes
        if (all_ or due) and (closed := committer.rotate()) is not None:
            self._sealing.append(closed)
            self._gather(0.0)  # its traces are known before its segment is in the manifest
        while self._sealing:
            closed = self._sealing[0]
            done = parts.writer.seal(
                closed.frames, journal=closed.journal.number, sha256=closed.journal.sha256
            )
            if done is not None:
                parts.board.count("deduplicated", done.duplicates)
            closed.journal.path.unlink(missing_ok=True)
            committer.stored(sum(frame.height for frame in closed.frames))
            del self._sealing[0]

    def _close(self, now: float, *, all_: bool = False) -> None:
        """Measure and store runs that are over; then let the monitors see them."""
        if not all_ and now - self._times.runs < RUNS_S:
            return
        parts = self.parts
        self._recall()
        table = parts.closing.close(now)
        if table is not None:
            self._unwritten.append(table.with_columns(source=pl.lit("live")))
        oldest = parts.closing.traces.oldest(parts.writer.number)
        if not self._unwritten and oldest <= self._oldest:
            return
        self._times.runs, self._oldest = now, oldest
        writer = parts.writer
        writer.write_runs(self._unwritten, covers=writer.store.lines_before(oldest + 1))
        tables, self._unwritten = self._unwritten, []
        for table in tables:
            self._observe(table)
        parts.observed = writer.number
        self._tell()

    def _observe(self, table: pl.DataFrame) -> None:
        fleet = self.parts.fleet
        before = fleet.failed, fleet.unwatched
        self._untold += fleet.observe(of_agents(table))
        self.parts.board.count("unwatched", fleet.failed - before[0], "error")
        self.parts.board.count("unwatched", fleet.unwatched - before[1], "agents")
        runs = pl.concat([self.parts.board.runs, fleet.placed(table)], how="diagonal_relaxed")
        newest = runs.unique("run_id", keep="last", maintain_order=True)
        self.parts.board.show(runs=newest)

    def _tell(self) -> None:
        """Write down what the monitors said, then show and send it; what cannot be written is tried again."""
        new = self.parts.events.append(self._untold)
        self._untold = []
        self.parts.board.show(events=new, agents=self.parts.fleet.agents())
        for happening in new:
            self.parts.hooks.send(happening)

    def _checkpoint(self, now: float) -> None:
        pause_s = state.save(self.parts.settings.store, self.parts.fleet, self.parts.observed)
        self._times.checkpoint = now + max(CHECKPOINT_S, pause_s)
        self._saved = self.parts.observed

    def _accept(self) -> None:
        """Make changes the normal, as the command line asked for."""
        for agent, variable in state.requests(self.parts.settings.store):
            try:
                self._untold.append(self.parts.fleet.accept(agent, variable))
            except KeyError:
                self.parts.closing.problems.append(f"no open alarm of {variable} in {agent} to accept")
                continue
            state.save(self.parts.settings.store, self.parts.fleet, self.parts.observed)
            self._tell()

    def _finish(self) -> None:
        """Store everything; what is not over yet is found again at the next start."""
        self._gather(0.0)
        now = monotonic()
        self._seal(all_=True)
        self._close(now, all_=True)
        self._checkpoint(now)
        self._show()

    def _show(self) -> None:
        parts = self.parts
        said = [*([self._problem] if self._problem else ()), *parts.closing.problems[-5:]]
        problems = [*said, *list(parts.fleet.problems)[-5:], *parts.hooks.problems()]
        parts.upkeep.show(
            parts.board,
            parts.writer,
            parts.committer,
            parts.closing.traces,
            problems,
            flight=parts.flight(),
            draining=parts.draining(),
        )
