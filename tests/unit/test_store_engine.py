"""DuckDB at arm's length: no files but the store's, one statement a file, no network."""

from importlib.resources import files

import polars as pl
import pytest

from sort_drift.errors import StoreError
from sort_drift.store.engine import query


@pytest.mark.fault(68)
def test_a_query_reads_nothing_outside_its_folder(tmp_path):
    """A parameter that names another file is refused by the engine itself."""
    inside, outside = tmp_path / "store", tmp_path / "other"
    for folder in (inside, outside):
        folder.mkdir()
        pl.DataFrame({"trace_id": ["a"], "source": ["s"]}).write_parquet(folder / "x.parquet")
    assert query("traces", str(inside), files=[str(inside / "x.parquet")])["spans"].to_list() == [1]
    for path in (
        outside / "x.parquet",
        inside / ".." / "other" / "x.parquet",
        "https://example.com/x.parquet",
    ):
        with pytest.raises(StoreError, match="cannot be queried"):
            query("traces", str(inside), files=[str(path)])


def test_a_file_holds_one_statement():
    """SQL is SQL: one statement a file, with a comment that says what it gives."""
    for file in (files("sort_drift.store") / "sql").iterdir():
        text = file.read_text()
        assert text.startswith("-- ")
        assert ";" not in "".join(line for line in text.splitlines() if not line.startswith("--"))
