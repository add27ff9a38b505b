"""What the user settled for a project: ``[tool.sort-drift]`` of pyproject.toml, or sort-drift.toml.

file (found upwards, or --config)  ->  PolicySheet: each key read by its line in KEYS, mistakes noted
+ options of the command line, which win  ->  Settings: values, and where each comes from
Settings.options() says how to compare, Settings.policy() what of it fails a build
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from sort_drift import arguments
from sort_drift.drift import looks
from sort_drift.errors import BadPolicy, MissingInput
from sort_drift.model import Options, Variable
from sort_drift.policy import Ignore, Policy
from sort_drift.policy_keys import KEYS, TABLE, PolicySheet
from sort_drift.sheets import Sheet, near, together

OWN, SHARED = "sort-drift.toml", "pyproject.toml"
"""In one directory the first counts; of several directories the nearest that has either."""


LIVE = "live"
"""A table of the same file that is about the service alone: live/config.py reads it."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What is in force: a value for every key, and where it comes from."""

    file: str | None
    values: Mapping[str, Any]
    origin: Mapping[str, str]  # key, or key.variable -> "default", "pyproject.toml:12", "--alpha"
    today: date

    @property
    def level(self) -> float:
        """The alpha of this one look."""
        return looks.level(self.values["alpha"], self.values["looks"])

    def but(self, **given: Any) -> Settings:
        """Return the same with further values from the command line, where there are any."""
        said = {key: value for key, value in given.items() if value is not None}
        options = {key: KEYS[key].option for key in said}
        return replace(self, values={**self.values, **said}, origin={**self.origin, **options})

    def as_object(self) -> dict[str, Any]:
        """Return it as plain values: ``file``, ``today``, ``level`` and a list of ``keys``."""
        rows = [
            (place, item)
            for key, value in self.values.items()
            for place, item in (
                [(f"{key}.{name}", item) for name, item in value.items()] if _split(value) else [(key, value)]
            )
        ]
        return {
            "file": self.file,
            "today": str(self.today),
            "level": self.level,
            "keys": [{"key": key, "value": _plain(value), "from": self.origin[key]} for key, value in rows],
        }

    def options(self) -> Options:
        """Return how to compare."""
        v = self.values
        sizes: Mapping[str, float | str] = v["tolerances"]
        return Options(
            alpha=self.level,
            seed=v["seed"],
            match=arguments.attribute(v["match"]),
            by=v["by"],
            variables=v["variables"],
            tolerances={name: size for name, size in sizes.items() if not isinstance(size, str)},
            tolerance_shares={
                name: float(size.removesuffix("%")) / 100
                for name, size in sizes.items()
                if isinstance(size, str)
            },
            across_instrumentors=v["across_instrumentors"],
        )

    def policy(self) -> Policy:
        """Return what of a report fails a build."""
        v = self.values
        return Policy(
            inconclusive=v["inconclusive"],
            required_regimes=v["required_regimes"],
            directions=v["directions"],
            ignore=v["ignore"],
            look=(v["look"], v["looks"]),
            alpha=v["alpha"],
            today=self.today,
        )


def _split(value: Any) -> bool:
    """Whether the entries of a value come from places of their own."""
    return isinstance(value, dict) and bool(value)


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Ignore):
        return {value.target: value.name, "reason": value.reason, "expires": str(value.expires)}
    return value


