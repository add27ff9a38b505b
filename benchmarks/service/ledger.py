"""What clients were told against what the store holds: nothing lost, nothing double, nothing invented."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from benchmarks.service import live
from sort_drift.store import Store, manifest
from sort_drift.store.files import segment_number as number

KEYS = ("trace_id", "span_id")
SCHEMA = {"trace_id": pl.String, "span_id": pl.String, "end_ns": pl.Int64}


def read(files: Iterable[Path]) -> pl.DataFrame:
    """Return the spans of ledgers; a last line that is being written does not count."""
    frames = [pl.DataFrame(schema=SCHEMA)]
    for file in files:
        text = file.read_bytes().rpartition(b"\n")[0] if file.exists() else b""
        if text:
            frames.append(pl.read_csv(text, separator=" ", has_header=False, schema=SCHEMA))
    return pl.concat(frames)


@dataclass(frozen=True, slots=True)
class Difference:
    """How a store differs from the ledgers; all zero: not at all."""

    acknowledged: int
    stored: int
    lost: int = 0  # acknowledged, not in the store
    double: int = 0  # more than once in the store, as a reader sees it
    changed: int = 0  # acknowledged, with another end in the store
    invented: int = 0  # in the store, never sent
    examples: tuple[str, ...] = ()

    @property
    def none(self) -> bool:
        """Whether there is no difference."""
        return not (self.lost or self.double or self.changed or self.invented)


def compare(acknowledged: pl.DataFrame, sent: pl.DataFrame, stored: pl.DataFrame) -> Difference:
    """Compare frames of (trace_id, span_id, end_ns); a span that was acknowledged twice counts once."""
    once = acknowledged.unique(KEYS)
    double = stored.height - stored.n_unique(KEYS)
    lost = once.join(stored, on=KEYS, how="anti")
    both = once.join(stored.unique(KEYS), on=KEYS, suffix="_stored")
    changed = both.filter(pl.col("end_ns").ne_missing(pl.col("end_ns_stored")))
    invented = stored.join(sent, on=KEYS, how="anti")
    examples = [
        f"{t}/{s}" for frame in (lost, changed, invented) for t, s in frame.select(KEYS).head(3).rows()
    ]
    return Difference(
        *(once.height, stored.height, lost.height, double, changed.height, invented.height),
        examples=tuple(examples),
    )


# ---------------------------------------------------------------------------------------------------------
# the rest of what must hold


@dataclass(frozen=True, slots=True)
class Found:
    """Everything that was looked at, once."""

    difference: Difference
    runs: int
    runs_double: int  # runs, or traces of runs, that come twice
    runs_missing: int  # traces that were acknowledged as a whole, without a run
    happenings: int
    happenings_double: int
    verify: str  # what `sort-drift store verify` said when it failed; "": it did not
    commands: Mapping[str, int] = field(default_factory=dict)  # exit code of each

    @property
    def wrong(self) -> list[str]:
        """What is not as it must be, in words."""
        d = self.difference
        counted = {
            "spans lost": d.lost,
            "spans double": d.double,
            "spans changed": d.changed,
            "spans invented": d.invented,
            "runs double": self.runs_double,
            "runs missing": self.runs_missing,
            "happenings double": self.happenings_double,
        }
        said = [f"{count} {what}" for what, count in counted.items() if count]
        said += [f"store verify: {self.verify}"] if self.verify else []
        said += [f"exit {code} of {name}" for name, code in self.commands.items() if code]
        return said + list(d.examples)


def look(store: Path, acknowledged: pl.DataFrame, every: Callable[[], pl.DataFrame]) -> Found:
    """Look at everything: spans, runs, happenings, checksums, and that the command line reads the store.

    ``every`` returns what was sent: asked for after the store was read, for clients go on sending.
    """
    stored = pl.concat([pl.DataFrame(schema=SCHEMA), *live.spans(store)])
    sent = every()
    difference = compare(acknowledged, sent, stored)
    runs = Store.open(store).runs()
    double = runs.height - runs["run_id"].n_unique()
    traces = runs["trace_ids"].explode()
    double += traces.len() - traces.n_unique()
    missing = len(set(_whole(acknowledged, sent)) - set(traces.to_list()))
    ids = happenings(store)
    verify = command("store", "verify", str(store))
    return Found(
        difference,
        runs.height,
        double,
        missing,
        len(ids),
        len(ids) - len(set(ids)),
        verify="" if verify.returncode == 0 else (verify.stderr or verify.stdout).strip()[-500:],
        commands={"runs": command("runs", str(store), "--json").returncode},
    )


def _whole(acknowledged: pl.DataFrame, sent: pl.DataFrame) -> list[str]:
    """Return the traces of which every span that was sent has been acknowledged."""
    counts = [Counter(frame.unique(KEYS)["trace_id"].to_list()) for frame in (acknowledged, sent)]
    return [trace for trace, count in counts[0].items() if counts[1][trace] == count]


def interrupted(store: Path, files: Iterable[str]) -> set[str]:
    """Say what a kill has left behind in the ``files`` of a store: evidence of what it interrupted."""
    lines = manifest.read(store)
    sealed = {line.number for line in lines if isinstance(line, manifest.Journal)}
    last = max((number(line.segment) for line in lines if isinstance(line, manifest.Segment)), default=0)
    out = set()
    for path in map(Path, files):
        if path.suffix == ".j":
            out.add("a journal, sealed" if int(path.stem) in sealed else "a journal, not sealed")
        elif path.suffix == ".tmp":
            out.add("a file half written")
        elif path.suffix == ".parquet" and number(path.relative_to(store).as_posix()) > last:
            out.add("a segment not listed yet")
    return out


def happenings(store: Path) -> list[str]:
    """Return the ids in the file of events, in its order; a last line without an end does not count."""
    file = store / "live" / "events.jsonl"
    text = file.read_text(encoding="utf-8").rpartition("\n")[0] if file.exists() else ""
    return [json.loads(line)["id"] for line in text.splitlines()]


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `sort-drift` as a user does."""
    whole = [sys.executable, "-m", "sort_drift", *arguments]
    return subprocess.run(whole, capture_output=True, text=True, check=False, cwd=live.ROOT)
