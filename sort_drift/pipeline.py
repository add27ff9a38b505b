"""The whole product on one page: ingest(), population(), compare(). READ FIRST (then: model.py).

    bytes -ingest-> RawSpans -dialects-> SPANS -(store)-> SPANS -assembly-> RUNS, OPS -geometry-> run table
    run table -regimes-> Population -drift-> Report -report-> text | json ; -gate-> exit code

Stage folders do not import each other; this file alone joins them. The command line calls it, and renders.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl

from sort_drift import __version__, assembly, dialects, drift, geometry, populations, regimes, sources, store
from sort_drift import ingest as readers
from sort_drift.errors import BadRecord, TooLittleData, UnknownFormat, UsageError
from sort_drift.exhibits import Timeline
from sort_drift.geometry import order
from sort_drift.hashing import Hasher
from sort_drift.model import SPANS, Options, Population, Provenance, RawSpans, Report, Skipped, Unread
from sort_drift.reading import Reading
from sort_drift.store import baseline as baselines

AS_IT_IS = Reading()
"""How exports are read where nothing is said: everything is recognised from content."""

BUNDLED = Path(__file__).parent / "data"
DEMO = (
    ("The same serving, repeated", ("d_load1",), ("d_load1_rep",)),
    ("Eight clients instead of one", ("d_load1",), ("d_load8",)),
    ("A 4-bit KV cache instead of a 16-bit one", ("g_base", "g_repeat"), ("g_kv_q4",)),
)
"""What `sort-drift demo` compares: (what changed, baseline recordings, current recordings)."""

FOR_PEOPLE = ("attributes", "resource")
"""Columns that no later stage reads: not held in memory for a comparison."""


@dataclass(frozen=True, slots=True)
class IngestSummary:
    """What one ``ingest`` did."""

    files: int  # read now; a file that the store has already is not read again
    retagged: int  # files that the store has already, under further tags from now on
    spans: int
    duplicates: int
    runs: int  # measured or measured again
    skipped: tuple[Skipped, ...]
    unread: tuple[Unread, ...]
    store: Path


# ---------------------------------------------------------------------------------------------------------
# exports -> spans -> run table


def spans(
    path: Path,
    hasher: Hasher,
    reading: Reading,
    skipped: list[Skipped],
    *,
    unread: dialects.Unrecognised | None = None,
    seq: int = 0,
    touching: Collection[str] | None = None,
) -> Iterator[pl.DataFrame]:
    """Yield the canonical spans (schema SPANS) of one export in bounded batches, numbered from ``seq``.

    With ``touching`` (trace ids) only batches that hold spans of those are made canonical, and come.

    Raises
    ------
    InputError
        If the file is missing, of no known format, or holds a bad record that is not to be skipped.

    """
    first, said = seq, list[str]()
    for raw in readers.read(
        path,
        format=reading.format,
        skip_bad=reading.skip_bad,
        skipped=skipped,
        columns=reading.columns,
        said=said,
    ):
        if touching is None or not set(raw.trace_id).isdisjoint(touching):
            frame = dialects.canonical(raw, hasher, match=reading.match, seq=seq, own=reading.vocabularies)
            if unread is not None:
                unread.look(raw, frame)
            yield frame
        seq += len(raw)
        reading.say(f"{path.name}: {seq - first:,} spans")
    if said:
        reading.remark("; ".join(said))


def measure(frame: pl.DataFrame) -> pl.DataFrame:
    """Turn canonical spans into the run table: one row a run, every variable with its evidence."""
    return geometry.measure(*assembly.assemble(frame))


def ingest(
    exports: Sequence[str],
    folder: Path,
    *,
    tags: Sequence[str] = (),
    reading: Reading = AS_IT_IS,
) -> IngestSummary:
    """Read exports into the store at ``folder`` and measure the runs that they touch.

    All of it counts or none: a bad record that is not skipped leaves the store as it was.
    """
    hasher, skipped, unread = Hasher(), list[Skipped](), dialects.Unrecognised()
    paths = [path for text in exports for path in _export_paths(text, skipped)]
    with store.writing(folder, fingerprint=hasher.fingerprint) as writer:
        for path in paths:
            frames = spans(path, hasher, reading, skipped, unread=unread)
            digest = store.digest(path)
            writer.append(frames, source=str(path), sha256=digest, tags=tags, read_with=reading.read_with())
        done = writer.commit()
        reading.say("measuring runs")
        touched = writer.store.spans(touching=writer.store.pending())
        runs = writer.write_runs(writer.store.label(measure(frame)) for frame in touched)
    known = len(done.retagged)
    return IngestSummary(
        *(done.sources, known, done.spans, done.duplicates, runs),
        skipped=tuple(skipped),
        unread=unread.found(),
        store=folder,
    )


def _export_paths(text: str, left_out: list[Skipped]) -> Iterator[Path]:
    found, others = _parse(text)
    left_out += others
    for source in found:
        if source.kind != "export" or source.where:
            raise UsageError("only exports can be ingested", where=text, todo="Name files, globs or folders")
        yield from source.paths


# ---------------------------------------------------------------------------------------------------------
# what a user names -> population

_Found = tuple[tuple[sources.Source, ...], list[Skipped]]
"""What a text names, and the files of a directory that hold no spans."""


def population(text: str, reading: Reading = AS_IT_IS) -> Population:
    """Return the runs that ``text`` names: exports, stores, frozen baselines, with selections.

    Raises
    ------
    InputError, UsageError
        If something cannot be read, or a selection makes no sense.
    TooLittleData
        If there is no run in it, or none is selected.

    """
    return _population(text, _parse(text), reading)


def _population(text: str, found: _Found, reading: Reading) -> Population:
    parts = [_part(source, reading) for source in _joined(found[0])]
    whole = populations.together(parts)
    skipped = (*whole.provenance.skipped, *found[1])
    whole = replace(whole, label=text, provenance=replace(whole.provenance, skipped=skipped))
    if not len(whole):
        raise populations.no_runs(text, whole.provenance)
    return whole


def named(text: str) -> tuple[sources.Source, ...]:
    """Return what ``text`` names, without reading it."""
    return _parse(text)[0]


def _parse(text: str) -> _Found:
    """Look up what ``text`` names; of each file in a directory the first bytes are read."""
    said: list[Skipped] = []

    def readable(path: Path) -> bool:
        if path.suffix.lower() not in sources.EXPORT_SUFFIXES:
            return False
        try:
            readers.recognise(path)
        except UnknownFormat as unknown:
            said.append(Skipped(str(path), unknown.what))
            return False
        except (TooLittleData, BadRecord):  # an empty or damaged file is read, and complained about
            pass
        return True

    return sources.parse(text, readable=readable, variables=geometry.variables()), said


def _joined(found: Iterable[sources.Source]) -> Iterator[sources.Source]:
    """Join exports under one selection: the spans of one trace may lie in several files."""
    exports: dict[tuple[sources.Condition, ...], list[Path]] = {}
    for source in found:
        if source.kind == "export":
            exports.setdefault(source.where, []).extend(source.paths)
        else:
            yield source
    for where, paths in exports.items():
        yield sources.Source("export", tuple(dict.fromkeys(paths)), where)


def _part(source: sources.Source, reading: Reading) -> Population:
    """Read one source and apply its selection; load is inferred before it, from all runs there are."""
    if source.kind == "baseline":
        if reading.match:
            raise UsageError(
                "a frozen baseline keeps the tasks it was frozen with",
                where=f"--match {reading.match}",
                todo="Freeze it with --match",
            )
        part = baselines.load(source.paths[0])
    elif source.kind == "store":
        part = _from_store(source.paths[0], reading)
    else:
        part = _from_exports(source.paths, reading)
    if reading.read_with() not in {(), part.provenance.read_with}:
        name = source.paths[0].name
        what = "stays as it was read when it was made; --vocabulary and --column are for exports"
        reading.remark(f"{name} {what}")
    if source.kind != "baseline":
        runs, remark = populations.of_agents(part.runs)
        if remark:
            reading.remark(f"{source.text or source.paths[0].name}: {remark}")
        part = replace(part, runs=regimes.count_open(runs))
    if source.where:
        named = regimes.assign(part, part)[0]  # names of load, for a selection by regime
        part = replace(named, load_cuts=part.load_cuts)
        part = replace(part, runs=sources.select(part.runs, source.where))
    return part


def _from_exports(paths: Sequence[Path], reading: Reading) -> Population:
    frame, origin, provenance = _read(paths, reading)
    runs = measure(frame)
    first = pl.col("trace_ids").list.first()
    runs = runs.with_columns(source=first.replace_strict(origin, default=None, return_dtype=pl.String))
    return Population("", runs, provenance)


def _read(paths: Sequence[Path], reading: Reading) -> tuple[pl.DataFrame, Mapping[str, str], Provenance]:
    """Read exports into one frame; also, which file each trace was first seen in."""
    hasher, skipped, unread = Hasher(), list[Skipped](), dialects.Unrecognised()
    frames: list[pl.DataFrame] = [pl.DataFrame(schema=SPANS)]
    origin: dict[str, str] = {}
    seq = 0
    for path in paths:
        for batch in spans(path, hasher, reading, skipped, unread=unread, seq=seq):
            frames.append(batch.with_columns(pl.lit(None, pl.String).alias(name) for name in FOR_PEOPLE))
            origin.update(dict.fromkeys(set(batch["trace_id"]) - origin.keys(), path.name))
            seq += batch.height
    frame = pl.concat(frames)
    _check_match(frame, reading)
    provenance = Provenance(
        sources=tuple((str(path), store.digest(path)) for path in paths),
        skipped=tuple(skipped),
        hash_fingerprint=hasher.fingerprint,
        spans=frame["log"].null_count(),
        logs=frame.height - frame["log"].null_count(),
        unread=unread.found(),
        read_with=reading.read_with(),
        duplicates=frame.height - frame.select("trace_id", "span_id", "log").n_unique(),
    )
    return frame, origin, provenance


def _check_match(frame: pl.DataFrame, reading: Reading) -> None:
    if reading.match and frame.height and frame["task"].is_null().all():
        raise UsageError(
            f"no span has the attribute {reading.match!r}",
            where="--match",
            todo="Name a span or resource attribute that is the same for identical runs",
        )


def _from_store(path: Path, reading: Reading) -> Population:
    opened = store.Store.open(path)
    if reading.match:
        runs = _measured(
            opened, (dialects.rematch(f, reading.match) for f in opened.spans(detail=True)), reading
        )
    else:
        pending = opened.pending()  # an ingest that was cut short, or another geometry version
        fresh = _measured(opened, opened.spans(touching=pending), reading) if pending else None
        runs = opened.runs()
        if fresh is not None:
            measured_again = fresh["trace_ids"].explode()
            stale = pl.col("trace_ids").list.eval(pl.element().is_in(measured_again.implode())).list.any()
            runs = pl.concat([runs.filter(~stale), fresh], how="diagonal_relaxed") if runs.height else fresh
    return Population("", runs, opened.provenance())


def _measured(opened: store.Store, frames: Iterable[pl.DataFrame], reading: Reading) -> pl.DataFrame:
    tables = []
    for frame in frames:
        _check_match(frame, reading)
        tables.append(opened.label(measure(frame)))
        reading.say(f"{opened.path.name}: {sum(table.height for table in tables):,} runs measured")
    return pl.concat(tables, how="diagonal_relaxed") if tables else opened.runs()


def caught(
    raw: RawSpans, *, run: str, task: str, outcome: float | None = None, reading: Reading = AS_IT_IS
) -> tuple[pl.DataFrame, tuple[Unread, ...]]:
    """Return the canonical spans of one run that was recorded in memory, and what nobody reads of them.

    What spans say of their run, task and outcome stays; where none of them does, the arguments stand.
    """
    unread = dialects.Unrecognised()
    frame = dialects.canonical(raw, Hasher(), match=reading.match, own=reading.vocabularies)
    unread.look(raw, frame)
    _check_match(frame, reading)
    known = {"run_key": run, "task": task, "outcome": outcome}
    unsaid = [name for name in known if frame[name].null_count() == frame.height]
    filled = frame.with_columns(pl.lit(known[name], SPANS[name]).alias(name) for name in unsaid)
    return filled.with_columns(pl.lit(None, pl.String).alias(name) for name in FOR_PEOPLE), unread.found()


def population_of(frames: Sequence[pl.DataFrame], label: str, unread: Sequence[Unread] = ()) -> Population:
    """Return the runs of canonical spans in memory (``caught``); TooLittleData where there is none."""
    frame = pl.concat([pl.DataFrame(schema=SPANS), *frames]).with_columns(seq=pl.int_range(pl.len()))
    runs, _ = populations.of_agents(measure(frame))
    provenance = Provenance(
        hash_fingerprint=Hasher().fingerprint, spans=frame.height, unread=tuple(dict.fromkeys(unread))
    )
    if not runs.height:
        raise populations.no_runs(label, provenance)
    return Population(label, regimes.count_open(runs), provenance)


def freeze(text: str, out: Path, reason: str = "", reading: Reading = AS_IT_IS) -> Population:
    """Write the runs that ``text`` names to a portable baseline, with the cut points of their load."""
    return freeze_population(population(text, reading), out, reason)


def freeze_population(found: Population, out: Path, reason: str = "") -> Population:
    """Write runs to a portable baseline, with the cut points of their load; returns what is in it."""
    frozen, _ = regimes.assign(found, found)
    baselines.freeze(frozen, out, reason=reason)
    return frozen


# ---------------------------------------------------------------------------------------------------------
# populations -> report


def timeline(text: str, options: Options, reading: Reading = AS_IT_IS) -> Timeline:
    """Return the runs that ``text`` names over time, and when a single change of each variable began.

    The order of tools is scored by a model of half of the runs; the other half is on its line.
    """
    from sort_drift.monitor import timeline as timelines  # scipy: half a second

    found = population(text, reading.matched_by(options.match))
    reading.say("locating changes")
    found, _ = regimes.assign(found, found)
    found = replace(found, runs=order.against(found.runs, found.runs)[0])
    return timelines.timeline(found, geometry.variables(), options)


def compare(baseline: str, current: str, options: Options, reading: Reading = AS_IT_IS) -> Report:
    """Compare the runs that two texts name, and report; the task is named by ``options.match``."""
    first, second = sides(baseline, current, options, reading)
    report = compare_populations(first, second, options)
    return replace(report, reproduce={**report.reproduce, **reading.reproduce()})


def sides(
    baseline: str, current: str, options: Options, reading: Reading = AS_IT_IS
) -> tuple[Population, Population]:
    """Return the two populations that a comparison is made of."""
    # A typing mistake in either is found before the first is read.
    found = [(text, _parse(text)) for text in (baseline, current)]
    first, second = (
        _population(text, side, reading.matched_by(None if _frozen(side[0]) else options.match))
        for text, side in found
    )
    reading.say("comparing")
    return first, second


def _frozen(found: Sequence[sources.Source]) -> bool:
    return all(source.kind == "baseline" for source in found)


def compare_populations(baseline: Population, current: Population, options: Options) -> Report:
    """Compare two populations: regimes on one footing, order scored against the baseline, then the tests."""
    baseline, current = regimes.assign(baseline, current)
    scored = order.against(baseline.runs, current.runs)
    baseline, current = replace(baseline, runs=scored[0]), replace(current, runs=scored[1])
    variables = geometry.variables()
    report = drift.compare(baseline, current, options, variables)
    measures = {f.variable: variables[f.variable].what for f in report.findings}
    return replace(report, measures=measures, reproduce={"version": __version__, **report.reproduce})


def demo() -> list[tuple[str, Report]]:
    """Compare the bundled recordings: a real model, the same weights, other serving."""

    def bundled(names: Sequence[str]) -> str:
        return ",".join(str(BUNDLED / f"{name}.otlp.jsonl.gz") for name in names)

    return [(title, compare(bundled(a), bundled(b), Options())) for title, a, b in DEMO]


# ---------------------------------------------------------------------------------------------------------
# one run, one export


def span_frames(
    text: str, reading: Reading, touching: Collection[str] | None = None
) -> Iterator[pl.DataFrame]:
    """Yield the spans that ``text`` names, or of them what ``touching`` (trace ids) needs, and some more."""
    for source in _joined(_parse(text)[0]):
        if source.kind == "baseline":
            raise UsageError("a frozen baseline has values, not spans", where=text, todo="Name its exports")
        if source.kind == "store":
            yield from store.Store.open(source.paths[0]).spans(touching)
        elif touching is None:
            yield _read(source.paths, reading)[0]
        else:
            for i, path in enumerate(source.paths):  # spans of one trace in several files stay in order
                yield from spans(path, Hasher(), reading, [], seq=i << 40, touching=touching)


def coverage(exports: Sequence[str], reading: Reading = AS_IT_IS) -> dict[str, Any]:
    """Say what each variable rests on, and what went by unread.

    ``instrumentors``: the records of ``populations.evidence``; ``spans``: how many there are; ``unread``: one
    record a scope that no vocabulary recognises (``model.Unread``).
    """
    found = population(",".join(exports), reading)
    return {
        "instrumentors": populations.evidence(found.runs, geometry.variables(), geometry.NEEDS),
        "spans": found.provenance.spans,
        "unread": [asdict(unread) for unread in found.provenance.unread],
    }
