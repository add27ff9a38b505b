"""What a policy file may say, where it is found, and every mistake in it at once."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from sort_drift import config, geometry
from sort_drift.errors import BadPolicy, MissingInput
from sort_drift.policy import Ignore
from sort_drift.sheets import line_of
from tests.golden.policies import POLICY, SETTINGS

KNOWN = geometry.variables()
TODAY = date(2026, 11, 22)


def written(folder: Path, text: str, name: str = config.OWN) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def loaded(folder: Path, text: str, name: str = config.OWN, **given: Any) -> config.Settings:
    return config.load(KNOWN, file=written(folder, text, name), given=given, today=TODAY)


def mistakes(folder: Path, text: str, name: str = config.OWN, **given: Any) -> list[str]:
    """Return the lines of all mistakes in a policy of this text."""
    with pytest.raises(BadPolicy) as caught:
        loaded(folder, text, name, **given)
    found = [mistake.line() for mistake in caught.value.mistakes or [caught.value]]
    return [line.replace(f"{folder}/", "") for line in found]


# -- what a file says


def test_a_whole_policy() -> None:
    """Each key arrives where it belongs: in how to compare, or in what fails a build."""
    options, policy = SETTINGS.options(), SETTINGS.policy()
    assert options.alpha == 0.015  # of one of four looks
    assert (options.by, options.tolerances, options.tolerance_shares) == (
        ("load",),
        {"retry_depth": 0.5},
        {"busy_time": 0.1},
    )
    assert (policy.look, policy.inconclusive, policy.required_regimes) == ((2, 4), "fail", ("load=busy",))
    assert policy.directions == {"budget_used": "up"}
    assert [str(entry) for entry in policy.active()] == ["tool_order", "task refund-*"]
    assert policy.expired() == (Ignore("regime", "hardware=l4", "gone since October", date(2026, 10, 31)),)


def test_no_file_is_the_defaults() -> None:
    """Without a policy nothing changes: the options of a comparison are those of the code."""
    from sort_drift.model import Options

    assert config.load(KNOWN).options() == Options()
    assert set(config.load(KNOWN).origin.values()) == {"default"}


def test_the_command_line_wins(tmp_path: Path) -> None:
    """An option replaces the file's value; of tolerances only the variables that it names."""
    text = "alpha = 0.1\n[tolerances]\nbusy_time = 0.3\nretry_depth = 0.5\n"
    found = loaded(tmp_path, text, alpha=0.01, tolerances={"busy_time": "20 %"})
    assert found.options().alpha == 0.01
    assert found.options().tolerances == {"retry_depth": 0.5}
    assert found.options().tolerance_shares == {"busy_time": 0.2}
    assert found.origin["alpha"] == "--alpha"
    assert found.origin["tolerances.busy_time"] == "--tolerance"
    assert found.origin["tolerances.retry_depth"] == f"{tmp_path / config.OWN}:4"


def test_an_entry_applies_on_its_last_day(tmp_path: Path) -> None:
    """`expires` is the last day on which an entry applies, not the first on which it does not."""
    file = written(tmp_path, 'ignore = [{ variable = "tool_order", reason = "r", expires = 2026-11-22 }]')
    on, after = (config.load(KNOWN, file=file, today=day).policy() for day in (TODAY, date(2026, 11, 23)))
    assert (len(on.active()), len(on.expired())) == (1, 0)
    assert (len(after.active()), len(after.expired())) == (0, 1)


def test_the_task_by_name_is_the_default(tmp_path: Path) -> None:
    """`match = "task"` asks for what is found by itself, as on the command line."""
    assert loaded(tmp_path, 'match = "task"').options().match is None


# -- where it is found


def test_the_nearest_file_counts(tmp_path: Path) -> None:
    """The own file before the shared one, the nearer directory before the farther."""
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    written(tmp_path, "[tool.sort-drift]\nalpha = 0.1\n", config.SHARED)
    assert config.find(below) == tmp_path / config.SHARED
    written(tmp_path, "alpha = 0.2\n")
    assert config.find(below) == tmp_path / config.OWN
    written(tmp_path / "a", "[project]\nname = 'x'\n", config.SHARED)  # not about this tool
    assert config.find(below) == tmp_path / config.OWN
    written(tmp_path / "a", "[tool.sort-drift]\n", config.SHARED)
    assert config.find(below) == tmp_path / "a" / config.SHARED


