"""What of a request may stay: canonical spans, which hold keyed hashes and lengths in the place of content.

Nothing else reaches the journal (docs/decisions/0006). Attributes that no vocabulary names are kept for
people, bounded in number, and without what looks like an address, a key or a card number. Patterns run in
Rust's regex engine: in linear time, whatever the pattern.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
import polars as pl

from sort_drift import dialects
from sort_drift.errors import UsageError
from sort_drift.hashing import Hasher
from sort_drift.ingest.batches import Block, batched
from sort_drift.model import RawSpans

PATTERNS = (
    (r"[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+", "[e-mail]"),
    (
        r"(?-u:\b)(?:sk|pk|rk|ghp|gho|ghs|xox[abpr]|AKIA|ASIA|AIza|glpat|hf)[-_]?[A-Za-z0-9_\-]{16,}",
        "[key]",
    ),
    (r"(?i)bearer +[A-Za-z0-9._~+/=-]{8,}", "[key]"),
    (r"eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*", "[key]"),
    # no digits of a fraction: 0.5333333333333333
    (r"(^|[^0-9.])(?:[0-9]{4}[ -]){3}[0-9]{1,7}($|[^0-9])", "${1}[card]${2}"),
    (r"(^|[^0-9.])[3-6][0-9]{14,15}($|[^0-9.])", "${1}[card]${2}"),
)
"""What kept text is cleared of -> what stands there instead."""

PLAIN, JSON = ("name", "agent", "tool", "error_type"), ("attributes", "resource")
"""Columns with text that somebody may have put anything into. The others are names, ids and numbers."""

_MANY = 2_000  # characters of attributes, from which on they are counted


@dataclass(frozen=True, slots=True)
class Redactor:
    """Blocks of decoded rows -> canonical frames."""

    hasher: Hasher
    keep_content: bool = False
    attributes: int = 128  # kept of a span at most
    patterns: tuple[tuple[str, str], ...] = PATTERNS

    def frames(self, blocks: Iterable[Block], seq: int) -> list[pl.DataFrame]:
        """Return the spans of ``blocks`` (schema SPANS), numbered from ``seq``; none where there are none."""
        out = []
        for raw in batched(blocks):
            frame = dialects.canonical(raw, self.hasher, seq=seq)
            out.append(_whole(frame, raw, seq) if self.keep_content else frame)
            seq += len(raw)
        if not out or self.keep_content:
            return out
        return [self.cleared(_bounded(pl.concat(out), self.attributes))]

    def cleared(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Return ``frame`` without what looks personal or secret in text that is kept.

        >>> said = '{"k":"sk-abcdefghijklmnop1234","n":4111111111111111,"p":0.5333333333333333}'
        >>> frame = pl.DataFrame({"name": ["mail bob@example.com"], "attributes": [said]})
        >>> Redactor(Hasher(b"k")).cleared(frame).row(0)
        ('mail [e-mail]', '{"k":"[key]","n":"[card]","p":0.5333333333333333}')
        """
        there = [name for name in (*PLAIN, *JSON) if name in frame.columns]
        once = {name: frame[name].unique() for name in there}  # names and resources come again and again
        hits = self._hits(once.values())
        if not hits:
            return frame
        found = {name: [text for text in texts.to_list() if text in hits] for name, texts in once.items()}
        return frame.with_columns(
            (self._plain if name in PLAIN else self._json)(frame[name], texts)
            for name, texts in found.items()
            if texts
        )

    def _hits(self, columns: Iterable[pl.Series]) -> set[str]:
        """Return the texts that have something to be cleared, of all columns at once: a call costs more."""
        anything = "|".join(f"(?:{pattern})" for pattern, _ in self.patterns)
        texts = pl.concat([pl.Series(dtype=pl.String), *columns])
        return set(texts.filter(texts.str.contains(anything).fill_null(value=False)))

    def _clear(self, texts: list[str]) -> list[str]:
        cleared = pl.Series(texts, dtype=pl.String)
        for pattern, instead in self.patterns:
            cleared = cleared.str.replace_all(pattern, instead)
        return cleared.to_list()

    def _plain(self, text: pl.Series, found: list[str]) -> pl.Series:
        return text.replace(found, self._clear(found))

    def _json(self, text: pl.Series, found: list[str]) -> pl.Series:
        """Return JSON with its strings and numbers cleared.

        Not its text: a number would become what is no JSON, and an escape could be cut in two.
        """
        trees = [orjson.loads(one) for one in found]
        leaves = list(dict.fromkeys(leaf for tree in trees for leaf in _leaves(tree)))
        said = [_text(leaf) for leaf in leaves]
        clear = {
            leaf: new for leaf, old, new in zip(leaves, said, self._clear(said), strict=True) if old != new
        }
        return text.replace(found, [orjson.dumps(_with(tree, clear)).decode() for tree in trees])


