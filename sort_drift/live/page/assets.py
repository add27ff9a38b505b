"""Files that the page loads: its own style and script, and uPlot. A literal table: no name becomes a path."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

import sort_drift.report

_HERE = Path(__file__).parent / "static"
_REPORT = Path(sort_drift.report.__file__).parent

FILES: Mapping[str, tuple[str, tuple[Path, ...]]] = {
    "live.css": ("text/css", (_REPORT / "page.css", _HERE / "live.css")),  # one look for reports and pages
    "page.js": ("text/javascript", (_HERE / "page.js",)),
    "icon.svg": ("image/svg+xml", (_HERE / "icon.svg",)),
    "vendor/uPlot.iife.min.js": ("text/javascript", (_HERE / "vendor" / "uPlot.iife.min.js",)),
    "vendor/uPlot.min.css": ("text/css", (_HERE / "vendor" / "uPlot.min.css",)),
}
"""Name behind /static/ -> type, and the files that it is made of."""


@cache
def read(name: str) -> tuple[str, bytes]:
    """Return type and content of a file of FILES; KeyError for any other name."""
    kind, paths = FILES[name]
    return kind, b"\n".join(path.read_bytes() for path in paths)
