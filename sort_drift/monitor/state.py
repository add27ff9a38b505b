"""A monitor as plain values and back: what comes next is the same, bit for bit.

Only str, int, float, None, list and dict with text keys; every float survives JSON, because the shortest
decimal form of a double is exact. Keys of random numbers follow from seed, agent and variable.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple
from typing import Any

from sort_drift.monitor.conformal import Cell, Reference
from sort_drift.monitor.detector import START
from sort_drift.monitor.events import Settings
from sort_drift.monitor.watch import Open, Row, Watch

VERSION = 1


def plain(watch: Watch) -> dict[str, Any]:
    """Return the whole state of a monitor."""
    return {
        "version": VERSION,
        "agent": watch.agent,
        "variables": [variable.name for variable in watch.settings.variables],
        "number": watch.number,
        "learnt": watch.learnt,
        "ranked": watch.ranked,
        "taskless": watch.taskless,
        "tracks": [
            {
                "bets": list(track.bets),
                "e": track.e,
                "open": list(astuple(track.open)) if track.open else None,
                "gaps": [list(gap) for gap in track.gaps],
            }
            for track in watch.tracks
        ],
        "references": [
            [*stratum, [_reference(reference) for reference in references]]
            for stratum, references in watch.references.items()
        ],
        "history": [[row.number, row.run_id, *row.stratum, list(row.values)] for row in watch.history],
    }


def restore(state: Mapping[str, Any], settings: Settings) -> Watch:
    """Return the monitor that ``plain`` described, under ``settings``.

    With the settings that it had, it goes on as if it had never stopped. Rate and tolerances may differ. A
    variable that is new begins without references, one that is no longer watched is dropped.

    Raises
    ------
    ValueError
        If the state is of another version, or is not one.

    """
    if state.get("version") != VERSION:
        raise ValueError(f"state of a monitor has version {state.get('version')!r}, not {VERSION}")
    try:
        return _restored(state, settings)
    except (KeyError, TypeError, IndexError, AttributeError) as error:
        raise ValueError(f"state of a monitor is damaged: {error!r}") from error


def _restored(state: Mapping[str, Any], settings: Settings) -> Watch:
    watch = Watch(state["agent"], settings)
    watch.number, watch.learnt = int(state["number"]), int(state["learnt"])
    watch.ranked, watch.taskless = int(state["ranked"]), int(state["taskless"])
    had = {name: place for place, name in enumerate(state["variables"])}
    places = [had.get(variable.name) for variable in settings.variables]
    for track, place in zip(watch.tracks, places, strict=True):
        if place is not None:
            kept = state["tracks"][place]
            track.bets, track.e = list(map(float, kept["bets"])), float(kept["e"])
            if len(track.bets) != len(START):
                raise TypeError(f"{len(track.bets)} bets")
            track.open = Open(*kept["open"]) if kept["open"] else None
            track.gaps = [(low, high) for low, high in kept["gaps"]]
    for task, regime, kept in state["references"]:
        watch.references[task, regime] = [
            Reference() if place is None else _read(kept[place]) for place in places
        ]
    for number, run_id, task, regime, values in state["history"]:
        shown = tuple(None if place is None else values[place] for place in places)
        watch.history.append(Row(number, run_id, (task, regime), shown))
    return watch


def _reference(reference: Reference) -> list[Any]:
    learnt = reference.learnt
    return [
        reference.seen,
        list(reference.values),
        list(reference.numbers),
        [learnt.n, learnt.mean, learnt.squares],
    ]


def _read(kept: list[Any]) -> Reference:
    seen, values, numbers, learnt = kept
    return Reference(seen, list(map(float, values)), list(numbers), Cell(*learnt))
