"""The text report: what comes first, what is left out, what a hostile name can do (nothing)."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import replace

import pytest

from sort_drift import report as reports
from sort_drift.drift.words import effect
from sort_drift.errors import UnknownName
from sort_drift.model import Finding, Report
from sort_drift.report import words
from sort_drift.report.plain import columns
from tests.golden.reports import ALL, drift, hostile, inconclusive, not_comparable, primary, stable

ANSI = re.compile(r"\x1b\[[0-9;]*m")


def text(report: Report, **page: object) -> str:
    return reports.render(report, "text", **page)


@pytest.mark.parametrize("name", ALL)
def test_the_verdict_comes_first(name: str) -> None:
    """The first line begins with the verdict word, the same word as in JSON."""
    report = ALL[name]()
    assert text(report, width=160).startswith(f"{report.verdict}: ")


@pytest.mark.parametrize("width", [80, 100, 120])
@pytest.mark.parametrize("name", ALL)
def test_lines_fit(name: str, width: int) -> None:
    """No line is wider than the page."""
    assert max(columns(line) for line in text(ALL[name](), width=width).splitlines()) <= width


@pytest.mark.parametrize("name", ALL)
def test_colour_changes_no_word(name: str) -> None:
    """Colour adds escapes and nothing else; without it there is no escape at all."""
    plain = text(ALL[name]())
    assert "\x1b" not in plain
    assert ANSI.sub("", text(ALL[name](), color=True)) == plain


@pytest.mark.fault(66)
def test_hostile_names_are_inert() -> None:
    """Escapes, newlines, text-direction marks and surrogates of a name arrive as visible text."""
    shown = text(hostile())
    kinds = {unicodedata.category(c) for c in shown if c != "\n"}
    assert not kinds & {"Cc", "Cf", "Cs", "Zl", "Zp"}
    assert not any(line.startswith("verdict: stable") for line in shown.splitlines())
    shown.encode()


def test_every_tested_row_carries_its_evidence() -> None:
    """A row has effect, interval, tolerance, adjusted p, both sizes and the unit."""
    row = next(line for line in text(drift()).splitlines() if line.startswith("  ! budget_used"))
    for part in ("drift", "+0.75", "[0.66, 0.84]", "0.05", "0.0005", "35 vs 35", "share"):
        assert part in row


def test_an_undecided_row_says_what_is_missing() -> None:
    """Inconclusive names further runs where more of them help, and what this size can see."""
    shown = text(inconclusive())
    assert "about 172 more runs (both sides together) would decide; this size shows x1.47 or more" in shown


def test_ratios_for_logarithms() -> None:
    """A difference of logarithms reads as a ratio, with its tolerance as a ratio."""
    row = next(line for line in text(stable(), width=120).splitlines() if "busy_time" in line)
    for part in ("x1.05", "[1.01, 1.09]", "x1.20", "ratio"):
        assert part in row


def test_a_short_page_puts_a_row_on_two_lines() -> None:
    """Where a table would not fit, tolerance, p and n follow on the next line."""
    assert "tolerance 0.05, adj. p 0.0005, 35 vs 35 runs" in text(drift(), width=80)


def test_comparability_comes_before_numbers() -> None:
    """What else differs, and that nothing is named as the cause, precedes the variables."""
    shown = text(drift())
    assert shown.index("Comparability") < shown.index("none of them can be named") < shown.index("Variables")


def test_secondaries_are_marked_and_bounded() -> None:
    """Exploratory rows say so, and many of them are cut with a count."""
    report = drift()
    extra = [f for f in report.findings if f.variable == "step_latency"] * 20
    shown = text(replace(report, findings=(*report.findings, *extra)))
    assert "22 of 23 stand out, 8 shown, all in --json (exploratory, FDR 0.05; not decisive)" in shown
    assert shown.count("step_latency") == 8


def test_only_tested_secondaries_are_counted() -> None:
    """What could not be tested is listed below; "none of 25 stand out" would call it unchanged."""
    report = drift()
    bare = Finding("llm_share", "secondary", "all", "not_observable", "share of busy time")
    assert "2 of 3 stand out" in text(replace(report, findings=(*report.findings, bare)))
    assert "Secondary" not in text(replace(report, findings=(*report.findings[:5], bare)))


def test_the_verdict_line_and_its_row_say_the_same_number() -> None:
    """The same digits above as below: -0.92 [-1.15, -0.68], not [-1.2, -0.68]."""
    finding = replace(
        drift().findings[4], effect=-0.916, interval=(-1.15, -0.682), tolerance=0.38, unit="calls"
    )
    row = text(replace(drift(), findings=(finding,)))
    assert effect(finding, "level").endswith(" -0.92 [-1.15, -0.68] calls")
    assert "-0.92  [-1.15, -0.68]" in row
    timed = replace(finding, effect=0.405, interval=(0.169, 0.637), unit="ln seconds")
    assert effect(timed, "log").endswith(" x1.50 [1.18, 1.89]")


def test_no_spread_shows_no_detectable_effect() -> None:
    """Runs that did not vary at all say nothing about power: no "shows 0 or more"."""
    finding = replace(inconclusive().findings[0], detectable_effect=0.0, runs_needed=None)
    assert words.more_runs(finding) == ""


def test_regimes_have_their_own_heading() -> None:
    """Findings in one regime stand below those over all runs, under the regime's name."""
    report = drift()
    busy = replace(report.findings[4], where="load=busy, hardware=h100")
    shown = text(replace(report, findings=(*report.findings, busy)))
    assert "Variables where load=busy, hardware=h100" in shown


