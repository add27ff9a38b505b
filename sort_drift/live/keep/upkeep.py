"""What a store needs now and then: compaction, retention; and what there is to say of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic, time_ns

from sort_drift.live.board import Board, Health
from sort_drift.live.keep.committer import Committer
from sort_drift.live.keep.traces import Traces
from sort_drift.live.settings import Settings
from sort_drift.store import Writer, compaction, retention
from sort_drift.store.manifest import RunSegment, Segment

DAY_S = 86_400


@dataclass(slots=True)
class Upkeep:
    """When it was done last, and what is known of the store since."""

    settings: Settings
    started_ns: int = field(default_factory=time_ns)
    _last: float = field(default_factory=monotonic)
    _lines: int = -1  # of the manifest that the numbers below are of
    _numbers: dict[str, int] = field(default_factory=dict)
    _said: list[str] = field(default_factory=list)

    def tick(self, writer: Writer, now: float, saved: int) -> None:
        """Do what is due. Run segments above ``saved``, which no checkpoint has seen, stay to be replayed."""
        settings = self.settings
        if now - self._last < settings.compact_every_s:
            return
        self._last = now
        if settings.retention_days or settings.retention_bytes:
            before = (
                time_ns() - int(settings.retention_days * DAY_S * 1e9) if settings.retention_days else None
            )
            retention.expire(writer, before_ns=before, max_bytes=settings.retention_bytes)
        compaction.compact(writer, grace_s=settings.deleted_after_s, runs_upto=saved)

    def show(
        self,
        board: Board,
        writer: Writer,
        committer: Committer,
        traces: Traces,
        problems: Sequence[str],
        *,
        flight: int,
        draining: bool,
    ) -> None:
        """Put the health of the service on the board."""
        store = writer.store
        if len(store.lines) != self._lines:
            self._lines = len(store.lines)
            segments = store.of(Segment)
            self._numbers = {
                "spans_stored": store.provenance().spans,
                "runs_stored": sum(line.rows for line in store.of(RunSegment)),
                "segments": len(segments),
                "store_bytes": sum(_size(store.path / line.segment) for line in segments),
            }
        last = committer.last
        health = Health(
            state="failed" if committer.failed else "draining" if draining else "running",
            why=committer.failed,
            started_ns=self.started_ns,
            spans_waiting=committer.waiting,
            runs_open=traces.open,
            flight_bytes=flight,
            lag_s=committer.age(),
            assembly_lag_s=traces.lag_s,
            last_ns=int(last * 1e9) if last else None,
            problems=tuple(problems),
            **self._numbers,
        )
        board.show(health=health)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