def load(
    variables: Mapping[str, Variable],
    *,
    file: Path | None = None,
    start: Path | None = None,
    given: Mapping[str, Any] | None = None,
    today: date | None = None,
) -> Settings:
    """Return what is in force.

    Parameters
    ----------
    variables
        Every variable there is, by name.
    file, start
        The file, or the directory from which one is looked for upwards; neither: no file is read.
    given
        Values from the command line, by key; they win, variable by variable in ``tolerances``.
    today
        The day on which the ignore list is read; by default this one, UTC.

    Raises
    ------
    MissingInput
        If there is no such ``file``.
    BadPolicy
        With ``mistakes``: all of them.

    """
    path = file or (find(start) if start else None)
    sheet = PolicySheet(os.path.relpath(path) if path and not file else str(path), variables)
    read = _read(sheet, path, asked=file is not None) if path else {}
    values, origin = {key: setting.default for key, setting in KEYS.items()}, dict.fromkeys(KEYS, "default")
    for key, value in read.items():
        if key == LIVE:
            continue
        if key not in KEYS:
            sheet.wrong((key,), f"unknown key {key!r}", near(key, KEYS))
            continue
        found = KEYS[key].read(sheet, value)
        if found is not None:
            values[key] = found
            places = [(key, name) for name in found] if isinstance(found, dict) else [(key,)]
            origin |= {".".join(place): sheet.line(place) for place in places}
    for key, value in (given or {}).items():
        merged = isinstance(value, dict)
        values[key] = {**values[key], **value} if merged else value
        for name in [f"{key}.{part}" for part in value] if merged else [key]:
            origin[name] = sheet.options[name] = KEYS[key].option
    _together(sheet, values)
    together(sheet.mistakes)
    return Settings(sheet.file if path else None, values, origin, today or datetime.now(UTC).date())


def find(start: Path) -> Path | None:
    """Return the nearest policy file in ``start`` or above it."""
    for folder in (start.absolute(), *start.absolute().parents):
        if os.access(own := folder / OWN, os.R_OK):
            return own
        shared = folder / SHARED
        if os.access(shared, os.R_OK) and b"sort-drift" in shared.read_bytes() and _has_table(shared):
            return shared
    return None


def _has_table(shared: Path) -> bool:
    """Whether a pyproject.toml is about this tool: broken ones that name it are, so that it is said."""
    sheet = Sheet(str(shared), BadPolicy)
    found = sheet.toml(shared.read_bytes())
    tools = found.get("tool")
    return bool(sheet.mistakes) or (isinstance(tools, dict) and TABLE[1] in tools)


def _read(sheet: PolicySheet, path: Path, *, asked: bool) -> Mapping[str, Any]:
    """Return the keys of a file: its own, or those of its table."""
    try:
        given: Any = sheet.toml(path.read_bytes())
    except FileNotFoundError:
        raise MissingInput("no such policy", where=str(path), todo="Check the path") from None
    inside = isinstance(given.get("tool"), dict) and TABLE[1] in given["tool"]
    if inside or (path.name == SHARED and not sheet.mistakes):
        if asked and not inside:
            sheet.wrong(TABLE, "there is no [tool.sort-drift]", "Write [tool.sort-drift] above the keys")
            return {}
        sheet.top, given = TABLE, given["tool"][TABLE[1]]
        if not isinstance(given, dict):
            sheet.top = ()
            sheet.wrong(TABLE, "this is not a table", "Write [tool.sort-drift] above the keys")
            return {}
    keys: Mapping[str, Any] = given
    return keys


def _together(sheet: PolicySheet, values: Mapping[str, Any]) -> None:
    """Note what makes no sense together."""
    if values["look"] > values["looks"]:
        todo = f"Plan them before the first: looks = {values['look']} or more"
        sheet.wrong(("look",), f"look {values['look']} of {values['looks']} planned", todo)
    for name in values["variables"]:
        if sheet.variables[name].tolerance is None and name not in values["tolerances"]:
            todo = f'Write tolerances.{name} = "10 %", or a number in its unit'
            sheet.wrong(("variables",), f"{name} has no tolerance to be decided with", todo)
    for key in ("tolerances", "directions"):
        for name, value in values[key].items():
            if sheet.variables[name].scale == "sequence" and isinstance(value, str):
                what = "share of its baseline" if key == "tolerances" else "direction"
                todo = f"Write it in {sheet.variables[name].unit}" if key == "tolerances" else "Leave it out"
                sheet.wrong((key, name), f"{name} is a distance, it has no {what}", todo)
