"""kill -9 under load: benchmarks/kill.py with ten kills, with the same agents, moments and checks."""

from __future__ import annotations

import pytest

from benchmarks.service.killing import run


@pytest.mark.slow
@pytest.mark.fault(36)
def test_nothing_acknowledged_is_lost_and_nothing_comes_twice(tmp_path) -> None:
    """After ten kills, every span whose real exporter had its answer is in the store once, as it was sent."""
    out = run(tmp_path, kills=10, seed=36, looks=1)
    assert out.wrong == []
    assert out.kills.total() == 10
    assert out.acknowledged > 1_000
    assert out.looks[-1].runs > 100
