"""A vocabulary of the user's own: a TOML file with the tables of a built-in one -> ``Vocabulary``.

    name = "acme"                      kinds, names    what a span is, see fields.KINDS
    scopes = ["acme.tracing"]          columns         where a fact stands, see fields.FIELDS
    [kinds."acme.kind"]                finish          the framework's words -> stop, tool_calls...
    completion = "llm"                 failed          attribute -> its values that say: failed
    [columns]                          failed_results  patterns of a tool's result that say so
    in_tokens = "acme.usage.prompt"    extends         a built-in vocabulary that holds for all the rest

All mistakes are found before any is reported, each with its key and the nearest thing that exists.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from fnmatch import fnmatchcase
from hashlib import sha256
from pathlib import Path
from typing import Any

from sort_drift import registry
from sort_drift.dialects import DIALECTS, readers
from sort_drift.dialects.fields import (
    CALLED,
    CONTENT,
    FIELDS,
    FINISHES,
    KEYS,
    KINDS,
    READERS,
    ROLES,
    ROOTS,
    readers_of,
)
from sort_drift.dialects.readers import Read
from sort_drift.dialects.vocabulary import ANY, CLASSES, Column, Kind, Vocabulary
from sort_drift.errors import BadVocabulary, MissingInput, SortDriftError
from sort_drift.sheets import Sheet, near, together

_NAME = re.compile(r"[a-z][a-z0-9_-]*")


def read(files: Iterable[Path]) -> tuple[Vocabulary, ...]:
    """Return the vocabularies in ``files``, in their order.

    Raises
    ------
    MissingInput
        If there is no such file.
    BadVocabulary
        With ``mistakes``: all of them, in all files.

    """
    found, mistakes = list[Vocabulary](), list[SortDriftError]()
    for file in files:
        try:
            data = file.read_bytes()
        except FileNotFoundError:
            raise MissingInput("no such vocabulary", where=str(file), todo="Check the path") from None
        sheet = _Sheet(str(file), BadVocabulary)
        found.append(sheet.vocabulary(data, taken=[v.name for v in found]))
        mistakes += sheet.mistakes
    together(mistakes)
    return tuple(found)


class _Sheet(Sheet):
    """One file on its way to a vocabulary."""

    def vocabulary(self, data: bytes, taken: Collection[str]) -> Vocabulary:
        read = self.toml(data)
        given = self._keys(read) if not self.mistakes else {}
        base = self._base(given)
        name = given.get("name", "")
        if given and not _NAME.fullmatch(name):
            self.wrong("name", f"{name!r} is no name" if name else "there is no name", 'Write name = "acme"')
        elif name in DIALECTS or name in taken:
            self.wrong("name", f"there is a vocabulary {name!r} already", "Choose another name")
        kinds = {attribute: self._kinds(attribute, table) for attribute, table in self._tables(given)}
        patterns = self._patterns(given.get("names", {}))
        columns = (*self._columns(given.get("columns", {})), *self._failures(given.get("failed", {})))
        columns = self._once(columns)
        asked = self._asked(given, kinds, base)
        if given and not (kinds or patterns or base.name):
            self.wrong(
                "kinds", "nothing says what a span is", f'Write [kinds."ATTRIBUTE"] with {_listed(KINDS)}'
            )
        known = {attribute for line in columns for attribute in line.names}
        rest = (replace(x, names=tuple(n for n in x.names if n not in known)) for x in base.columns)
        inherited = (line for line in rest if line.names)
        both = {attribute: dict(table) for attribute, table in base.kinds}
        merged = {a: {**both.get(a, {}), **table} for a, table in kinds.items()}
        return replace(
            base,
            name=name,
            **asked,
            kinds=tuple({**merged, **{a: t for a, t in both.items() if a not in merged}}.items()),
            roots={**base.roots, **ROOTS},
            patterns=patterns,
            columns=self._with_finishes((*columns, *inherited), given.get("finish", {})),
            events={**base.events, **self._words(given, "events", ROLES, "role")},
            flattened={**self._flattened(given), **base.flattened},
            dropped=(*self._texts(given, "dropped"), *base.dropped),
            failed_results=self._texts(given, "failed_results"),
            blind_tools=("",) if given.get("blind_tools") else base.blind_tools,
            cache_apart=given.get("cache_apart", base.cache_apart),
            one_candidate=given.get("one_candidate", base.one_candidate),
            file=self.file,
            sha256=sha256(data).hexdigest(),
        )

    # -- parts of the file

    def _keys(self, given: dict[str, Any]) -> dict[str, Any]:
        """Return what has a known key and the kind of value that belongs there."""
        for key in [key for key, value in given.items() if not self._fits(key, value)]:
            del given[key]
        return given or {"name": ""}

    def _fits(self, key: str, value: Any) -> bool:
        if key not in KEYS:
            self.wrong(key, f"unknown key {key!r}", near(key, KEYS))
        elif not isinstance(value, KEYS[key][0]):
            called = CALLED[KEYS[key][0]]
            self.wrong(key, f"this is not {called}", f"Write {key} as {called}")
        else:
            return True
        return False

    def _base(self, given: Mapping[str, Any]) -> Vocabulary:
        known = [name for name in DIALECTS if name != "native"]  # which applies to every span anyway
        wanted = given.get("extends")
        if wanted is None or not self.known("extends", wanted, known, "vocabulary"):
            return Vocabulary("", ())
        base: Vocabulary = registry.load(DIALECTS, wanted, "vocabulary")
        return base

    def _asked(self, given: Mapping[str, Any], kinds: Iterable[str], base: Vocabulary) -> dict[str, Any]:
        """Return which spans are read with it: by its marks and scopes, else by its kinds and its base."""
        marks, scopes = self._texts(given, "marks"), self._texts(given, "scopes")
        if marks or scopes:
            return {"marks": marks, "scopes": scopes, "scope_marks": (ANY,) if scopes else (), "before": ""}
        if given and not (kinds or base.name):
            todo = "Name attributes (marks), instrumentation scopes (scopes), or kinds"
            self.wrong("marks", "nothing says which spans this vocabulary reads", todo)
        return {"marks": (*kinds, *base.marks), "before": base.name}

    def _tables(self, given: Mapping[str, Any]) -> Iterable[tuple[str, dict[str, Any]]]:
        for attribute, table in given.get("kinds", {}).items():
            if not isinstance(table, dict) or any(isinstance(value, dict) for value in table.values()):
                todo = (
                    f'A name with dots stands in quotes: [kinds."{attribute}.KIND"], below it value = "llm"'
                )
                self.wrong(f"kinds.{attribute}", "this is no attribute with a table of its values", todo)
            else:
                yield attribute, table

    def _kinds(self, attribute: str, table: Mapping[str, Any]) -> dict[str, Kind]:
        return {
            value: KINDS[kind][0]
            for value, kind in table.items()
            if self.known(f"kinds.{attribute}.{value}", kind, KINDS, "kind of span")
        }

    def _patterns(self, table: Mapping[str, Any]) -> tuple[tuple[re.Pattern[str], Kind], ...]:
        """Return span names as patterns, those without ``*`` first."""
        return tuple(
            (re.compile("(.*)".join(map(re.escape, name.split("*"))), re.DOTALL), KINDS[kind][0])
            for name, kind in sorted(table.items(), key=lambda item: "*" in item[0])
            if self.known(f"names.{name}", kind, KINDS, "kind of span")
        )

    def _columns(self, table: Mapping[str, Any]) -> list[Column]:
        found = []
        for name, given in table.items():
            key = f"columns.{name}"
            if isinstance(given, dict) and name not in FIELDS:
                self.wrong(
                    key, f"unknown column {name!r}", 'Write COLUMN = "ATTRIBUTE", with the dots in quotes'
                )
            elif self.known(key, name, FIELDS, "column"):
                line = given if isinstance(given, dict) else {"from": given}
                for part in [part for part in line if part not in {"from", "read", "on"}]:
                    self.wrong(f"{key}.{part}", f"unknown key {part!r}", near(part, ("from", "read", "on")))
                read, on = line.get("read", FIELDS[name].read), line.get("on", list(FIELDS[name].only))
                names = self.several(f"{key}.from" if line is given else key, line.get("from"))
                classes = self.several(f"{key}.on", on)
                # all(): each mistake in it is noted, not only the first
                fine = [self.known(f"{key}.on", cls, CLASSES, "kind of span") for cls in classes]
                fits = self.known(f"{key}.read", read, READERS, "reader")
                if fits and read not in (able := readers_of(FIELDS[name])):
                    fits = False
                    self.wrong(f"{key}.read", f"{name} does not take what {read} gives", near(read, able))
                if fits and all(fine) and names:
                    found.append(Column(FIELDS[name].column, READERS[read][0], names, classes))
        return found

    def _failures(self, table: Mapping[str, Any]) -> list[Column]:
        found = []
        for attribute, bad in table.items():
            values = bad if isinstance(bad, list) else [bad]
            if not values or not all(isinstance(v, (str, int, float)) for v in values):
                todo = f'Write "{attribute}" = ["error"]: values that say that it failed; * is anything'
                self.wrong(f"failed.{attribute}", "this is no list of values", todo)
            else:
                found.append(Column("@failed", _matching([str(v).lower() for v in values]), (attribute,)))
        return found

    def _with_finishes(self, columns: Iterable[Column], table: Mapping[str, Any]) -> tuple[Column, ...]:
        words = {w: to for w, to in table.items() if self.known(f"finish.{w}", to, FINISHES, "finish reason")}
        if not words:
            return tuple(columns)
        return tuple(
            replace(x, read=_finishing(words, x.read)) if x.column == "finish" else x for x in columns
        )

    def _once(self, columns: Iterable[Column]) -> tuple[Column, ...]:
        """Refuse an attribute that fills two columns of one kind of span."""
        called = {field.column: f"columns.{name}" for name, field in FIELDS.items()} | {"@failed": "failed"}
        taken: dict[tuple[str, str], str] = {}
        for line in columns:
            key = called[line.column]
            for name in line.names:
                if name.startswith("sort_drift."):
                    self.wrong(
                        key, f"{name} is read already", "Leave it out: sort_drift.* applies to every span"
                    )
                twice = [cls for cls in line.only if "#/" not in name and (name, cls) in taken]
                if twice and line.column == "@failed" and taken[name, twice[0]] == "columns.result":
                    todo = 'Give the patterns of results as failed_results = ["ERROR*"] above all tables'
                    self.wrong(f"failed.{name}", f"{name} is the result of a tool already", todo)
                elif twice:
                    todo = f'Say on which each is meant: {{ from = "{name}", on = ["tool"] }}'
                    what = f"{name} is {taken[name, twice[0]]} already on {' and '.join(twice)} spans"
                    self.wrong(key, what, todo)
                taken |= dict.fromkeys(((name, cls) for cls in line.only), key)
        return tuple(columns)

    def _flattened(self, given: Mapping[str, Any]) -> dict[str, str]:
        parts = self._words(given, "flattened", CONTENT, "content column")
        return {prefix: FIELDS[part].column for prefix, part in parts.items()}

    # -- single values

    def _words(self, given: Mapping[str, Any], key: str, known: Collection[str], what: str) -> dict[str, str]:
        table = given.get(key, {})
        return {name: w for name, w in table.items() if self.known(f"{key}.{name}", w, known, what)}

    def _texts(self, given: Mapping[str, Any], key: str) -> tuple[str, ...]:
        return self.several(key, given[key]) if key in given else ()


def _matching(patterns: list[str]) -> Callable[[Any], bool | None]:
    """Return a reader that says True for a value that one of the lower-case patterns fits."""
    return lambda value: any(fnmatchcase(str(value).lower(), p) for p in patterns) or None


def _finishing(words: Mapping[str, str], known: Read) -> Read:
    """Return a reader of finish reasons that knows further words."""

    def read(value: Any) -> Any:
        listed = readers.parsed(value) if isinstance(value, str) and value[:1] == "[" else value
        values = listed if isinstance(listed, list) else [listed]
        return next((words[str(v)] for v in values if str(v) in words), None) or known(value)

    return read


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)
