"""No regular expression of the source takes more than linear time, whatever it is given.

Each pattern is fed long texts made to defeat it: what leads to one of its repetitions, what is repeated there
many times, and an end that does not fit. Four times the text may take four times as long, not sixteen.
"""

from __future__ import annotations

import ast
import itertools
import re
import time
from collections.abc import Iterable, Iterator, Mapping
from re import _constants as codes  # type: ignore[attr-defined] # how re itself sees a pattern
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any, NamedTuple

import pytest

from tests.shared_data import ROOT

SOURCES = sorted([*(ROOT / "sort_drift").rglob("*.py"), *(ROOT / "instrumentation" / "src").rglob("*.py")])
WAYS = frozenset({"match", "search", "sub", "subn", "fullmatch", "split", "findall", "finditer"})
REPEATS = {codes.MAX_REPEAT, codes.MIN_REPEAT, codes.POSSESSIVE_REPEAT}
LENGTHS = (20, 32, 300, 2_000, 16_000)
"""Characters of a text; exponential time shows with the first ones, which are over soon."""

NOISE_S = 0.003
"""CPU seconds below which nothing is said of how time grows."""

GROWTH = 8.0
"""Four times the text may take this many times as long; quadratic is 16."""


class Pattern(NamedTuple):
    """One pattern, where it stands, and how it is asked."""

    place: str
    text: str | bytes
    flags: int
    ways: frozenset[str]


def patterns() -> Iterator[Pattern]:
    """Yield every literal pattern of the source; one without a name is taken as searched for."""
    for path in SOURCES:
        text = path.read_text(encoding="utf-8")
        nodes = list(ast.walk(ast.parse(text))) if re.search(r"^import re$", text, re.MULTILINE) else []
        named = {n.value: ast.unparse(n.targets[0]) for n in nodes if isinstance(n, ast.Assign)}
        texts = {name: node for node, name in named.items()}
        for node in nodes:
            if not isinstance(node, ast.Call) or not ast.unparse(node.func).startswith("re."):
                continue
            way = ast.unparse(node.func).removeprefix("re.")
            if way not in {*WAYS, "compile"}:
                continue
            ways = _ways(nodes, named.get(node, "")) or {"search"} if way == "compile" else {way}
            if (said := _said(node.args[0], texts)) is not None:
                yield Pattern(f"{path.relative_to(ROOT)}:{node.lineno}", said, _flags(node), frozenset(ways))


def _said(node: ast.expr, texts: Mapping[str, ast.expr]) -> Any:
    """Return a literal text, also one that begins with another by its name; None for anything else."""
    if isinstance(node, ast.Constant) and isinstance(node.value, (str, bytes)):
        return node.value
    if isinstance(node, ast.Name) and node.id in texts:
        return _said(texts[node.id], texts)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        parts = _said(node.left, texts), _said(node.right, texts)
        return None if None in parts else parts[0] + parts[1]
    return None


def _flags(call: ast.Call) -> int:
    names = re.findall(r"\bre\.([A-Z]+)", " ".join(ast.unparse(argument) for argument in call.args[1:]))
    return sum(re.RegexFlag[name] for name in names)


def _ways(nodes: Iterable[ast.AST], name: str) -> frozenset[str]:
    """Return the methods of a compiled pattern that its file calls."""
    calls = (n for n in nodes if isinstance(n, ast.Attribute) and isinstance(n.value, ast.Name))
    return frozenset(call.attr for call in calls if ast.unparse(call.value) == name) & WAYS


def sample(tree: Iterable[Any]) -> str:
    """Return the shortest text that a parsed pattern matches, or nearly."""
    return "".join(itertools.starmap(_sample, tree))


def _sample(code: Any, what: Any) -> str:
    if code is codes.LITERAL:
        return chr(what)
    if code is codes.NOT_LITERAL:
        return "a" if what != ord("a") else "b"
    if code is codes.IN:
        return _one_of(what)
    if code in REPEATS:
        return sample(what[2]) * max(1, int(what[0]))
    if code is codes.SUBPATTERN:
        return sample(what[3])
    if code is codes.BRANCH:
        return sample(what[1][0])
    if code is codes.ATOMIC_GROUP:
        return sample(what)
    return "a" if code is codes.ANY else ""


