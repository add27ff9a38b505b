"""What of a request may stay: canonical spans, which hold keyed hashes and lengths in the place of content.

Nothing else reaches the journal (docs/decisions/0006). Attributes that no vocabulary names are kept for
people, bounded in number, and without what looks like an address, a key or a card number. Patterns run in
Rust's regex engine: in linear time, whatever the pattern.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import orjson
import polars as pl

from sort_drift import dialects
from sort_drift.errors import UsageError
from sort_drift.hashing import Hasher
from sort_drift.ingest.batches import Block, batched
from sort_drift.model import RawSpans

PATTERNS = (
    (r"[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+", "[e-mail]"),
    (r"(?-u:\b)(?:sk|pk|rk|ghp|gho|ghs|xox[abpr]|AKIA|ASIA|AIza|glpat|hf)[-_]?[A-Za-z0-9_\-]{16,}", "[key]"),
    (r"(?i)bearer +[A-Za-z0-9._~+/=-]{8,}", "[key]"),
    (r"eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*", "[key]"),
    (r"(?-u:\b)(?:[0-9]{4}[ -]){3}[0-9]{1,7}(?-u:\b)|(?-u:\b)[3-6][0-9]{14,15}(?-u:\b)", "[card]"),
)
"""What kept text is cleared of -> what stands there instead."""

CLEARED = ("name", "error_type", "attributes", "resource")
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
        """Return the spans of ``blocks`` (schema SPANS), numbered from ``seq``."""
        out = []
        for raw in batched(blocks):
            frame = dialects.canonical(raw, self.hasher, seq=seq)
            if self.keep_content:
                frame = _whole(frame, raw, seq)
            else:
                frame = self.cleared(_bounded(frame, self.attributes))
            out.append(frame)
            seq += len(raw)
        return out

    def cleared(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Return ``frame`` without what looks personal or secret in text that is kept.

        >>> frame = pl.DataFrame({"name": ["mail bob@example.com"], "error_type": [None],
        ...     "attributes": ['{"k":"sk-abcdefghijklmnop1234"}'], "resource": ["4111 1111 1111 1111"]},
        ...     schema_overrides={"error_type": pl.String})
        >>> Redactor(Hasher(b"k")).cleared(frame).row(0)
        ('mail [e-mail]', None, '{"k":"[key]"}', '[card]')
        """
        changed = []
        for column in CLEARED:
            if frame[column].null_count() < frame.height:
                text = pl.col(column)
                for pattern, instead in self.patterns:
                    text = text.str.replace_all(pattern, instead)
                changed.append(text)
        return frame.with_columns(changed)


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
