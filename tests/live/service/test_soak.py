"""Steady load: benchmarks/soak.py for seconds, which do not show whether memory grows; minutes do."""

from __future__ import annotations

import pytest

from benchmarks.service import soaking, watching


@pytest.mark.slow
@pytest.mark.fault(53)
def test_everything_is_read_back_and_descriptors_are_flat(tmp_path) -> None:
    """Late spans, repetitions, JSON, pages, probes and readers at once: nothing lost, nothing left open."""
    every = watching.Every(look=1, probe=3, page=2, readers=6)
    result = soaking.run(tmp_path, minutes=0.2, rate=1_500, seed=53, every=every)
    assert result.wrong == []
    assert result.stored == len(result.fed.acknowledged()) > 10_000
    assert result.duplicates >= result.fed.twice > 0
    assert result.seen.probes
    assert result.seen.events
    assert result.seen.pages["/metrics"] >= 3
