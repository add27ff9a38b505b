"""Annotations as GitHub's runner reads them, outputs, and the summary of a step."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from sort_drift import console
from sort_drift import report as reports
from sort_drift.errors import UsageError
from sort_drift.report import github, text
from tests import report_readers as readers
from tests.golden.reports import drift, inconclusive, stable


def kinds(report, **page) -> list[tuple[str, str]]:
    commands = readers.workflow_commands(github.render(report, **page))
    return [(kind, properties["title"]) for kind, properties, _ in commands]


def test_findings_are_annotations() -> None:
    """Changed is an error, undecided a warning, a variable that nobody sees a notice."""
    assert kinds(drift()) == [
        ("error", "tool_order"),
        ("error", "budget_used"),
        ("warning", "retry_depth"),
    ]
    assert ("notice", "tool_order") in kinds(inconclusive())
    assert kinds(stable()) == [("notice", "sort-drift")]


def test_what_the_gate_lets_pass_is_a_warning() -> None:
    """No red mark on a build that passes."""
    assert {kind for kind, _ in kinds(drift(), decision=(0, "no drift"))} == {"warning"}
    assert ("warning", "budget_used") in kinds(drift(), decision=(1, "drift"), passed=("budget_used",))


def test_the_log_has_the_report_above_its_annotations() -> None:
    """Who opens the log reads what a terminal shows."""
    assert github.render(drift(), width=110).startswith(text.render(drift(), width=110))


def test_at_most_ten_of_a_kind() -> None:
    """GitHub shows ten; the tenth counts the rest."""
    report = drift()
    changed = next(f for f in report.findings if f.variable == "budget_used")
    many = [replace(changed, where=f"hardware=gpu{i}") for i in range(30)]
    commands = readers.workflow_commands(github.render(replace(report, findings=(*report.findings, *many))))
    errors = [said for kind, _, said in commands if kind == "error"]
    assert len(errors) == 10
    assert errors[-1] == "and 23 more in the summary"


@pytest.mark.fault(66)
def test_an_annotation_survives_its_escapes() -> None:
    """Percent signs, colons and commas arrive as they are."""
    report = drift()
    named = replace(report.findings[4], where="hardware=a,b: 100 %0A")
    findings = (*report.findings[:4], replace(named, confirmed=True))
    assert ("error", "budget_used where hardware=a,b: 100 %0A") in kinds(replace(report, findings=findings))


def test_outputs_are_for_later_steps() -> None:
    """Verdict and verdict line, and of a gate its exit code and line."""
    said = dict(line.split("=", 1) for line in github.outputs(drift(), (1, "drift in x")).splitlines())
    assert said.keys() == {"verdict", "headline", "exit-code", "decision"}
    assert (said["verdict"], said["exit-code"]) == ("drift", "1")
    names = [line.partition("=")[0] for line in github.outputs(drift()).splitlines()]
    assert names == ["verdict", "headline"]


def test_files_are_written_where_github_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the step has written already stays; without the variables nothing is written."""
    summary = tmp_path / "summary"
    summary.write_text("before\n", encoding="utf-8")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    monkeypatch.delenv("GITHUB_OUTPUT", raising=False)
    for variable, said in reports.github_files(drift()).items():
        console.append(said, variable)
    assert summary.read_text(encoding="utf-8").startswith("before\n<!-- sort-drift -->\n**drift:**")
    assert [path.name for path in tmp_path.iterdir()] == ["summary"]


def test_a_file_that_cannot_be_written_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """One line that names the variable, no traceback."""
    monkeypatch.setenv("GITHUB_OUTPUT", "/proc/none/output")
    with pytest.raises(UsageError, match="GITHUB_OUTPUT=/proc/none/output"):
        console.append("x", "GITHUB_OUTPUT")
