"""Nothing in the source runs what a file says: no pickle, no ``eval``, no shell, no unsafe loader."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.shared_data import ROOT

SOURCES = sorted([*(ROOT / "sort_drift").rglob("*.py"), *(ROOT / "instrumentation" / "src").rglob("*.py")])

MODULES = {
    *("pickle", "_pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve", "dbm"),
    *("yaml", "ruamel", "code", "codeop", "runpy", "pty", "xml.sax", "xml.dom"),
}
"""Modules whose loading runs code or follows what a file says."""

CALLS = {
    *("eval", "exec", "compile", "__import__", "breakpoint"),
    *("os.system", "os.popen", "subprocess.getoutput", "importlib.reload"),
}
ARGUMENTS = {"shell": True, "allow_pickle": True, "unsafe": True}
"""Keyword arguments that no call has."""


def imported(tree: ast.AST) -> Iterator[str]:
    """Yield every module that is imported anywhere in a file, and the modules above it."""
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        for name in names:
            parts = name.split(".")
            yield from (".".join(parts[:end]) for end in range(1, len(parts) + 1))


def unsafe(tree: ast.AST) -> Iterator[str]:
    """Yield what must not be in a file, with its line."""
    yield from (f"import {name}" for name in imported(tree) if name in MODULES)
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = ast.unparse(node.func)
        if name in CALLS:
            yield f"{node.lineno}: {name}()"
        for given in node.keywords:
            value = given.value.value if isinstance(given.value, ast.Constant) else None
            if given.arg in ARGUMENTS and value == ARGUMENTS[given.arg]:
                yield f"{node.lineno}: {given.arg}={value}"


def parsed(path: Path) -> ast.AST:
    return ast.parse(path.read_text(encoding="utf-8"))


@pytest.mark.fault(72)
def test_no_file_is_loaded_as_code() -> None:
    """No module, call or argument that runs what it reads: TOML, JSON and Parquet are values only."""
    assert len(SOURCES) > 150
    assert {path: found for path in SOURCES if (found := list(unsafe(parsed(path))))} == {}


@pytest.mark.parametrize(
    "line",
    [
        "import pickle",
        "from os import path; import marshal as m",
        "def f():\n    from yaml import load",
        "eval('1')",
        "subprocess.run('ls', shell=True)",
        "np.load(f, allow_pickle=True)",
        "os.system('ls')",
    ],
)
def test_what_is_looked_for_is_found(line: str) -> None:
    """The test above can fail."""
    assert list(unsafe(ast.parse(line)))


@pytest.mark.fault(66)
def test_no_csv_is_written_and_no_markup_read() -> None:
    """No output is a spreadsheet (formulas) or goes through rich, which would read brackets as markup."""
    for path in SOURCES:
        tree = parsed(path)
        assert not {"csv", "rich"} & set(imported(tree)), path
        names = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
        assert not {"write_csv", "to_csv", "sink_csv"} & names, path
