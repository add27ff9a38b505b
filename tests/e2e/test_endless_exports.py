"""Exports larger than memory: read as a stream, in a process whose peak memory is looked at."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.ingest_exports import attribute, line, request, span

READ = """
import json, pathlib, resource, sys
from sort_drift import pipeline
from sort_drift.hashing import Hasher
from sort_drift.reading import Reading

spans, skipped, peaks = 0, [], []
for frame in pipeline.spans(pathlib.Path(sys.argv[1]), Hasher(b"k"), Reading(skip_bad=True), skipped):
    spans += frame.height
    peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10)
print(json.dumps([spans, [s.where.rpartition(":")[2] for s in skipped], peaks]))
"""
"""Prints spans, the lines of bad records, and the peak memory after each batch, in MiB."""


def read(path: Path) -> tuple[int, list[str], list[int]]:
    """Read an export in a process of its own."""
    command = [sys.executable, "-c", READ, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
    spans, skipped, peaks = json.loads(done.stdout)
    return spans, skipped, peaks


@pytest.mark.fault(70)
def test_a_stream_without_end_takes_no_more_memory(tmp_path: Path) -> None:
    """400 MB through a pipe, which cannot be read twice or in one piece: the peak is that of the first 40."""
    lines = 8_000
    text = attribute("gen_ai.input.messages", stringValue="x" * 50_000)
    many = line(request(span(spanId="00000000000000aa", attributes=[text])))
    path = tmp_path / "endless.jsonl"
    os.mkfifo(path)

    def write() -> None:
        with path.open("wb") as pipe:
            for number in range(1, lines + 1):
                pipe.write(many.replace(b"00000000000000aa", f"{number:016x}".encode()))

    writer = threading.Thread(target=write, daemon=True)
    writer.start()
    spans, skipped, peaks = read(path)
    writer.join()
    assert (spans, skipped) == (lines, [])
    assert lines * len(many) > 400e6
    assert peaks[-1] - peaks[1] < 100  # MiB; one batch is 50


@pytest.mark.fault(70)
def test_a_line_without_end_costs_only_itself(tmp_path: Path) -> None:
    """A line of 1 GiB between others is never in memory as a whole, and named; the others are read."""
    good = line(request(span()))
    path = tmp_path / "long.jsonl"
    with path.open("wb") as file:
        file.write(good)
        file.truncate(len(good) + (1 << 30))  # zeros that take no space on the disk
        file.seek(0, os.SEEK_END)
        file.write(b"\n" + good)
    spans, skipped, peaks = read(path)
    assert (spans, skipped) == (2, ["2"])
    assert peaks[-1] < 1024
