"""A watched agent: alarms, what they say, what is too small, how they end."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pytest

from sort_drift.monitor import Event, Run, Settings, Watch, Watched, conformal, plain
from tests.shared_data import ROOT

NAMES = ("steps", "retries", "seconds")
SETTINGS = Settings(tuple(Watched(name, 0.4) for name in NAMES))


def stream(n: int, *, seed: int = 1, shift: float = 0.0, at: int = 0, first: int = 0) -> list[Run]:
    """Return runs of six tasks; ``steps`` is shifted from run ``at`` on. Standard deviation 1 in a task."""
    rng = np.random.default_rng(seed)
    tasks = rng.integers(6, size=n)
    values = 3.0 * tasks[:, None] + rng.standard_normal((n, len(NAMES)))
    values[at:, 0] += shift
    return [
        Run(f"r{first + i}", f"t{task}", dict(zip(NAMES, row, strict=True)))
        for i, (task, row) in enumerate(zip(tasks.tolist(), values.tolist(), strict=True))
    ]


def seen(watch: Watch, runs: Sequence[Run]) -> list[Event]:
    return [event for run in runs for event in watch.observe(run)]


def watched(settings: Settings = SETTINGS) -> Watch:
    watch = Watch("coder", settings)
    watch.learn(stream(300))
    return watch


def test_nothing_is_said_while_nothing_changes() -> None:
    """Two thousand runs like the baseline: no event, and a value that an alarm is far from."""
    watch = watched()
    assert seen(watch, stream(2000, seed=2)) == []
    assert 0 < watch.e_value < 1e4
    assert watch.ranked == 2000


def test_an_alarm_names_variable_onset_and_size() -> None:
    """A shift of 1.5 standard deviations is found within fifty runs, with its beginning and its size."""
    watch = watched()
    events = seen(watch, stream(600, seed=3, shift=1.5, at=300, first=300))
    alarm = events[0]
    assert (alarm.kind, alarm.agent, len(events)) == ("alarm", "coder", 1)
    assert 600 <= alarm.number < 650
    assert alarm.run_id == f"r{alarm.number}"
    found = alarm.variables[0]
    assert found.variable == "steps"
    assert found.e_value >= 1e4
    low, high = found.onset_interval
    assert low <= 600 <= high
    assert abs(found.onset - 600) <= 10
    assert found.onset_run == f"r{found.onset}"
    assert found.before is not None
    assert found.after is not None
    assert found.effect == pytest.approx(found.after - found.before)
    assert found.effect == pytest.approx(1.5, abs=0.8)  # seen early, so it looks large
    assert found.interval is not None
    assert found.interval[0] < 1.5 < found.interval[1]
    assert found.n[0] > 50
    assert found.n[1] == alarm.number - found.onset + 1
    assert set(watch.open) == {"steps"}


def test_a_fall_is_an_alarm_too() -> None:
    """Bets go both ways."""
    alarm = seen(watched(), stream(400, seed=4, shift=-1.0))[0]
    assert alarm.variables[0].effect is not None
    assert alarm.variables[0].effect < -0.5


def test_a_change_below_tolerance_is_minor() -> None:
    """It is said, opens nothing, and becomes part of the reference."""
    watch = watched(Settings((Watched("steps", 3.0), Watched("retries", 3.0))))
    events = seen(watch, stream(400, seed=5, shift=1.0))
    assert {event.kind for event in events} == {"minor"}
    assert not watch.open
    assert not events[0].variables[0].material


@pytest.mark.parametrize(("share", "kind"), [(0.01, "alarm"), (0.9, "minor")])
def test_a_tolerance_can_be_a_share_of_the_mean(share: float, kind: str) -> None:
    """A relative tolerance is measured on what was before."""
    watch = watched(Settings((Watched("steps", share, relative=True),)))
    event = seen(watch, stream(400, seed=6, shift=1.0))[0]
    found = event.variables[0]
    assert event.kind == kind
    assert found.before is not None
    assert found.tolerance == pytest.approx(share * abs(found.before))


def test_a_change_is_not_normal_by_waiting() -> None:
    """An alarm stays open for two thousand runs, and its references keep what was before the onset."""
    watch = watched()
    events = seen(watch, stream(2000, seed=7, shift=1.0, first=300))
    assert [event.kind for event in events] == ["alarm"]
    assert set(watch.open) == {"steps"}
    onset = watch.open["steps"].onset
    numbers = {n for references in watch.references.values() for n in references[0].numbers}
    assert max(numbers) < onset
    others = {n for references in watch.references.values() for n in references[1].numbers}
    assert max(others) == 2299


def test_a_baseline_is_kept_whatever_the_onset() -> None:
    """A change from the first run on, dated into the baseline or not, takes nothing out of the baseline."""
    watch = watched()
    seen(watch, stream(400, seed=20, shift=0.7, first=300))
    assert set(watch.open) == {"steps"}
    kept = [number for references in watch.references.values() for number in references[0].numbers]
    assert sorted(number for number in kept if number < 300) == list(range(300))


def test_an_alarm_ends_when_the_change_does() -> None:
    """Back to before: one resolved event, soon, which says when; then a new change is a new alarm."""
    watch = watched()
    seen(watch, stream(500, seed=8, shift=1.0, first=300))
    events = seen(watch, stream(500, seed=9, first=800))
    assert [event.kind for event in events] == ["resolved"]
    found = events[0].variables[0]
    assert events[0].number < 900
    assert abs(found.onset - 800) <= 15
    assert not found.material
    assert not watch.open
    again = seen(watch, stream(300, seed=10, shift=1.0, first=1300))
    assert [event.kind for event in again] == ["alarm"]
    assert abs(again[0].variables[0].onset - 1300) <= 15


def test_half_way_back_is_not_over() -> None:
    """A change that shrinks to a size that still matters stays open."""
    watch = watched()
    seen(watch, stream(500, seed=11, shift=3.0))
    assert seen(watch, stream(800, seed=12, shift=0.8)) == []
    assert set(watch.open) == {"steps"}


def test_another_variable_alarms_while_one_is_open() -> None:
    """An open alarm hides nothing of the others."""
    watch = watched()
    seen(watch, stream(300, seed=13, shift=1.0))
    moved = [
        Run(run.run_id, run.task, {**run.values, "retries": (run.values["retries"] or 0.0) + 1.5})
        for run in stream(200, seed=14, shift=1.0)
    ]
    events = seen(watch, moved)
    assert [event.variables[0].variable for event in events] == ["retries"]
    assert set(watch.open) == {"steps", "retries"}


def test_a_change_can_be_accepted() -> None:
    """The runs since the onset are what is normal from then on; going back is the change."""
    watch = watched()
    seen(watch, stream(500, seed=15, shift=1.0))
    opened = watch.open["steps"].onset
    over = watch.accept("steps")
    assert (over.kind, over.number, over.run_id) == ("resolved", 799, "r499")
    found = over.variables[0]
    assert (found.variable, found.onset) == ("steps", opened)
    assert found.n[1] == 800 - opened
    assert found.effect == pytest.approx(1.0, abs=0.2)
    assert not watch.open
    assert seen(watch, stream(500, seed=16, shift=1.0)) == []
    back = seen(watch, stream(300, seed=17))
    assert [event.kind for event in back] == ["alarm"]
    assert back[0].variables[0].effect is not None
    assert back[0].variables[0].effect < -0.5
    with pytest.raises(KeyError):
        watch.accept("retries")


def test_a_change_that_nobody_sees_any_more_is_accepted_without_evidence() -> None:
    """A variable that went away for the whole history: the alarm ends, there is nothing to measure."""
    watch = watched()
    seen(watch, stream(500, seed=15, shift=1.0))
    seen(watch, [Run(r.run_id, r.task, {"retries": r.values["retries"]}) for r in stream(1000, seed=16)])
    assert watch.accept("steps").variables == ()
    assert not watch.open


@pytest.mark.parametrize("place", ["rank", "add", "score"])
def test_a_run_that_raises_is_not_taken(monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    """In the middle of it or before: the monitor is what it was, and goes on as if it had not come."""
    watch, other = watched(), watched()
    runs = stream(300, seed=21, shift=1.0, at=100)
    assert seen(watch, runs[:200]) == seen(other, runs[:200])
    before = plain(watch)
    calls = iter(range(100))
    with monkeypatch.context() as patch:
        works = getattr(conformal, place)

        def second(*args: object) -> object:
            if next(calls) == 1:
                raise ZeroDivisionError
            return works(*args)

        patch.setattr(conformal, place, second)
        with pytest.raises(ZeroDivisionError):
            watch.observe(runs[200])
    after = plain(watch)
    order = sorted(after.pop("references"))
    assert order == sorted(before.pop("references"))
    assert {**after, "history": after["history"][-900:]} == {**before, "history": before["history"][-900:]}
    assert seen(watch, runs[201:]) == seen(other, runs[201:])


@pytest.mark.parametrize("odd", [1e308, -1e200])
def test_absurd_values_are_missing_ones(odd: float) -> None:
    """Their squares would be infinite, and the state no JSON."""
    watch = Watch("coder", SETTINGS)
    watch.learn([Run(str(i), "t", {"steps": odd * (-1) ** i}) for i in range(4)])
    assert all(reference.learnt.n == 0 for reference in watch.references["t", ""])


def test_it_works_without_a_baseline() -> None:
    """The first runs are what later ones are measured against."""
    watch = Watch("coder", SETTINGS)
    events = seen(watch, stream(800, seed=18, shift=1.0, at=500))
    assert [event.kind for event in events] == ["alarm"]
    found = events[0].variables[0]
    assert abs(found.onset - 500) <= 15
    assert found.effect == pytest.approx(1.0, abs=0.6)


def test_missing_values_and_tasks_are_no_runs_to_judge() -> None:
    """Null, NaN and infinite values are skipped, a run without a task is counted; nothing is guessed."""
    watch = watched()
    for odd in (None, float("nan"), float("inf"), -float("inf")):
        watch.observe(Run("odd", "t1", {"steps": odd}))
    watch.observe(Run("nameless", None, {"steps": 1e9}))
    assert watch.ranked == 0
    assert watch.taskless == 1
    assert watch.e_value == 0.0


def test_a_variable_nobody_sees_does_not_dilute() -> None:
    """An agent that never shows two of three variables alarms as one with a single variable."""
    alone, beside = (Watch("coder", Settings(tuple(map(Watched, names)))) for names in (NAMES[:1], NAMES))
    runs = [Run(r.run_id, r.task, {"steps": r.values["steps"]}) for r in stream(700, shift=1.0, at=400)]
    first, second = seen(alone, runs)[0], seen(beside, runs)[0]
    assert first.number == second.number


def test_strata_are_bounded() -> None:
    """Traffic in which every task is new takes no more memory than the settings say."""
    watch = Watch("coder", Settings((Watched("steps"),), strata=100, history=50))
    for i in range(1000):
        watch.observe(Run(str(i), f"task {i}", {"steps": float(i)}))
    assert len(watch.references) == 100
    assert next(iter(watch.references)) == ("task 900", "")
    assert len(watch.history) == 50
    assert watch.ranked == 0


def test_regimes_are_strata() -> None:
    """A task under another load is compared with itself under that load."""
    settings = Settings((Watched("steps"),))
    rng = np.random.default_rng(19)
    busy = np.arange(3000) // 100 % 2
    values = 3.0 * busy + rng.standard_normal(3000)
    told, untold = Watch("a", settings), Watch("a", settings)
    events = {"told": 0, "untold": 0}
    for i, (load, value) in enumerate(zip(busy.tolist(), values.tolist(), strict=True)):
        events["told"] += len(told.observe(Run(str(i), "t", {"steps": value}, f"load {load}")))
        events["untold"] += len(untold.observe(Run(str(i), "t", {"steps": value})))
    assert events["told"] == 0
    assert events["untold"] > 5


def test_the_example_of_the_docs_runs() -> None:
    """What docs/explanation/monitors.md shows works as it stands there."""
    page = (ROOT / "docs" / "explanation" / "monitors.md").read_text(encoding="utf-8")
    code = re.search(r"```python\n(.*?)```", page, re.DOTALL)
    assert code
    names: dict[str, object] = {"baseline": stream(20)}
    exec(code[1], names)
    watch = names["watch"]
    assert isinstance(watch, Watch)
    assert plain(watch)["number"] == 21
