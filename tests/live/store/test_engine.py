"""What a statement can do, whoever wrote it: read the store, nothing else."""

import polars as pl
import pytest

from sort_drift.errors import StoreError
from sort_drift.store import Store, writing
from sort_drift.store.compaction import compact
from sort_drift.store.engine import select
from sort_drift.store.merge import merge
from tests.live.store.stores import lived, seal
from tests.store_frames import KEY, run, runs, trace

NASTY = (
    "a'; DROP TABLE x; --",
    "\"; ATTACH 'x'; --",
    "$files",
    "?",
    "%s {0} \\",
    "*?[]{}",
    "'||(SELECT 1)||'",
    "\0",
    "a\nb",
    "' UNION SELECT * FROM read_text('/etc/passwd') --",
)


@pytest.fixture
def folder(tmp_path):
    """Return a store beside a secret."""
    (tmp_path / "secret.csv").write_text("a\n1\n")
    return lived(tmp_path / "s", "a")


@pytest.mark.fault(67)
def test_metacharacters_are_parameters_only(tmp_path):
    """In every name that a service may get, and in the store's path: found as they are, by every query."""
    path = tmp_path / 'it\'s $1; a "store" [x]'
    with writing(path, fingerprint=KEY) as writer:
        seal(writer, 1, *(trace(name, run_key=name, service=name, task=name) for name in NASTY))
        writer.write_runs([runs(*(run(name, [name], task=name) for name in NASTY))])
        again = trace(NASTY[0], run_key=NASTY[0], service=NASTY[0])
        seal(writer, 2, again)
        assert writer.store.pending() == [NASTY[0]]
        writer.write_runs([])
        compact(writer, grace_s=0)
    for name in NASTY:
        assert Store.open(path).spans_of([name], None, None)["service"].to_list() == [name] * 3
    assert sorted(Store.open(path).runs()["task"]) == sorted(NASTY)
    found = pl.concat(Store.open(path).spans(touching=[NASTY[0]]))
    assert found["trace_id"].unique().to_list() == [NASTY[0]]
    other = lived(tmp_path / "other", "b")
    with writing(other, fingerprint=KEY) as writer:
        assert merge(writer, path).spans == 3 * len(NASTY)


REFUSED = {
    "read outside": "SELECT * FROM read_csv('{outside}/secret.csv')",
    "read by name": "SELECT * FROM '{outside}/secret.csv'",
    "read text": "SELECT * FROM read_text('/etc/passwd')",
    "read bytes": "SELECT * FROM read_blob('{outside}/secret.csv')",
    "read upwards": "SELECT * FROM read_csv('{store}/../secret.csv')",
    "list": "SELECT * FROM glob('{outside}/*')",
    "sniff": "SELECT * FROM sniff_csv('{outside}/secret.csv')",
    "network": "SELECT * FROM read_csv('https://example.com/a.csv')",
    "write outside": "COPY (SELECT 1) TO '{outside}/x.csv'",
    "write inside": "COPY (SELECT 1) TO '{store}/x.csv'",
    "export": "EXPORT DATABASE '{store}/x'",
    "attach": "ATTACH '{store}/x.db'",
    "other database": "SELECT * FROM read_duckdb('{store}/x.db')",
    "install": "INSTALL httpfs",
    "load": "LOAD httpfs",
    "configuration": "SET enable_external_access = true",
    "memory": "SET memory_limit = '9GB'",
    "pragma": "PRAGMA enable_profiling",
    "call": "CALL enable_logging()",
    "log file": "SELECT * FROM enable_logging('QueryLog', storage='file', storage_path='{store}/x')",
    "profile file": "SELECT * FROM enable_profiling(format='json', save_location='{store}/x')",
    "two statements": "SELECT 1; COPY (SELECT 1) TO '{store}/x.csv'",
    "nested": "SELECT * FROM query('COPY (SELECT 1) TO ''{store}/x.csv''')",
    "Python variable": "SELECT * FROM frame_of_python",
    "environment": "SELECT getenv('PATH')",
    "create": "CREATE TABLE x AS SELECT 1",
    "nothing": "",
}


@pytest.mark.fault(68)
@pytest.mark.parametrize("what", REFUSED)
def test_a_statement_cannot(folder, what):
    """Each of these is one line of the house form, and nothing is there afterwards."""
    frame_of_python = pl.DataFrame({"a": [1]})
    before = sorted(folder.parent.rglob("*"))
    with pytest.raises(StoreError, match=r"cannot be queried|only one SELECT"):
        select(REFUSED[what].format(outside=folder.parent, store=folder), str(folder))
    assert sorted(folder.parent.rglob("*")) == before
    assert frame_of_python.height == 1


@pytest.mark.fault(68)
def test_a_statement_can_read_the_store(folder):
    """Segments below the folder, and what it computes itself."""
    file = next((folder / "spans").rglob("*.parquet"))
    found = select("SELECT count(*) AS n FROM read_parquet($file)", str(folder), file=[str(file)])
    assert found["n"].to_list() == [3]
    assert select("WITH x AS (SELECT 1 AS a) FROM x", str(folder))["a"].to_list() == [1]
