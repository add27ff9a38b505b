"""What the pages of these benchmarks share: where they were made, and how numbers look."""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from importlib import metadata

from sort_drift_sdk import hardware

OURS = ("sort-drift", "duckdb", "polars", "uvicorn", "grpcio")
MIB = 1 << 20


def made(command: str, packages: Iterable[str] = OURS) -> str:
    """Say what wrote a page, when, on which machine, with which versions."""
    versions = ", ".join(f"{name} {version(name)}" for name in packages)
    model = hardware.detect().get("hw.model") or platform.machine()
    return (
        f"Written by `{command}` on {datetime.now(UTC):%Y-%m-%d}; nothing here is typed by hand.\n"
        f"{model}, {os.cpu_count()} threads, Python {platform.python_version()}; {versions}."
    )


def version(package: str) -> str:
    """Return the version of a package here."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"


def number(value: float) -> str:
    """Write a number with about three digits that count.

    >>> [number(value) for value in (12345.6, 98.76, 8.4321, 0.0321)]
    ['12,346', '98.8', '8.43', '.03']
    """
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    text = f"{value:,.{digits}f}"
    return text.replace("0.", ".", 1) if abs(value) < 1 else text


def spread(values: Sequence[float]) -> str:
    """Write a median with the smallest and the largest value.

    >>> spread([3, 1, 2])
    '2.00 (1.00 to 3.00)'
    """
    return f"{number(statistics.median(values))} ({number(min(values))} to {number(max(values))})"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Write a Markdown table, the first column to the left."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
