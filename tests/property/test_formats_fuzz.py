"""Every format, damaged in every way: one line that says what, where and what to do, or runs; no hang."""

from __future__ import annotations

import base64
import copy
import gzip
import io
import json
import random
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from google.protobuf.json_format import ParseDict
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from sort_drift import pipeline
from sort_drift.errors import BadRecord, SortDriftError, TooLittleData
from sort_drift.ingest import SOURCES
from sort_drift.ingest.packing import zstd
from sort_drift.reading import Reading
from tests.converters import (
    atif,
    clickhouse,
    inspect_eval,
    jaeger,
    langfuse,
    langsmith,
    mlflow,
    otlp_parquet,
    phoenix_parquet,
    phoenix_rest,
    runs,
    swe_agent,
    zipkin,
)
from tests.examples import examples
from tests.property.test_otlp_fuzz import TRAJECTORIES
from tests.shared_data import ROOT

RECORDING = ROOT / "tests" / "data" / "recordings" / "pydantic-ai-native-v2.otlp.jsonl.gz"
PATIENCE_S = 20
"""A few runs take 0.02 s; a reader that needs this long on them does not end."""

LONGEST = 2000
"""Characters of a message: one that names the columns of a table is the longest."""

Convert = Callable[[Path, Path], object]


def _protobuf(otlp: Path, to: Path) -> None:
    """Write the requests of a recording as one protobuf message; its JSON has ids in hex, protobuf's not."""
    whole = ExportTraceServiceRequest()
    for line in otlp.read_text(encoding="utf-8").splitlines():
        tree = json.loads(line)
        for at, key in list(_places(tree)):
            if key in {"traceId", "spanId", "parentSpanId"}:
                at[key] = base64.b64encode(bytes.fromhex(at[key])).decode()
        whole.MergeFrom(ParseDict(tree, ExportTraceServiceRequest()))
    to.write_bytes(whole.SerializeToString())


def _written(number: int) -> Convert:
    return lambda _, to: to.write_text(json.dumps(TRAJECTORIES[number]), encoding="utf-8")


CONVERTERS: Mapping[str, tuple[Convert, ...]] = {
    "jaeger": (jaeger.convert,),
    "otlp-json": (lambda otlp, to: to.write_bytes(otlp.read_bytes()),),
    "phoenix-parquet": (phoenix_parquet.convert,),
    "phoenix-rest": (phoenix_rest.convert,),
    "clickhouse": (clickhouse.convert, clickhouse.convert_lines),
    "otlp-parquet": (otlp_parquet.convert,),
    "langfuse": (langfuse.convert, langfuse.convert_v2),
    "langsmith": (langsmith.convert,),
    "mlflow": (mlflow.convert,),
    "atif": (atif.convert,),
    "inspect": (inspect_eval.convert, inspect_eval.convert_json),
    "swe-agent": (swe_agent.convert,),
    "mini-swe-agent": (_written(2),),
    "tau2-bench": (_written(1),),
    "tau-bench": (_written(0),),
    "zipkin": (zipkin.convert,),
    "otlp-protobuf": (_protobuf,),
}


def _places(tree: Any) -> Iterator[tuple[Any, Any]]:
    """Yield (holder, key or index) of every value in a JSON tree."""
    for key in tree if isinstance(tree, dict) else range(len(tree)) if isinstance(tree, list) else ():
        yield tree, key
        yield from _places(tree[key])


def _deep(depth: int) -> Any:
    tree: Any = []
    for _ in range(depth):
        tree = [tree]
    return tree


def _put(value: Callable[[Any], Any]) -> Callable[[list[Any], random.Random], None]:
    """Return what replaces a random value in a document."""

    def change(documents: list[Any], rng: random.Random) -> None:
        at, key = rng.choice(list(_places(documents)))
        at[key] = value(at[key])

    return change


def _drop(documents: list[Any], rng: random.Random) -> None:
    at, key = rng.choice(list(_places(documents)))
    del at[key]


def _ids(documents: list[Any], rng: random.Random) -> None:
    """Give every value of one name the first one's value: duplicate ids, times, names."""
    found = list(_places(documents))
    name = rng.choice([key for _, key in found if isinstance(key, str)])
    same = [at for at, key in found if key == name]
    for at in same[1:]:
        at[name] = copy.deepcopy(same[0][name])