def _one_of(members: list[Any]) -> str:
    """Return a character of a class."""
    turned = members[0][0] is codes.NEGATE
    candidates = [*"a0 .-_/AZ\n\t\\\"'([{<>=;:,%#x", *(chr(w) for c, w in members if c is codes.LITERAL)]
    return next(
        (c for c in candidates if any(_is(c, *m) for m in members if m[0] is not codes.NEGATE) != turned), "a"
    )


def _is(character: str, code: Any, what: Any) -> bool:
    if code is codes.LITERAL:
        return ord(character) == int(what)
    if code is codes.RANGE:
        return bool(what[0] <= ord(character) <= what[1])
    kind = str(what).removeprefix("CATEGORY_")
    word = character.isalnum() or character == "_"
    known = {"DIGIT": character.isdigit(), "SPACE": character.isspace(), "WORD": word}
    return known[kind.removeprefix("NOT_")] != kind.startswith("NOT_")


def repeated(tree: Iterable[Any], before: str = "") -> Iterator[tuple[str, str]]:
    """Yield (what leads to it, what is repeated) for every repetition without a low limit."""
    for code, what in tree:
        if code in REPEATS:
            if what[1] > 100:
                yield before, sample(what[2])
            yield from repeated(what[2], before)
        elif code is codes.SUBPATTERN:
            yield from repeated(what[3], before)
        elif code is codes.ATOMIC_GROUP:
            yield from repeated(what, before)
        elif code is codes.BRANCH:
            for branch in what[1]:
                yield from repeated(branch, before)
        elif code in {codes.ASSERT, codes.ASSERT_NOT}:
            yield from repeated(what[1], before)
        before += _sample(code, what)


def attacks(pattern: Pattern) -> Iterator[tuple[str, str, str]]:
    """Yield (beginning, what is repeated, end) of the texts that a pattern is given."""
    tree = parser.parse(pattern.text, pattern.flags)
    whole = sample(tree)
    found = {("", unit) for unit in [*'a0 \n\\"{([<`=', "a ", "a.", whole, whole[:-1]]}
    for before, unit in repeated(tree):
        found |= {(before, unit), ("", unit), ("", before + unit)}
    pairs = sorted(pair for pair in found if pair[1])
    return ((before, unit, end) for (before, unit), end in itertools.product(pairs, ("", "\0", "\n!")))


def took(pattern: Pattern, way: str, text: str) -> float:
    """Return the CPU seconds that a pattern takes over a text."""
    given = text if isinstance(pattern.text, str) else text.encode("latin-1", "replace")
    ask = getattr(re.compile(pattern.text, pattern.flags), way)
    arguments = (given[:0], given) if way.startswith("sub") else (given,)
    began = time.process_time()
    found = ask(*arguments)
    if way == "finditer":
        list(found)
    return time.process_time() - began


def slow(pattern: Pattern) -> Iterator[str]:
    """Yield the first text over which time grows faster than its length, whenever it is asked."""
    for way, (before, unit, end) in itertools.product(sorted(pattern.ways), attacks(pattern)):

        def least(length: int, way: str = way, parts: tuple[str, str, str] = (before, unit, end)) -> float:
            text = parts[0] + parts[1] * (length // len(parts[1])) + parts[2]
            return min(took(pattern, way, text) for _ in range(3))

        def grows(length: int, after_s: float) -> bool:
            time.sleep(after_s)
            return (long := least(length)) > NOISE_S and long > GROWTH * least(length // 4)

        for length in LENGTHS:
            if all(grows(length, after_s) for after_s in (0.0, 0.1, 0.2, 0.3)):  # others use the same cores
                yield f"{pattern.place} {way}: {before!r} + {unit!r} * {length} + {end!r}"
                return


@pytest.mark.fault(78)
def test_every_pattern_takes_linear_time() -> None:
    """Hundreds of hostile texts for each pattern of the analyzer, the service and the SDK."""
    known = list(patterns())
    assert len(known) > 70
    assert [said for pattern in known for said in slow(pattern)] == []


@pytest.mark.parametrize(
    ("pattern", "way"),
    [
        (r"\s+$", "search"),
        ("(a+)+b", "match"),
        (r"^\s*\{", "search"),
        ("x.*y", "findall"),
        ("a[a-z]*$", "search"),
    ],
)
def test_a_slow_pattern_is_found(pattern: str, way: str) -> None:
    """Quadratic and exponential patterns are what the test above says there is none of."""
    flags = re.MULTILINE if pattern[0] == "^" else 0
    assert list(slow(Pattern("here", pattern, flags, frozenset({way}))))
