"""State as plain values: what is restored goes on as if it had never stopped."""

from __future__ import annotations

import json

import pytest

from sort_drift.monitor import Settings, Watch, Watched, plain, restore
from tests.unit.test_monitor_watch import SETTINGS, seen, stream, watched


@pytest.mark.parametrize("shift", [0.0, 1.0], ids=["quiet", "with an open alarm"])
def test_restored_is_continued_bit_for_bit(shift: float) -> None:
    """Through JSON text and back: the same events and the same state after five hundred further runs."""
    watch = watched()
    seen(watch, stream(400, seed=2, shift=shift))
    again = restore(json.loads(json.dumps(plain(watch))), SETTINGS)
    assert plain(again) == plain(watch)
    further = [*stream(250, seed=3, shift=shift), *stream(250, seed=4)]
    assert seen(again, further) == seen(watch, further)
    assert json.dumps(plain(again)) == json.dumps(plain(watch))


def test_a_variable_may_come_and_go() -> None:
    """What is no longer watched is dropped, what is new begins empty, what stays goes on."""
    watch = watched()
    seen(watch, stream(300, seed=5))
    other = Settings((Watched("tokens"), Watched("steps", 0.4)))
    found = restore(plain(watch), other)
    assert found.tracks[1].bets == watch.tracks[0].bets
    assert found.tracks[0].e == 0.0
    kept = {stratum: references[1] for stratum, references in found.references.items()}
    assert kept == {stratum: references[0] for stratum, references in watch.references.items()}
    assert [row.values for row in found.history] == [(None, row.values[0]) for row in watch.history]
    assert seen(found, stream(300, seed=6, shift=1.0))[0].variables[0].variable == "steps"


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        ({"version": 0}, "version 0, not 1"),
        ({"tracks": None}, "damaged"),
        ({"tracks": [{"bets": [0.0], "e": 0.0, "open": None, "gaps": []}] * 3}, "damaged.*1 bets"),
        ({"references": [["t"]]}, "damaged|unpack"),
        ({"history": 3}, "damaged"),
    ],
)
def test_damaged_state_is_refused(damage: dict[str, object], said: str) -> None:
    """A state that is not one is a ValueError that says so."""
    with pytest.raises(ValueError, match=said):
        restore({**plain(Watch("coder", SETTINGS)), **damage}, SETTINGS)
