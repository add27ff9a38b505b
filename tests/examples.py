"""How many examples a property test draws: few in CI, where all of them together take twenty minutes.

``SORT_DRIFT_EXAMPLES=20 make test`` draws twenty times as many, as a nightly run does.
"""

from __future__ import annotations

import os
from typing import Any

from hypothesis import settings

TIMES = int(os.environ.get("SORT_DRIFT_EXAMPLES", "1"))


def examples(count: int, **options: Any) -> settings:
    """Return hypothesis' settings for ``count`` examples."""
    return settings(max_examples=count * TIMES, **options)
