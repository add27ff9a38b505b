"""A frozen baseline: one population in one small Parquet file, for a repository or a CI cache.

The rows are the run table (values, canonical tool sequences, regimes); the footer's key-value metadata says
everything else: label, frozen load cut points, geometry version, fingerprint of the hash key, exports with
their sha256, why it was frozen. The same population gives the same bytes.

The sha256 is of the whole file with its own 64 digits as zeros, and it is checked before anything parses the
file (polars panics on some damaged footers). It finds flipped bits and edits; a forger can write a new one.
"""

from __future__ import annotations

import re
from hashlib import sha256
from io import BytesIO
from pathlib import Path

import msgspec
import polars as pl

from sort_drift.errors import InputError, MissingInput, TamperedFile, UnknownFormat
from sort_drift.model import BASELINE_KEYS, GEOMETRY_VERSION, RUNS, Population, Provenance
from sort_drift.store import files
from sort_drift.store.frames import conform

_ABOUT, _DIGEST = BASELINE_KEYS
_ZEROS = "0" * 64
_MAGIC = b"PAR1"  # a Parquet file begins and ends with it
_DIGEST_AT = re.compile(_DIGEST.encode() + rb"\x18\x40([0-9a-f]{64})")
"""Where the footer (Thrift compact protocol) has it: the key, then a string field of 64 bytes."""


class About(msgspec.Struct, frozen=True):
    """What the file says about its runs."""

    label: str
    reason: str
    load_cuts: tuple[float, ...]
    provenance: Provenance


def freeze(population: Population, path: Path | str, *, reason: str = "") -> None:
    """Write ``population`` to ``path``; ``reason`` says why it is the baseline ("release 1.4")."""
    about = About(population.label, reason, population.load_cuts, population.provenance)
    buffer = BytesIO()
    population.runs.write_parquet(
        buffer,
        compression="zstd",
        statistics=False,  # they would be a third of a file this small
        metadata={_ABOUT: msgspec.json.encode(about).decode(), _DIGEST: _ZEROS},
    )
    data = buffer.getvalue()
    files.write(Path(path), _with_digits(data, sha256(data).hexdigest().encode()), mode=0o666)


def supersede(population: Population, path: Path, *, reason: str) -> Path:
    """Freeze ``population`` to ``path``, in one step; the baseline that is there is kept beside it.

    Returns where: ``<path>.previous``, in the place of any older one. A crash in between leaves the old
    baseline in force.
    """
    previous = path.with_name(path.name + ".previous")
    files.write(previous, path.read_bytes(), mode=0o666)
    freeze(population, path, reason=reason)
    return previous


def load(path: Path | str) -> Population:
    """Return the population that ``freeze`` wrote.

    Raises
    ------
    MissingInput
        If there is no such file.
    UnknownFormat
        If it is something else.
    TamperedFile
        If it is cut short or was changed.
    InputError
        If it was frozen with another geometry version: the values have another meaning.

    """
    about, runs = _read(Path(path))
    frozen = about.provenance.geometry_version
    if frozen != GEOMETRY_VERSION:
        raise InputError(
            f"the baseline has geometry version {frozen}, this is {GEOMETRY_VERSION}: values do not compare",
            where=str(path),
            todo="Freeze it again from its exports",
        )
    return Population(about.label, conform(runs, RUNS), about.provenance, about.load_cuts)


def read_about(path: Path | str) -> About:
    """Return what a frozen baseline says about itself, of any geometry version; raises like ``load``."""
    return _read(Path(path))[0]


def _read(path: Path) -> tuple[About, pl.DataFrame]:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise MissingInput("there is no such baseline", where=str(path), todo="Check the path") from None
    if not data.startswith(_MAGIC):
        raise UnknownFormat("this is no frozen baseline", where=str(path), todo=_REMEDY)
    if not data[len(_MAGIC) :].endswith(_MAGIC):
        raise _tampered("it is cut short", path)
    digits = _DIGEST_AT.findall(data)
    if not digits and _ABOUT.encode() not in data:
        raise UnknownFormat("this Parquet file is no frozen baseline", where=str(path), todo=_REMEDY)
    if not digits or sha256(_with_digits(data, _ZEROS.encode())).hexdigest().encode() != digits[-1]:
        raise _tampered("its sha256 does not match", path)
    said = pl.read_parquet_metadata(BytesIO(data))[_ABOUT]
    return msgspec.json.decode(said, type=About), pl.read_parquet(BytesIO(data))


def _with_digits(data: bytes, digits: bytes) -> bytes:
    *_, place = _DIGEST_AT.finditer(data)
    return data[: place.start(1)] + digits + data[place.end(1) :]


_REMEDY = "Make one with 'sort-drift baseline freeze EXPORT --out FILE.parquet'"


def _tampered(why: str, path: Path) -> TamperedFile:
    return TamperedFile(
        f"the baseline was changed: {why}", where=str(path), todo="Restore it from a copy, or freeze it again"
    )
