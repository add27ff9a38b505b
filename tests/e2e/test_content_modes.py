"""Full content, hashes of it, none: the same values as far as each mode goes, and no text kept anywhere."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from benchmarks.fidelity.recordings import recordings
from sort_drift import geometry, pipeline
from tests import loading
from tests.converters import contents

NAMES = [
    name
    for name in (
        *("langgraph-genai", "langgraph-openinference", "langgraph-traceloop", "openai-agents-openinference"),
        *("openai-plain-genai", "pydantic-ai-native", "crewai-openinference", "strands-native-latest"),
    )
    if name in recordings()
]
NEEDS_CONTENT = {
    *("branch_entropy", "distinct_attempts"),
    *("retry_depth", "retry_any", "retry_total", "retry_exhausted", "repair_depth"),
}
"""What is null without arguments, not even hashed."""

WORDS = re.compile("[A-Za-z]{2,}(?: [A-Za-z]{2,}){3,}")


@pytest.fixture(params=NAMES)
def full(request: pytest.FixtureRequest) -> Path:
    """Return a recording with its content."""
    return recordings()[request.param]


def table(path: Path) -> pl.DataFrame:
    return geometry.measure(*loading.runs(path)).sort("start_ns")


def equal(a: Any, b: Any) -> bool:
    return math.isclose(a, b, rel_tol=1e-9) if isinstance(a, float) and isinstance(b, float) else bool(a == b)


def test_hashes_give_the_values_of_full_content(full: Path, tmp_path: Path) -> None:
    """Every column of the run table is the same, evidence and basis too; only the mode is another."""
    contents.convert(full, tmp_path / "hashed.jsonl", hashes=True)
    was, now = table(full), table(tmp_path / "hashed.jsonl")
    assert set(was["content"].drop_nulls()) == {"full"}
    assert set(now["content"].drop_nulls()) == {"hashed"}
    for before, after in zip(was.iter_rows(named=True), now.iter_rows(named=True), strict=True):
        differ = {c: (before[c], after[c]) for c in before if not equal(before[c], after[c])}
        assert set(differ) <= {"content", "model", "hash_key"}, differ


def test_without_content_values_are_the_same_or_not_observable(full: Path, tmp_path: Path) -> None:
    """What rests on the same basis has the same value; what needs content is null, with its reason."""
    contents.convert(full, tmp_path / "none.jsonl", hashes=False)
    was, now = table(full), table(tmp_path / "none.jsonl")
    if was.height != now.height:  # runs that message prefixes alone hold together
        assert full.name.startswith("openai-plain")
        return
    assert set(now["content"].drop_nulls()) == {"none"}
    for before, after in zip(was.iter_rows(named=True), now.iter_rows(named=True), strict=True):
        for name in geometry.variables():
            same = all(before[f"{name}.{part}"] == after[f"{name}.{part}"] for part in ("evidence", "note"))
            assert not same or equal(before[name], after[name]), name
            if name in NEEDS_CONTENT and after["tool_calls"]:
                assert after[name] is None, name
                assert "arguments are not shown" in after[f"{name}.note"]


@pytest.mark.fault(73)
def test_no_text_is_kept(full: Path, tmp_path: Path) -> None:
    """No piece of a message, an argument or a result is in a store, in whichever encoding."""
    pipeline.ingest([str(full)], tmp_path / "store")
    kept = "\n".join(texts(tmp_path / "store"))
    said = {piece for _, spans in contents.payloads(full) for span in spans for piece in pieces(span)}
    assert len(said) > 10
    assert [piece for piece in said if piece in kept] == []


def pieces(span: dict[str, Any]) -> Iterator[str]:
    """Yield every stretch of four or more plain words in the content: no name or id is made of words."""
    for holder in (span, *span.get("events", [])):
        for attribute in holder.get("attributes", []):
            if contents.told(attribute):
                yield from WORDS.findall(attribute["value"].get("stringValue", ""))


def texts(store: Path) -> Iterator[str]:
    """Yield every file of a store as it is, and what its Parquet columns hold, unpacked."""
    for path in store.rglob("*"):
        if path.is_file():
            yield path.read_bytes().decode("latin-1")
        if path.suffix == ".parquet":
            frame = pl.read_parquet(path)
            yield frame.write_json()
