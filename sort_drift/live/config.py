"""The ``[live]`` table of sort-drift.toml (``[tool.sort-drift.live]`` of pyproject.toml), key by key.

    file (--config, or found upwards) -> KEYS, mistakes noted -> Settings; options of the command line win

All mistakes are reported at once, each with file, line and key.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, NamedTuple

from sort_drift import config, geometry
from sort_drift.errors import BadPolicy, MissingInput, UsageError
from sort_drift.live.settings import Address, Limits, Settings, Tls, Watching, Webhook
from sort_drift.policy_keys import REGIMES, TABLE
from sort_drift.sheets import Sheet, near, together

TOKEN = "SORT_DRIFT_TOKEN"  # noqa: S105 - the name of a variable
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*(B|KiB|MiB|GiB|TiB)?")
_UNITS = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40, None: 1}
_FORMS = ("generic", "alertmanager")

Read = Callable[[Sheet, tuple[str | int, ...], Any], Any]
"""(sheet, way to the key, value) -> what it means; None after a mistake was noted."""


class Setting(NamedTuple):
    """One key."""

    read: Read
    called: str  # its TOML type, in words
    what: str
    into: str = ""  # "limits" or "watching": the part of Settings that it belongs to


def address(text: str) -> Address | None:
    """Return where to listen, None for "off".

    >>> address("127.0.0.1:4318"), address("[::1]:0"), address("off")
    (Address(host='127.0.0.1', port=4318), Address(host='::1', port=0), None)

    Raises
    ------
    ValueError
        If it is no address.

    """
    if text == "off":
        return None
    host, colon, port = text.rpartition(":")
    if not colon or not host or not port.isdecimal() or int(port) > 65_535:
        raise ValueError(text)
    return Address(host.removeprefix("[").removesuffix("]"), int(port))


def _address(sheet: Sheet, key: tuple[str | int, ...], value: Any) -> Address | str | None:
    try:
        return address(value) or "off"
    except (ValueError, AttributeError):
        sheet.wrong(key, f"{value!r} is no address", 'Write "127.0.0.1:4318", "[::1]:4318" or "off"')
        return None


def _number(low: float, high: float, *, whole: bool = False) -> Read:
    def read(sheet: Sheet, key: tuple[str | int, ...], value: Any) -> Any:
        kinds = (int,) if whole else (int, float)
        if isinstance(value, kinds) and not isinstance(value, bool) and low <= value <= high:
            return value if whole else float(value)
        sheet.wrong(key, f"{value!r} is no number from {low:g} to {high:g}", "Write such a number")
        return None

    return read


def _bytes(low: int, high: int) -> Read:
    def read(sheet: Sheet, key: tuple[str | int, ...], value: Any) -> int | None:
        found = _SIZE.fullmatch(str(value).strip()) if not isinstance(value, bool) else None
        size = int(float(found[1]) * _UNITS[found[2]]) if found else -1
        if low <= size <= high:
            return size
        sheet.wrong(key, f"{value!r} is no size from {low:,} to {high:,} bytes", 'Write "16 MiB", or bytes')
        return None

    return read


def _text(sheet: Sheet, key: tuple[str | int, ...], value: Any) -> str | None:
    if isinstance(value, str) and value:
        return value
    sheet.wrong(key, f"{value!r} is no text", "Write it in quotes")
    return None


def _file(sheet: Sheet, key: tuple[str | int, ...], value: Any) -> Path | None:
    text = _text(sheet, key, value)
    if text is None:
        return None
    if not Path(text).is_file():
        sheet.wrong(
            key, f"there is no file {text}", "Check the path; it is relative to the current directory"
        )
        return None
    return Path(text)


def _texts(sheet: Sheet, key: tuple[str | int, ...], value: Any) -> tuple[str, ...]:
    return sheet.several(key, value)


def _content(sheet: Sheet, key: tuple[str | int, ...], value: Any) -> str | None:
    return value if sheet.known(key, value, ("drop", "keep"), "way with content") else None


def _secret(sheet: Sheet, key: tuple[str | int, ...], value: Any) -> str | None:
    """Return the first line of a file: secrets are in no configuration."""
    path = _file(sheet, key, value)
    if path is None:
        return None
    token = path.read_text(encoding="utf-8").partition("\n")[0].strip()
    if not token:
        sheet.wrong(key, f"{value} is empty", "Put the token into its first line")
    return token or None


def _tls(sheet: Sheet, key: tuple[str | int, ...], value: Any) -> Tls | None:
    names = {field.name for field in fields(Tls)}
    if not isinstance(value, dict) or not value.keys() >= {"certificate", "key"} or value.keys() - names:
        todo = 'Write {certificate = "FILE", key = "FILE"}, and client_ca = "FILE" for mTLS'
        sheet.wrong(key, "this is no certificate with its key", todo)
        return None
    found = {name: _file(sheet, (*key, name), path) for name, path in value.items()}
    return None if None in found.values() else Tls(**found)  # type: ignore[arg-type]


def _variables(sheet: Sheet, key: tuple[str | int, ...], value: Any) -> tuple[str, ...] | None:
    known = geometry.variables()
    names = sheet.several(key, value)
    fine = [sheet.known(key, name, known, "variable") for name in names]  # each mistake is noted
    return names if all(fine) else None


def _by(sheet: Sheet, key: tuple[str | int, ...], value: Any) -> tuple[str, ...] | None:
    if value == []:
        return ()
    names = sheet.several(key, value)
    fine = [sheet.known(key, name, REGIMES, "regime") for name in names]
    return names if all(fine) else None


def _tolerances(sheet: Sheet, key: tuple[str | int, ...], value: Any) -> dict[str, float] | None:
    if not isinstance(value, dict):
        sheet.wrong(key, "this is not a table", "Write tolerances.VARIABLE = 0.5")
        return None
    known, found = geometry.variables(), {}
    for name, size in value.items():
        if sheet.known((*key, name), name, known, "variable"):
            found[name] = _number(0, 1e12)(sheet, (*key, name), size)
    return found if None not in found.values() else None


def _webhooks(sheet: Sheet, key: tuple[str | int, ...], value: Any) -> tuple[Webhook, ...] | None:
    if not isinstance(value, list) or not all(isinstance(hook, dict) for hook in value):
        sheet.wrong(key, "this is no list of webhooks", "Write [[live.webhooks]] above each of them")
        return None
    readers: Mapping[str, Read] = {"url": _text, "form": _form, "token_file": _secret}
    found = []
    for i, hook in enumerate(value):
        for name in hook:
            sheet.known((*key, i, name), name, readers, "key")
        if "url" not in hook:
            sheet.wrong((*key, i), "there is no url", 'Write url = "https://..."')
        said = {
            name: readers[name](sheet, (*key, i, name), item)
            for name, item in hook.items()
            if name in readers
        }
        if "url" in said and None not in said.values():
            found.append(Webhook(said["url"], said.get("form", "generic"), said.get("token_file", "")))
    return tuple(found)


def _form(sheet: Sheet, key: tuple[str | int, ...], value: Any) -> str | None:
    return value if sheet.known(key, value, _FORMS, "form") else None


_SECONDS = _number(0, 1e7)
KEYS: Mapping[str, Setting] = {
    "otlp_http": Setting(_address, "text", 'where OTLP/HTTP is received; "off": nowhere'),
    "otlp_grpc": Setting(_address, "text", "where OTLP/gRPC is received"),
    "page": Setting(_address, "text", "where the page and /metrics are"),
    "baseline": Setting(_file, "file", "a frozen baseline: what runs are compared with"),
    "token_file": Setting(_secret, "file", f"its first line is asked of every request; else ${TOKEN}"),
    "tls": Setting(_tls, "table", "certificate, key, and client_ca for mTLS"),
    "hosts": Setting(_texts, "list of texts", "further names that a Host header may have"),
    "trace_url": Setting(_text, "text", "link to a trace elsewhere, with {trace_id}"),
    "content": Setting(_content, "text", '"drop": hashes and lengths stay of content; "keep": all of it'),
    "redact": Setting(_texts, "list of texts", "patterns (Rust regex) that leave the text that is kept"),
    "grace_s": Setting(_SECONDS, "seconds", "after the end of a run's root, until it counts as over"),
    "idle_s": Setting(_SECONDS, "seconds", "without a span, after which a run without an end is over"),
    "late_s": Setting(_SECONDS, "seconds", "for which the spans of a run stay in memory after it was over"),
    "held_spans": Setting(_number(1_000, 1e8, whole=True), "spans", "in memory at most"),
    "seal_s": Setting(_SECONDS, "seconds", "after which a journal becomes a segment"),
    "seal_bytes": Setting(_bytes(1 << 16, 1 << 30), "size", "at which it does so earlier"),
    "retention_days": Setting(_number(1e-4, 1e5), "days", "after which spans and runs go; not set: never"),
    "retention_bytes": Setting(_bytes(1 << 20, 1 << 50), "size", "of the store, beyond which the oldest go"),
    "compact_every_s": Setting(_SECONDS, "seconds", "between two compactions"),
    "deleted_after_s": Setting(_SECONDS, "seconds", "for which a replaced file stays, for those who read it"),
    "drain_s": Setting(_number(0, 600), "seconds", "of a stop, for requests under way"),
    "variables": Setting(_variables, "list of texts", "watched; the primary ones by default", "watching"),
    "tolerances": Setting(_tolerances, "table", "changes below are no alarms, in the unit", "watching"),
    "by": Setting(_by, "list of texts", "load and hardware: what runs are compared within", "watching"),
    "rate": Setting(_number(1e-9, 0.1), "number", "false alarms a run of an agent, at most", "watching"),
    "learn": Setting(
        _number(20, 1e6, whole=True), "runs", "of an agent to learn from without a baseline", "watching"
    ),
    "seed": Setting(_number(0, 2**63, whole=True), "number", "of the random numbers", "watching"),
    "agents": Setting(_number(1, 1e5, whole=True), "number", "watched at most", "watching"),
    "webhooks": Setting(_webhooks, "list of tables", "url, form (generic, alertmanager), token_file"),
    "webhook_hosts": Setting(_texts, "list of texts", "hosts that a webhook may name, beside loopback"),
    "body_bytes": Setting(_bytes(1 << 10, 64 << 20), "size", "of a request, unpacked", "limits"),
    "flight_bytes": Setting(_bytes(1 << 20, 1 << 34), "size", "of all requests under way", "limits"),
    "spans": Setting(_number(1, 1e6, whole=True), "spans", "of a request", "limits"),
    "attributes": Setting(
        _number(0, 1e5, whole=True), "number", "kept of a span that nobody names", "limits"
    ),
    "header_s": Setting(_number(0.1, 600), "seconds", "until the head of a request is there", "limits"),
    "body_s": Setting(_number(0.1, 600), "seconds", "between two pieces of a body", "limits"),
    "connections": Setting(_number(1, 1e5, whole=True), "number", "open at once, of a listener", "limits"),
    "rpcs": Setting(_number(1, 1e5, whole=True), "number", "gRPC calls under way at once", "limits"),
}
"""Every key of the table."""


def load(store: Path, *, file: Path | None, given: Mapping[str, Any], start: Path | None = None) -> Settings:
    """Return what the service is told: defaults, then the file, then ``given`` (fields of Settings).

    Raises
    ------
    MissingInput
        If there is no such ``file``.
    BadPolicy
        With ``mistakes``: all of them.

    """
    path = file or (config.find(start) if start else None)
    sheet = Sheet(str(path), BadPolicy)
    table, at = _table(sheet, path, asked=file is not None) if path else ({}, ())
    said: dict[str, dict[str, Any]] = {"": {}, "limits": {}, "watching": {}}
    for key, value in table.items():
        if key not in KEYS:
            sheet.wrong((*at, key), f"unknown key {key!r}", near(key, KEYS))
        elif (found := KEYS[key].read(sheet, (*at, key), value)) is not None:
            said[KEYS[key].into]["token" if key == "token_file" else key] = None if found == "off" else found
    together(sheet.mistakes)
    own = {"token": os.environ.get(TOKEN, ""), **said[""], **given}
    limits = replace(Limits(), **said["limits"])
    return Settings(store, **own, limits=limits, watching=replace(Watching(), **said["watching"]))


def _table(sheet: Sheet, path: Path, *, asked: bool) -> tuple[Mapping[str, Any], tuple[str, ...]]:
    """Return the keys of the table, and the way to it."""
    try:
        whole = sheet.toml(path.read_bytes())
    except FileNotFoundError:
        raise MissingInput("no such configuration", where=str(path), todo="Check the path") from None
    shared = whole.get("tool", {}).get(TABLE[1]) if isinstance(whole.get("tool"), dict) else None
    at = (*TABLE, config.LIVE) if isinstance(shared, dict) else (config.LIVE,)
    found = (shared if isinstance(shared, dict) else whole).get(config.LIVE, {})
    if not isinstance(found, dict):
        sheet.wrong(at, "this is not a table", "Write [live] above the keys")
        found = {}
    if asked and not found and not sheet.mistakes:
        sheet.wrong(at, "there is no [live] in it", "Write [live] above the keys")
    return found, at


def listen(text: str, option: str) -> Address | None:
    """Return what an option says about where to listen.

    Raises
    ------
    UsageError
        If it is no address.

    """
    try:
        return address(text)
    except ValueError:
        todo = 'Write HOST:PORT, [IPV6]:PORT or "off"'
        raise UsageError(f"{text!r} is no address", where=option, todo=todo) from None
