"""``sort-drift live`` and what belongs to it: parse, call, print, exit. Heavy imports live inside."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from sort_drift import console
from sort_drift.arguments import Json
from sort_drift.errors import UsageError

StoreDir = Annotated[
    Path | None, typer.Option("--store", metavar="DIR", help="The store; made if absent.", show_default=False)
]
_LISTEN = "Where, HOST:PORT (port 0: a free one), or 'off'."


def app(epilog: Any) -> typer.Typer:
    """Return the commands; ``epilog`` makes the end of a help page of examples."""
    made = typer.Typer(
        help="Receive, keep, watch and show agent runs as they happen.",
        rich_markup_mode=None,
        invoke_without_command=True,
        epilog=epilog(
            "live --store runs/",
            "live --store runs/ --baseline baseline.parquet --config sort-drift.toml",
            "live selftest --store runs/",
            "live accept --store runs/ shop/planner retry_depth",
        ),
    )
    made.callback()(live)
    made.command(epilog=epilog("live selftest --store runs/ --otlp-http http://127.0.0.1:4318"))(selftest)
    made.command(epilog=epilog("live accept --store runs/ shop/planner retry_depth"))(accept)
    return made


def live(
    context: typer.Context,
    *,
    store: StoreDir = None,
    otlp_http: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help=f"OTLP/HTTP. {_LISTEN}", show_default="127.0.0.1:4318"),
    ] = None,
    otlp_grpc: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help=f"OTLP/gRPC. {_LISTEN}", show_default="127.0.0.1:4317"),
    ] = None,
    page: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help=f"Page and /metrics. {_LISTEN}", show_default="127.0.0.1:8321"),
    ] = None,
    baseline: Annotated[
        Path | None, typer.Option(metavar="FILE.parquet", help="A frozen baseline to compare with.")
    ] = None,
    config: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Settings, in its [live] table.")
    ] = None,
    capture_content: Annotated[
        bool, typer.Option("--capture-content", help="Keep prompts, arguments and results as they came.")
    ] = False,
    insecure_no_auth: Annotated[
        bool, typer.Option("--insecure-no-auth", help="Listen beyond this machine without a token.")
    ] = False,
) -> None:
    """Receive, keep, watch and show agent runs as they happen.

    OTLP over HTTP and gRPC in, alarms out; SIGTERM stores what was acknowledged and ends. The token that is
    asked of everybody is in $SORT_DRIFT_TOKEN.
    """
    if context.invoked_subcommand is not None:
        return
    if store is None:
        raise UsageError("there is no store", where="sort-drift live", todo="Name one: --store DIR")
    needed = _extra()
    from sort_drift.live import config as configuration
    from sort_drift.live import service

    given: dict[str, Any] = {
        name: configuration.listen(text, option)
        for name, text, option in (
            ("otlp_http", otlp_http, "--otlp-http"),
            ("otlp_grpc", otlp_grpc, "--otlp-grpc"),
            ("page", page, "--page"),
        )
        if text is not None
    }
    if baseline is not None:
        given["baseline"] = baseline
    if capture_content:
        given["content"] = "keep"
    if insecure_no_auth:
        given["insecure"] = True
    settings = configuration.load(store, file=config, start=Path.cwd(), given=given)
    if not needed and settings.otlp_grpc and otlp_grpc is None:
        from dataclasses import replace

        settings = replace(settings, otlp_grpc=None)
        _say("no OTLP/gRPC: grpcio is not installed (pip install 'sort-drift[live,grpc]')")
    raise typer.Exit(service.run(settings, _say))


def selftest(
    *,
    store: StoreDir = None,
    otlp_http: Annotated[
        str, typer.Option(metavar="URL", help="Where the service receives OTLP/HTTP.")
    ] = "http://127.0.0.1:4318",
    wait: Annotated[
        float, typer.Option(metavar="SECONDS", help="For the run to be readable; longer than seal_s.")
    ] = 60.0,
    ca: Annotated[Path | None, typer.Option(metavar="FILE", help="Certificates to trust, for https.")] = None,
    json: Json = False,
) -> None:
    """Send one run to a running service and read it back.

    It is of the service sort-drift-selftest, which no monitor watches. The token is in $SORT_DRIFT_TOKEN.
    """
    import os
    from dataclasses import asdict

    from sort_drift.live import selftest as prober
    from sort_drift.live.config import TOKEN

    if store is None:
        raise UsageError("there is no store", where="sort-drift live selftest", todo="Name one: --store DIR")
    found = prober.probe(store, otlp_http, token=os.environ.get(TOKEN, ""), patience_s=wait, ca=ca)
    if json:
        import orjson

        console.write(orjson.dumps({"schema": "sort-drift/live-selftest/1", **asdict(found)}).decode() + "\n")
    else:
        said = f"acknowledged after {found.acknowledged_s:.3f} s, readable after {found.readable_s:.1f} s"
        console.write(f"ok: {found.spans} spans of trace {found.trace_id} {said}\n")


def accept(
    agent: Annotated[str, typer.Argument(metavar="AGENT", help="As the page names it.", show_default=False)],
    variable: Annotated[
        str, typer.Argument(metavar="VARIABLE", help="With an open alarm.", show_default=False)
    ],
    *,
    store: StoreDir = None,
) -> None:
    """Make the change behind an open alarm the normal.

    The running service does so within a second; the runs since the change are what later ones are compared
    with.
    """
    from sort_drift import geometry
    from sort_drift.live.keep import state
    from sort_drift.registry import check
    from sort_drift.store import Store

    if store is None:
        raise UsageError("there is no store", where="sort-drift live accept", todo="Name one: --store DIR")
    check(variable, geometry.variables(), "variable")
    Store.open(store)
    state.ask(store, agent, variable)
    console.write(f"asked: {variable} of {agent} is to be the normal from its change on\n")


def _extra() -> bool:
    """Return whether gRPC is there.

    Raises
    ------
    UsageError
        If the service's own packages are not.

    """
    from importlib.util import find_spec

    missing = [name for name in ("starlette", "uvicorn", "prometheus_client") if find_spec(name) is None]
    if missing:
        raise UsageError(
            f"the service needs {', '.join(missing)}",
            where="sort-drift live",
            todo="Install it: pip install 'sort-drift[live,grpc]'",
        )
    return find_spec("grpc") is not None


def _say(text: str) -> None:
    """Write a line for the operator."""
    console.clear()
    sys.stderr.write(f"sort-drift live: {text}\n")
    sys.stderr.flush()