_Leaf = str | int | float


def _leaves(value: Any) -> Iterator[_Leaf]:
    """Yield the strings and numbers of a JSON value, names of members too."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from _leaves(item)
    elif isinstance(value, list):
        for item in value:
            yield from _leaves(item)
    elif isinstance(value, (str, int, float)) and not isinstance(value, bool):
        yield value


def _text(leaf: _Leaf) -> str:
    """Return a leaf as text; a card number that came as a double has no fraction."""
    return str(int(leaf)) if isinstance(leaf, float) and leaf.is_integer() else str(leaf)


def _with(value: Any, clear: Mapping[_Leaf, str]) -> Any:
    """Return a JSON value with its leaves replaced."""
    if isinstance(value, dict):
        return {clear.get(key, key): _with(item, clear) for key, item in value.items()}
    if isinstance(value, list):
        return [_with(item, clear) for item in value]
    if isinstance(value, (str, int, float)) and not isinstance(value, bool):
        return clear.get(value, value)
    return value


def redactor(hasher: Hasher, *, keep_content: bool, attributes: int, further: Sequence[str]) -> Redactor:
    """Return a redactor with the user's ``further`` patterns.

    Raises
    ------
    UsageError
        If one of them is no pattern.

    """
    for pattern in further:
        try:
            pl.Series(["x"]).str.replace_all(pattern, "")
        except pl.exceptions.ComputeError as error:
            why = str(error).strip().splitlines()[-1]
            raise UsageError(f"this is no pattern: {why}", where=f"redact: {pattern}") from None
    patterns = (*PATTERNS, *((pattern, "[redacted]") for pattern in further))
    return Redactor(hasher, keep_content, attributes, patterns)


DROPPED = "sort_drift.dropped_attributes"
"""Attribute that says how many others were left out."""


def dropped(frame: pl.DataFrame) -> int:
    """Return how many attributes were left out of these spans."""
    said = frame["attributes"].drop_nulls()
    found = said.filter(said.str.contains(DROPPED, literal=True)).to_list()
    return sum(int(orjson.loads(text).get(DROPPED, 0)) for text in found)


def _bounded(frame: pl.DataFrame, most: int) -> pl.DataFrame:
    """Return ``frame`` with at most ``most`` attributes a span that no column took; the rest is counted."""
    long = (frame["attributes"].str.len_bytes() > _MANY).fill_null(value=False)
    if not long.any():
        return frame
    texts = frame["attributes"].to_list()
    for i in long.arg_true():
        said = orjson.loads(texts[i])
        if len(said) > most:
            kept = dict(list(said.items())[:most])
            kept[DROPPED] = len(said) - most
            texts[i] = orjson.dumps(kept).decode()
    return frame.with_columns(pl.Series("attributes", texts, dtype=pl.String))


def _whole(frame: pl.DataFrame, raw: RawSpans, seq: int) -> pl.DataFrame:
    """Return ``frame`` with every attribute as it came, content too (--capture-content)."""
    from sort_drift.dialects.privacy import dump  # noqa: PLC0415 - only where somebody asked for it

    texts = [dump({key: [value] for key, value in said.items()})[0] for said in raw.attributes]
    return frame.with_columns(
        attributes=pl.Series([texts[n - seq] for n in frame["seq"].to_list()], dtype=pl.String)
    )
