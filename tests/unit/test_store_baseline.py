"""A frozen baseline: the same back, the same bytes, damage noticed."""

import os
import subprocess
import sys

import polars as pl
import pytest

from sort_drift.errors import InputError, MissingInput, TamperedFile, UnknownFormat
from sort_drift.model import Population, Provenance, Skipped
from sort_drift.store import baseline
from tests.shared_data import ROOT
from tests.store_frames import run, runs

ABOUT = Provenance(
    sources=(("exports/a.jsonl", "ff" * 32),),
    skipped=(Skipped("a.jsonl:7", "no span id"),),
    hash_fingerprint="a1b2c3",
    spans=30,
    duplicates=2,
)


def population(label: str = "v1", rows: int = 3) -> Population:
    table = runs(
        *(
            run(f"r{i}", tools=["search", "edit"], prompt_tokens=[10, None], retry_depth=i)
            for i in range(rows)
        )
    )
    return Population(label, table, ABOUT, (1.0, 1.5, 2.0))


def test_a_population_comes_back_as_it_was(tmp_path):
    """Values, tool sequences, cut points, provenance, order of the runs."""
    baseline.freeze(population(), tmp_path / "b.parquet")
    again = baseline.load(tmp_path / "b.parquet")
    assert again.runs.equals(population().runs)
    assert again.runs.schema == population().runs.schema
    assert (again.label, again.provenance, again.load_cuts) == ("v1", ABOUT, (1.0, 1.5, 2.0))


def test_the_same_population_gives_the_same_bytes(tmp_path):
    """Also in another process: a baseline in a repository changes only when its content does."""
    baseline.freeze(population(), tmp_path / "b.parquet", reason="release 1.4")
    code = (
        "import sys; from sort_drift.store import baseline;"
        "from tests.unit.test_store_baseline import population;"
        "baseline.freeze(population(), sys.argv[1], reason='release 1.4')"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "c.parquet")], check=True, cwd=ROOT)
    assert (tmp_path / "b.parquet").read_bytes() == (tmp_path / "c.parquet").read_bytes()
    baseline.freeze(population(), tmp_path / "d.parquet", reason="another")
    assert (tmp_path / "b.parquet").read_bytes() != (tmp_path / "d.parquet").read_bytes()


def test_it_says_why_it_was_frozen(tmp_path):
    """The reason stands in the file, for whoever finds it."""
    baseline.freeze(population(), tmp_path / "b.parquet", reason="release 1.4")
    assert baseline.read_about(tmp_path / "b.parquet").reason == "release 1.4"


def test_an_empty_population_can_be_frozen(tmp_path):
    """Whether it is of any use is for the comparison to say."""
    baseline.freeze(population(rows=0), tmp_path / "b.parquet")
    assert len(baseline.load(tmp_path / "b.parquet")) == 0


@pytest.mark.fault(79)
def test_every_flipped_bit_is_noticed(tmp_path):
    """One bit anywhere in the file, its own digest and the footer included: one clear error, no panic."""
    file = tmp_path / "b.parquet"
    baseline.freeze(population(), file)
    data = file.read_bytes()
    for at in [*range(0, len(data), 13), *range(len(data) - 300, len(data))]:
        file.write_bytes(data[:at] + bytes([data[at] ^ 1 << at % 8]) + data[at + 1 :])
        with pytest.raises(TamperedFile if 4 <= at < len(data) - 4 else InputError):
            baseline.load(file)


@pytest.mark.fault(79)
def test_a_file_cut_short_is_noticed(tmp_path):
    """At any length."""
    file = tmp_path / "b.parquet"
    baseline.freeze(population(), file)
    data = file.read_bytes()
    for end in [*range(4, len(data), 97), len(data) - 1]:
        file.write_bytes(data[:end])
        with pytest.raises(TamperedFile, match=r"the baseline was changed: it is cut short.*b\.parquet"):
            baseline.load(file)


@pytest.mark.fault(79)
def test_an_edited_value_is_noticed(tmp_path):
    """Rewriting the file with one value changed keeps the metadata but not the sha256."""
    file = tmp_path / "b.parquet"
    baseline.freeze(population(), file)
    said = {k: v for k, v in pl.read_parquet_metadata(file).items() if k.startswith("sort_drift")}
    pl.read_parquet(file).with_columns(retry_depth=pl.lit(0.0)).write_parquet(file, metadata=said)
    with pytest.raises(TamperedFile, match="sha256 does not match"):
        baseline.load(file)


def test_sixty_four_zeros_elsewhere_do_no_harm(tmp_path):
    """The place of the digest is found by its key, not by what stands there."""
    baseline.freeze(population(label="0" * 64), tmp_path / "b.parquet", reason="0" * 64)
    assert baseline.load(tmp_path / "b.parquet").label == "0" * 64


def test_another_geometry_version_is_refused(tmp_path):
    """Values of two versions have two meanings; what it says about itself can still be read."""
    old = Provenance(geometry_version=0)
    baseline.freeze(Population("v0", population().runs, old), tmp_path / "b.parquet")
    with pytest.raises(InputError, match=r"geometry version 0, this is \d+.*Freeze it again"):
        baseline.load(tmp_path / "b.parquet")
    assert baseline.read_about(tmp_path / "b.parquet").label == "v0"


def test_what_is_no_baseline_is_said(tmp_path):
    """A missing file, text, a foreign Parquet file: each its line."""
    with pytest.raises(MissingInput):
        baseline.load(tmp_path / "none.parquet")
    (tmp_path / "text").write_text("{}")
    pl.DataFrame({"a": [1]}).write_parquet(tmp_path / "foreign.parquet")
    for name in ("text", "foreign.parquet"):
        with pytest.raises(UnknownFormat, match="no frozen baseline"):
            baseline.load(tmp_path / name)


def test_it_is_small_and_readable_by_others(tmp_path):
    """200 runs are some ten kilobytes; the mode follows the umask, since it is made to be shared."""
    baseline.freeze(population(rows=200), tmp_path / "b.parquet")
    assert (tmp_path / "b.parquet").stat().st_size < 30_000
    umask = os.umask(0)
    os.umask(umask)
    assert (tmp_path / "b.parquet").stat().st_mode & 0o777 == 0o666 & ~umask
