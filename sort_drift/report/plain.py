r"""Plain text that behaves: names made inert, widths as a terminal counts them, columns that line up.

Names in a report come from other people's exports. A tool called ``"\x1b[2J"`` must not clear the screen of
whoever reads the report, and a right-to-left override must not swap the two sides of a comparison.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Unicode categories: controls (ANSI escapes, newlines), formats (bidi, zero width), surrogates, lines."""

_NONCHARACTERS = frozenset(
    {
        *range(0xFDD0, 0xFDF0),
        *(plane + end for plane in range(0, 0x110000, 0x10000) for end in (0xFFFE, 0xFFFF)),
    }
)
"""Code points that are no characters: XML does not have some of them, HTML none."""

_COMMAND = re.compile(r"(?<!\S)::|##")
"""What CI systems obey in a log: ``::`` at the start of a line, GitHub; ``##[``, ``##vso[``, ``##teamcity[``
anywhere, GitHub, Azure, TeamCity. A name may be wrapped to the start of a line, so any word counts."""

_CODES = {"bold": "1", "dim": "2", "red": "1;31", "green": "32", "yellow": "33"}


def inert(text: object) -> str:
    r"""Return ``text`` with every character that a terminal or a CI log would act on written as an escape.

    >>> inert("get\x1b[31m\nrm \u202edesrever")
    'get\\x1b[31m\\x0arm \\u202edesrever'
    >>> inert("::error::a std::sort ##[group]")
    '\\x3a:error::a std::sort #\\x23[group]'
    """
    said = str(text)
    # most names are plain ASCII: half the time of a page of 20,000 runs went into looking at their letters
    plain = said.isascii() and said.isprintable()
    seen = said if plain else "".join(_escape(c) if _acts(c) else c for c in said)
    return _COMMAND.sub(lambda found: "\\x3a:" if found[0] == "::" else "#\\x23", seen)


def _acts(character: str) -> bool:
    return unicodedata.category(character) in _INVISIBLE or ord(character) in _NONCHARACTERS


def _escape(character: str) -> str:
    code = ord(character)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def columns(text: str) -> int:
    """Return how many terminal columns ``text`` takes: East Asian wide 2, combining marks 0.

    >>> columns("ab"), columns("工具"), columns("e\u0301")
    (2, 4, 1)
    """
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text
    )


def clip(text: str, width: int) -> str:
    """Return ``text`` cut to ``width`` columns, with ``..`` where something is missing.

    >>> clip("repository_search", 10), clip("edit", 10)
    ('reposito..', 'edit')
    """
    if columns(text) <= width:
        return text
    kept, room = [], width - 2
    for character in text:
        room -= columns(character)
        if room < 0:
            break
        kept.append(character)
    return "".join(kept) + ".."


def pad(text: str, width: int, align: str = "<") -> str:
    """Return ``text`` filled with spaces to ``width`` columns, on the right (``<``) or the left (``>``)."""
    space = " " * max(0, width - columns(text))
    return space + text if align == ">" else text + space


def wrap(text: str, width: int, first: str = "", rest: str | None = None) -> list[str]:
    """Return ``text`` as lines of at most ``width`` columns that begin with ``first``, then with ``rest``.

    >>> wrap("one two three four", 12, "- ")
    ['- one two', '  three four']
    """
    rest = " " * columns(first) if rest is None else rest
    lines, line, empty = [], first, True
    for word in text.split(" "):
        if not empty and columns(line) + 1 + columns(word) > width:
            lines.append(line.rstrip())
            line, empty = rest, True
        line += word if empty else " " + word
        empty = False
    return [*lines, line.rstrip()]


def grid(rows: Sequence[Sequence[str]], aligns: str) -> list[list[str]]:
    """Return ``rows`` with each cell padded to its column's width.

    >>> [" ".join(row) for row in grid([["a", "10"], ["bcd", "9"]], "<>")]
    ['a   10', 'bcd  9']
    """
    widths = [max(columns(cell) for cell in column) for column in zip(*rows, strict=True)]
    return [[pad(c, w, a) for c, w, a in zip(row, widths, aligns, strict=True)] for row in rows]


def paint(text: str, style: str, color: bool) -> str:
    """Return ``text`` in an ANSI style where ``color`` is wanted, unchanged otherwise.

    >>> paint("drift", "red", color=False)
    'drift'
    """
    return f"\x1b[{_CODES[style]}m{text}\x1b[0m" if color and style else text