def test_a_broken_file_that_is_not_about_this_tool_is_passed_over(tmp_path: Path) -> None:
    """Someone else's broken pyproject.toml is theirs; one that names this tool is said."""
    written(tmp_path, "[project\n", config.SHARED)
    assert config.find(tmp_path) != tmp_path / config.SHARED
    written(tmp_path, "[tool.sort-drift\n", config.SHARED)
    with pytest.raises(BadPolicy, match="this is no TOML"):
        config.load(KNOWN, start=tmp_path)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """--config leads to a file or is a mistake."""
    with pytest.raises(MissingInput, match="no such policy"):
        config.load(KNOWN, file=tmp_path / "no.toml")


def test_a_shared_file_under_any_name(tmp_path: Path) -> None:
    """--config takes a file whose keys are in [tool.sort-drift], whatever it is called."""
    assert loaded(tmp_path, "[tool.sort-drift]\nalpha = 0.2\n", "ci.toml").options().alpha == 0.2


# -- mistakes

WRONG: dict[str, tuple[str, ...]] = {
    "alhpa = 0.1": ("unknown key 'alhpa' (sort-drift.toml:1:alhpa). Did you mean 'alpha'?",),
    "alpha = 5": ("alpha is 5 (sort-drift.toml:1:alpha). Write a number between 0 and 1",),
    "alpha = true": ("alpha is True",),
    "\n\nseed = -1": ("seed is -1 (sort-drift.toml:3:seed)",),
    "looks = 40": ("looks is 40 (sort-drift.toml:1:looks). Write a whole number from 1 to 10",),
    "looks = 2\nlook = 3": ("look 3 of 2 planned (sort-drift.toml:2:look). Plan them before the first",),
    'variables = ["retry_dept"]': (
        "unknown variable 'retry_dept' (sort-drift.toml:1:variables). Did you mean 'retry_depth'?",
    ),
    "variables = 3": ("neither a text in quotes nor a list of them (sort-drift.toml:1:variables)",),
    "[tolerances]\nretry_depth = -1": ("-1 is no tolerance (sort-drift.toml:2:tolerances.retry_depth)",),
    '[tolerances]\nretry_depth = "1"': ("'1' is no tolerance", 'or retry_depth = "10 %"'),
    "[tolerances]\nretry_depth = nan": ("nan is no tolerance",),
    "[tolerances]\nretry_depth = true": ("True is no tolerance",),
    '[tolerances]\ntool_order = "10 %"': ("tool_order is a distance, it has no share of its baseline",),
    "tolerances = 1": ("this is not a table (sort-drift.toml:1:tolerances)",),
    '[directions]\nbusy_time = "upp"': (
        "unknown direction 'upp' (sort-drift.toml:2:directions.busy_time). Did you mean 'up'?",
    ),
    '[directions]\ntool_order = "up"': ("tool_order is a distance, it has no direction",),
    'by = ["laod"]': ("unknown regime 'laod' (sort-drift.toml:1:by). Did you mean 'load'?",),
    'required_regimes = ["busy"]': ("'busy' is no regime", 'Write "load=busy"'),
    'required_regimes = ["load=bussy"]': ("unknown name of load 'bussy'", "Did you mean 'busy'?"),
    'required_regimes = ["gpu=h100"]': ("unknown regime 'gpu'",),
    'inconclusive = "wran"': ("unknown way with too little data 'wran'", "Did you mean 'warn'?"),
    'across_instrumentors = "yes"': ("this is not true or false",),
    "match = 3": ("this is no text in quotes (sort-drift.toml:1:match)",),
    "ignore = 1": ("this is no list of entries (sort-drift.toml:1:ignore)",),
    "ignore = [1]": ("this is no entry (sort-drift.toml:1:ignore[0])",),
    '[[ignore]]\nvariable = "tool_order"': (
        "there is no reason (sort-drift.toml:1:ignore[0])",
        "there is no expiry date (sort-drift.toml:1:ignore[0]). Write expires = 2027-01-31",
    ),
    '[[ignore]]\nvariable = "tool_ordr"\nreason = "r"\nexpires = 2027-01-01': (
        "unknown variable 'tool_ordr' (sort-drift.toml:2:ignore[0].variable). Did you mean 'tool_order'?",
    ),
    '[[ignore]]\nreason = "r"\nexpires = 2027-01-01': ("this names no variable, regime or task",),
    '[[ignore]]\ntask = "a"\nregime = "load=busy"\nreason = "r"\nexpires = 2027-01-01': (
        "this names a regime and a task",
    ),
    '[[ignore]]\ntask = "a"\nreason = " "\nexpires = "soon"': (
        "this is no text in quotes (sort-drift.toml:3:ignore[0].reason)",
        "this is no date (sort-drift.toml:4:ignore[0].expires)",
    ),
    '[[ignore]]\ntask = "a"\nreason = "r"\nexpires = 2027-01-01T00:00:00': ("this is no date",),
    '[[ignore]]\ntask = "a"\nreason = "r"\nexpiry = 2027-01-01': ("unknown key 'expiry'", "'expires'?"),
    "alpha = ": ("this is no TOML", "sort-drift.toml:1)"),
    "a = 1\nb = [": ("this is no TOML", "sort-drift.toml:2)"),
}