def test_a_stable_row_speaks_up_only_when_something_was_detected() -> None:
    """Detectable but below the tolerance is worth a line; inside the tolerance is what stable means."""
    shown = text(stable())
    assert "detectable, below the tolerance" in shown
    assert "90 % interval inside" not in shown


def test_mix_and_structure_are_both_named() -> None:
    """A different task mix is separated from structure, and tasks without a partner are counted."""
    shown = text(stable())
    said = "raw +0.31 re-attempts, of which +0.29 is a different task mix and +0.02 is structure"
    assert f"{said} (3 tasks only in the baseline and 1 task only in the current runs)" in " ".join(
        shown.split()
    )


def test_no_numbers_are_made_up() -> None:
    """NaN, infinities and absent intervals are shown as missing."""
    odd = primary(
        ("retry_depth", "re-attempts"),
        "inconclusive",
        effect=float("nan"),
        interval=(float("-inf"), float("inf")),
        p_adjusted=float("nan"),
        detectable_effect=float("inf"),
    )
    shown = text(replace(inconclusive(), findings=(odd,)))
    assert "nan" not in shown
    assert "inf" not in shown.replace("information", "")


def test_not_comparable_has_no_effects() -> None:
    """What cannot be compared shows a reason instead of numbers, and no colour of alarm."""
    shown = text(not_comparable(), color=True)
    assert "\x1b[1;31m" not in shown
    assert "effect" not in shown


def test_skipped_records_are_counted_and_cut() -> None:
    """The first three bad records are named, the rest counted."""
    report = stable()
    assert "and 7 more in --json" in text(replace(report, skipped=report.skipped * 10))


def test_reproduce_without_a_recorded_command() -> None:
    """Options that change a number are part of the command, quoted for a shell."""
    report = replace(drift(), reproduce={"from_format": "otlp-json", "skip_bad": True})
    options = replace(report.options, match="my.task", by=("load",), tolerances={"busy_time": 0.26})
    command = words.command(replace(report, labels=("a b.json", "c.json"), options=options))
    assert command == (
        "sort-drift compare 'a b.json' c.json --alpha 0.05 --seed 20261122 "
        "--match my.task --by load --from-format otlp-json --skip-bad --tolerance busy_time=0.26"
    )


def test_the_cost_line_says_when_nothing_can_be_seen() -> None:
    """Without any detectable effect the line does not list an empty set."""
    assert words.cost(replace(inconclusive(), findings=())).endswith("too few to see anything")


def test_an_unknown_format_suggests_the_nearest() -> None:
    """A misspelt format is answered with the right one."""
    with pytest.raises(UnknownName, match="Did you mean 'json'"):
        reports.render(drift(), "jsn")


def test_an_empty_report_still_reads() -> None:
    """No findings, no rates, no mix: verdict, sides, comparability and the reproduce line remain."""
    bare = replace(inconclusive(), findings=(), rates=(), mix=(), not_tested=(), notes=(), n=(0, 0))
    assert [line for line in text(bare, width=160).splitlines() if line and line[0] != " "] == [
        f"{bare.verdict}: {bare.reason}; 0 vs 0 runs",
        "Comparability  comparable; nothing else is known to differ",
        "Reproduce",
    ]


def test_untested_findings_need_no_unit() -> None:
    """A finding without effect and unit is one line: name, verdict, reason."""
    hidden = Finding("order_surprise", "primary", "all", "not_observable", "", reason="no tool calls")
    shown = text(replace(inconclusive(), findings=(hidden,)))
    assert "  - order_surprise  not_observable  no tool calls\n" in shown
