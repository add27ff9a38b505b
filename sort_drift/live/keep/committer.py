"""Requests -> canonical spans -> journal: what waits is made durable together, with one sync, then answered.

One thread. While it syncs, further requests queue up and share the next one (group commit): with 512 spans a
request and 8 clients a sync serves 4 to 8 of them. A request whose spans cannot be made canonical loses just
those spans; the others of its group do not notice.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from time import monotonic, time

import polars as pl

from sort_drift.ingest.batches import Block
from sort_drift.live.board import Board
from sort_drift.live.keep.journal import Full, Journal, JournalFailed, next_number
from sort_drift.live.keep.redact import Redactor, dropped
from sort_drift.live.receive.terms import Committed, Decoded, Refused

GROUP_SPANS = 16_384
"""Spans made durable at once, at most: 0.3 s of work, which those behind them wait for."""

WAITING_SPANS = 400_000
"""Spans acknowledged and not stored yet, at most: about 400 MB. Beyond it clients are asked to come again."""

RETRY_S = 5.0


@dataclass(slots=True)
class Receipt:
    """What became of one request (``receive.terms.Committed``)."""

    rejected: int = 0
    why: str = ""


@dataclass(frozen=True, slots=True)
class Sealable:
    """A journal that is closed: its file and what is in it."""

    journal: Journal
    frames: tuple[pl.DataFrame, ...]
    began: float  # monotonic, when its first frame came


@dataclass(slots=True)
class _Open:
    journal: Journal
    frames: list[pl.DataFrame] = field(default_factory=list)
    began: float = field(default_factory=monotonic)


_Job = tuple[Decoded, "Future[Committed]"]


class Committer(threading.Thread):
    """Takes decoded requests; ``committed`` gets each frame once it is durable, in the same order."""

    def __init__(
        self,
        folder: Path,
        redactor: Redactor,
        board: Board,
        committed: Callable[[pl.DataFrame], None],
        *,
        stamp: Callable[[pl.DataFrame], pl.DataFrame] = lambda frame: frame,
        taken: Sequence[int] = (),
    ) -> None:
        super().__init__(name="committer", daemon=True)
        self.folder = folder
        self.failed = ""
        """Why nothing can be made durable any more; "": it can."""
        self._redactor, self._board, self._committed, self._stamp = redactor, board, committed, stamp
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._counting = threading.Lock()
        self._waiting = 0  # spans: in the queue, in the journal, in what is being stored
        self._last = 0.0
        self._writing = threading.Lock()  # held while a sync lasts
        self._next = next_number(folder, taken)
        self._current: _Open | None = None

    # -- from the receiver's threads

    def submit(self, decoded: Decoded) -> Future[Committed]:
        """Queue a request; the future is done when it is durable.

        Raises
        ------
        Refused
            Where it is not taken; so does the future.

        """
        if self.failed:
            raise Refused(503, f"the journal failed: {self.failed}", retry_after_s=RETRY_S)
        with self._counting:
            if self._waiting + decoded.spans > WAITING_SPANS:
                message = f"{self._waiting:,} spans wait to be stored"
                raise Refused(503, message, retry_after_s=1.0)
            self._waiting += decoded.spans
        done: Future[Committed] = Future()
        self._jobs.put((decoded, done))
        return done

    # -- from the keeper's thread

    @property
    def waiting(self) -> int:
        """Spans that are acknowledged, or about to be, and not stored."""
        return self._waiting

    @property
    def last(self) -> float:
        """Unix time of the last span; 0: none yet."""
        return self._last

    def age(self) -> float:
        """Seconds since the first frame of the current journal; 0 where there is none."""
        current = self._current
        return monotonic() - current.began if current else 0.0

    def size(self) -> int:
        """Bytes of the current journal."""
        current = self._current
        return current.journal.size if current else 0

    def rotate(self) -> Sealable | None:
        """Close the current journal and return it; the next request begins another. None: it is empty."""
        with self._writing:
            current, self._current = self._current, None
            if current is None:
                return None
            current.journal.close()
            return Sealable(current.journal, tuple(current.frames), current.began)

    def stored(self, spans: int) -> None:
        """Say that so many spans are in a segment now."""
        with self._counting:
            self._waiting -= spans

    def stop(self) -> None:
        """Make durable what waits, and end."""
        self._jobs.put(None)
        self.join()

    # -- its own thread

    def run(self) -> None:
        """Work until ``stop``."""
        while (group := self._group()) is not None:
            try:
                self._commit(group)
            except JournalFailed as error:
                self.failed = str(error)
                self._refuse(group, f"the journal failed: {error}")
                self._board.count("refused", len(group), "journal failed")
            except Full as error:
                self._refuse(group, f"no room in the store: {error}")
                self._board.count("refused", len(group), "disk full")
            except BaseException as error:  # noqa: BLE001 - a request must not hang
                self._refuse(group, f"{type(error).__name__} in the committer")
                self._board.count("refused", len(group), "error")

    def _group(self) -> list[_Job] | None:
        """Return what waits, up to GROUP_SPANS; None at the end."""
        job = self._jobs.get()
        if job is None:
            return None
        group, spans = [job], job[0].spans
        while spans < GROUP_SPANS:
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                break
            if job is None:
                self._jobs.put(None)
                break
            group.append(job)
            spans += job[0].spans
        return group

    def _refuse(self, group: Sequence[_Job], message: str) -> None:
        with self._counting:
            self._waiting -= sum(decoded.spans for decoded, _ in group)
        for _, done in group:
            if not done.done():
                done.set_exception(Refused(503, message, retry_after_s=RETRY_S))

    def _commit(self, group: Sequence[_Job]) -> None:
        frames, receipts = self._canonical(group)
        frame = self._stamp(pl.concat(frames)) if frames else None
        if frame is not None and frame.height:
            self._append(frame)
            self._last = time()
            if not self._redactor.keep_content:
                self._board.count("redacted", int((frame["content"] == "full").sum()))
                self._board.count("dropped_attributes", dropped(frame))
        unread = sum(decoded.spans for decoded, _ in group) - (frame.height if frame is not None else 0)
        self.stored(unread)
        self._board.count("rejected", unread - sum(r.rejected for r in receipts), "no vocabulary")
        for (_, done), receipt in zip(group, receipts, strict=True):
            done.set_result(receipt)

    def _append(self, frame: pl.DataFrame) -> None:
        """Make a frame durable."""
        payload = encode(frame)
        with self._writing:
            current = self._current
            if current is None:
                try:
                    journal = Journal.create(self.folder, self._next)
                except OSError as error:
                    raise Full(error.strerror or str(error)) from error
                self._next += 1
                self._current = current = _Open(journal)
            current.journal.append([payload], current.journal.frames)
            current.frames.append(frame)
            self._committed(frame)  # before anybody can rotate: what is stored is known

    def _seq(self) -> int:
        """Return the order number of the next span: it grows from group to group and after a restart."""
        current = self._current
        number, frames = (current.journal.number, len(current.frames)) if current else (self._next, 0)
        return number << 40 | frames << 20

    def _canonical(self, group: Sequence[_Job]) -> tuple[list[pl.DataFrame], list[Receipt]]:
        """Return the frames of a group: of all together, or, where that fails, of each by itself."""
        seq = self._seq()
        try:
            blocks = [block for decoded, _ in group for block in decoded.blocks]
            return self._redactor.frames(blocks, seq), [Receipt()] * len(group)
        except Exception:  # noqa: BLE001, S110 - whatever it is, it is about some span of some request
            pass
        frames, receipts = list[pl.DataFrame](), []
        for decoded, _ in group:
            good, bad = self._picked(decoded.blocks, seq)
            frames += good
            receipts.append(Receipt(len(bad), f"a span cannot be read: {bad[0]}" if bad else ""))
            self._board.count("rejected", len(bad), "error")
        return frames, receipts

    def _picked(self, blocks: Sequence[Block], seq: int) -> tuple[list[pl.DataFrame], list[str]]:
        """Return the frames of the spans that can be made canonical, and why the others cannot.

        Halves are tried until what fails is alone.
        """
        try:
            return self._redactor.frames(blocks, seq), []
        except Exception as error:  # noqa: BLE001
            rows = sum(len(rows) for _, _, rows in blocks)
            if rows <= 1:
                return [], [f"{type(error).__name__}: {error}"[:200]] if rows else []
        frames, bad = list[pl.DataFrame](), list[str]()
        for half in _halves(blocks, rows // 2):
            good, worse = self._picked(half, seq)
            frames, bad = frames + good, bad + worse
        return frames, bad


def _halves(blocks: Sequence[Block], first: int) -> tuple[list[Block], list[Block]]:
    halves: tuple[list[Block], list[Block]] = ([], [])
    for resource, scope, rows in blocks:
        for half, part in zip(halves, (rows[: max(first, 0)], rows[max(first, 0) :]), strict=True):
            if part:
                half.append((resource, scope, part))
        first -= len(rows)
    return halves


def encode(frame: pl.DataFrame) -> bytes:
    """Return a frame as the payload of a journal: Arrow IPC, without the columns that are all null.

    Most of the 70 columns are, in any one request; naming them all would cost 10 KB a frame. Text is written
    value by value (the oldest layout): the buffers behind views still have what was cleared or filtered out.
    """
    shown = [column.name for column in frame if column.null_count() < frame.height]
    buffer = BytesIO()
    frame.select(shown).write_ipc_stream(buffer, compression="lz4", compat_level=pl.CompatLevel.oldest())
    return buffer.getvalue()


def decode(payload: bytes) -> pl.DataFrame:
    """Return the frame of a payload; its columns are those that it shows."""
    return pl.read_ipc_stream(BytesIO(payload))
