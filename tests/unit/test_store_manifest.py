"""The manifest: whole appends count, broken ones do not, damage is noticed."""

import errno
import shutil
from hashlib import sha256
from pathlib import Path

import pytest

from sort_drift.errors import StoreError, TamperedFile
from sort_drift.store import manifest
from tests.live.store.shim import failing

SOURCE = manifest.Source("a.jsonl", "f" * 64, ("v=1",))
SEGMENT = manifest.SpanSegment("spans/date=unknown/0000000001-00000000.parquet", 1, None, None, "0" * 64, 1)
MEASURED = manifest.Measured(1, 3)


def without_commits(path: Path) -> list[manifest.Line]:
    return [line for line in manifest.read(path) if not isinstance(line, manifest.Commit)]


def test_lines_come_back_with_their_commits(tmp_path):
    """Each append ends with a commit, which has what it counted."""
    manifest.append(tmp_path, [SEGMENT, SOURCE], duplicates=2)
    manifest.append(tmp_path, [MEASURED])
    lines = manifest.read(tmp_path)
    assert without_commits(tmp_path) == [SEGMENT, SOURCE, MEASURED]
    assert [line.duplicates for line in lines if isinstance(line, manifest.Commit)] == [2, 0]


@pytest.mark.fault(37)
def test_an_append_cut_short_anywhere_does_not_count_and_is_overwritten(tmp_path):
    """After a crash at any byte of the second append the first stands, and the next append follows it."""
    file = tmp_path / manifest.MANIFEST_FILE
    manifest.append(tmp_path, [SEGMENT])
    first = file.read_bytes()
    manifest.append(tmp_path, [SOURCE])
    whole = file.read_bytes()
    for end in range(len(first), len(whole)):
        file.write_bytes(whole[:end])
        assert without_commits(tmp_path) == [SEGMENT]
        manifest.append(tmp_path, [MEASURED])
        assert without_commits(tmp_path) == [SEGMENT, MEASURED]


def test_a_tail_of_zeros_does_not_count(tmp_path):
    """What some file systems leave behind a lost write."""
    manifest.append(tmp_path, [SEGMENT])
    file = tmp_path / manifest.MANIFEST_FILE
    file.write_bytes(file.read_bytes() + b"\0" * 4096)
    assert without_commits(tmp_path) == [SEGMENT]


def test_any_flipped_bit_is_noticed_or_harmless(tmp_path):
    """Before the last commit it raises; in the last commit itself the append is lost, not wrong."""
    file = tmp_path / manifest.MANIFEST_FILE
    manifest.append(tmp_path, [SEGMENT, SOURCE], duplicates=1)
    manifest.append(tmp_path, [MEASURED])
    whole = file.read_bytes()
    last = whole.rindex(b"\n", 0, len(whole) - 1)
    for at in range(last):
        file.write_bytes(whole[:at] + bytes([whole[at] ^ 1 << at % 7]) + whole[at + 1 :])
        with pytest.raises(TamperedFile, match="manifest is damaged"):
            assert without_commits(tmp_path) == [SEGMENT, SOURCE, MEASURED]


def test_a_lost_manifest_is_noticed(tmp_path):
    """Segments without their list are not silently an empty store."""
    with pytest.raises(TamperedFile, match="missing"):
        manifest.read(tmp_path)


@pytest.mark.fault(69)
@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "/etc/passwd", "spans/date=../x", "spans/date=unknown/x.parquet"]
)
def test_names_that_lead_elsewhere_are_damage(tmp_path, name):
    """Only names that the store gives itself are read."""
    manifest.append(tmp_path, [manifest.SpanSegment(name, 1, None, None, "0" * 64, 1)])
    with pytest.raises(TamperedFile, match="no segment name"):
        manifest.read(tmp_path)


@pytest.mark.fault(45)
def test_a_commit_that_is_not_durable_is_taken_back(tmp_path):
    """Where fsync fails nobody may see what was written: it could be gone after a power cut."""
    manifest.append(tmp_path, [SEGMENT])
    before = (tmp_path / manifest.MANIFEST_FILE).read_bytes()
    with failing(2, errno.EIO) as shim, pytest.raises(StoreError, match="Input/output error"):
        manifest.append(tmp_path, [SOURCE])
    assert shim.calls == ["write", "fsync"]
    assert (tmp_path / manifest.MANIFEST_FILE).read_bytes() == before


def test_a_known_end_is_checked(tmp_path):
    """A writer that knows where the last commit ends does not read again, but a shorter file is damage."""
    _, end = manifest.append(tmp_path, [SEGMENT])
    lines, end = manifest.append(tmp_path, [SOURCE], end=end)
    assert lines[0] == SOURCE
    file = tmp_path / manifest.MANIFEST_FILE
    assert len(file.read_bytes()) == end
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(TamperedFile, match="became shorter"):
        manifest.append(tmp_path, [MEASURED], end=end)


def test_rewriting_replaces_everything_in_one_step(tmp_path):
    """One append is there afterwards, with the duplicates of all."""
    manifest.append(tmp_path, [SEGMENT], duplicates=2)
    manifest.append(tmp_path, [SOURCE])
    lines, end = manifest.rewrite(tmp_path, [SOURCE, SEGMENT], 2)
    assert manifest.read(tmp_path) == lines
    assert lines[:2] == (SOURCE, SEGMENT)
    assert (tmp_path / manifest.MANIFEST_FILE).stat().st_size == end
    assert not manifest.is_copy(tmp_path, lines)
    (tmp_path / "copy").mkdir()
    shutil.copy(tmp_path / manifest.MANIFEST_FILE, tmp_path / "copy")
    assert manifest.is_copy(tmp_path / "copy", manifest.read(tmp_path / "copy"))


def test_a_manifest_of_before_is_read(tmp_path):
    """Commits did not say the inode then, segments not their sources."""
    line = (
        '{"kind":"spans","segment":"spans/date=unknown/0000000001-00000000.parquet","rows":1,"min_ns":null,'
        '"max_ns":null,"sha256":"' + "0" * 64 + '","schema":1}\n'
    )
    digest = sha256(line.encode() + b"0").hexdigest()
    commit = '{"kind":"commit","sha256":"' + digest + '","duplicates":0}\n'
    (tmp_path / manifest.MANIFEST_FILE).write_text(line + commit)
    assert without_commits(tmp_path) == [SEGMENT]
