"""Opening a store for writing: where there is none it is made, and one process at a time writes to it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sort_drift.errors import StoreError
from sort_drift.store import editing, files, manifest
from sort_drift.store.reader import Store
from sort_drift.store.writer import Writer


@contextmanager
def writing(path: Path | str, *, fingerprint: str, note: str = "") -> Iterator[Writer]:
    """Open the store at ``path`` for writing, make it where there is none, and hold its lock.

    ``fingerprint`` is that of the key of every hash that will be written (``Hasher.fingerprint``). Others who
    want to write meanwhile are told ``note``: the address of the page of a live service.

    Raises
    ------
    StoreError
        If another process writes to it, its hashes have another key, or ``path`` is something else.

    """
    path = Path(path).resolve()
    if path.exists() and not files.is_store(path) and (not path.is_dir() or _foreign(path)):
        raise StoreError(
            "this is neither a store nor an empty directory", where=str(path), todo="Name a new directory"
        )
    with files.writable(path):
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    with files.lock(path, note):
        if not files.is_store(path):
            manifest.append(path, ())
            files.create_format(path, fingerprint)
        store = Store.open(path)
        if store.format.hash_fingerprint != fingerprint:
            raise StoreError(
                f"the store's hashes have another key ({store.format.hash_fingerprint}, now {fingerprint})",
                where=str(path),
                todo="Set SORT_DRIFT_HASH_KEY as it was when the store was made, or name a new directory",
            )
        writer = Writer(store)
        if store.lines != store.listed:  # a copy that was made while it was written: from now on it is whole
            writer.replace(*editing.rewritten(store.lines, {}))
        yield writer


def _foreign(path: Path) -> bool:
    """Whether a directory holds more than what making a store leaves behind when it is cut short."""
    made = {files.LOCK_FILE, manifest.MANIFEST_FILE, f"{files.FORMAT_FILE}.tmp"}
    return any(entry.name not in made for entry in path.iterdir())
