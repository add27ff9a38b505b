"""The library and the command line load nothing that is only installed, and talk to nobody."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import distributions
from pathlib import Path

import pytest

from docs import pages
from tests.e2e.command import bundled
from tests.shared_data import ROOT

BASE, CURRENT = bundled("d_load1"), bundled("d_load8")
RUN = "27101c7f2e3d938c6bd120a2b62a03e7"  # the first one of BASE

COMMANDS: Sequence[Sequence[tuple[int, str]]] = (
    ((0, "--help"), (0, "demo"), (0, "config")),
    ((1, f"compare {BASE} {CURRENT} --out FOLDER/report.html"), (1, f"gate {BASE} {CURRENT}")),
    ((0, f"show {BASE} {RUN}"), (0, f"coverage {BASE}"), (3, f"timeline {BASE}")),  # each task once: 3
    (
        (0, f"baseline freeze {BASE} --out FOLDER/base.parquet"),
        (0, f"ingest {BASE} --store FOLDER/store"),
        (0, f"ingest {CURRENT} --store FOLDER/other"),
        (0, "runs FOLDER/store --json"),
        (0, "store merge FOLDER/store FOLDER/other"),
        (0, "store verify FOLDER/store"),
        (0, "store compact FOLDER/store"),
        (0, "store repair FOLDER/store"),
    ),
)
"""Every command but those that serve, with its exit code; FOLDER is one of the test's own."""

SERVING = {"live"}
"""First words of commands whose purpose is the network."""

LOCKED = """
import ctypes, platform, struct, sys
number, arch = {"x86_64": (41, 0xC000003E), "aarch64": (198, 0xC00000B7)}[platform.machine()]
steps = [  # code, jump if true, jump if false, operand: https://docs.kernel.org/userspace-api/seccomp_filter.html
    (0x20, 0, 0, 4), (0x15, 0, 6, arch),  # architecture
    (0x20, 0, 0, 0), (0x15, 0, 4, number),  # system call: socket
    (0x20, 0, 0, 16), (0x15, 1, 0, 2), (0x15, 0, 1, 10),  # its first argument: AF_INET, AF_INET6
    (0x06, 0, 0, 0x80000000),  # kill the process
    (0x06, 0, 0, 0x7FFF0000),  # allow
]
code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps))
program = struct.pack("HP", len(steps), ctypes.addressof(code))
libc = ctypes.CDLL(None, use_errno=True)
if libc.prctl(38, 1, 0, 0, 0) or libc.prctl(22, 2, ctypes.c_char_p(program), 0, 0):
    sys.exit(99)
"""
"""Begins a process that ends (SIGSYS) at its first internet socket, whoever opens it: Python or a library."""


def locked(script: str, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run a script in a process that must not open an internet socket; skip where that cannot be arranged."""
    if platform.system() != "Linux" or platform.machine() not in {"x86_64", "aarch64"}:
        pytest.skip("seccomp filters of other systems have other numbers")
    command = [sys.executable, "-c", LOCKED + script, *arguments]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=ROOT, env={**os.environ, **more}
    )
    if done.returncode == 99:
        pytest.skip("no seccomp here")
    return done


CLI = "from sort_drift import cli; sys.exit(cli.run(sys.argv[1:]))"
EVERYTHING = """
import importlib, pkgutil
import sort_drift, sort_drift_sdk
for package in (sort_drift, sort_drift_sdk):
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        if not module.name.endswith("__main__") and ".frameworks." not in module.name:  # theirs import theirs
            importlib.import_module(module.name)
"""


def test_a_locked_process_dies_of_a_socket() -> None:
    """The filter does what it is for."""
    assert locked("import socket; socket.socket()").returncode < 0
    assert locked("import socket; socket.socket(socket.AF_UNIX).close()").returncode == 0


@pytest.mark.fault(77)
def test_importing_opens_no_socket() -> None:
    """Every module of both packages, the service's too."""
    done = locked(EVERYTHING)
    assert done.returncode == 0, done.stderr


@pytest.mark.fault(77)
@pytest.mark.parametrize("lines", COMMANDS, ids=lambda lines: lines[0][1].partition(" ")[0])
def test_no_command_opens_a_socket(lines: Sequence[tuple[int, str]], tmp_path: Path) -> None:
    """Not the engine either, which would fetch extensions if it could."""
    for code, line in lines:
        done = locked(CLI, *line.replace("FOLDER", str(tmp_path)).split())
        assert done.returncode == code, (line, done.stderr)


def test_every_command_is_run() -> None:
    """A command that is added is looked at too."""
    names = {name.removeprefix("sort-drift ") for name, _ in pages.walk("sort-drift", pages.root())}
    offline = {name for name in names if name.partition(" ")[0] not in SERVING}
    run = [f"{line} " for lines in COMMANDS for _, line in lines]
    assert [name for name in offline if not any(line.startswith(f"{name} ") for line in run)] == []


GROUPS = (
    *("sort_drift", "sort-drift", "sort_drift.plugins", "sort_drift.formats", "sort_drift.dialects"),
    *("sort_drift.sources", "sort_drift.variables", "sort_drift.detectors", "sort_drift.engines"),
    *("console_scripts", "polars.plugins", "duckdb.extensions", "typer", "rich", "opentelemetry_exporter"),
)


@pytest.mark.fault(76)
def test_what_is_only_installed_is_never_loaded(tmp_path: Path) -> None:
    """A package with entry points of every name that one could think of stays where it is."""
    info = tmp_path / "intruder-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: intruder\nVersion: 1.0\n")
    points = "".join(f"[{group}]\njson = intruder:main\nintruder = intruder:main\n\n" for group in GROUPS)
    (info / "entry_points.txt").write_text(points)
    (tmp_path / "intruder.py").write_text(f"open({str(tmp_path / 'loaded')!r}, 'w').close()\n")
    for line in (f"compare {BASE} {CURRENT} --json", f"ingest {BASE} --store {tmp_path}/store", "compar"):
        done = subprocess.run(
            [sys.executable, "-m", "sort_drift", *line.split()],
            capture_output=True,
            text=True,
            check=False,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(tmp_path)},
        )
        assert done.returncode in {0, 1, 2}, done.stderr
        assert "Traceback" not in done.stderr
    (installed,) = distributions(path=[str(tmp_path)])
    assert len(installed.entry_points) == 2 * len(GROUPS)
    assert not (tmp_path / "loaded").exists()
