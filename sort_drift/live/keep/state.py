"""live/ in the store: the checkpoint of the monitors, and what the command line asks of a running service.

live/monitors.jsonl   how far the monitors have seen, and their state, exactly: a line each agent
live/requests/        one file a request of ``sort-drift live accept``; only the store's owner can write there
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path
from time import monotonic
from typing import NamedTuple

import msgspec

from sort_drift.errors import InputError
from sort_drift.live.watch.fleet import Fleet
from sort_drift.store import files

FOLDER = "live"
FILE = "monitors.jsonl"
VERSION = 2
SHARE = 0.05
"""Of the time that may go into checkpoints: those of 1,000 agents take seconds."""


class Checkpoint(NamedTuple):
    """The monitors as they were once."""

    observed: int  # number of the last segment of runs that they have seen
    fleet: Iterator[bytes]  # Fleet.lines


class Head(msgspec.Struct, frozen=True):
    """The first line."""

    version: int
    observed: int


class Request(msgspec.Struct, frozen=True):
    """A change that is to be the normal."""

    agent: str
    variable: str


def save(store: Path, fleet: Fleet, observed: int) -> float:
    """Write the checkpoint, durably and in one step; return for how many seconds there should be none."""
    began = monotonic()
    lines = chain([msgspec.json.encode(Head(VERSION, observed))], fleet.lines())
    files.write(_file(store), (line + b"\n" for line in lines))
    return (monotonic() - began) / SHARE


def load(store: Path) -> Checkpoint | None:
    """Return the checkpoint; None where there is none yet.

    Raises
    ------
    InputError
        If it cannot be read.

    """
    file = _file(store)
    try:
        with file.open("rb") as lines:
            found = msgspec.json.decode(next(lines, b""), type=Head)
    except FileNotFoundError:
        return None
    except msgspec.MsgspecError as error:
        raise InputError(f"the state of the monitors cannot be read: {error}", where=str(file)) from None
    if found.version != VERSION:
        raise InputError(f"the state of the monitors has version {found.version}", where=str(file))
    return Checkpoint(found.observed, _rest(file))


def _rest(file: Path) -> Iterator[bytes]:
    with file.open("rb") as lines:
        yield from islice(lines, 1, None)


def ask(store: Path, agent: str, variable: str) -> None:
    """Leave a request for the running service."""
    folder = store / FOLDER / "requests"
    with files.writable(folder):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    name = f"{len(list(folder.iterdir())):06d}-{abs(hash((agent, variable))):016x}.json"
    files.write(folder / name, msgspec.json.encode(Request(agent, variable)))


def requests(store: Path) -> Iterator[tuple[str, str]]:
    """Yield (agent, variable) of each request, and take it away."""
    folder = store / FOLDER / "requests"
    for path in sorted(folder.glob("*.json")):
        try:
            found = msgspec.json.decode(path.read_bytes(), type=Request)
        except (OSError, msgspec.MsgspecError):
            found = None
        path.unlink(missing_ok=True)
        if found is not None:
            yield found.agent, found.variable


def _file(store: Path) -> Path:
    return store / FOLDER / FILE
