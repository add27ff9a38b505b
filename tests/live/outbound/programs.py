"""Real programs on loopback, for a block: the endpoint of metrics, Prometheus, Alertmanager."""

from __future__ import annotations

import http.client
import json
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.routing import Route

from sort_drift.live.board import Board
from sort_drift.live.outbound import metrics
from tests.waiting import until

ALERTMANAGER = "prometheus-alertmanager" if shutil.which("prometheus-alertmanager") else "alertmanager"


def needs(*programs: str) -> pytest.MarkDecorator:
    """Skip a test where a program is not installed; CI installs all of them."""
    absent = [name for name in programs if shutil.which(name) is None]
    return pytest.mark.skipif(bool(absent), reason=f"not installed: {', '.join(absent)}")


def free_port() -> int:
    """Return a port of loopback that was free a moment ago."""
    with socket.socket() as opened:
        opened.bind(("127.0.0.1", 0))
        return int(opened.getsockname()[1])


def get(address: str, path: str) -> Any:
    """Return what a JSON API answers, None where it does not."""
    connection = http.client.HTTPConnection(address, timeout=5)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read()
        return json.loads(body) if answer.status == 200 and body[:1] in b"{[" else answer.status == 200
    except OSError:
        return None
    finally:
        connection.close()


@contextmanager
def serving(board: Board) -> Iterator[str]:
    """Serve /metrics of a board; yields host and port."""
    app = Starlette(routes=[Route("/metrics", metrics.endpoint(board))])
    port = free_port()
    server = uvicorn.Server(
        uvicorn.Config(app, host="127.0.0.1", port=port, log_level="error", lifespan="off")
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        until(lambda: server.started)
        yield f"127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()


@contextmanager
def program(command: list[str], address: str, log: Path) -> Iterator[None]:
    """Run a program until the block ends, once it says that it is ready."""
    with log.open("wb") as output, subprocess.Popen(command, stdout=output, stderr=output) as process:
        try:
            end = time.monotonic() + 30
            while not get(address, "/-/ready"):
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < end, log.read_text()
                time.sleep(0.05)
            yield
        finally:
            process.terminate()
            process.wait(10)


@contextmanager
def alertmanager(folder: Path, config: str, port: int = 0) -> Iterator[str]:
    """Run Alertmanager by itself; yields host and port."""
    folder.mkdir()
    address = f"127.0.0.1:{port or free_port()}"
    (folder / "alertmanager.yml").write_text(config)
    command = [
        *(ALERTMANAGER, f"--config.file={folder / 'alertmanager.yml'}", f"--storage.path={folder / 'data'}"),
        *(f"--web.listen-address={address}", "--cluster.listen-address="),
    ]
    with program(command, address, folder / "log"):
        yield address


@contextmanager
def prometheus(folder: Path, config: str) -> Iterator[str]:
    """Run Prometheus with a configuration; yields host and port."""
    address = f"127.0.0.1:{free_port()}"
    (folder / "prometheus.yml").write_text(config)
    command = [
        *("prometheus", f"--config.file={folder / 'prometheus.yml'}", f"--web.listen-address={address}"),
        *(f"--storage.tsdb.path={folder / 'tsdb'}", "--web.console.templates=", "--web.console.libraries="),
    ]
    with program(command, address, folder / "log"):
        yield address
