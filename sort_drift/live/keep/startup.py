"""What happens before the first span: journals that a crash left, monitors as they were, open runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from time import monotonic

import polars as pl

from sort_drift import geometry
from sort_drift.errors import InputError, StoreError
from sort_drift.live.board import RUNS_SHOWN, Board
from sort_drift.live.keep import journal, state
from sort_drift.live.keep.committer import decode
from sort_drift.live.keep.runs import Closing, of_agents
from sort_drift.live.keep.traces import REMEMBERED, Gone, Traces
from sort_drift.live.outbound.events import Events
from sort_drift.live.settings import Settings
from sort_drift.live.watch.fleet import Fleet
from sort_drift.model import GEOMETRY_VERSION, RUNS, SPANS, Population
from sort_drift.store import Store, Writer, baseline, files
from sort_drift.store.frames import conform
from sort_drift.store.manifest import Measured, RunSegment, SpanSegment

Say = Callable[[str], None]

CHECKPOINT_S = 10.0
"""Seconds of a replay after which what was replayed is written down."""


def folders(store: Path) -> None:
    """Make the service's own folders in the store."""
    for name in (journal.FOLDER, state.FOLDER):
        (store / name).mkdir(mode=0o700, exist_ok=True)


def recover(writer: Writer, say: Say) -> int:
    """Store what journals hold; put aside what is no frame; return the spans that were stored.

    A journal that was stored already, just before the crash, is recognised and only removed.
    """
    spans = 0
    for path in journal.names(writer.store.path / journal.FOLDER):
        found = journal.read(path)
        aside = journal.set_aside(found)
        if aside is not None:
            say(f"{path.name}: {found.bad}; that part was kept as {aside.name}")
        if found.payloads:
            frames = [conform(decode(payload), SPANS) for payload in found.payloads]
            if writer.seal(frames, journal=found.number, sha256=found.sha256) is not None:
                spans += sum(frame.height for frame in frames)
        path.unlink(missing_ok=True)
    return spans


def traces(settings: Settings, writer: Writer) -> Traces:
    """Return the traces that no run table covers yet, as if their spans had just come.

    Those of the last runs that were measured are remembered: a client whose answer was lost with the process
    sends its spans again, and a part of a run must not take the place of the whole. Of older ones it is known
    until when there were some: the store is asked for those (``Keeper._recall``).
    """
    found = Traces(settings.grace_s, settings.idle_s, settings.late_s, settings.held_spans)
    store = writer.store
    pending = store.pending()
    after = _covered(store) if pending else 0
    for frame in store.spans(touching=pending) if pending else ():
        found.add(frame, monotonic(), after)
    after, forgotten_ns = _before_last(store, REMEMBERED)
    for _, table in store.run_tables(after):
        for run in table.select("trace_ids", "start_ns", "end_ns").iter_rows():
            found.remember(Gone.of(*run))
    if after:
        found.forgotten(forgotten_ns)
    return found


def _before_last(store: Store, rows: int) -> tuple[int, int]:
    """Return the number after which the last ``rows`` runs were written, and when the last one before ended.

    (0, 0) where there are no more than that.
    """
    after = last_ns = 0
    if sum(line.rows for line in store.of(RunSegment)) <= rows:
        return after, last_ns
    for number, count, end_ns in store.written_runs().iter_rows():
        if rows <= 0:
            after, last_ns = max(after, number), max(last_ns, end_ns or 0)
        rows -= count
    return after, last_ns


def _covered(store: Store) -> int:
    """Return the number of the segment up to which run tables are complete."""
    covers = max((line.covers for line in store.of(Measured) if line.geometry == GEOMETRY_VERSION), default=0)
    rest = (line for line in store.lines[covers:] if isinstance(line, SpanSegment))
    return min((files.segment_number(line.segment) for line in rest), default=1) - 1


def fleet(settings: Settings, writer: Writer, events: Events, say: Say) -> tuple[Fleet, int]:
    """Return the monitors as they were, and the last segment of runs that they have seen.

    What they had seen and was not in the checkpoint is replayed: it gives the same events, once. A checkpoint
    is written on the way: of a service that crashes before its first one, every start would take longer.
    """
    frozen = _baseline(settings)
    variables = geometry.variables()
    made, observed = Fleet(settings.watching, variables, frozen), 0
    try:
        kept = state.load(settings.store)
        if kept is not None:
            made = Fleet.restore(kept.fleet, settings.watching, variables, frozen)
            observed = kept.observed
    except (InputError, ValueError) as error:
        say(f"the monitors begin anew: {error}")
    seen, due = observed, monotonic() + CHECKPOINT_S
    for number, table in writer.store.run_tables(observed):
        events.append(made.observe(of_agents(table)))
        observed = number
        if monotonic() >= due:
            due = monotonic() + _checkpoint(settings, made, observed, say)
    if observed > seen:
        _checkpoint(settings, made, observed, say)
    return made, observed


def _checkpoint(settings: Settings, made: Fleet, observed: int, say: Say) -> float:
    """Write down what the monitors have seen, and return the seconds until the next time.

    Where that fails, the next start replays it again.
    """
    try:
        return max(CHECKPOINT_S, state.save(settings.store, made, observed))
    except StoreError as error:
        say(f"no checkpoint of the monitors: {error.line()}")
        return CHECKPOINT_S


def _baseline(settings: Settings) -> Population | None:
    return baseline.load(settings.baseline) if settings.baseline else None


def closing(settings: Settings, writer: Writer, board: Board) -> Closing:
    """Return what measures runs."""
    return Closing(traces(settings, writer), board)


def shown(writer: Writer) -> pl.DataFrame:
    """Return the runs that the page begins with: of the last segments, not of all of them."""
    store = writer.store
    after, _ = _before_last(store, RUNS_SHOWN)
    tables = [table for _, table in store.run_tables(after)]
    if not tables:
        return pl.DataFrame(schema=RUNS)
    return pl.concat(tables, how="diagonal_relaxed").unique("run_id", keep="last", maintain_order=True)
