"""What was delivered where, across restarts: ids of happenings, for each hook, in one small file."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from hashlib import blake2b
from pathlib import Path

import msgspec

from sort_drift.errors import StoreError
from sort_drift.live.settings import Webhook
from sort_drift.store import files

KEPT = 5_000
"""Ids of a hook; more than the queue (1,000) and the events read at a start (1,000) together."""


class _Kept(msgspec.Struct):
    version: int = 1
    hooks: dict[str, dict[str, bool]] = {}  # hook -> id -> delivered


def key(hook: Webhook) -> str:
    """Return what a hook is known by in the file; its address may hold a secret.

    >>> key(Webhook("http://127.0.0.1:9093"))
    '126eb99783e1f05a'
    """
    return blake2b(f"{hook.form} {hook.url}".encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


class Ledger:
    """The file. Everything may be called from any thread; what cannot be written is kept in memory."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self.problem = ""
        self._hooks = self._read()

    def known(self, hook: str) -> bool:
        """Whether anything was ever noted of a hook."""
        with self._lock:
            return hook in self._hooks

    def settled(self, hook: str, id_: str) -> bool | None:
        """Return whether a happening was delivered; None: it is still to be."""
        with self._lock:
            return self._hooks.get(hook, {}).get(id_)

    def settle(self, hook: str, ids: Iterable[str], *, delivered: bool) -> None:
        """Note that happenings were delivered, or that nobody will try any more; durable after this."""
        with self._lock:
            noted = self._hooks.setdefault(hook, {})
            noted.update(dict.fromkeys(ids, delivered))
            for old in list(noted)[:-KEPT]:
                del noted[old]
            try:
                files.write(self._path, msgspec.json.encode(_Kept(hooks=self._hooks)))
                self.problem = ""
            except StoreError as error:
                self.problem = f"what was delivered is not noted: {error.what}"

    def _read(self) -> dict[str, dict[str, bool]]:
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=_Kept).hooks
        except FileNotFoundError:
            return {}
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
            self.problem = "what was delivered is not known any more: its file cannot be read"
            return {}
