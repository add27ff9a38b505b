"""The reference pages are complete: every command, option, exit code and message, as the code has them."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from docs import pages
from sort_drift import cli, console, errors
from sort_drift.model import EXIT_CODES
from tests.shared_data import ROOT

REFERENCE = ROOT / "docs" / "reference"
MESSAGES = (REFERENCE / "messages.md").read_text(encoding="utf-8")
COMMANDS = (REFERENCE / "cli.md").read_text(encoding="utf-8")


def tree(root: type[errors.SortDriftError]) -> list[type[errors.SortDriftError]]:
    return [cls for child in root.__subclasses__() for cls in (child, *tree(child))]


@pytest.mark.parametrize("slug", [*(cls.slug for cls in tree(errors.SortDriftError)), "internal"])
def test_every_message_is_explained(slug: str) -> None:
    """Each slug has a section with a remedy."""
    section = re.search(rf"^## {slug}\n(.*?)(?=^## |\Z)", MESSAGES, re.MULTILINE | re.DOTALL)
    assert section, f"no section ## {slug}"
    assert "Remedy: " in section[1]


def test_no_message_is_explained_that_cannot_happen() -> None:
    """Each section is the slug of an error."""
    known = {cls.slug for cls in tree(errors.SortDriftError)} | {"internal"}
    assert set(re.findall(r"^## (.+)$", MESSAGES, re.MULTILINE)) == known


def test_slugs_are_unique() -> None:
    """Two errors never share a slug."""
    slugs = [cls.slug for cls in tree(errors.SortDriftError)]
    assert len(slugs) == len(set(slugs))


@pytest.mark.parametrize("page", ["cli.md", "messages.md", "json.md", "policy.md"])
def test_generated_parts_are_current(page: str) -> None:
    """What a page takes from the code is what the code says now (`make docs` writes it again)."""
    parts = {"cli.md": pages.commands, "messages.md": pages.messages, "json.md": pages.objects}
    make = {**parts, "policy.md": pages.policy}[page]
    assert f"]]] -->\n{make()}\n<!-- [[[end]]] -->" in (REFERENCE / page).read_text(encoding="utf-8")


def test_every_command_is_there() -> None:
    """The issue's commands, each with a heading."""
    names = {"compare", "gate", "ingest", "runs", "show", "coverage", "baseline freeze", "demo", "config"}
    names |= {"timeline", "live", "live selftest", "live accept"}
    names |= {f"store {name}" for name in ("verify", "compact", "repair", "merge")}
    assert set(re.findall(r"^## sort-drift (.+)$", COMMANDS, re.MULTILINE)) == names


def test_every_exit_code_is_there() -> None:
    """Each code that a command can end with is in the table, and in --help."""
    codes = {0, 2, *EXIT_CODES.values(), console.BUG, console.INTERRUPTED, console.CLOSED}
    assert {int(code) for code in re.findall(r"^\| (\d+) \|", COMMANDS, re.MULTILINE)} == codes
    assert codes <= {int(number) for number in re.findall(r"\d+", cli.EXIT_CODES)}


def test_every_example_parses() -> None:
    """Each example of --help and of the page names a command and options that exist."""
    known = {
        name: {option for p in command.params for option in p.opts}
        for name, command in pages.walk("sort-drift", pages.root())
    }
    for example in re.findall(r"^sort-drift .+$", COMMANDS, re.MULTILINE):
        name = max((n for n in known if example.startswith(n + " ") or example == n), key=len, default=None)
        assert name, example
        assert set(re.findall(r"(?<= )--[a-z-]+", example)) <= known[name], example


def test_help_of_every_command_has_examples_and_exit_codes() -> None:
    """--help ends with what to type and what the exit codes mean."""
    for name, _ in pages.walk("sort-drift", pages.root()):
        command = [sys.executable, "-m", "sort_drift", *name.split()[1:], "--help"]
        shown = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout
        assert "Examples:\n" in shown, name
        assert "Exit codes:" in shown, name