@pytest.mark.fault(71)
@pytest.mark.parametrize("text", WRONG)
def test_a_mistake_is_one_line_that_says_what_and_where(tmp_path: Path, text: str) -> None:
    """Each mistake names its file, its line, its key, and what to write instead."""
    found = mistakes(tmp_path, text)
    for part in WRONG[text]:
        assert any(part in line for line in found), found
    assert all(line.endswith((". [bad-policy]", "? [bad-policy]")) for line in found)
    assert not any("\n" in line for line in found)


def test_all_mistakes_come_at_once(tmp_path: Path) -> None:
    """Nobody has to mend a file ten times; those of a shared file have their whole key."""
    ours = '[tool.sort-drift]\nalpha = 2\nvarables = []\n[tool.sort-drift.directions]\nx = "up"\n'
    text = '[project]\nname = "x"\n' + ours
    found = mistakes(tmp_path, text, config.SHARED)
    assert [line.partition("(")[2].partition(")")[0] for line in found] == [
        "pyproject.toml:4:tool.sort-drift.alpha",
        "pyproject.toml:5:tool.sort-drift.varables",
        "pyproject.toml:7:tool.sort-drift.directions.x",
    ]


def test_a_mistake_of_the_command_line_names_its_option(tmp_path: Path) -> None:
    """What does not fit together names the side that the user can change."""
    assert "look 5 of 4 planned (--look)" in mistakes(tmp_path, "looks = 4", look=5)[0]


def test_a_shared_file_without_the_table(tmp_path: Path) -> None:
    """--config pyproject.toml without [tool.sort-drift] is no empty policy."""
    assert "there is no [tool.sort-drift]" in mistakes(tmp_path, "[project]\nname = 'x'\n", config.SHARED)[0]
    assert "this is not a table" in mistakes(tmp_path, "tool.sort-drift = 1", config.SHARED)[0]


def test_a_counted_variable_needs_a_tolerance(tmp_path: Path) -> None:
    """A variable without a tolerance can change but never be stable: it cannot gate."""
    bare = {**KNOWN, "retry_any": type(KNOWN["retry_any"])("retry_any", "secondary", "share", "share", "x")}
    file = written(tmp_path, 'variables = ["retry_any"]')
    with pytest.raises(BadPolicy, match="retry_any has no tolerance to be decided with"):
        config.load(bare, file=file)
    assert config.load(bare, file=file, given={"tolerances": {"retry_any": 0.1}}).options().variables


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("alpha",), 1),
        (("tolerances", "busy_time"), 8),
        (("ignore", 1, "reason"), 21),
        (("ignore", 2), 24),
        (("ignore", 2, "missing"), 24),
        (("nothing",), None),
    ],
)
def test_the_line_of_a_key(path: tuple[str | int, ...], line: int | None) -> None:
    """A key is found by its way, in arrays of tables too; of a missing one, where its table begins."""
    assert line_of(POLICY, path) == line


def test_a_value_over_several_lines_begins_on_its_first() -> None:
    """The line is where a key begins, not where its value ends, whatever is inside."""
    assert line_of('a = """\nb = 1\n"""\nc = [\n  1,\n\n  2,\n]\nd = 1', ("c",)) == 4
    assert line_of('a = """\nb = 1\n"""\nb = 2', ("b",)) == 4