def _versions(documents: list[Any], rng: random.Random) -> None:
    for at, key in _places(documents):
        if isinstance(key, str) and "version" in key.lower():
            at[key] = rng.choice([99, "99.0", "ATIF-v9.9", None, {}])


IN_TREES: Mapping[str, Callable[[list[Any], random.Random], None]] = {
    "null": _put(lambda _: None),
    "number": _put(lambda _: -(2**70)),
    "fraction": _put(lambda _: 1e308),
    "text": _put(lambda _: "x"),
    "list": _put(lambda old: [old]),
    "object": _put(lambda old: {"x": old}),
    "empty list": _put(lambda _: []),
    "empty object": _put(lambda _: {}),
    "truth": _put(lambda _: True),
    "giant text": _put(lambda _: "x" * 2_000_000),
    "NUL and a lone surrogate": _put(lambda _: "a\0b\ud800"),
    "deep nesting": _put(lambda _: _deep(600)),
    "no such key": _drop,
    "duplicate": lambda documents, rng: documents.extend(copy.deepcopy(rng.choices(documents, k=3))),
    "duplicate ids": _ids,
    "other versions": _versions,
}


def _at(content: bytes, rng: random.Random) -> int:
    return rng.randrange(len(content))


def _cut(content: bytes, rng: random.Random) -> bytes:
    return content[: _at(content, rng)]


def _over(insert: bytes) -> Callable[[bytes, random.Random], bytes]:
    def change(content: bytes, rng: random.Random) -> bytes:
        at = _at(content, rng)
        return content[:at] + insert + content[at + len(insert) :]

    return change


IN_BYTES: Mapping[str, Callable[[bytes, random.Random], bytes]] = {
    "cut": _cut,
    "cut, packed": lambda content, rng: _cut(gzip.compress(content), rng),
    "cut, packed by zstd": lambda content, rng: _cut(zstd.compress(content), rng),
    "packed twice": lambda content, _: gzip.compress(gzip.compress(content)),
    "NUL": _over(b"\0"),
    "not UTF-8": _over(b"\xff\xfe"),
    "quotes": _over(b'"'),
    "closed": _over(b"}]"),
    "flipped": lambda content, rng: _over(bytes([rng.randrange(256)]))(content, rng),
    "twice": lambda content, _: content + content,
    "twice, a line each": lambda content, _: content.rstrip() + b"\n\n" + content,
    "with garbage behind": lambda content, _: content + b"\n<html>502 Bad Gateway</html>",
    "with garbage before": lambda content, _: b"<html>\n" + content,
    "with a byte order mark": lambda content, _: b"\xef\xbb\xbf" + content,
    "CRLF": lambda content, _: content.replace(b"\n", b"\r\n"),
    "mixed line endings": lambda content, rng: b"".join(
        line + rng.choice([b"\n", b"\r\n", b"\n\n", b"\n \n"]) for line in content.split(b"\n")
    ),
    "white space alone": lambda content, _: b" \n" * 3,
}


def _column(change: Callable[[pl.Series], pl.Series]) -> Callable[[bytes, random.Random], bytes]:
    """Return what replaces a random column of a Parquet file."""

    def changed(content: bytes, rng: random.Random) -> bytes:
        frame = pl.read_parquet(io.BytesIO(content))
        name = rng.choice(frame.columns)
        return _parquet(frame.with_columns(change(frame[name]).alias(name)))

    return changed


