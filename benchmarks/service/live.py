"""`sort-drift live` as a user starts it: its own process, known ports, started again after a kill."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from benchmarks.service import process
from sort_drift.store import Store, is_store, manifest

ROOT = Path(__file__).resolve().parents[2]

Value = int | float | str | list[str]
Numbers = np.ndarray[Any, np.dtype[np.uint64]]


@dataclass(slots=True)
class Live:
    """A service that is, or will be, running on one store; the same ports each time it is started."""

    folder: Path
    settings: Mapping[str, Value] = field(default_factory=dict)  # of the [live] table
    http: int = 0
    grpc: int = 0
    page: int = 0
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0  # monotonic time of the last start

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.http, self.grpc, self.page = process.free_ports(3)
        self.config.write_text(toml(self.settings), encoding="utf-8")

    @property
    def store(self) -> Path:
        """Where it keeps spans."""
        return self.folder / "store"

    @property
    def config(self) -> Path:
        """Its config file."""
        return self.folder / "sort-drift.toml"

    @property
    def log(self) -> Path:
        """What it has said."""
        return self.folder / "live.log"

    @property
    def pid(self) -> int:
        """Its process, 0 before the first start."""
        return self.process.pid if self.process else 0

    @property
    def command(self) -> list[str]:
        """How it is started."""
        addresses = {"--otlp-http": self.http, "--otlp-grpc": self.grpc, "--page": self.page}
        out = [sys.executable, "-m", "sort_drift", "live", "--store", str(self.store)]
        out += ["--config", str(self.config)]
        return out + [text for option, port in addresses.items() for text in (option, f"127.0.0.1:{port}")]

    def start(self) -> None:
        """Start it, and do not wait."""
        self.started = time.monotonic()
        with self.log.open("ab") as out:
            self.process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                cwd=ROOT,
                start_new_session=True,
            )

    def until_ready(self, patience_s: float = 60.0) -> None:
        """Wait until all listeners accept connections; RuntimeError with its last words if it ends first."""
        assert self.process is not None, "start it first"
        for port in (self.http, self.grpc, self.page):
            process.until_listening(port, self.process, self.log, patience_s)

    def kill(self) -> None:
        """End it as a power cut would: SIGKILL."""
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()

    def stop(self, patience_s: float = 30.0) -> int:
        """Ask it to drain and end; returns its exit code (negative: it had to be killed)."""
        if self.process is None:
            return 0
        process.end(self.process, patience_s)
        return int(self.process.returncode)


@contextmanager
def running(folder: Path, settings: Mapping[str, Value] | None = None) -> Iterator[Live]:
    """Run the service below ``folder`` for a block."""
    live = Live(folder, settings or {})
    live.start()
    try:
        live.until_ready()
        yield live
    finally:
        live.stop()


def toml(settings: Mapping[str, Value]) -> str:
    """Write the [live] table.

    >>> toml({"seal_s": 1, "hosts": ["a"]}).splitlines()
    ['[live]', 'seal_s = 1', 'hosts = ["a"]']
    """
    lines = [f"{name} = {_value(value)}" for name, value in settings.items()]
    return "\n".join(["[live]", *lines, ""])


def _value(value: Value) -> str:
    if isinstance(value, list):
        return f"[{', '.join(_value(item) for item in value)}]"
    return f'"{value}"' if isinstance(value, str) else str(value)


# ---------------------------------------------------------------------------------------------------------
# what its store holds, read as any reader does


def listed(store: Path) -> int:
    """Return how many rows of spans its segments have: cheap, duplicates counted."""
    if not is_store(store) or not (store / manifest.MANIFEST_FILE).exists():
        return 0
    return sum(line.rows for line in manifest.read(store) if isinstance(line, manifest.SpanSegment))


def measured(store: Path) -> bool:
    """Whether every trace in it has its run measured."""
    return is_store(store) and not Store.open(store).pending()


def spans(store: Path) -> Iterator[pl.DataFrame]:
    """Yield (trace_id, span_id, end_ns) of every span as a reader gets them, each as often as it comes."""
    for frame in Store.open(store).spans():
        yield frame.select("trace_id", "span_id", "end_ns")


def span_numbers(store: Path) -> Numbers:
    """Return the ids of all spans, sorted, as numbers: eight bytes a span, so that millions are compared."""
    found = [frame["span_id"].str.to_integer(base=16, dtype=pl.UInt64).to_numpy() for frame in spans(store)]
    return np.sort(np.concatenate(found)) if found else np.zeros(0, dtype=np.uint64)
