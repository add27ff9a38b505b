"""live/ in the store: the checkpoint of the monitors, and what the command line asks of a running service.

live/monitors.json    how far the monitors have seen, and their state, exactly
live/requests/        one file a request of ``sort-drift live accept``; only the store's owner can write there
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from sort_drift.errors import InputError
from sort_drift.live.watch.fleet import Fleet
from sort_drift.store import files

FOLDER = "live"
VERSION = 1


class Checkpoint(msgspec.Struct, frozen=True):
    """The monitors as they were once."""

    version: int
    observed: int  # number of the last segment of runs that they have seen
    fleet: dict[str, Any]


class Request(msgspec.Struct, frozen=True):
    """A change that is to be the normal."""

    agent: str
    variable: str


def save(store: Path, fleet: Fleet, observed: int) -> None:
    """Write the checkpoint, durably and in one step."""
    made = Checkpoint(VERSION, observed, fleet.plain())
    files.write(_file(store), msgspec.json.encode(made))


def load(store: Path) -> Checkpoint | None:
    """Return the checkpoint; None where there is none yet.

    Raises
    ------
    InputError
        If it cannot be read.

    """
    file = _file(store)
    try:
        found = msgspec.json.decode(file.read_bytes(), type=Checkpoint)
    except FileNotFoundError:
        return None
    except msgspec.MsgspecError as error:
        raise InputError(f"the state of the monitors cannot be read: {error}", where=str(file)) from None
    if found.version != VERSION:
        raise InputError(f"the state of the monitors has version {found.version}", where=str(file))
    return found


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
    return store / FOLDER / "monitors.json"
