"""What the commands print as JSON is what docs/reference describes, without an undocumented field."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

from sort_drift import gate
from sort_drift import report as reports
from sort_drift.graph import execution_graph
from sort_drift.model import OPS, Options
from sort_drift.monitor.timeline import timeline
from sort_drift.report import coverage, gates, graph_view, runs, summaries
from sort_drift.report import settings as listing
from sort_drift.report import timeline as history
from tests.golden import reports as samples
from tests.golden.policies import SETTINGS
from tests.golden.populations import VARIABLES, population
from tests.golden.test_golden_reports import COVERAGE
from tests.shared_data import ROOT

SCHEMAS: dict[str, dict[str, Any]] = {
    path.name.removesuffix(".schema.json"): json.loads(path.read_text(encoding="utf-8"))
    for path in sorted((ROOT / "docs" / "reference").glob("*.schema.json"))
}


def closed(node: Any) -> Any:
    """Return a schema that also refuses fields it does not describe."""
    if isinstance(node, list):
        return [closed(item) for item in node]
    if not isinstance(node, dict):
        return node
    out = {key: closed(value) for key, value in node.items()}
    if "properties" in out and isinstance(out["properties"], dict) and "type" in out:
        out.setdefault("additionalProperties", False)
    return out


def validator(name: str) -> Draft202012Validator:
    strict = {key: closed(copy.deepcopy(schema)) for key, schema in SCHEMAS.items()}
    resources = [(schema["$id"], Resource.from_contents(schema)) for schema in strict.values()]
    return Draft202012Validator(strict[name], registry=Registry().with_resources(resources))


def check(name: str, text: str) -> None:
    """Fail with the place and the reason unless ``text`` is a described object of this name."""
    problems = [f"{e.json_path}: {e.message}" for e in validator(name).iter_errors(json.loads(text))]
    assert problems == []


def drawn() -> str:
    ops = pl.DataFrame([dict.fromkeys(OPS) | {"run": 0, "op": 0, "cls": "tool", "name": "x"}], schema={**OPS})
    return graph_view.json(execution_graph({"run": 0, "run_id": "r"}, ops), {"run_id": "r"})


def frozen() -> str:
    return summaries.frozen_json(population(), Path(__file__), "release")


def policed() -> str:
    report, policy = samples.drift(), SETTINGS.policy()
    return gates.render(
        report,
        gate.judge(report, policy, report),
        "json",
        settings=SETTINGS.as_object(),
        policy=policy,
        rest=report,
        accepted={"baseline": "b", "previous": "b.previous", "reason": "r", "runs": 2, "tasks": 1},
    )


OBJECTS: dict[str, list[Callable[[], str]]] = {
    "compare": [lambda make=make: reports.render(make(), "json") for make in samples.ALL.values()],  # type: ignore[misc]
    "gate": [
        *(
            lambda make=make: gates.render(make(), gate.judge(make()), "json")
            for make in samples.ALL.values()
        ),
        policed,
    ],
    "config": [lambda: listing.render_json(SETTINGS.as_object())],
    "runs": [lambda: "".join(runs.render_json(population(), VARIABLES))],
    "coverage": [lambda: coverage.render_json(COVERAGE)],
    "ingest": [
        lambda: summaries.ingested_json(
            {
                "files": 1,
                "retagged": 1,
                "spans": 2,
                "duplicates": 0,
                "runs": 1,
                "skipped": [{"where": "a:1", "why": "b"}],
                "unread": COVERAGE["unread"],
                "store": Path("s"),
            }
        )
    ],
    "baseline": [frozen],
    "graph": [drawn],
    "timeline": [
        lambda: history.render_json(timeline(population(), VARIABLES, Options(variables=("busy_time",))))
    ],
    "demo": [lambda: summaries.demo_json([("again", samples.stable())])],
    # what they print is checked where they run: tests/live/store/test_cli.py, tests/live/service/test_life.py
    "store-verify": [],
    "store-compact": [],
    "store-repair": [],
    "store-merge": [],
    "live-selftest": [],
}


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_schema_is_a_schema(name: str) -> None:
    """Each file is valid JSON Schema 2020-12 and describes every field in words."""
    Draft202012Validator.check_schema(SCHEMAS[name])

    def undescribed(node: Any, path: str) -> list[str]:
        if not isinstance(node, dict):
            return []
        missing = [
            f"{path}.{field}"
            for field, child in node.get("properties", {}).items()
            if "description" not in child and "$ref" not in child
        ]
        for key in ("properties", "$defs"):
            for field, child in node.get(key, {}).items():
                missing += undescribed(child, f"{path}.{field}")
        return missing + undescribed(node.get("items"), f"{path}[]")

    assert undescribed(SCHEMAS[name], name) == []


@pytest.mark.parametrize("name", OBJECTS)
def test_what_is_printed_is_described(name: str) -> None:
    """Objects of every verdict validate, and hold no field that the schema does not name."""
    for make in OBJECTS[name]:
        check(name, make())


def test_every_schema_is_tried() -> None:
    """No schema is published that nothing is checked against."""
    assert set(OBJECTS) >= set(SCHEMAS)


def test_the_schema_key_names_its_file() -> None:
    """The `schema` key of an object leads to the file that describes it."""
    for name, schema in SCHEMAS.items():
        assert schema["properties"]["schema"]["const"] == f"sort-drift/{name}/1"
        assert schema["$id"] == f"urn:sort-drift:{name}:1"
