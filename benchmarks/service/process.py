"""Programs that are measured from outside: started, looked at through /proc, stopped. No psutil.

CPU, memory, descriptors and threads are those of the whole tree of a process: workers count for their server.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

TICK = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Look:
    """One look at a process and its descendants."""

    cpu_s: float  # since it began, of children that have ended as well
    rss: int  # bytes; pages that processes share count for each
    descriptors: int
    threads: int
    processes: int


@dataclass(frozen=True, slots=True)
class Stat:
    """What /proc/PID/stat says of one process."""

    parent: int
    ticks: int
    threads: int
    rss: int  # bytes


def stat(text: str) -> Stat:
    """Read a line of /proc/PID/stat; the name in it may hold spaces and brackets (proc_pid_stat(5)).

    >>> stat("7 (a (b) c) S 1 7 7 0 -1 0 0 0 0 0 10 20 3 4 20 0 5 0 99 4096 6 0")
    Stat(parent=1, ticks=37, threads=5, rss=24576)
    """
    fields = text.rpartition(")")[2].split()
    ticks = sum(int(value) for value in fields[11:15])  # utime, stime and those of children waited for
    return Stat(int(fields[1]), ticks, int(fields[17]), int(fields[21]) * PAGE)


def _all() -> dict[int, Stat]:
    found = {}
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            try:
                found[int(entry.name)] = stat(Path(entry.path, "stat").read_text(encoding="ascii"))
            except (OSError, UnicodeDecodeError, IndexError):  # it has just ended
                continue
    return found


def tree(root: int, parents: Mapping[int, int]) -> set[int]:
    """Return ``root`` and its descendants; ``parents``: process -> its parent.

    >>> sorted(tree(2, {2: 1, 3: 2, 4: 3, 5: 1}))
    [2, 3, 4]
    """
    found = {root}
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return found


def look(root: int) -> Look:
    """Look at a process and its descendants as they are now; all zero if it has ended."""
    stats = _all()
    pids = tree(root, {pid: one.parent for pid, one in stats.items()}) & stats.keys()
    chosen = [stats[pid] for pid in pids]
    return Look(
        cpu_s=sum(one.ticks for one in chosen) / TICK,
        rss=sum(one.rss for one in chosen),
        descriptors=sum(_descriptors(pid) for pid in pids),
        threads=sum(one.threads for one in chosen),
        processes=len(chosen),
    )


def _descriptors(pid: int) -> int:
    try:
        return sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())
    except OSError:  # it has just ended
        return 0


def free_ports(count: int) -> list[int]:
    """Return different ports of loopback that nobody listens on."""
    held = [socket.socket() for _ in range(count)]
    try:
        for one in held:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in held]
    finally:
        for one in held:
            one.close()


@contextmanager
def started(
    command: Sequence[str], log: Path, *, env: Mapping[str, str] | None = None, patience_s: float = 20.0
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program in a group of its own for a block, output to ``log``; then end it and its children."""
    with log.open("ab") as out:
        process = subprocess.Popen(
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            env={**os.environ, **(env or {})},
            start_new_session=True,
        )
    try:
        yield process
    finally:
        end(process, patience_s)


def end(process: subprocess.Popen[bytes], patience_s: float) -> None:
    """Ask a process to stop, and after ``patience_s`` seconds kill its whole group."""
    if process.poll() is None:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(patience_s)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)  # the children that it left, or itself
    process.wait()


def until_listening(port: int, process: subprocess.Popen[bytes], log: Path, patience_s: float) -> None:
    """Wait until somebody accepts connections on ``port`` of loopback.

    Raises
    ------
    RuntimeError
        If the process ends before that, or takes longer; with the last lines of its log.

    """
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise RuntimeError(f"{process.args!r} does not listen on {port}\n{tail(log)}")


def tail(log: Path, lines: int = 15) -> str:
    """Return the last lines of a log."""
    return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])
