"""Opening exports: content decides, gz streams, and what cannot be read is one clear line."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from sort_drift import ingest, pipeline
from sort_drift.errors import (
    BadRecord,
    InputError,
    MissingInput,
    SortDriftError,
    TooLittleData,
    UnknownFormat,
    UnknownName,
)
from sort_drift.ingest import batches, files
from sort_drift.ingest.packing import zstd
from sort_drift.reading import Reading
from tests.ingest_exports import line, message, read, request, span, varint, written
from tests.shared_data import shared

LINES = line(request(span())) * 3


def failure(path: Path, **options: object) -> SortDriftError:
    """Return the error that reading ``path`` ends with."""
    with pytest.raises(SortDriftError) as caught:
        read(path, **options)
    return caught.value


def test_a_missing_file_is_named_with_exit_code_2(tmp_path):
    """A path that leads nowhere is a bad input, not an empty one."""
    error = failure(tmp_path / "nowhere.jsonl")
    assert isinstance(error, MissingInput)
    assert error.exit_code == 2
    assert "nowhere.jsonl" in error.line()


def test_a_directory_is_no_export(tmp_path):
    """A directory given as a file ends in one line."""
    assert isinstance(failure(tmp_path), InputError)


@pytest.mark.parametrize("content", [b"", b"\n \r\n", b"\xef\xbb\xbf", b"\xef\xbb\xbf\n"])
@pytest.mark.parametrize("gz", [False, True])
def test_an_empty_file_is_too_little_data(tmp_path, content, gz):
    """Nothing in a file is exit code 3: there is nothing to decide on, and nothing wrong with it."""
    error = failure(written(tmp_path, content, gz=gz))
    assert isinstance(error, TooLittleData)
    assert error.exit_code == 3


@pytest.mark.fault(70)
@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("{}".encode("utf-16"), "iconv"),
        (b"PAR1....\x04\0\0\0PARE", "encrypted"),
        (b"hello, world\n", "otlp-json"),
        (b'{"data": [{"traceId": "a"}]}', "otlp-json"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "otlp-json"),
    ],
)
def test_a_foreign_file_is_refused_with_what_to_do(tmp_path, content, says):
    """What no reader takes is named where it is known, and the known formats are listed where it is not."""
    error = failure(written(tmp_path, content))
    assert isinstance(error, UnknownFormat)
    assert error.exit_code == 2
    assert says in error.line()


def test_content_decides_never_the_name(tmp_path):
    """OTLP lines in a file called .pb, and protobuf in one called .json, are read as what they are."""
    assert ingest.recognise(written(tmp_path, LINES, "a.pb")) == "otlp-json"
    assert ingest.recognise(written(tmp_path, message(size=1), "b.json")) == "otlp-protobuf"
    assert ingest.recognise(written(tmp_path, LINES, "c.parquet", gz=True)) == "otlp-json"


@pytest.mark.parametrize(
    ("parts", "name"),
    [
        (("recordings", "langgraph-genai.otlp.jsonl"), "otlp-json"),
        (("recordings", "langgraph-genai.pb"), "otlp-protobuf"),
        (("02_tau_bench", "gpt-4o-airline.json"), "tau-bench"),
        (("03_tau2", "gpt-4.1_retail.json"), "tau2-bench"),
    ],
)
def test_real_exports_are_recognised(parts, name):
    """Each format of the shared data is recognised from its first bytes."""
    assert ingest.recognise(shared(*parts)) == name


def test_format_overrides_recognition_and_unknown_names_get_a_suggestion(tmp_path):
    """``format=`` wins over content, and a wrong spelling names the nearest format."""
    path = written(tmp_path, LINES)
    assert isinstance(failure(path, format="tau-bench"), BadRecord)
    error = failure(path, format="otlp_json")
    assert isinstance(error, UnknownName)
    assert "otlp-json" in error.line()


@pytest.mark.parametrize("pack", [gzip.compress, zstd.compress])
@pytest.mark.parametrize("content", [LINES, message(size=3), varint(len(message(size=1))) + message(size=1)])
def test_packed_reads_like_the_plain_file(tmp_path, content, pack):
    """A gz or zstd export, also one of several members or frames, gives the spans of the plain one."""
    plain, _ = read(written(tmp_path, content))
    packed, _ = read(written(tmp_path, pack(content), "packed"))
    half = content.index(b"\n") + 1 if content is LINES else len(content) // 2
    joined, _ = read(written(tmp_path, pack(content[:half]) + pack(content[half:]), "members"))
    assert plain == packed == joined


def test_zstd_of_parallel_and_of_checking_writers(tmp_path):
    """A skippable frame in front is nothing special; a wrong checksum of a frame is noticed."""
    skippable = b"\x50\x2a\x4d\x18\x04\0\0\0size"
    checked = zstd.compress(LINES, options={zstd.CompressionParameter.checksum_flag: 1})
    assert len(read(written(tmp_path, skippable + checked))[0]) == 3
    flipped = bytearray(checked)
    flipped[-1] ^= 1
    assert isinstance(failure(written(tmp_path, bytes(flipped))), SortDriftError)
    assert isinstance(failure(written(tmp_path, checked[:4] + b"....")), InputError)


@pytest.mark.parametrize(("pack", "name"), [(gzip.compress, "gz"), (zstd.compress, "zstd")])
def test_a_cut_stream_keeps_what_came_before_with_skip_bad(tmp_path, pack, name):
    """A truncated stream is an error of its own; with skip_bad the whole lines before the cut count."""
    rows = (line(request(span(spanId=f"{n:016x}", name=f"{n * 7919:x}"))) for n in range(1, 12000))
    path = written(tmp_path, pack(b"".join(rows))[:-2000])
    error = failure(path)
    assert isinstance(error, BadRecord)
    assert f"{name} stream" in error.line()
    spans, skipped = read(path, skip_bad=True)
    assert 0 < len(spans) < 11999
    assert len(skipped) >= 1


def test_a_gz_with_a_wrong_checksum_is_an_error(tmp_path):
    """A flipped checksum is noticed."""
    packed = bytearray(gzip.compress(LINES))
    packed[-8] ^= 1
    assert isinstance(failure(written(tmp_path, bytes(packed))), SortDriftError)


@pytest.mark.fault(70)
def test_bom_crlf_and_blank_lines_are_nothing_special(tmp_path):
    """Files that went through Windows tools read as before."""
    content = b"\xef\xbb\xbf" + LINES.replace(b"\n", b"\r\n\r\n")
    spans, _ = read(written(tmp_path, content))
    assert spans == read(written(tmp_path, LINES, "plain"))[0]


@pytest.mark.fault(70)
def test_a_half_written_last_line_is_named_and_can_be_skipped(tmp_path):
    """An exporter that is still writing leaves half a line: an error by default, one skipped record else."""
    path = written(tmp_path, LINES + LINES[:70])
    error = failure(path)
    assert isinstance(error, BadRecord)
    assert f"{path}:4" in error.line()
    assert "half-written" in error.line()
    spans, skipped = read(path, skip_bad=True)
    assert (len(spans), [s.where for s in skipped]) == (3, [f"{path}:4"])


@pytest.mark.fault(70)
def test_a_line_above_the_limit_costs_only_itself(tmp_path, monkeypatch):
    """A gigabyte line is never held in memory; the lines after it are read."""
    monkeypatch.setattr(files, "RECORD", 2000)
    long = line(request(span(name="x" * 5000)))
    path = written(tmp_path, LINES + long + LINES)
    assert f"{path}:4" in failure(path).line()
    spans, skipped = read(path, skip_bad=True)
    assert (len(spans), len(skipped)) == (6, 1)


def test_a_document_above_the_limit_says_what_to_do(tmp_path, monkeypatch):
    """A document has to fit into memory; JSON lines do not."""
    monkeypatch.setattr(files, "RECORD", 100)
    path = written(tmp_path, LINES[:-1].replace(b"[", b"[\n"))
    assert "JSON lines" in failure(path).line()
    assert [where.where for where in read(path, skip_bad=True)[1]] == [str(path)]


@pytest.mark.fault(70)
def test_batches_are_bounded(tmp_path):
    """No batch is larger than BATCH, also where one request is."""
    spans = [span(spanId=f"{n + 1:016x}") for n in range(batches.BATCH * 2 + 5)]
    path = written(tmp_path, line(request(*spans)) + LINES)
    assert [len(b) for b in ingest.read(path, skipped=[])] == [batches.BATCH, batches.BATCH, 8]


@pytest.mark.parametrize("told", ["zipkin", "langsmith", "tau-bench"])
def test_a_format_told_wrongly_is_said(tmp_path, told):
    """What does not fit the format that was told says what the file looks like."""
    path = written(tmp_path, line(request(span())))
    with pytest.raises(BadRecord, match="It looks like otlp-json: leave out --from-format"):
        read(path, format=told)
    with pytest.raises(TooLittleData, match="nothing in it can be read: "):
        pipeline.population(str(path), Reading(format=told, skip_bad=True))
