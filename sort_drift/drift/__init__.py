"""Two populations of runs -> Report: pure, every random number from a seed that the report shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sort_drift.drift.comparison import compare

__all__ = ["compare"]


def __getattr__(name: str) -> Any:
    """Import what compares when it is asked for: commands that list do not pay the half second of scipy."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from sort_drift.drift import comparison  # noqa: PLC0415

    return getattr(comparison, name)
