"""Spans in memory until their run is over, and somewhat longer, because some come late.

A trace is quiet ``grace_s`` after its root ended, or ``idle_s`` after its last span where no root has ended
(or where calls to a model have no agent around them: one run may be many such traces). When a trace gets
quiet, the traces that may hold parts of one run with it are measured together, and the runs all of whose
traces are quiet are over. They stay in memory for ``late_s``: a late span opens its trace again.

No clock of its own: ``now`` is monotonic seconds.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Self

import polars as pl

from sort_drift.model import SPANS

REMEMBERED = 200_000
"""Traces that left memory and whose late spans are recognised at once: 60 MB. The store knows the others."""

_AROUND_NS = 600 * 10**9
_RARELY_S = 30.0
_CHUNKS = 32
"""Pieces that a column in memory is made of at most; looking through it gets slow."""

_NOT_READ = ("attributes", "resource")
"""Nothing is computed from them."""


@dataclass(slots=True)
class Trace:
    """What is known of one trace."""

    last: float  # when its last span came
    after: int  # number of the last segment, when it was (re)opened: its spans come in later ones
    spans: int = 0
    rooted: bool = False  # its root has ended
    agents: bool = False
    calls: bool = False  # to models
    checked: bool = False  # measured since its last span, while it was quiet
    over: float | None = None  # when its runs were over
    again: bool = False  # opened again after that
    service: str | None = None
    first_ns: int | None = None
    last_ns: int | None = None


@dataclass(frozen=True, slots=True)
class Gone:
    """A trace that left memory, and what it takes to read its runs again."""

    traces: tuple[str, ...]
    first_ns: int | None
    last_ns: int | None

    @classmethod
    def of(cls, trace_ids: Iterable[str], start_ns: int | None, end_ns: int | None) -> Self:
        """Return the traces of a run, whose spans may lie somewhat outside of what is known of its times."""
        first = None if start_ns is None else start_ns - _AROUND_NS
        last = None if end_ns is None else end_ns + _AROUND_NS
        return cls(tuple(trace_ids), first, last)


Group = tuple[str, ...]
"""Traces that may hold parts of one run."""


@dataclass(slots=True)
class Traces:
    """All traces in memory."""

    grace_s: float
    idle_s: float
    late_s: float
    held: int  # spans at most
    lag_s: float = 0.0  # how late the last look found what was quiet by then
    forgotten_ns: int | None = None  # when the last run ended of which nothing is known here any more
    unsure: dict[str, None] = field(default_factory=dict)  # traces that may belong to such a run
    _known: dict[str, Trace] = field(default_factory=dict)
    _gone: OrderedDict[str, Gone] = field(default_factory=OrderedDict)
    _frames: list[pl.DataFrame] = field(default_factory=list)
    _spans: int = 0
    _above: dict[str, str] = field(default_factory=dict)  # union-find over traces and keys
    _members: dict[str, list[str]] = field(default_factory=dict)  # top -> traces
    _tries: dict[str, float] = field(default_factory=dict)  # top -> not to be measured before
    _chains: dict[str, set[str]] = field(default_factory=dict)  # key of equal beginnings -> traces
    _forgot: float = 0.0

    # -- what is there

    @property
    def open(self) -> int:
        """Traces that are not over."""
        return sum(trace.over is None for trace in self._known.values())

    @property
    def spans(self) -> int:
        """Spans in memory."""
        return self._spans

    def size(self, group: Group) -> int:
        """Return the spans of a group."""
        return sum(self._known[name].spans for name in group if name in self._known)

    def oldest(self, otherwise: int) -> int:
        """Return the number of the segment after which all spans of open traces come."""
        return min((t.after for t in self._known.values() if t.over is None), default=otherwise)

    def starts(self) -> Iterator[tuple[str | None, int]]:
        """Yield (service, start) of the open traces that have an agent: what loads the service now."""
        for trace in self._known.values():
            if trace.over is None and trace.agents and trace.first_ns is not None:
                yield trace.service, trace.first_ns

    def frames(self, traces: Collection[str]) -> pl.DataFrame:
        """Return the spans of some traces, in the order in which they came."""
        wanted = pl.col("trace_id").is_in(list(traces))
        parts = [frame.filter(wanted) for frame in list(self._frames)]
        return pl.concat([pl.DataFrame(schema=SPANS), *parts])

    # -- in

    def add(
        self, frame: pl.DataFrame, now: float, after: int, *, read: bool = False
    ) -> tuple[int, dict[str, Gone]]:
        """Take spans; ``after`` is the number of the last segment, which does not have them yet.

        With ``read`` they were read again. Return how many were late, and traces whose earlier spans have to
        be read again.
        """
        frame = frame.with_columns(pl.lit(None, pl.String).alias(name) for name in _NOT_READ)
        self._frames.append(frame)
        self._spans += frame.height
        late, lost = 0, dict[str, Gone]()
        for name, spans, rooted, agents, calls, service, first, last in _by_trace(frame):
            known = self._known.get(name)
            if known is None:
                known = self._known[name] = Trace(now, after)
                self._members.setdefault(self._top(name), []).append(name)
                if (gone := self._gone.pop(name, None)) is not None:
                    lost[name] = gone
                    known.again = True
                    late += spans
                elif read:
                    known.again = True
                elif self.forgotten_ns is not None and (first is None or first <= self.forgotten_ns):
                    self.unsure[name] = None
            elif known.over is not None:
                known.over, known.again, known.after = None, True, after
                late += spans
            known.last, known.checked = now, False
            known.spans += spans
            known.agents |= agents
            known.calls |= calls
            known.rooted |= rooted
            known.service = known.service or service
            known.first_ns = _least(known.first_ns, first)
            known.last_ns = max(known.last_ns or 0, last or 0) or None
        self._tie(frame)
        return late, lost

    def remember(self, gone: Gone) -> None:
        """Know traces that were over before this process began: what comes of them is late, too."""
        for name in gone.traces:
            if name not in self._known:
                self._gone[name] = gone

    def forgotten(self, last_ns: int) -> None:
        """Know that there were traces that began until then, and are not in memory: ``unsure`` are such."""
        self.forgotten_ns = max(self.forgotten_ns or 0, last_ns)

    def sure(self, again: Iterable[str]) -> int:
        """Know which of ``unsure`` had a run before; return how many spans of those were late."""
        found = [self._known[name] for name in again if name in self.unsure]
        for trace in found:
            trace.again = True
        self.unsure.clear()
        return sum(trace.spans for trace in found)

    # -- out

    def due(self, now: float) -> list[Group]:
        """Return what is to be measured; then say ``over`` of the traces whose runs are, and ``tried``."""
        self._merge()
        ready = {
            name
            for name, trace in self._known.items()
            if trace.over is None and not trace.checked and self.quiet(name, now)
        }
        self.lag_s = max((now - self._quiet_at(self._known[name]) for name in ready), default=0.0)
        self._chain(ready)
        tops = dict.fromkeys(self._top(name) for name in self._known if name in ready)
        return [tuple(self._members[top]) for top in tops if self._tries.get(top, 0.0) <= now]

    def quiet(self, name: str, now: float) -> bool:
        """Whether nothing more is to be expected of a trace; those not in memory are."""
        trace = self._known.get(name)
        return trace is None or trace.over is not None or now >= self._quiet_at(trace)

    def _quiet_at(self, trace: Trace) -> float:
        whole = trace.rooted and (trace.agents or not trace.calls)
        return trace.last + (self.grace_s if whole else self.idle_s)

    def is_open(self, name: str) -> bool:
        """Whether a trace is in memory and not over."""
        trace = self._known.get(name)
        return trace is not None and trace.over is None

    def over(self, names: Iterable[str], now: float) -> int:
        """Say that the runs of traces are over; return of how many traces they were before."""
        again = 0
        for name in names:
            if (trace := self._known.get(name)) is not None:
                again += trace.again
                trace.over, trace.again = now, False
        return again

    def tried(self, group: Group, now: float, span_s: float) -> None:
        """Say that traces were measured, at ``span_s`` a span.

        Those still open wait for spans, or until another one is quiet. A group that takes long is not
        measured for every span that comes: for a twentieth of the time at most.
        """
        spans = 0
        for name in group:
            if (trace := self._known.get(name)) is not None:
                trace.checked = self.quiet(name, now)
                spans += trace.spans
        self._tries[self._top(group[0])] = now + 20 * span_s * spans

    def hurry(self, now: float) -> int:
        """Where too much is in memory: call the traces quiet that were silent longest; return how many."""
        excess = self._spans - self.held
        hurried = 0
        if excess > 0:
            for trace in sorted((t for t in self._known.values() if t.over is None), key=lambda t: t.last):
                if excess <= 0:
                    break
                trace.last = now - self.idle_s
                excess -= trace.spans
                hurried += 1
        return hurried

    def forget(self, now: float, runs: Mapping[str, tuple[str, ...]]) -> list[str]:
        """Let go of traces that were over for long, oldest first, and of more where memory is short.

        ``runs`` says for a trace which ones its run lies in, itself among them. Returns what went.
        """
        ended = sorted((t.over, name) for name, t in self._known.items() if t.over is not None)
        room = self.held - self._spans
        gone = []
        for over, name in ended:
            if now - over < self.late_s and room >= 0:
                break
            gone.append(name)
            room += self._known[name].spans
        # what is left is tied anew, 0.1 s for 300,000 spans: not for a few traces at every look
        few = room >= 0 and len(gone) < len(self._known) // 8 and now - self._forgot < _RARELY_S
        if not gone or few:
            return []
        self._forgot = now
        for name in gone:
            trace = self._known.pop(name)
            self._gone[name] = Gone(runs.get(name, (name,)), trace.first_ns, trace.last_ns)
        while len(self._gone) > REMEMBERED:
            self.forgotten(self._gone.popitem(last=False)[1].last_ns or 0)
        self._merge(set(gone))
        self._rebuild()
        return gone

    def _merge(self, without: Collection[str] = ()) -> None:
        if len(self._frames) > 1 or without:
            whole = pl.concat(self._frames) if self._frames else pl.DataFrame(schema=SPANS)
            if without:
                whole = whole.filter(~pl.col("trace_id").is_in(list(without)))
            self._frames = [whole.rechunk() if whole.n_chunks() > _CHUNKS else whole]
            self._spans = whole.height

    def _rebuild(self) -> None:
        """Forget keys that no trace in memory has."""
        self._above, self._chains = {}, {}
        self._members = {name: [name] for name in self._known}
        for frame in self._frames:
            self._tie(frame)
        self._tries = {top: at for top, at in self._tries.items() if top in self._members}

    # -- which traces belong together

    def _tie(self, frame: pl.DataFrame) -> None:
        for name, key in _keys(frame):
            self._join(name, key)
        for name, key in _beginnings(frame):
            self._chains.setdefault(key, set()).add(name)

    def _chain(self, ready: Collection[str]) -> None:
        """Join traces that begin alike and have no agent, now that nothing else will say what they are.

        The root of an agent comes last: before it, all runs of one task would look like parts of one.
        """
        if all(self._known[name].agents for name in ready):
            return
        for key, names in self._chains.items():
            bare = [name for name in names if (t := self._known.get(name)) is not None and not t.agents]
            if any(name in ready for name in bare):
                for name in bare:
                    self._join(name, key)

    def _top(self, name: str) -> str:
        above = self._above
        while (up := above.get(name, name)) != name:
            above[name] = above.get(up, up)
            name = above[name]
        return name

    def _join(self, a: str, b: str) -> None:
        a, b = self._top(a), self._top(b)
        if a == b:
            return
        if len(self._members.get(a, ())) < len(self._members.get(b, ())):
            a, b = b, a
        self._above[b] = a
        self._members.setdefault(a, []).extend(self._members.pop(b, ()))


def _least(a: int | None, b: int | None) -> int | None:
    return a if b is None else b if a is None else min(a, b)


def _by_trace(frame: pl.DataFrame) -> Iterator[tuple[str, int, bool, bool, bool, str | None, int, int]]:
    """Yield (trace, spans, whether its root ended, agents, calls to models, service, start, end)."""
    root = pl.col("parent_id").is_null() & pl.col("log").is_null() & pl.col("end_ns").is_not_null()
    has = {name: (pl.col("cls") == name).fill_null(value=False).any() for name in ("agent", "llm")}
    yield from (
        frame.group_by("trace_id", maintain_order=True)
        .agg(
            pl.len(),
            root.any(),
            **has,
            service=pl.col("service").drop_nulls().first(),
            first=pl.col("start_ns").min(),
            last=pl.col("end_ns").max(),
        )
        .iter_rows()
    )


def _keys(frame: pl.DataFrame) -> list[tuple[str, str]]:
    """Return (trace, key): traces with a key in common may hold parts of one run (store/sql/links.sql)."""
    trace = pl.col("trace_id")
    named = [
        frame.filter(pl.col(name).is_not_null()).select(trace, key=pl.lit(f"\0{name} ") + pl.col(name))
        for name in ("run_key", "conversation", "invocation")
    ]
    links = frame.filter(pl.col("links").is_not_null()).select(trace, key="links").explode("key")
    target = pl.col("key").str.split(":").list.first()
    linked = links.filter(pl.col("key").is_not_null()).select(trace, key=target)
    return pl.concat([*named, linked]).unique().rows()


def _beginnings(frame: pl.DataFrame) -> list[tuple[str, str]]:
    """Return (trace, key): calls without any agent around them are told apart by their messages alone."""
    hashed = pl.coalesce("task_hash", "prompt_hash").cast(pl.String)
    key = pl.concat_str(pl.lit("\0chain"), hashed, pl.col("service").fill_null(""), separator=" ")
    return frame.select("trace_id", key=key).drop_nulls().unique().rows()