def _parquet(frame: pl.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.write_parquet(buffer)
    return buffer.getvalue()


def _dropped(content: bytes, rng: random.Random) -> bytes:
    frame = pl.read_parquet(io.BytesIO(content))
    return _parquet(frame.drop(rng.sample(frame.columns, rng.randint(1, len(frame.columns) - 1))))


IN_TABLES: Mapping[str, Callable[[bytes, random.Random], bytes]] = {
    "column dropped": _dropped,
    "no rows": lambda content, _: _parquet(pl.read_parquet(io.BytesIO(content)).clear()),
    "rows twice": lambda content, _: _parquet(pl.concat([pl.read_parquet(io.BytesIO(content))] * 2)),
    "column of nulls": _column(lambda old: pl.Series([None] * len(old), dtype=old.dtype)),
    "column without type": _column(lambda old: pl.Series([None] * len(old))),
    "column of numbers": _column(lambda old: pl.Series(range(len(old)))),
    "column of fractions": _column(lambda old: pl.Series([float("nan")] * len(old))),
    "column of texts": _column(lambda old: pl.Series(["x"] * len(old))),
    "column of lists": _column(lambda old: pl.Series([[1]] * len(old))),
    "column of objects": _column(lambda old: pl.Series([{"a": 1}] * len(old))),
    "column of truths": _column(lambda old: pl.Series([True] * len(old))),
    "column of bytes": _column(lambda old: pl.Series([b"\xff"] * len(old))),
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, tuple[bytes, ...]]:
    """Return format -> valid files of it, of one run each, as its backend writes them."""
    folder = tmp_path_factory.mktemp("formats")
    full, otlp = folder / "full.jsonl", folder / "small.jsonl"
    full.write_bytes(gzip.decompress(RECORDING.read_bytes()))
    first = min(node.start for node in runs.read(full) if swe_agent.writable(node))
    assert runs.keep(full, otlp, lambda node: node.start == first) == 1
    found: dict[str, tuple[bytes, ...]] = {}
    for name, converters in CONVERTERS.items():
        files = []
        for convert in converters:
            to = folder / "export"
            convert(otlp, to)
            files.append(to.read_bytes())
            assert len(pipeline.population(str(to), Reading(format=name))) == 1
        found[name] = tuple(files)
    return found


def _documents(content: bytes) -> list[Any] | None:
    """Return the JSON documents of a file, one or one a line; None for a binary file."""
    try:
        return [json.loads(content)]
    except ValueError:
        pass
    try:
        return [json.loads(line) for line in content.splitlines()]
    except ValueError:
        return None


def damages(content: bytes) -> Mapping[str, Callable[[random.Random], bytes]]:
    """Return name -> what damages ``content`` so."""
    ways = {name: lambda rng, way=way: way(content, rng) for name, way in IN_BYTES.items()}
    documents = _documents(content)

    def in_tree(rng: random.Random, change: Callable[[list[Any], random.Random], None]) -> bytes:
        changed = copy.deepcopy(documents)
        assert changed is not None
        change(changed, rng)
        return b"\n".join(json.dumps(document).encode() for document in changed)

    if documents is not None:
        ways |= {name: lambda rng, change=change: in_tree(rng, change) for name, change in IN_TREES.items()}
    if content[:4] == b"PAR1":
        ways |= {name: lambda rng, way=way: way(content, rng) for name, way in IN_TABLES.items()}
    return ways


def reported(path: Path, reading: Reading) -> SortDriftError | None:
    """Read a file up to its variables; return what was said of it, after a look at how it was said."""
    began = time.monotonic()
    found = None
    try:
        pipeline.population(str(path), reading)
    except SortDriftError as error:
        found = error
    assert time.monotonic() - began < PATIENCE_S
    if found is not None:
        assert "\n" not in found.line()
        assert len(found.line()) < LONGEST
        assert found.where, found.line()
        assert found.exit_code in {2, 3}
        assert not isinstance(found, BadRecord) or path.name in found.where
    return found


def survived(path: Path, name: str) -> None:
    """Check a damaged file with and without ``--skip-bad``, its format told and found out."""
    for told in (name, None):
        strict = reported(path, Reading(format=told))
        lenient = reported(path, Reading(format=told, skip_bad=True))
        assert not isinstance(lenient, BadRecord), lenient.line()
        assert strict is None or isinstance(strict, TooLittleData) or strict.todo, strict.line()


@examples(50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), name=st.sampled_from(sorted(SOURCES)), seed=st.integers(0, 2**32))
def test_damage_is_said_in_one_line(
    data: st.DataObject,
    name: str,
    seed: int,
    whole: Mapping[str, tuple[bytes, ...]],
    tmp_path: Path,
) -> None:
    """Whatever is damaged: runs, or one line with what, where and what to do; counted with --skip-bad."""
    content = data.draw(st.sampled_from(whole[name]))
    ways = damages(content)
    path = tmp_path / "export"
    path.write_bytes(ways[data.draw(st.sampled_from(sorted(ways)))](random.Random(seed)))
    survived(path, name)
