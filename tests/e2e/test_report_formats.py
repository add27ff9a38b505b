"""Real comparisons in every format, as their readers take them; a hostile export changes nothing of that."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from sort_drift import pipeline
from sort_drift import report as reports
from sort_drift.model import Options, Report
from tests import report_readers as readers
from tests.e2e.command import BUNDLED, sort_drift_command
from tests.property.test_report_hostile import NAMES, nothing_acts

PAIRS = {
    "drift": ("d_load1", "d_load8"),
    "undecided": ("d_load1", "d_load1_rep"),
    "cache": ("g_base", "g_kv_q4"),
}


@pytest.fixture(scope="module", params=PAIRS)
def report(request: pytest.FixtureRequest) -> Report:
    """Compare two bundled recordings, with regimes."""
    before, after = (str(BUNDLED / f"{name}.otlp.jsonl.gz") for name in PAIRS[request.param])
    return pipeline.compare(before, after, Options(permutations=199, by=("load",)))


def test_a_real_report_is_valid_in_every_format(report: Report) -> None:
    """Each parser accepts what it is for, and finds the verdict in it."""
    made = {form: reports.render(report, form) for form in reports.FORMATS}
    assert json.loads(made["json"])["verdict"] == report.verdict
    assert readers.sarif(made["sarif"])["properties"]["verdict"] == report.verdict
    properties = {p.get("name"): p.get("value") for p in readers.junit(made["junit"]).iter("property")}
    assert properties["verdict"] == report.verdict
    assert f"**{report.verdict}:**" in made["markdown"]
    assert len(json.loads(made["gitlab"])) == len(readers.sarif(made["sarif"])["results"])
    assert made["github"].startswith(made["text"])
    for text in made.values():
        nothing_acts(text)


def test_rules_say_what_is_measured(report: Report) -> None:
    """The sentence of the variable, not its name again."""
    for rule in readers.sarif(reports.render(report, "sarif"))["tool"]["driver"]["rules"]:
        assert rule["shortDescription"]["text"] == report.measures[rule["id"]]


def renamed(source: Path, to: Path, names: dict[str, str]) -> Path:
    """Write a recording again with other names in its attributes and spans."""

    def walk(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: walk(item) for key, item in value.items()}
        if isinstance(value, list):
            return [walk(item) for item in value]
        return names.get(value, value) if isinstance(value, str) else value

    with gzip.open(source, "rt", encoding="utf-8") as lines, gzip.open(to, "wt", encoding="utf-8") as out:
        out.writelines(json.dumps(walk(json.loads(line))) + "\n" for line in lines)
    return to


@pytest.mark.fault(66)
@pytest.mark.parametrize("name", ["xss", "table", "workflow", "ansi", "bidi", "old commands"])
def test_a_hostile_export_is_inert_from_end_to_end(name: str, tmp_path: Path) -> None:
    """Tools, agents and files with hostile names: the command writes reports that their readers accept."""
    texts = names(BUNDLED / "d_load1.otlp.jsonl.gz")
    assert len(texts) > 10
    hostile = {text: f"{NAMES[name]}{i}" for i, text in enumerate(sorted(texts))}
    label = NAMES[name].replace("/", "_").replace("\0", "_").replace(",", "_")[:40]
    before, after = (
        renamed(BUNDLED / f"{side}.otlp.jsonl.gz", tmp_path / f"{i}{label}.otlp.jsonl.gz", hostile)
        for i, side in enumerate(PAIRS["drift"])
    )
    outs = [tmp_path / f"out.{ending}" for ending in ("html", "md", "xml", "sarif", "json", "txt")]
    ran = sort_drift_command(
        *("gate", before.name, after.name, "--format", "github"),
        *(part for out in outs for part in ("--out", out.name)),
        cwd=tmp_path,
    )
    assert ran.code in {0, 1, 3}, ran.err
    for text in (ran.out, *(out.read_text(encoding="utf-8") for out in outs)):
        nothing_acts(text)
    kinds = {kind for kind, _, _ in readers.workflow_commands(ran.out)}
    assert kinds <= {"error", "warning", "notice"}
    assert readers.workflow_commands(outs[-1].read_text(encoding="utf-8")) == []
    page = readers.on_github(outs[1].read_text(encoding="utf-8"))
    assert not {tag for tag, _ in page.tags} & {"a", "img", "script", "svg", "h1", "iframe"}
    readers.junit(outs[2].read_text(encoding="utf-8"))
    readers.sarif(outs[3].read_text(encoding="utf-8"))


def names(recording: Path) -> set[str]:
    """Return the names of tools, agents and tasks in a recording."""
    keys = {"gen_ai.tool.name", "gen_ai.agent.name", "sort_drift.task.id"}
    found: set[str] = set()

    def walk(value: Any) -> None:
        if isinstance(value, dict):
            if value.get("key") in keys:
                found.add(value["value"]["stringValue"])
            value = list(value.values())
        for item in value if isinstance(value, list) else ():
            walk(item)

    with gzip.open(recording, "rt", encoding="utf-8") as lines:
        walk([json.loads(line) for line in lines])
    return found
