"""kill -9 again and again: agents export, the service dies when a seed says so, and is started again."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from benchmarks.service import exporting, ledger, live
from sort_drift.store import Store

SETTINGS: Mapping[str, live.Value] = {
    "seal_s": 0.5,
    "compact_every_s": 1.5,
    "deleted_after_s": 30,
    "grace_s": 0.5,
    "idle_s": 5,
    "learn": 50,
}
"""Everything that writes happens all the time, and monitors have soon learnt."""

MOMENTS: Mapping[str, int] = {"any": 4, "files": 4, "start": 2}
"""Moments of a kill and their weights: any time after the start; right after names in the store changed (a
journal begun, a segment written or renamed, a compaction, a journal removed); before it was ready."""

AGENTS = (("http", 3, 2), ("grpc", 3, 2), ("http", 2, 10), ("grpc", 2, 10))
"""(transport, threads, timeout in seconds) of the processes that export. After two seconds, as our SDK has
it, a batch is given up, and there is load again as soon as the service is back; in ten, OpenTelemetry's
default, it is sent again to the service's next life, which may have it already."""

LONGEST_S = 2.0  # of a life, once it is ready
CHANGE_S = 20.0  # until a name in the store changes: they do all the time, once it is ready
PATIENCE_S = 240.0  # until what was acknowledged is readable and measured: a busy machine takes its time


@dataclass(slots=True)
class Outcome:
    """What kills have met, and what was found after them."""

    kills: Counter[str] = field(default_factory=Counter)  # moment -> kills
    left: Counter[str] = field(default_factory=Counter)  # what a kill has left behind -> kills
    looks: list[ledger.Found] = field(default_factory=list)
    starts_s: list[float] = field(default_factory=list)  # until ready, after a kill
    drained: int | None = None  # exit code of the stop at the end
    sent: int = 0
    acknowledged: int = 0  # spans of exports that succeeded
    duplicates: int = 0  # spans that came again, for their answer was lost

    @property
    def wrong(self) -> list[str]:
        """What is not as it must be, in words."""
        said = [f"look {number + 1}: {text}" for number, one in enumerate(self.looks) for text in one.wrong]
        return said + ([f"exit code {self.drained} at the end"] if self.drained else [])


