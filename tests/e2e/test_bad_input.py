"""Bad input and bad use: one clear line on stderr, nothing on stdout, the right exit code."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.command import BUNDLED, Ran, bundled, sort_drift_command

BASE = bundled("d_load1")
LINE = re.compile(r"sort-drift: .+[.?!] \[([a-z-]+)\]\n")


def refused(ran: Ran, code: int, slug: str) -> str:
    """Check the house form of a failure and return the line."""
    assert ran.code == code, (ran.out, ran.err)
    match = LINE.fullmatch(ran.err)
    assert match, ran.err
    assert match[1] == slug, ran.err
    assert ran.out == ""
    return ran.err


def recorded() -> list[str]:
    """Return the lines of a bundled recording."""
    return gzip.decompress((BUNDLED / "d_load1.otlp.jsonl.gz").read_bytes()).decode().splitlines()


def spans_of(lines: list[str]) -> list[dict[str, Any]]:
    return [
        span
        for line in lines
        for resource in json.loads(line)["resourceSpans"]
        for scope in resource["scopeSpans"]
        for span in scope["spans"]
    ]


def one_trace() -> list[str]:
    """Return a recording of a single run."""
    lines = [json.loads(line) for line in recorded()]
    keep = lines[0]["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["traceId"]
    for line in lines:
        for resource in line["resourceSpans"]:
            for scope in resource["scopeSpans"]:
                scope["spans"] = [span for span in scope["spans"] if span["traceId"] == keep]
    return [json.dumps(line) for line in lines]


def write(path: Path, text: str | bytes) -> Path:
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


@pytest.mark.fault(80)
@pytest.mark.parametrize("command", ["compare", "gate"])
def test_an_empty_file_is_too_little_data(tmp_path: Path, command: str) -> None:
    """Zero bytes: 3, because there is nothing to decide on; never 0."""
    empty = write(tmp_path / "empty.jsonl", "")
    assert "empty.jsonl" in refused(sort_drift_command(command, BASE, empty), 3, "too-little-data")


def test_truncated_json_names_the_place(tmp_path: Path) -> None:
    """An export cut off in the middle: 2, with file and line."""
    lines = recorded()
    cut = write(tmp_path / "cut.jsonl", "\n".join([*lines[:3], lines[3][: len(lines[3]) // 2]]))
    assert "cut.jsonl:4" in refused(sort_drift_command("compare", BASE, cut), 2, "bad-record")


def test_skip_bad_goes_on_and_counts(tmp_path: Path) -> None:
    """--skip-bad leaves the broken record out, and the report says so."""
    cut = write(tmp_path / "cut.jsonl", "\n".join([*recorded(), '{"resourceSpans": [']))
    ran = sort_drift_command("compare", BASE, cut, "--skip-bad", "--json")
    assert ran.code in {0, 3}, ran.err
    assert len(json.loads(ran.out)["skipped"]) == 1


@pytest.mark.parametrize("text", ["hello, world\n", '{"a": 1}\n', "a,b\n1,2\n", "\x00\x01\x02\x03" * 50])
def test_the_wrong_format_is_refused(tmp_path: Path, text: str) -> None:
    """Text, other JSON, CSV and noise are no export: 2."""
    refused(sort_drift_command("compare", BASE, write(tmp_path / "x.jsonl", text)), 2, "unknown-format")


def test_a_wrong_format_given_by_hand_is_refused() -> None:
    """A format that does not exist is answered with the nearest one."""
    refused(sort_drift_command("compare", BASE, BASE, "--from-format", "otlp-jsn"), 2, "unknown-name")


@pytest.mark.fault(80)
@pytest.mark.parametrize("name", ["absent.jsonl", "absent-*.jsonl", "absent/", "absent.parquet"])
def test_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    """A path, a glob or a directory that leads to nothing, on either side: 2."""
    for command, sides in (("compare", (BASE, tmp_path / name)), ("gate", (tmp_path / name, BASE))):
        line = refused(sort_drift_command(command, *sides), 2, "missing-input")
        assert name.rstrip("/") in line


def test_a_directory_without_exports_is_named(tmp_path: Path) -> None:
    """An empty directory leads to nothing: 2."""
    refused(sort_drift_command("compare", BASE, tmp_path), 2, "missing-input")


@pytest.mark.fault(80)
def test_zero_runs_is_too_little_data(tmp_path: Path) -> None:
    """Spans without any agent operation: 3."""
    lines = [json.loads(line) for line in recorded()[:5]]
    for line in lines:
        for resource in line["resourceSpans"]:
            for scope in resource["scopeSpans"]:
                scope["scope"] = {"name": "http.client"}
                for span in scope["spans"]:
                    span.update(name="GET /", attributes=[], parentSpanId="")
    plain = write(tmp_path / "http.jsonl", "\n".join(map(json.dumps, lines)))
    ran = sort_drift_command("gate", BASE, plain)
    assert ran.code == 3, (ran.out, ran.err)
    assert "no agent runs found: no vocabulary recognises" in ran.err


@pytest.mark.fault(80)
def test_one_run_is_too_little_data(tmp_path: Path) -> None:
    """A single run a side decides nothing: 3, and the report says so."""
    one = write(tmp_path / "one.jsonl", "\n".join(one_trace()))
    for command in ("compare", "gate"):
        ran = sort_drift_command(command, one, one, "--json")
        assert ran.code == 3, (ran.out, ran.err)
        found = json.loads(ran.out)
        assert found.get("report", found)["verdict"] in {"inconclusive", "not_comparable"}


def test_a_hidden_variable_does_not_decide(tmp_path: Path) -> None:
    """Tokens absent on both sides: what rests on them is not observable, the rest is still compared."""
    text = (
        "\n".join(recorded())
        .replace("gen_ai.usage.", "vendor.hidden.")
        .replace("gen_ai.input.messages", "vendor.hidden.messages")
    )
    hidden = write(tmp_path / "hidden.jsonl", text)
    ran = sort_drift_command("compare", hidden, hidden, "--json")
    assert ran.code in {0, 3}, ran.err
    found = {f["variable"]: f for f in json.loads(ran.out)["findings"]}
    assert found["context_retention"]["verdict"] == "not_observable"
    assert found["context_retention"]["reason"]
    assert found["budget_used"]["verdict"] not in {"not_observable", "not_comparable"}


def test_nan_is_missing_not_a_number(tmp_path: Path) -> None:
    """NaN in an attribute becomes null: no NaN in the report, no crash."""
    text = "\n".join(recorded()).replace('"key":"sort_drift.outcome.correct"', '"key":"vendor.outcome"')
    text = re.sub(
        r'"key":"sort_drift\.budget\.time_s","value":\{[^}]*\}',
        '"key":"sort_drift.budget.time_s","value":{"doubleValue":"NaN"}',
        text,
    )
    odd = write(tmp_path / "nan.jsonl", text)
    ran = sort_drift_command("compare", odd, odd, "--json")
    assert ran.code in {0, 3}, ran.err
    assert "NaN" not in ran.out
    found = {f["variable"]: f["verdict"] for f in json.loads(ran.out)["findings"]}
    assert found["budget_used"] == "not_observable"


def test_no_shared_tasks_is_not_comparable(tmp_path: Path) -> None:
    """Other tasks on each side: 3, and the reason is named."""
    other = write(
        tmp_path / "other.jsonl",
        re.sub(
            r'("key":"sort_drift\.task\.id","value":\{"stringValue":")',
            r"\1other-",
            "\n".join(recorded()),
        ),
    )
    ran = sort_drift_command("compare", BASE, other)
    assert ran.code == 3, (ran.out, ran.err)
    assert ran.out.startswith("not_comparable: no shared tasks")


@pytest.mark.parametrize(
    ("arguments", "slug", "said"),
    [
        (["compare", BASE, BASE, "--tolerence", "busy_time=1"], "unknown-name", "Did you mean --tolerance?"),
        (["compare", BASE, BASE, "--tolerance", "busy_tim=1"], "unknown-name", "Did you mean 'busy_time'?"),
        (["compare", BASE, BASE, "--tolerance", "busy_time=fast"], "usage", "VAR=VALUE"),
        (["compare", BASE, BASE, "--alpha", "5"], "usage", "between 0 and 1"),
        (["compare", BASE, BASE, "--alpha", "x"], "usage", "--alpha"),
        (["compare", BASE, BASE, "--seed", "1.5"], "usage", "--seed"),
        (["compare", BASE, BASE, "--by", "lod"], "unknown-name", "Did you mean 'load'?"),
        (["compare", BASE, BASE, "--format", "jsn"], "unknown-name", "Did you mean 'json'?"),
        (["compare", BASE], "usage", "CURRENT"),
        (["compar", BASE, BASE], "unknown-name", "Did you mean compare?"),
        (["baseline", "freeez", BASE], "unknown-name", "Did you mean freeze?"),
        (["baseline"], "usage", "no command given"),
        (["ingest", BASE], "usage", "--store"),
        (["ingest", BASE, "--store", "/proc/none", "--tag", "v2"], "usage", "KEY=VALUE"),
        (["show", BASE, "x", "--format", "tre"], "unknown-name", "Did you mean 'tree'?"),
        (["compare", BASE, BASE, "--out", "/proc/none/report.txt"], "usage", "--out"),
    ],
)
def test_bad_use_is_answered_with_what_to_do(arguments: list[str], slug: str, said: str) -> None:
    """Each misuse is 2, in one line that names the remedy."""
    assert said in refused(sort_drift_command(*arguments), 2, slug)


@pytest.mark.fault(79)
def test_a_tampered_baseline_is_refused(tmp_path: Path) -> None:
    """One changed byte of a frozen baseline, or a cut end: 2."""
    frozen = tmp_path / "base.parquet"
    assert sort_drift_command("baseline", "freeze", BASE, "--out", frozen).code == 0
    whole = frozen.read_bytes()
    middle = len(whole) // 2
    for changed in (whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :], whole[:-20]):
        refused(sort_drift_command("gate", write(frozen, changed), BASE), 2, "tampered")


@pytest.mark.fault(66)
@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("a\nb\x1b[2J.jsonl", "a\\nb\\x1b[2J.jsonl"),
        ("[bold red]a[.jsonl", "[bold red]a[.jsonl"),
        ("=1+1;::error::a.jsonl", "=1+1;::error::a.jsonl"),
    ],
)
def test_a_hostile_file_name_stays_one_line(tmp_path: Path, name: str, shown: str) -> None:
    """Escapes and newlines in a path are shown, not obeyed; markup is only text."""
    odd = write(tmp_path / name, "nonsense")
    assert f"/{shown})" in refused(sort_drift_command("compare", BASE, odd), 2, "unknown-format")
