"""What ``sort-drift store verify``, ``compact``, ``repair`` and ``merge`` say when they are done."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sort_drift.report import json, numbers
from sort_drift.report.plain import inert, paint, wrap

SCHEMAS = {
    "verify": "sort-drift/store-verify/1",
    "compact": "sort-drift/store-compact/1",
    "repair": "sort-drift/store-repair/1",
    "merge": "sort-drift/store-merge/1",
}

_Done = Mapping[str, Any]


def as_json(command: str, done: Sequence[_Done]) -> str:
    """Return the results of one command, one entry a store, as one object."""
    stores = [{key: _plain(value) for key, value in one.items()} for one in done]
    return json.dumps({"schema": SCHEMAS[command], "stores": numbers.finite(stores)})


def _plain(value: Any) -> Any:
    return value if isinstance(value, (int, float, list, tuple, str, type(None))) else str(value)


def verified(done: Sequence[_Done], *, width: int = 110, color: bool = False) -> str:
    """Return what was looked at and every problem, the serious ones first, each with what to do."""
    lines: list[str] = []
    for one in done:
        found = sorted(one["problems"], key=lambda problem: not problem["serious"])
        serious = sum(problem["serious"] for problem in found)
        what = f"{numbers.plural(one['segments'], 'segment')}, {_size(one['bytes'])}"
        verdict = f"{numbers.plural(serious, 'problem')} in {what}" if serious else f"{what}, all as written"
        lines += wrap(inert(f"{one['store']}: {verdict}"), width, "", "  ")
        for problem in found:
            text = inert(f"{problem['where']}: {problem['what']}")
            todo = inert(f". {problem['todo']}" if problem["todo"] else "")
            style = "red" if problem["serious"] else "dim"
            lines += [paint(line, style, color) for line in wrap(text + todo, width, "  ", "    ")]
    return "\n".join(lines) + "\n"


def compacted(done: Sequence[_Done], *, width: int = 110, color: bool = False) -> str:
    """Return what compaction merged and freed."""
    del color
    lines: list[str] = []
    for one in done:
        what = f"{numbers.plural(one['before'], 'segment')} -> {one['after']:,}"
        dropped = _listed((one["duplicates"], "duplicate span"), (one["revisions"], "replaced run row"))
        what += f", without {dropped}" if dropped else ""
        what += f"; {_size(one['freed_bytes'])} freed" if one["freed_bytes"] else ""
        lines += wrap(inert(f"{one['store']}: {what}"), width, "", "  ")
        lines += _each("damaged, left as it is (sort-drift store repair)", one["damaged"], width)
    return "\n".join(lines) + "\n"


def repaired(done: Sequence[_Done], *, width: int = 110, color: bool = False) -> str:
    """Return what repair set aside, took back and lost, and what to ingest again."""
    del color
    lines: list[str] = []
    for one in done:
        changes = [*one["quarantined"], *one["missing"], *one["restored"], *one["adopted"]]
        what = "repaired" if changes or one["remeasured"] or one["recovered"] else "nothing to repair"
        what += f"; {numbers.plural(one['recovered'], 'span')} of journals stored" if one["recovered"] else ""
        lost = _listed((one["lost_spans"], "span"), (one["lost_runs"], "run row"))
        what += f"; lost: {lost}" if lost else ""
        what += f"; {numbers.plural(one['runs'], 'run')} measured again" if one["runs"] else ""
        lines += wrap(inert(f"{one['store']}: {what}"), width, "", "  ")
        lines += _each("set aside in quarantine/", one["quarantined"], width)
        lines += _each("was not there", one["missing"], width)
        lines += _each("counts again, in the place of what was made of it", one["restored"], width)
        lines += _each("found, and listed again", one["adopted"], width)
        lines += _each("not whole any more: ingest it again", one["incomplete"], width)
    return "\n".join(lines) + "\n"


def merged(done: Sequence[_Done], *, width: int = 110, color: bool = False) -> str:
    """Return what came from the other stores."""
    del color
    lines: list[str] = []
    for one in done:
        facts = [numbers.plural(one[key], key[:-1]) for key in ("segments", "spans", "runs")]
        what = f"{', '.join(facts)} from {one['other']}"
        if one["duplicates"]:
            what += f"; {numbers.plural(one['duplicates'], 'span')} were there already and count once"
        what += f"; {numbers.plural(one['known'], 'segment')} were there already" if one["known"] else ""
        lines += wrap(inert(f"{one['store']}: {what}"), width, "", "  ")
        if one["journals"]:
            what = f"{numbers.plural(one['journals'], 'journal')} of its service had not become segments yet"
            lines += wrap(inert(f"{what}: merge it again once the service has stopped"), width, "  ", "    ")
    return "\n".join(lines) + "\n"


def _each(what: str, names: Sequence[str], width: int) -> Iterator[str]:
    for name in names:
        yield from wrap(inert(f"{name}: {what}"), width, "  ", "    ")


def _listed(*counted: tuple[int, str]) -> str:
    return " and ".join(numbers.plural(n, what) for n, what in counted if n)


def _size(size: int) -> str:
    """Return bytes as people read them.

    >>> _size(512), _size(3_400_000)
    ('512 B', '3.4 MB')
    """
    value = float(size)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"
