"""The calls by which a store touches the disk, with one of them failing, or the process killed there."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

CALLS = ("write", "fsync", "replace", "rename", "unlink", "utime", "mkdir", "rmdir")


class Shim:
    """Counts the calls; ``fail_at`` is the one (from 1) that does not happen."""

    def __init__(self, fail_at: int, error: int | None) -> None:
        self.fail_at, self.error = fail_at, error
        self.calls: list[str] = []
        self.failed = False

    def call(self, name: str, real: Any, *arguments: Any, **more: Any) -> Any:
        """Make the call, or fail; a write that fails has written its first half."""
        self.calls.append(name)
        if len(self.calls) == self.fail_at:
            self.failed = True
            if name == "write":
                real(arguments[0], arguments[1][: len(arguments[1]) // 2])
            if self.error is None:
                os.kill(os.getpid(), signal.SIGKILL)
            raise OSError(self.error, os.strerror(self.error or 0))
        return real(*arguments, **more)


@contextmanager
def failing(fail_at: int, error: int | None) -> Iterator[Shim]:
    """Let the ``fail_at``-th call raise ``error``; None: kill the process there."""
    shim = Shim(fail_at, error)
    real = {name: getattr(os, name) for name in CALLS}
    try:
        for name, function in real.items():
            setattr(os, name, lambda *a, _n=name, _f=function, **k: shim.call(_n, _f, *a, **k))
        yield shim
    finally:
        for name, function in real.items():
            setattr(os, name, function)