def run(
    folder: Path, kills: int, seed: int, *, looks: int = 10, say: Callable[[str], None] = print
) -> Outcome:
    """Kill the service so often, looking at its store ``looks`` times on the way, and at the end."""
    draw, out = random.Random(seed), Outcome()
    service = live.Live(folder / "service", SETTINGS)
    service.start()
    service.until_ready()
    try:
        with agents(folder, service, seed) as ledgers:
            ledgers.until_all_send()
            for number in range(1, kills + 1):
                moment = draw.choices(list(MOMENTS), list(MOMENTS.values()))[0]
                life(service, moment, draw, out)
                service.kill()
                out.kills[moment] += 1
                out.left.update(ledger.interrupted(service.store, names(service.store)))
                service.start()
                if number == kills // 2:
                    ledgers.change()
                if number % max(kills // looks, 1) == 0 and number < kills:
                    ready(service, out)
                    out.looks.append(look(service, ledgers))
                    say(f"{number} kills, {summary(out)}")
            ready(service, out)
        out.looks.append(look(service, ledgers, patience_s=2 * PATIENCE_S))
        out.drained = service.stop()
        out.looks.append(look(service, ledgers))
    finally:
        service.kill()
    sent, taken = ledgers.sent(), ledgers.taken()
    out.sent, out.acknowledged = sent.n_unique(ledger.KEYS), taken.n_unique(ledger.KEYS)
    out.duplicates = Store.open(service.store).provenance().duplicates
    say(f"{kills} kills, {summary(out)}")
    return out


def summary(out: Outcome) -> str:
    """Say in a line what was found last."""
    found = out.looks[-1]
    d = found.difference
    return (
        f"{d.acknowledged:,} spans acknowledged, {d.lost} lost, {d.double} double, {found.runs:,} runs, "
        f"{found.happenings} happenings; wrong: {out.wrong or 'nothing'}"
    )


# ---------------------------------------------------------------------------------------------------------
# one life


def life(service: live.Live, moment: str, draw: random.Random, out: Outcome) -> None:
    """Let the service live until the moment at which it is to be killed."""
    if moment == "start":
        usual = out.starts_s[-1] if out.starts_s else 2.0
        time.sleep(draw.uniform(0.3, 1.0) * usual)  # before that Python imports, and touches no file
        return
    if moment == "any":
        ready(service, out)
        time.sleep(draw.uniform(0, LONGEST_S))
        return
    for _ in range(draw.randint(1, 6)):
        changed(service.store, CHANGE_S)
    time.sleep(draw.uniform(0, 0.004))  # a sync takes milliseconds


def ready(service: live.Live, out: Outcome) -> None:
    """Wait until the service is ready, and note how long it took."""
    service.until_ready()
    out.starts_s.append(time.monotonic() - service.started)


def changed(store: Path, patience_s: float) -> None:
    """Wait until a name in the store comes or goes."""
    before, deadline = names(store), time.monotonic() + patience_s
    while names(store) == before and time.monotonic() < deadline:
        time.sleep(0.001)


def names(store: Path) -> set[str]:
    """Return the paths below a store."""
    found = set[str]()
    for folder, _, files in os.walk(store):
        found.update(os.path.join(folder, name) for name in files)  # noqa: PTH118 - a thousand times a second
    return found


# ---------------------------------------------------------------------------------------------------------
# agents


@dataclass(slots=True)
class Ledgers:
    """The processes that export, and what they have noted."""

    files: list[Path]
    processes: list[subprocess.Popen[bytes]]

    def until_all_send(self) -> None:
        """Wait until every process has had an answer."""
        deadline = time.monotonic() + PATIENCE_S
        while not all(ledger.read([exporting.taken(file)]).height for file in self.files):
            if time.monotonic() > deadline:
                raise RuntimeError("not all agents were answered in time")
            time.sleep(0.2)

    def change(self) -> None:
        """Let all agents behave otherwise from now on."""
        for process in self.processes:
            process.send_signal(signal.SIGUSR1)

    def sent(self) -> pl.DataFrame:
        """Return what was handed to exporters."""
        return ledger.read(exporting.sent(file) for file in self.files)

    def taken(self) -> pl.DataFrame:
        """Return what was acknowledged."""
        return ledger.read(exporting.taken(file) for file in self.files)


@contextmanager
def agents(folder: Path, service: live.Live, seed: int) -> Iterator[Ledgers]:
    """Run the processes that export, for a block; then they export what they still have, and end."""
    out = Ledgers([], [])
    try:
        for number, (transport, threads, timeout) in enumerate(AGENTS):
            file = folder / f"{transport}-{number}"
            port = service.grpc if transport == "grpc" else service.http
            command = [sys.executable, "-m", "benchmarks.service.exporting", "--transport", transport]
            command += ["--endpoint", f"http://127.0.0.1:{port}", "--ledger", str(file)]
            command += ["--threads", str(threads), "--timeout", str(timeout)]
            command += ["--seed", str(seed * 100 + number)]
            out.files.append(file)
            out.processes.append(subprocess.Popen(command, cwd=live.ROOT))
        yield out
    finally:
        for process in out.processes:
            process.terminate()
        for process in out.processes:
            process.wait(60)


def look(service: live.Live, ledgers: Ledgers, patience_s: float = PATIENCE_S) -> ledger.Found:
    """Wait until what was acknowledged up to now is stored and measured, and look at everything.

    A reader sees what is sealed: of a running service that is half a second behind what it acknowledged.
    """
    acknowledged = ledgers.taken()
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline:
        found = ledger.look(service.store, acknowledged, ledgers.sent)
        if not found.difference.lost and not found.runs_missing:
            break
        time.sleep(1)
    return found
