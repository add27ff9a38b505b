"""`sort-drift live` in a process of its own, on free ports, and what its store then holds."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from sort_drift.errors import SortDriftError
from sort_drift.store import Store
from tests.shared_data import ROOT
from tests.waiting import PATIENCE_S, until

SOON: Mapping[str, Any] = {"seal_s": 0.5, "grace_s": 0.2, "idle_s": 2.0}
"""The [live] table of most tests: spans are readable, and runs measured, within a second or two."""

ANYWHERE = ("--otlp-http", "127.0.0.1:0", "--otlp-grpc", "127.0.0.1:0", "--page", "127.0.0.1:0")

_LISTENER = re.compile(r"^sort-drift live: (OTLP/HTTP|OTLP/gRPC|page) on (\S+)$", re.MULTILINE)


@dataclass
class Service:
    """A service that is running, or was."""

    store: Path
    log: Path  # everything that it has said
    process: subprocess.Popen[bytes]
    http_url: str = ""
    grpc_target: str = ""
    page_url: str = ""

    @property
    def pid(self) -> int:
        """The id of the process: of the program that was started, behind whatever stands before it."""
        return self.process.pid

    @property
    def said(self) -> str:
        """What it wrote to stderr and stdout."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    def stop(self, patience_s: float = PATIENCE_S) -> int:
        """Send SIGTERM and return the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(patience_s)

    def kill(self) -> None:
        """Send SIGKILL and wait for the end."""
        self.process.kill()
        self.process.wait()

    def spans(self) -> pl.DataFrame:
        """Return every span that a reader of the store gets now, as often as it gets it."""
        try:
            frames = list(Store.open(self.store).spans(detail=True))
        except SortDriftError:  # made while it is looked at
            return pl.DataFrame()
        return pl.concat(frames) if frames else pl.DataFrame()

    def all_spans(self, count: int) -> pl.DataFrame:
        """Return every span, once there are ``count``."""

        def look() -> list[pl.DataFrame]:
            found = self.spans()
            return [found] if found.height >= count else []

        (found,) = until(
            look, told=lambda: f"{count} spans were sent, {self.spans().height} are there\n{self.said}"
        )
        return found

    def runs(self, traces: Iterable[str] = ()) -> list[dict[str, Any]]:
        """Return what ``sort-drift runs STORE --json`` lists, once the runs of ``traces`` are there."""
        until(lambda: set(traces) <= self.measured(), told=lambda: self.said)
        done = command("runs", str(self.store), "--json")
        assert done.returncode in {0, 3}, done.stderr
        return list(json.loads(done.stdout)["runs"]) if done.returncode == 0 else []

    def measured(self) -> set[str]:
        """Return the traces whose runs a reader of the store gets now."""
        try:
            return set(Store.open(self.store).runs()["trace_ids"].explode())
        except SortDriftError:
            return set()


def command(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run ``sort-drift ARGUMENTS`` to its end."""
    line = [sys.executable, "-m", "sort_drift", *arguments]
    return subprocess.run(line, capture_output=True, text=True, cwd=ROOT, timeout=120, check=False, **options)


def configured(folder: Path, settings: Mapping[str, Any]) -> Path:
    """Write a sort-drift.toml with a [live] table, and return where."""
    path = folder / "sort-drift.toml"
    lines = [f"{name} = {json.dumps(value)}" for name, value in settings.items()]
    path.write_text("\n".join(["[live]", *lines, ""]), encoding="utf-8")
    return path


@contextmanager
def running(
    store: Path,
    *options: str,
    settings: Mapping[str, Any] = SOON,
    before: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
) -> Iterator[Service]:
    """Run the service on free ports of loopback for a block; ``options`` are added to the command line.

    ``settings`` is its [live] table, ``before`` a command that starts it. It is stopped at the end.
    """
    store.parent.mkdir(parents=True, exist_ok=True)
    log = store.parent / f"{store.name}.log"
    config = configured(store.parent, settings)
    line = [
        *before,
        sys.executable,
        "-m",
        "sort_drift",
        "live",
        "--store",
        str(store),
        "--config",
        str(config),
    ]
    with log.open("ab") as out:
        process = subprocess.Popen(
            [*line, *ANYWHERE, *options],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            cwd=ROOT,
            env={**os.environ, **(environment or {})},
        )
    service = Service(store, log, process)
    begun = len(service.said)
    try:
        until(
            lambda: "sort-drift live: ready\n" in service.said[begun:] or process.poll() is not None,
            told=lambda: service.said,
        )
        found = dict(_LISTENER.findall(service.said[begun:]))
        assert process.poll() is None, service.said
        service.http_url = found.get("OTLP/HTTP", "")
        service.grpc_target, service.page_url = found.get("OTLP/gRPC", ""), found.get("page", "")
        yield service
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(PATIENCE_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
