"""Others that take OTLP and keep it: arize-phoenix and mlflow, each with SQLite, started by its own command.

Each runs from an interpreter of its own, for they and this project ask for other versions of the same
packages. What counts is what their database holds, read from its file beside them.
"""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from benchmarks.service.process import free_ports


@dataclass(frozen=True, slots=True)
class Peer:
    """How one of them is started, asked and counted."""

    package: str
    version: str
    port: int
    command: Sequence[str]
    env: Mapping[str, str]
    headers: Mapping[str, str]
    database: Path
    spans: int  # sent to it: enough for seconds of work, as slow as it is
    settings: str  # for the page

    def stored(self) -> int:
        """Return how many spans its database holds now."""
        if not self.database.exists():
            return 0
        try:
            with closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True, timeout=30)) as opened:
                return int(opened.execute("SELECT count(*) FROM spans").fetchone()[0])
        except sqlite3.OperationalError:  # its tables are being made
            return 0


def phoenix(python: Path, folder: Path, spans: int) -> Peer:
    """Return arize-phoenix below ``folder``; no telemetry, no requests to other hosts."""
    http, grpc = free_ports(2)
    env = {
        "PHOENIX_WORKING_DIR": str(folder),
        "PHOENIX_HOST": "127.0.0.1",
        "PHOENIX_PORT": str(http),
        "PHOENIX_GRPC_PORT": str(grpc),
        "PHOENIX_TELEMETRY_ENABLED": "false",
        "PHOENIX_ALLOW_EXTERNAL_RESOURCES": "false",
    }
    command = [str(python), "-m", "phoenix.server.main", "serve"]
    version = installed(python, "arize-phoenix") or ""
    headers = {"content-type": "application/x-protobuf"}
    return Peer(
        *("arize-phoenix", version, http, command, env, headers, folder / "phoenix.db", spans),
        settings="SQLite in a folder of its own, telemetry off; answers before it has stored",
    )


def mlflow(python: Path, folder: Path, spans: int) -> Peer:
    """Return mlflow's server with one worker below ``folder``: SQLite has one writer anyway."""
    (port,) = free_ports(1)
    database = folder / "mlflow.db"
    command = [str(python), "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--workers", "1", "--backend-store-uri", f"sqlite:///{database}"]
    command += ["--artifacts-destination", str(folder / "artifacts")]
    env = {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}
    headers = {"content-type": "application/x-protobuf", "x-mlflow-experiment-id": "0"}
    version = installed(python, "mlflow") or ""
    return Peer(
        *("mlflow", version, port, command, env, headers, database, spans),
        settings="SQLite, one worker; answers once it has stored",
    )


MAKERS: Mapping[str, Callable[[Path, Path, int], Peer]] = {"arize-phoenix": phoenix, "mlflow": mlflow}


def installed(python: Path, package: str) -> str | None:
    """Return the version of a package that an interpreter has; None: it has none, or is none."""
    code = f"from importlib.metadata import version; print(version({package!r}))"
    try:
        ran = subprocess.run([python, "-c", code], capture_output=True, text=True, check=False)
    except OSError:
        return None
    return ran.stdout.strip() if ran.returncode == 0 else None


def environment(package: str, folder: Path) -> Path:
    """Install a package into a virtual environment below ``folder`` unless it is there; its interpreter."""
    home = folder / package
    python = home / "bin" / "python"
    if installed(python, package) is None:
        print(f"installing {package} into {home}: minutes", file=sys.stderr, flush=True)
        subprocess.run([sys.executable, "-m", "venv", home], check=True)
        install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", package]
        subprocess.run([python, *install], check=True)
    return python


def cache() -> Path:
    """Return the folder in which ``--install`` puts them: the user's cache."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "sort-drift-benchmarks"
