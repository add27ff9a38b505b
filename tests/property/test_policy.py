"""Any policy file is a policy or its mistakes: nothing a user may write ends in a traceback."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from sort_drift import config, gate, geometry
from sort_drift.errors import BadPolicy
from sort_drift.policy_keys import KEYS
from tests.examples import examples
from tests.golden import reports
from tests.property.test_own_vocabulary import toml

KNOWN = geometry.variables()
TODAY = date(2026, 11, 22)

WORDS = st.sampled_from(
    [
        *KNOWN,
        *KEYS,
        "load",
        "hardware",
        "load=busy",
        "hardware=h100",
        "up",
        "down",
        "both",
        "warn",
        "10 %",
        "",
        "task",
    ]
) | st.text(max_size=8)
SCALARS = st.one_of(WORDS, st.integers(-3, 12), st.floats(), st.booleans(), st.integers(0, 10**30))
TABLES = st.dictionaries(WORDS, SCALARS, max_size=3)
ENTRIES = st.fixed_dictionaries(
    {},
    optional={
        "variable": WORDS,
        "regime": WORDS,
        "task": WORDS,
        "reason": WORDS,
        "expires": st.sampled_from(["2026-12-31", "2025-01-01", "soon"]),
        "else": SCALARS,
    },
)
VALUES = st.one_of(SCALARS, st.lists(SCALARS, max_size=3), TABLES, st.lists(ENTRIES, max_size=3))
FILES = st.dictionaries(st.sampled_from([*KEYS]) | WORDS, VALUES, max_size=5)
SENSIBLE = st.fixed_dictionaries(
    {},
    optional={
        "variables": st.lists(st.sampled_from([*KNOWN]), min_size=1, max_size=4),
        "tolerances": st.dictionaries(
            st.sampled_from([*KNOWN]), st.sampled_from([0.5, 3, "10 %"]), max_size=3
        ),
        "directions": st.dictionaries(st.sampled_from([*KNOWN]), st.sampled_from(["up", "down"]), max_size=3),
        "alpha": st.floats(0.001, 0.5),
        "looks": st.integers(4, 10),
        "look": st.integers(1, 4),
        "by": st.lists(st.sampled_from(["load", "hardware"]), min_size=1),
        "required_regimes": st.lists(st.sampled_from(["load=busy", "load=normal, hardware=cpu"]), min_size=1),
        "inconclusive": st.sampled_from(["fail", "warn", "pass"]),
        "ignore": st.lists(
            st.fixed_dictionaries(
                {
                    "variable": st.sampled_from([*KNOWN]),
                    "reason": st.just("r"),
                    "expires": st.sampled_from(["2026-12-31", "2025-01-01"]),
                }
            ),
            max_size=3,
        ),
    },
)


@examples(300)
@given(file=FILES | SENSIBLE)
def test_any_file_is_a_policy_or_its_mistakes(file: dict[str, Any], tmp_path_factory: Any) -> None:
    """Nothing but a BadPolicy comes out of a file that parses; what is accepted decides on any report."""
    path: Path = tmp_path_factory.mktemp("policy") / "p.toml"
    text = "".join(f"{json.dumps(key)} = {toml(value)}\n" for key, value in file.items())
    path.write_text(text, encoding="utf-8")
    try:
        found = config.load(KNOWN, file=path, today=TODAY)
    except BadPolicy as error:
        lines = [mistake.line() for mistake in error.mistakes or [error]]
        assert all(line.endswith("[bad-policy]") and "\n" not in line for line in lines)
        assert all(str(path) in line for line in lines)
        return
    assert 0 < found.options().alpha <= found.values["alpha"]
    assert json.dumps(found.as_object())
    for make in reports.ALL.values():
        decided = gate.judge(make(), found.policy())
        assert decided.code in {0, 1, 3}
        assert "\n" not in decided.line


@examples(200)
@given(data=st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_any_bytes_are_a_policy_or_its_mistakes(data: bytes, tmp_path_factory: Any) -> None:
    """A file that is no TOML, or no text, says so."""
    path: Path = tmp_path_factory.mktemp("policy") / "p.toml"
    path.write_bytes(data)
    lines: list[str] = []
    try:
        config.load(KNOWN, file=path, today=TODAY)
    except BadPolicy as error:
        lines = [mistake.line() for mistake in error.mistakes or [error]]
    assert all(str(path) in line for line in lines)


@examples(100)
@given(file=SENSIBLE)
def test_a_sensible_policy_is_accepted(file: dict[str, Any], tmp_path_factory: Any) -> None:
    """The words of the reference page are no mistakes; only a share or a direction of a distance is."""
    path: Path = tmp_path_factory.mktemp("policy") / "p.toml"
    for key in ("tolerances", "directions"):
        file.get(key, {}).pop("tool_order", None)
    text = "".join(f"{key} = {toml(value)}\n" for key, value in file.items())
    path.write_text(text, encoding="utf-8")
    if file.get("look", 1) > file.get("looks", 1):
        return
    found = config.load(KNOWN, file=path, today=TODAY)
    assert {key for key in file if file[key]} <= {place.partition(".")[0] for place in found.origin}
