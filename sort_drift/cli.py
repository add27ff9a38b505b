"""The commands: parse, call pipeline, print, exit. Heavy imports live inside the commands."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sort_drift import __version__, arguments, cli_live, cli_store, console
from sort_drift.arguments import (
    Accept,
    Alpha,
    Baseline,
    By,
    Current,
    Exports,
    Format,
    Inconclusive,
    Json,
    Lines,
    Outs,
    Seed,
    Source,
    TraceUrl,
)
from sort_drift.errors import SortDriftError
from sort_drift.options import comparison, matching, reading_options, takes
from sort_drift.reading import Reading

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sort_drift.config import Settings
    from sort_drift.model import Report

EXIT_CODES = """\b
Exit codes: 0 no drift, or done    1 drift    2 bad use or bad input
            3 too little data, or not comparable
            70 a bug in sort-drift    130 interrupted    141 output closed"""
_SOURCES = """\
BASELINE, CURRENT: a file, a glob, a directory, several of these joined by commas, a store or a frozen
baseline, each with an optional selection: 'store/?tag=v2&since=2026-11-01&where=regime.load:high'."""


def _ends(*examples: str, before: str = "") -> str:
    """Return what a command's help ends with: examples as typed, then the exit codes."""
    typed = "\n".join(f"  sort-drift {example}" for example in examples)
    return f"{before}\n\n\b\nExamples:\n{typed}\n\n{EXIT_CODES}"


