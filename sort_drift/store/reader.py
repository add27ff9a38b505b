"""A store as it was when opened: spans, runs, where they came from. Reading never locks and never waits."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property, partial
from operator import itemgetter
from pathlib import Path

import polars as pl

from sort_drift.errors import StoreError, TamperedFile
from sort_drift.model import GEOMETRY_VERSION, RUNS, SPANS
from sort_drift.store import editing, files, grouping, manifest, runtables, segments
from sort_drift.store.engine import query
from sort_drift.store.frames import conform, newest
from sort_drift.store.segments import ROW_GROUP
from sort_drift.store.view import View

CHUNK = ROW_GROUP
"""Spans read at once. Measuring them takes about 5 KB a span: from a store of 10 million spans the peak is
0.8 GB with pieces of this size, 1.3 GB with pieces twice as large, at the same CPU time."""

FOR_PEOPLE = ("attributes", "resource")
"""Columns that nothing is computed from; reading them doubles the cost of reading (0.7 to 1.5 us a span)."""


class Store(View):
    """One consistent view of a store directory: what its manifest listed when it was opened.

    A writer in another process adds to the store without disturbing it; open it again to see more. Segments
    that were merged stay for a grace period; a view that is older than that becomes the present one, once.
    """

    # -- spans

    def spans(
        self, touching: Iterable[str] | None = None, *, detail: bool = False, rows: int = CHUNK
    ) -> Iterator[pl.DataFrame]:
        """Yield all spans as frames of schema SPANS, each once, the newest end winning; log records too.

        Traces that share a run key, a conversation or an invocation, or that a span link ties together, come
        in one frame, as do the traces without agent operations whose first message is the same; a frame has
        about ``rows`` spans, more only where one such group is larger. With ``touching`` (trace ids) only the
        groups that hold one of those come. Without ``detail`` the columns of FOR_PEOPLE are null.
        """
        traces = self._traces
        if touching is not None:
            wanted = traces.filter(pl.col("trace_id").is_in(list(touching)))["group"].unique()
            traces = traces.filter(pl.col("group").is_in(wanted.implode()))
        columns = [name for name in SPANS if detail or name not in FOR_PEOPLE]
        for piece in grouping.chunks(traces, rows):
            wanted = piece["trace_id"].unique(maintain_order=True)
            found = self._query("spans", partial(self._holding, wanted), columns=columns, traces=list(wanted))
            if found is not None:
                yield conform(newest(found), SPANS).select(*SPANS)

    def _holding(self, trace_ids: pl.Series) -> list[manifest.SpanSegment]:
        """Return the segments with spans of some traces."""
        names = set(self._traces.filter(pl.col("trace_id").is_in(trace_ids.implode()))["segment"])
        return [line for line in self.of(manifest.SpanSegment) if str(self.path / line.segment) in names]

    def spans_of(
        self, trace_ids: Iterable[str], since_ns: int | None, until_ns: int | None, *, detail: bool = False
    ) -> pl.DataFrame:
        """Return the spans of a few traces as one frame of schema SPANS, each once, the newest end winning.

        Only segments with times between ``since_ns`` and ``until_ns`` are read, and those with spans without
        times: some milliseconds a segment, where ``spans`` looks at all of them. None: no limit.
        """

        def near() -> list[manifest.SpanSegment]:
            lines = self.of(manifest.SpanSegment)
            return [line for line in lines if line.untimed or segments.overlap(line, since_ns, until_ns)]

        columns = [name for name in SPANS if detail or name not in FOR_PEOPLE]
        wanted = list(dict.fromkeys(trace_ids))
        found = self._query("spans", near, columns=columns, traces=wanted) if wanted else None
        return pl.DataFrame(schema=SPANS) if found is None else conform(newest(found), SPANS).select(*SPANS)

    def label(self, runs: pl.DataFrame) -> pl.DataFrame:
        """Return ``runs`` with ``source`` and ``tags`` of the exports that their traces came from."""
        sources = {line.key: line for line in self.sources.values()}
        named = pl.DataFrame(
            [(key, Path(line.source).name, list(line.tags)) for key, line in sources.items()],
            schema={"source": pl.String, "name": pl.String, "tags": pl.List(pl.String)},
            orient="row",
        )
        found = (
            runs.select(pl.int_range(pl.len()).alias("row"), trace_id="trace_ids")
            .explode("trace_id")
            .join(self._traces.select("trace_id", "source"), on="trace_id")
            .join(named, on="source")
            .group_by("row")
            .agg(
                source=pl.col("name").unique().sort().str.join(" + "),
                tags=pl.col("tags").explode(empty_as_null=False).unique().sort(),
            )
        )
        rows = runs.select(pl.int_range(pl.len()).alias("row")).join(
            found, on="row", how="left", maintain_order="left"
        )
        return runs.with_columns(rows["source"], rows["tags"])

    @cached_property
    def _traces(self) -> pl.DataFrame:
        """(trace_id, source, segment, spans, group), in the order of ingestion."""
        lines, traces, links = None, None, None
        while lines is not self.lines:  # a query may have renewed them
            lines = self.lines
            traces = self._query("traces", partial(self.of, manifest.SpanSegment))
            links = self._query("links", partial(self.of, manifest.SpanSegment))
        if traces is None or links is None:
            schema = {"trace_id": pl.String, "source": pl.String, "segment": pl.String, "spans": pl.Int64}
            return pl.DataFrame(schema={**schema, "group": pl.UInt32})
        return grouping.groups(traces, links)

    # -- runs

    def runs(self) -> pl.DataFrame:
        """Return the run table, newest revision of every run, sorted by start and run_id.

        Runs measured with another geometry version are left out: ``pending`` has their traces.
        """
        found = self._query("runs", self._measured)
        if found is None:
            return pl.DataFrame(schema=RUNS)
        runs = conform(found, RUNS).sort("start_ns", "run_id", nulls_last=True)
        return runs.with_columns(pl.int_range(pl.len(), dtype=pl.UInt32).alias("run"))

    def written_runs(self) -> pl.DataFrame:
        """Return (number, rows, last_ns): how many runs ``run_tables`` has under each number.

        The newest first; ``last_ns`` is when the last of them ended.
        """
        found = self._query("written", self._owned)
        if found is None:
            found = pl.DataFrame(schema=["number", "rows", "last_ns"])
        return found.cast(pl.Int64)

    def runs_of(self, trace_ids: Iterable[str], until_ns: int | None) -> pl.DataFrame:
        """Return (run_id, trace_ids, start_ns, end_ns) of the runs that some traces are part of.

        Every revision of them, oldest first. Only segments with runs that began until ``until_ns`` are read:
        0.3 s for a million runs, and a millisecond a segment.
        """

        def until() -> list[manifest.RunSegment]:
            return [line for line in self._measured() if segments.overlap(line, None, until_ns)]

        found = self._query("runs_of", until, traces=list(trace_ids))
        columns = ("run_id", "trace_ids", "start_ns", "end_ns")
        return pl.DataFrame(schema={name: RUNS[name] for name in columns}) if found is None else found

    def _measured(self) -> list[manifest.RunSegment]:
        return [line for line in self.of(manifest.RunSegment) if line.geometry == GEOMETRY_VERSION]

    def _owned(self) -> list[manifest.RunSegment]:
        return [line for line in self._measured() if self.owns(line)]

    def run_tables(self, after: int = 0) -> Iterator[tuple[int, pl.DataFrame]]:
        """Yield (number, table) of every run segment whose number is above ``after``, in that order.

        All rows as they were written, replaced ones too: what a service that crashed has to look at again.
        """
        parts = [
            part
            for line in self._owned()
            if files.segment_number(line.segment) > after
            for part in runtables.revisions(segments.load(self.path, line), line)
            if part[0] > after
        ]
        for number, table in sorted(parts, key=itemgetter(0)):
            yield number, conform(table, RUNS)

    def pending(self) -> list[str]:
        """Return the traces with spans or tags that no run table covers yet, sorted.

        All of them where the geometry version changed; the rest of an ingest that was cut short.
        """
        traces = self._traces  # first: it may renew the lines
        new = self.lines[editing.covered(self.lines, GEOMETRY_VERSION) :]
        names = [str(self.path / line.segment) for line in new if isinstance(line, manifest.SpanSegment)]
        retagged = [line.key for line in new if isinstance(line, manifest.Source)]
        touched = pl.col("segment").is_in(names) | pl.col("source").is_in(retagged)
        return traces.filter(touched)["trace_id"].unique().sort().to_list()

    # -- files

    def _query(
        self, statement: str, lines: Callable[[], Sequence[manifest.Segment]], **parameters: list[str]
    ) -> pl.DataFrame | None:
        """Return what a statement gives of some segments, each checked once in this process; None of none.

        Where a segment is gone, because this view is older than the grace period, ``lines`` are those of the
        present one.
        """
        try:
            return self._query_once(statement, lines(), parameters)
        except (TamperedFile, StoreError):
            gone = any(not (self.path / line.segment).is_file() for line in lines())
            if not gone or not self.renew():
                for line in lines():  # it may have been whole when this process looked first
                    segments.verify(self.path, line, again=True)
                raise
        return self._query_once(statement, lines(), parameters)

    def _query_once(
        self, statement: str, lines: Iterable[manifest.Segment], parameters: Mapping[str, list[str]]
    ) -> pl.DataFrame | None:
        paths = []
        for line in lines:
            segments.verify(self.path, line)
            paths.append(str(self.path / line.segment))
        return query(statement, str(self.path), files=paths, **parameters) if paths else None
