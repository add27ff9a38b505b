"""The drift report as Markdown for a pull request: verdict, what qualifies it, numbers, the rest folded.

GitHub refuses a comment of more than 65,536 characters. What does not fit is left out from the end, and the
last line says what. Names come from other people's exports: whatever could be markup, a link, a mention or a
reference to an issue is set in code, where neither Markdown nor GitHub nor GitLab acts on it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any
from urllib.parse import quote

from sort_drift.model import Finding, Report
from sort_drift.report import numbers, words
from sort_drift.report.junit import Gate
from sort_drift.report.plain import clip, inert

COMMENT, SUMMARY = 65_000, 1_000_000
"""Bytes that fit into a comment (65,536 characters) and into a step summary (1 MiB), with room to spare."""

MARKER = "<!-- sort-drift -->"
"""First line, which a page does not show: a bot finds its earlier comment by it."""

_NAME, _SENTENCE = 120, 1_500
"""Columns of one name and of one sentence: ten thousand characters in a name are no reason to say no more."""

_HEAD = ("", "variable", "verdict", "effect", "95 % interval", "tolerance", "adj. p", "runs", "where")
_SOURCES, _TASKS, _RUNS = 20, 3, 5
_URL = "/:?#[]@!$&'()*+,;=-._~%{}"

_PLAIN = re.compile(r"(?:[^\W_]|[-+.,/=>()\[\]'\"])+%?|%")
_BLOCK = re.compile(r">|[-+=]+$|\d+[.)]$")
"""What would begin a quotation, a list or a rule where a sentence is the text of a list item."""
_REFERENCE = re.compile(r"(?i)\][(\[]|www\.|[a-z]-\d|^(?=.*\d)[0-9a-f]{7,40}$")
"""What would be a link although its signs are plain: ``](``, hosts, keys of tickets, hashes of commits."""


@dataclass(frozen=True, slots=True)
class Section:
    """Lines of which any number from the end can be left out, between a head and a foot that stay."""

    name: str
    head: tuple[str, ...]
    lines: tuple[str, ...]
    foot: tuple[str, ...] = ()

    def text(self, shown: int | None = None) -> str:
        """Return the section with its first ``shown`` lines, by default with all."""
        return "\n".join((*self.head, *self.lines[:shown], *self.foot))


def render(
    report: Report,
    *,
    decision: Gate = None,
    said: Sequence[str] = (),
    trace_url: str | None = None,
    limit: int = COMMENT,
    **_: Any,
) -> str:
    """Return the report as GitHub-flavoured Markdown of at most ``limit`` bytes.

    ``decision`` is the exit code and line of a gate, where one asks, and ``said`` what it says beside it;
    ``trace_url`` is a link to one trace with ``{trace_id}`` in it. Width and colour do not apply.
    """
    made = [section for make in SECTIONS if (section := make(report))]
    if decision:
        lines = [prose(text) for text in (*said, words.cost(report))]
        head = f"**Gate:** exit {decision[0]}, {prose(decision[1])}"
        made.insert(1, Section("the gate", (head, ""), tuple(f"- {line}" for line in lines)))
    if evidence := _evidence(report, trace_url):
        made.append(evidence)
    return fit(made, limit)


def fit(sections: Sequence[Section], limit: int) -> str:
    """Return the sections as one text of at most ``limit`` bytes; the last line says what was left out.

    >>> fit([Section("a", ("# a",), ("one", "two"))], 1000).splitlines()
    ['# a', 'one', 'two']
    """
    whole = "\n\n".join(section.text() for section in sections) + "\n"
    if len(whole.encode()) <= limit:
        return whole
    room = limit - 400  # for the last line
    kept: list[str] = []
    left: list[str] = []
    for section in sections:
        shown = _shown(section, room)
        if shown < len(section.lines):
            left.append(f"{len(section.lines) - shown:,} of {len(section.lines):,} lines of {section.name}")
        if shown or not section.lines:
            kept.append(section.text(shown))
            room -= len(kept[-1].encode()) + 2
    return "\n\n".join([*kept, f"Left out for want of room: {', '.join(left)}. --format json has all.\n"])


def _shown(section: Section, room: int) -> int:
    room -= len(section.text(0).encode()) + 2
    for i, line in enumerate(section.lines):
        room -= len(line.encode()) + 1
        if room < 0:
            return i
    return len(section.lines)


def code(text: object, width: int = _NAME) -> str:
    r"""Return ``text`` as a code span, also within a table, whatever it holds.

    >>> code("tool_order"), code("a|`b`")
    ('`tool_order`', '`a\\x7c\\x60b\\x60`')
    """
    shown = clip(inert(text), width).replace("`", r"\x60").replace("|", r"\x7c")
    return f"`{shown}`" if shown.strip() else "`(empty)`"


def prose(text: object) -> str:
    r"""Return a sentence with names in it; a word that could be markup, link or mention is set in code.

    >>> prose("tool_order changed (0.08 [0.02, 0.15]), said @you at https://a.b")
    '`tool_order` changed (0.08 [0.02, 0.15]), said `@you` at `https://a.b`'
    """
    first, *rest = clip(inert(text), _SENTENCE).split() or [""]
    return " ".join([code(first) if _BLOCK.match(first) else _word(first), *map(_word, rest)])


def _word(word: str) -> str:
    inner = word.lstrip("([")
    core = inner.rstrip(",.;:)]")
    risky = core and (not _PLAIN.fullmatch(core) or _REFERENCE.search(core))
    return word[: len(word) - len(inner)] + (code(core) if risky else core) + inner[len(core) :]


def _verdict(report: Report) -> Section:
    word, _, rest = words.headline(report).partition(":")
    return Section("the verdict", (), (f"{MARKER}\n**{word}:** {prose(rest)}",))


def _sides(report: Report) -> Section:
    both = zip(("Baseline", "Current"), report.labels, report.n, strict=True)
    lines = [f"- {name} {code(label)}, {numbers.plural(n, 'run')}" for name, label, n in both]
    c = report.comparability
    told = {"Because": c.reasons, "Differs": c.differs, "Confounded": c.confounded, "Note": c.notes}
    said = [f"- {name}: {prose(text)}" for name, texts in told.items() for text in texts]
    state = "comparable" if c.comparable else "not comparable"
    nothing = "" if said else "; nothing else is known to differ"
    head = f"**Comparability:** {state} on {numbers.plural(report.tasks_shared, 'shared task')}{nothing}"
    return Section("comparability", (head, ""), (*lines, *said))


def _variables(report: Report) -> Section:
    return _table("variables", words.primaries(report))


def _regimes(report: Report) -> Section | None:
    found = [f for f in report.findings if f.role == "primary" and f.where != "all"]
    found.sort(key=lambda f: f.verdict not in words.CHANGED)
    return _table("regimes", found, "**Regimes**") if found else None


def _table(name: str, findings: Sequence[Finding], *title: str) -> Section:
    head = (f"| {' | '.join(_HEAD)} |", "|---|---|---|---:|---|---:|---:|---|---|")
    return Section(name, (*title, *([""] if title else []), *head), tuple(map(_row, findings)))


def _row(f: Finding) -> str:
    m = words.measured(f)
    effect = "-" if f.effect is None else numbers.with_unit(m.effect, f.unit)
    verdict = f"**{f.verdict}**" if f.verdict in words.CHANGED else f.verdict.replace("_", " ")
    cells = (f"`{words.MARKS[f.verdict]}`", code(f.variable), verdict, effect, *m[1:5], prose(f.where))
    return f"| {' | '.join(cells)} |"


def _outcomes(report: Report) -> Section | None:
    rates = tuple(f"- {prose(text)}" for text in words.outcomes(report))
    head = ("**Outcomes** beside the geometry, not decisive", "")
    return Section("outcomes", head, rates) if rates else None


def _not_tested(report: Report) -> Section | None:
    said = [f"- {prose(text)}" for text in words.not_tested(report)]
    untested = (f for f in words.primaries(report) if f.verdict in words.UNTESTED)
    said += [f"- {code(f.variable)}: {prose(f.reason)}" for f in untested]
    return Section("not tested", ("**Not tested**", ""), tuple(said)) if said else None


def _why(report: Report) -> Section | None:
    """What stands below each row of the text: the kind of change, tasks and pairs, runs needed."""
    lines = []
    for f in report.findings:
        if f.role == "primary" and f.verdict not in words.UNTESTED:
            where = "" if f.where == "all" else f" where {prose(f.where)}"
            said = words.notes(f, report.options.alpha)
            lines += [f"- {code(f.variable)}{where}: {prose(note)}" for note in said]
    return _folded("Why, variable by variable", lines)


def _evidence(report: Report, trace_url: str | None) -> Section | None:
    """The tasks and runs that an effect rests on, with links to their traces where the user has a viewer."""
    lines = []
    for influence in report.influences:
        name, unit = code(influence.variable), influence.unit
        for t in influence.tasks[:_TASKS]:
            size = numbers.with_unit(numbers.change(t.difference, unit, influence.effect), unit)
            lines.append(f"- {name}: task {code(t.task)} {size}, {words.versus(t.n)} runs")
        for r in influence.runs[:_RUNS]:
            seen = f", {link('trace', trace_url, r.trace_ids[0])}" if trace_url and r.trace_ids else ""
            lines.append(f"- {name}: {r.side} run {code(r.run_id)} of task {code(r.task)}{seen}")
    return _folded("Tasks and runs that move the effects most", lines)


def link(text: str, template: str, trace_id: str, span_id: str = "") -> str:
    """Return a link to a trace; ``template`` is the user's own, ids come from exports.

    >>> link("trace", "https://viewer/trace/{trace_id}", "4f1c/../)x")
    '[trace](<https://viewer/trace/4f1c%2F..%2F%29x>)'
    """
    if not template.startswith(("https://", "http://")):
        return code(trace_id)
    for name, value in {"trace_id": trace_id, "span_id": span_id}.items():
        template = template.replace(f"{{{name}}}", quote(value, safe="", errors="backslashreplace"))
    return f"[{text}](<{quote(inert(template), safe=_URL)}>)"


def _secondaries(report: Report) -> Section | None:
    tested, out = words.secondaries(report)
    title = f"Secondary measures: {len(out) or 'none'} of {tested} stand out; exploratory, not decisive"
    lines = [f"- {code(f.variable)} {prose(words.finding(f))}" for f in out]
    return _folded(title, lines) if tested else None


def _mix(report: Report) -> Section | None:
    return _folded("Task mix", [f"- {code(name)}: {prose(text)}" for name, text in words.mix(report)])


def _skipped(report: Report) -> Section | None:
    lines = [f"- {code(s.where)}: {prose(s.why)}" for s in report.skipped]
    return _folded(f"Skipped: {numbers.plural(len(lines), 'bad record')}", lines)


def _reproduce(report: Report) -> Section:
    command = clip(inert(words.command(report)), 4_000)
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", command)), default=0))
    facts = [f"- {prose(words.ran_with(report))}"] if report.reproduce else []
    facts += [f"- read with {prose(way)}" for way in report.reproduce.get("read_with", [])]
    sources = report.reproduce.get("sources", [])
    facts += [
        f"- sha256 {code(digest[:12])} {code(PurePath(path).name)}" for path, digest in sources[:_SOURCES]
    ]
    facts += [f"- and {len(sources) - _SOURCES:,} more files"] if len(sources) > _SOURCES else []
    head = ("<details><summary>Reproduce</summary>", "", f"{fence}sh", command, fence, "")
    return Section("how to reproduce", head, tuple(facts), ("", "</details>"))


def _folded(title: str, lines: Sequence[str]) -> Section | None:
    head, foot = (f"<details><summary>{title}</summary>", ""), ("", "</details>")
    name = title.partition(":")[0].partition(",")[0].lower()
    return Section(name, head, tuple(lines), foot) if lines else None


SECTIONS: tuple[Callable[[Report], Section | None], ...] = (
    _verdict,
    _sides,
    _variables,
    _regimes,
    _outcomes,
    _not_tested,
    _reproduce,
    _why,
    _secondaries,
    _mix,
    _skipped,
)
"""In the order of the page, which is the order in which they are kept where room is short."""
