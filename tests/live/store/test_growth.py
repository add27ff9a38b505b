"""What a seal costs does not grow with the store; the figures are in benchmarks/store_growth.py."""

from benchmarks import store_growth
from sort_drift.store import engine, manifest, writing
from tests.live.store.stores import SECOND, seal
from tests.store_frames import KEY, NOON, trace


def test_the_benchmark_measures_what_it_says():
    """A small one has a line a size, the ratio, and a compaction."""
    lines = list(store_growth.measure([2, 4], rounds=1))
    assert [line.split("|")[1].strip() for line in lines[2:4]] == ["2", "4"]
    assert "as a multiple of that at 2" in lines[-2]
    assert lines[-1].startswith("Compaction of 10 segments (")


def test_a_seal_reads_its_neighbours_alone(tmp_path, monkeypatch):
    """Of 20 segments, a minute apart, it opens those of its own minutes; the manifest is not read again."""
    read: list[int] = []
    select = engine.select

    def counted(text, folder, **parameters):
        read.append(len(parameters["files"]))
        return select(text, folder, **parameters)

    monkeypatch.setattr(engine, "select", counted)
    with writing(tmp_path / "s", fingerprint=KEY) as writer:
        for number in range(20):
            if number == 1:
                monkeypatch.setattr(manifest, "_read", None)
            seal(writer, number, trace(f"t{number}", at=NOON + number * 60 * SECOND))
    assert read == [1] * 20
