"""Whatever is compacted, and whenever: readers get the same spans, the same runs, the same counts."""

import tempfile
from pathlib import Path
from typing import Any

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from sort_drift.store import Store, Writer, manifest, writing
from sort_drift.store.compaction import compact
from tests.examples import examples
from tests.store_frames import KEY, NOON, run, runs, spans

DAY = 86_400 * 10**9

# The start follows from identity, as it does where a span is sent again; content and end may differ.
span = st.builds(
    lambda trace, number, end, version: {
        "trace_id": f"t{trace}",
        "span_id": f"s{number}",
        "seq": number,
        "cls": "agent",
        "start_ns": None if number == 3 else NOON + (trace % 3) * DAY // 2,
        "end_ns": end,
        "name": f"{trace}/{number}/{version}",
        "task": f"v{version}" if version % 2 else None,
    },
    st.integers(0, 5),
    st.integers(0, 3),
    st.none() | st.integers(NOON, NOON + 2),
    st.integers(0, 9),
)
measured = st.builds(
    lambda traces, value: run("+".join(sorted(traces)), sorted(traces), retry_depth=value),
    st.sets(st.sampled_from([f"t{i}" for i in range(6)]), min_size=1, max_size=3),
    st.integers(0, 9),
)
step = st.one_of(
    st.tuples(st.just("seal"), st.lists(span, max_size=6)),
    st.tuples(st.just("runs"), st.lists(measured, max_size=2)),
    st.tuples(st.just("compact"), st.integers(0, 9)),
)


def do(writer: Writer, number: int, what: str, given_: Any, *, compacting: bool) -> None:
    """Take one step; the second store takes the same ones but does not compact."""
    if what == "seal":
        writer.seal([spans(*given_)] if given_ else [], journal=number, sha256=f"{number:064x}")
    elif what == "runs":
        covers = len(writer.store.lines) if number % 3 else None
        writer.write_runs([runs(row) for row in given_], covers=covers)
    elif compacting:
        compact(writer, grace_s=0 if given_ % 2 else 60, runs_upto=None if given_ > 3 else given_)


def seen(path: Path) -> tuple[Any, ...]:
    """Return what readers see of a store."""
    store = Store.open(path)
    frames = list(store.spans(detail=True))
    found = pl.concat(frames).sort("trace_id", "span_id") if frames else spans()
    about = store.provenance()
    return found.rows(), store.runs().rows(), store.pending(), about.spans, about.duplicates


@examples(8)
@given(st.lists(step, min_size=2, max_size=12))
def test_compaction_changes_nothing_that_is_read(steps):
    """Against a store that took the same steps and was never compacted."""
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / name for name in ("compacted", "plain")]
        for path in paths:
            with writing(path, fingerprint=KEY) as writer:
                for number, (what, given_) in enumerate(steps):
                    do(writer, number, what, given_, compacting=path == paths[0])
                if path == paths[0]:
                    compact(writer, grace_s=0)
                    names = {str(file.relative_to(path)) for file in path.rglob("*.parquet")}
                    assert names == {line.segment for line in writer.store.of(manifest.Segment)}
                assert seen(path) == seen_by(writer.store)
        assert seen(paths[0]) == seen(paths[1])


def seen_by(store: Store) -> tuple[Any, ...]:
    """Return what the writer's own view, which is never read again, says."""
    assert store.lines == Store.open(store.path).lines
    return seen(store.path)