app = typer.Typer(
    name="sort-drift",
    help="Did the way my agents execute change, although the model did not?",
    epilog=_ends(
        "demo",
        "coverage before.jsonl",
        "compare before.jsonl after.jsonl",
        "baseline freeze before.jsonl --out baseline.parquet",
        "gate baseline.parquet after.jsonl",
    ),
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
baselines = typer.Typer(help="Freeze a baseline for CI.", rich_markup_mode=None)
app.add_typer(baselines, name="baseline", no_args_is_help=True)
app.add_typer(cli_live.app(_ends), name="live")
app.add_typer(cli_store.app(_ends), name="store", no_args_is_help=True)


@app.callback(invoke_without_command=True)
def root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> None:
    """Did the way my agents execute change, although the model did not?"""
    if version:
        console.write(f"sort-drift {__version__}\n")
        raise typer.Exit
    if context.invoked_subcommand is None:
        console.write(context.get_help() + "\n")
        raise typer.Exit(2)


@app.command(
    epilog=_ends(
        "compare before.jsonl after.jsonl",
        "compare 'runs/v1-*.jsonl.gz' runs/v2 --by load --json",
        "compare 'store/?tag=v1' 'store/?tag=v2' --tolerance busy_time=0.26",
        before=_SOURCES,
    )
)
@takes(settings=comparison, reading=reading_options)
def compare(
    baseline: Baseline,
    current: Current,
    *,
    settings: Settings,
    format: Format = None,  # noqa: A002 - the option is called so
    json: Json = False,
    out: Outs = None,
    trace_url: TraceUrl = None,
    reading: Reading,
) -> None:
    """Report what drifted between two sets of runs."""
    from sort_drift import gate as gating
    from sort_drift import pipeline
    from sort_drift import report as reports
    from sort_drift.report.plain import inert
    from sort_drift.report.words import headline

    forms, link = arguments.deliveries(format, json, out or []), arguments.template(trace_url)
    found = pipeline.compare(baseline, current, settings.options(), reading)
    found = _illustrated(found, *forms, reading)
    _deliver(
        lambda form, page: reports.render(found, form, trace_url=link, **page),
        *forms,
        brief=inert(headline(found)),
        files=lambda: reports.github_files(found, trace_url=link),
    )
    raise typer.Exit(gating.decide(found)[0])


@app.command(
    epilog=_ends(
        "gate baseline.parquet after.jsonl",
        "gate baseline.parquet after.jsonl --out drift.json",
        "gate baseline.parquet after.jsonl --accept --reason 'release 1.5'",
        before=_SOURCES,
    )
)
@takes(settings=comparison, reading=reading_options)
def gate(
    baseline: Baseline,
    current: Current,
    *,
    settings: Settings,
    format: Format = None,  # noqa: A002
    json: Json = False,
    out: Outs = None,
    trace_url: TraceUrl = None,
    inconclusive: Inconclusive = None,
    accept: Accept = False,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why --accept; kept in the file.")] = "",
    reading: Reading,
) -> None:
    """Compare and decide for CI.

    Prints what this many runs can see, the report, what they could have missed, what the policy says of it,
    and last one line with the exit code.
    """
    from sort_drift import gated
    from sort_drift import report as reports
    from sort_drift.report import gates
    from sort_drift.report.plain import inert

    forms, link = arguments.deliveries(format, json, out or []), arguments.template(trace_url)
    settings = settings.but(inconclusive=arguments.inconclusive(inconclusive))
    path = gated.replaceable(baseline) if arguments.accepting(accept, reason) else None
    found = gated.gate(baseline, current, settings.options(), settings.policy(), reading)
    decided, accepted = found.decision, None
    if path:
        decided, accepted = gated.accept(found, path, reason)
    shown = _illustrated(found.report, *forms, reading)
    _deliver(
        lambda form, page: gates.render(
            shown,
            decided,
            form,
            settings=settings.as_object(),
            policy=settings.policy(),
            rest=found.rest,
            accepted=accepted,
            trace_url=link,
            **page,
        ),
        *forms,
        brief="\n".join([*map(inert, decided.said), gates.decision(decided.code, decided.line)]),
        files=lambda: reports.github_files(
            shown, (decided.code, decided.line), said=decided.said, trace_url=link
        ),
    )
    raise typer.Exit(decided.code)


@app.command("config", epilog=_ends("config", "config --config sort-drift.toml --alpha 0.01 --json"))
@takes(settings=comparison)
def show_config(*, settings: Settings, json: Json = False) -> None:
    """Print the policy in force.

    Every key with its value and where it comes from: the default, a line of a file, the command line.
    """
    from sort_drift.report import settings as listing

    said = settings.as_object()
    _print(listing.render_json(said) if json else listing.render(said, **console.page()))


@app.command(epilog=_ends("ingest runs/*.jsonl --store drift/ --tag version=v2"))
@takes(reading=reading_options)
def ingest(
    exports: Exports,
    *,
    store: Annotated[
        Path, typer.Option(metavar="DIR", help="The store; made if absent.", show_default=False)
    ],
    tag: Annotated[
        list[str] | None, typer.Option(metavar="KEY=VALUE", help="Kept with every run; repeatable.")
    ] = None,
    json: Json = False,
    reading: Reading,
) -> None:
    """Read trace exports into a store.

    The same file twice counts its spans once.
    """
    from sort_drift import pipeline
    from sort_drift.report import summaries

    summary = pipeline.ingest(exports, store, tags=arguments.tags(tag or ()), reading=reading)
    done = asdict(summary)
    _print(summaries.ingested_json(done) if json else summaries.ingested(done, **console.page()))


@app.command(epilog=_ends("runs after.jsonl", "runs 'store/?tag=v2' --where regime.load:high --json"))
@takes(match=matching, reading=reading_options)
def runs(
    source: Source,
    *,
    where: Annotated[
        list[str] | None, typer.Option(metavar="FIELD:VALUE", help="Only runs that have it; repeatable.")
    ] = None,
    match: str | None,
    json: Json = False,
    reading: Reading,
) -> None:
    """List runs, one line each.

    Task, regime, outcome, the primary variables, the tools in order; --json has every variable.
    """
    from sort_drift import geometry, pipeline
    from sort_drift.report import runs as listing

    named = arguments.narrowed(source, where or ())
    population = pipeline.population(named, reading.matched_by(match))
    variables = geometry.variables()
    _print(
        listing.render_json(population, variables)
        if json
        else listing.render(population, variables, **console.page())
    )


@app.command(epilog=_ends("timeline store/", "timeline 'runs/*.jsonl' --by load --variables busy_time"))
@takes(match=matching, reading=reading_options)
def timeline(
    source: Source,
    *,
    by: By = None,
    variables: Lines = None,
    alpha: Alpha = None,
    seed: Seed = None,
    match: str | None,
    json: Json = False,
    reading: Reading,
) -> None:
    """Show the variables over time, and when a change began.

    Runs in the order in which they started, each compared with runs of its task; one change a variable.
    """
    from sort_drift import geometry, pipeline
    from sort_drift.model import Options
    from sort_drift.report import timeline as listing

    default = Options()
    options = Options(
        alpha=default.alpha if alpha is None else arguments.fraction(alpha, "--alpha"),
        seed=default.seed if seed is None else arguments.natural(seed, "--seed"),
        match=match,
        by=arguments.regimes(by or ""),
        variables=arguments.names(variables or "", geometry.variables()),
    )
    found = pipeline.timeline(source, options, reading)
    _print(listing.render_json(found) if json else listing.render(found, **console.page()))
    if all(line.p_adjusted is None for line in found.lines):
        raise typer.Exit(3)


@app.command(epilog=_ends("show after.jsonl 4f1c2ab9", "show after.jsonl 4f1c2ab9 --format mermaid"))
@takes(reading=reading_options)
def show(
    source: Source,
    run: Annotated[
        str, typer.Argument(metavar="RUN", help="Id of a run, or how it begins.", show_default=False)
    ],
    *,
    format: Annotated[str | None, typer.Option(metavar="tree|mermaid|json", show_default="tree")] = None,  # noqa: A002
    json: Json = False,
    reading: Reading,
) -> None:
    """Draw the execution graph of one run.

    What contains, follows, retries, branches and feeds what.
    """
    from sort_drift import executions
    from sort_drift.registry import load
    from sort_drift.report import VIEWS

    view = load(VIEWS, "json" if json else format or "tree", "graph format")
    graph, facts = executions.show(source, run, reading)
    _print(view(graph, facts, **console.page()))


@app.command(epilog=_ends("coverage after.jsonl", "coverage after.jsonl --all"))
@takes(reading=reading_options)
def coverage(
    exports: Exports,
    *,
    all: Annotated[bool, typer.Option("--all", help="The secondary measures line by line, too.")] = False,  # noqa: A002
    json: Json = False,
    reading: Reading,
) -> None:
    """Say what these exports can show.

    Each variable observed, inferred or not observable, on what basis or why not, and what nobody reads.
    """
    from sort_drift import pipeline
    from sort_drift.report import coverage as listing

    seen = pipeline.coverage(exports, reading)
    _print(listing.render_json(seen) if json else listing.render(seen, everything=all, **console.page()))


@baselines.command(
    epilog=_ends("baseline freeze 'store/?tag=v1' --out baseline.parquet --reason 'release 1.4'")
)
@takes(match=matching, reading=reading_options)
def freeze(
    source: Source,
    *,
    out: Annotated[Path, typer.Option(metavar="FILE.parquet", help="The baseline.", show_default=False)],
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why this one; kept in the file.")] = "",
    match: str | None,
    json: Json = False,
    reading: Reading,
) -> None:
    """Freeze runs into one portable file.

    Values, tool sequences, cut points, provenance and a sha256, which detects edits, not a forger.
    """
    from sort_drift import pipeline
    from sort_drift.report import summaries

    arguments.place(out)
    matched = reading.matched_by(match)
    population = pipeline.freeze(source, out, reason, matched)
    _print(
        summaries.frozen_json(population, out, reason)
        if json
        else summaries.frozen(population, out, **console.page())
    )


@app.command(epilog=_ends("demo"))
def demo(*, json: Json = False) -> None:
    """Show the main job on bundled recordings.

    A real model, unchanged: repeated, under load, with a quantised cache.
    """
    from sort_drift import pipeline
    from sort_drift.report import summaries

    told = pipeline.demo()
    _print(summaries.demo_json(told) if json else summaries.demo(told, **console.page()))


def _illustrated(
    report: Report, printed: str | None, outs: Iterable[tuple[Path, str]], reading: Reading
) -> Report:
    """Return the report with the graphs of two runs where a form draws them: their spans are read again."""
    if "html" not in (printed, *(form for _, form in outs)):
        return report
    from sort_drift import executions

    return executions.illustrate(report, reading)


def _deliver(
    render: Any, printed: str | None, outs: Iterable[tuple[Path, str]], *, brief: str, files: Any
) -> None:
    """Write the report to each file, and print it, or the verdict line; ``files`` are those of GitHub."""
    for out, form in outs:
        console.save(render(form, {}), out)
    if printed == "github":
        for variable, text in files().items():
            console.append(text, variable)
    _print(render(printed, console.page()) if printed else f"{brief}\n")


def _print(pieces: str | Iterable[str]) -> None:
    console.clear()
    console.write(pieces)


def main() -> None:
    """Run the command line; every failure ends as one line on stderr and its own exit code."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run one command and return its exit code."""
    try:
        return int(app(arguments, prog_name="sort-drift", standalone_mode=False) or 0)
    except SortDriftError as error:
        return console.complain(error)
    except KeyboardInterrupt:
        console.clear()
        return console.INTERRUPTED
    except OSError as error:
        return console.complain(console.unreadable(error))
    except BaseException as error:  # a panic in a native library derives from it
        if isinstance(error, SystemExit):
            raise
        if callable(getattr(error, "format_message", None)):
            return console.complain(console.misuse(error))
        return console.bug(error)
