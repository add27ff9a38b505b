"""``sort-drift store``: verify, compact, repair, merge. Heavy imports live inside the commands."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sort_drift import console
from sort_drift.arguments import Json

if TYPE_CHECKING:
    from sort_drift.store import Writer
    from sort_drift.store.check import Problem

Stores = Annotated[list[Path], typer.Argument(metavar="DIR...", help="The stores.", show_default=False)]
Into = Annotated[Path, typer.Argument(metavar="INTO", help="The store that grows.", show_default=False)]
Others = Annotated[
    list[Path], typer.Argument(metavar="OTHER...", help="Stores that stay as they are.", show_default=False)
]
Grace = Annotated[
    float | None,
    typer.Option(metavar="SECONDS", help="How long replaced files stay for readers.", show_default="3600"),
]


def app(epilog: Callable[..., str]) -> typer.Typer:
    """Return the commands; ``epilog`` makes the end of a help page of examples."""
    made = typer.Typer(help="Look after a store.", rich_markup_mode=None)
    made.command(epilog=epilog("store verify drift/", "store verify backups/* --json"))(verify)
    made.command(epilog=epilog("store compact drift/"))(compact)
    made.command(epilog=epilog("store repair drift/"))(repair)
    made.command(epilog=epilog("store merge all/ cluster-a/ cluster-b/"))(merge)
    return made


def verify(stores: Stores, *, json: Json = False) -> None:
    """Check every file of a store.

    Segments against their sha256, the manifest, journals, and what nothing names; lists every problem, and
    ends with exit code 2 where one is serious. Reads only, also while a service writes.
    """
    from sort_drift.store import check

    done = [check.verify(path, journals=_journals) for path in stores]
    _print("verify", [asdict(one) for one in done], json)
    if not all(one.sound for one in done):
        raise typer.Exit(2)


def compact(stores: Stores, *, grace: Grace = None, json: Json = False) -> None:
    """Merge small segments.

    Reads the same afterwards, faster. A running service does it by itself.
    """
    from sort_drift import arguments
    from sort_drift.store import compaction, sweeping

    seconds = sweeping.GRACE_S if grace is None else arguments.natural(int(grace), "--grace")
    done = []
    for path in stores:
        with _writing(path) as writer:
            done.append({"store": path, **asdict(compaction.compact(writer, grace_s=seconds))})
    _print("compact", done, json)


def repair(stores: Stores, *, json: Json = False) -> None:
    """Make a damaged store usable again.

    Damaged segments are set aside in quarantine/, a lost manifest is made anew; then runs are measured again
    where that is needed. Says what is lost.
    """
    from sort_drift.store import repair as repairing

    done = []
    for path in stores:
        said = asdict(repairing.repair(path))
        with _writing(path) as writer:
            recovered = _recovered(writer)
            done.append({**said, "store": path, "recovered": recovered, "runs": _measure(writer)})
    _print("repair", done, json)


def merge(into: Into, others: Others, *, json: Json = False) -> None:
    """Copy stores into one.

    Spans that several of them have count once, and runs are measured again. Stores with another hash key are
    refused.
    """
    from sort_drift.store import merge as merging

    with _writing(into) as writer:
        done = [{"store": into, **asdict(merging.merge(writer, other))} for other in others]
        _measure(writer)
    _print("merge", done, json)


def _journals(store: Path) -> Iterable[Problem]:
    """Yield what is wrong with the journals of a live service, and those that wait to be stored."""
    from sort_drift.errors import StoreError
    from sort_drift.live.keep import journal
    from sort_drift.store.check import Problem

    for path in journal.names(store / journal.FOLDER):
        where = f"{journal.FOLDER}/{path.name}"
        try:
            found = journal.read(path)
        except FileNotFoundError:  # it was stored meanwhile
            continue
        except StoreError as error:
            yield Problem("journal", where, error.what, error.todo)
            continue
        if (
            found.bad
        ):  # a service that writes to it, or was killed, leaves a frame that was never acknowledged
            todo = "The next start of the service, or store repair, keeps the frames before it"
            yield Problem("journal", where, found.bad, todo, serious="cut" not in found.bad)
        if found.payloads:
            what = f"{len(found.payloads):,} frames are acknowledged and not in a segment yet"
            yield Problem("journal", where, what, "A running service stores them", serious=False)
    for path in sorted((store / journal.FOLDER).glob("*.bad-*")):
        what = "set aside: a part of a journal that was no frame"
        yield Problem("journal", f"{journal.FOLDER}/{path.name}", what, serious=False)


def _recovered(writer: Writer) -> int:
    """Store what the journals of a service that is gone hold; return the spans."""
    from sort_drift.live.keep import startup

    say = console.notes()
    return startup.recover(writer, say)


def _writing(path: Path) -> Any:
    """Open a store that is there for writing, whatever key its hashes have: none is made here."""
    from sort_drift.store import files, writing

    return writing(path, fingerprint=files.read_format(path.resolve()).hash_fingerprint)


def _measure(writer: Writer) -> int:
    """Measure what is pending, as ingest does; return the runs."""
    from sort_drift import pipeline

    pending = writer.store.pending()
    if not pending:
        return 0
    frames = writer.store.spans(touching=pending)
    return writer.write_runs(writer.store.label(pipeline.measure(frame)) for frame in frames)


def _print(command: str, done: list[dict[str, Any]], json: bool) -> None:
    from sort_drift.report import stores

    say = {
        "verify": stores.verified,
        "compact": stores.compacted,
        "repair": stores.repaired,
        "merge": stores.merged,
    }
    text = stores.as_json(command, done) if json else say[command](done, **console.page())
    console.clear()
    console.write(text)
