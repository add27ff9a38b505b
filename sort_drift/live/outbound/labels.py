"""Names on their way out: short, without anything that a terminal or a parser acts on, and still different.

Agents, variables and reasons come from other people's spans. Escaping is left to the format's library.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from hashlib import blake2b

MOST = 120
"""Characters of a label value."""

OTHERS = "(other)"
"""What stands for everything over a limit; something of this name gets a mark."""

_ACTING = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Unicode categories: controls, formats (bidi, zero width), surrogates, separators of lines."""

_MARK = 8  # hex digits: 32 bits keep 200 names apart


def label(text: str) -> str:
    r"""Return ``text`` as a label value; where that changes it, with a mark of what it was.

    Two names that differ stay two names: one series given twice costs the whole scrape.

    >>> label("shop/planner"), label("a\x1b[2Jb"), label("(other)")
    ('shop/planner', 'a?[2Jb~9f3f5164', '(other)~dba68246')
    >>> len(label("x" * 500)), label("x" * 500) == label("x" * 501)
    (120, False)
    """
    if len(text) <= MOST and text.isprintable() and text != OTHERS:  # nearly always: 0.1 us instead of 12
        return text
    cleaned = "".join("?" if unicodedata.category(c) in _ACTING else c for c in text[:MOST])
    if cleaned == text and text != OTHERS:
        return text
    mark = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=_MARK // 2).hexdigest()
    return f"{cleaned[: MOST - _MARK - 1]}~{mark}"


def folded(counts: Iterable[tuple[str, int]], most: int) -> dict[str, int]:
    """Return the first ``most`` of named counts, and the sum of the others as OTHERS.

    The first ones, not the largest: a counter whose members change falls, and a fall reads as a restart.

    >>> folded([("size", 3), ("token", 1), ("form", 9)], 2)
    {'size': 3, 'token': 1, '(other)': 9}
    """
    found: dict[str, int] = {}
    for name, count in counts:
        kept = name if name in found or len(found) < most else OTHERS
        found[kept] = found.get(kept, 0) + count
    return found
