"""What the reference pages take from the code; docs/generate.py writes it into their cog blocks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from typer.main import get_command

from docs import examples
from sort_drift import cli, errors
from sort_drift.dialects import fields
from sort_drift.dialects.vocabulary import CLASSES
from sort_drift.geometry import variables
from sort_drift.live import config as live_config
from sort_drift.live.settings import Limits, Settings, Watching
from sort_drift.policy_keys import KEYS
from sort_drift_sdk.hardware import CLASS_VARIABLE

REFERENCE = Path(__file__).resolve().parent / "reference"


def root() -> Any:
    """Return the command line as the parser sees it."""
    return get_command(cli.app)


def commands() -> str:
    """Return every command with its arguments, options and examples, as Markdown."""
    return "\n".join(line for name, command in walk("sort-drift", root()) for line in _command(name, command))


def walk(name: str, command: Any) -> Iterator[tuple[str, Any]]:
    """Yield every command below ``command`` with its whole name."""
    if not hasattr(command, "commands"):
        yield name, command
        return
    if command.params and name != "sort-drift":  # it does something by itself
        yield name, command
    for child in command.commands:
        yield from walk(f"{name} {child}", command.commands[child])


def _command(name: str, command: Any) -> list[str]:
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    options = [p for p in command.params if p.param_type_name == "option" and p.name != "help"]
    usage = " ".join([name, *(p.metavar or p.name.upper() for p in arguments), "[OPTIONS]"])
    lines = [
        f"## {name}",
        "",
        command.help.replace("\n\n", " ").replace("\n", " "),
        "",
        "```",
        usage,
        "```",
        "",
    ]
    lines += ["| argument or option | what it is | default |", "|---|---|---|"]
    lines += [_row(f"`{p.metavar or p.name.upper()}`", p, "required") for p in arguments]
    for p in options:
        default = "required" if p.required else "" if p.default in (None, False, "") else f"`{p.default}`"
        spelled = p.opts[0] if p.is_flag else f"{p.opts[0]} {p.metavar}"
        lines.append(_row(f"`{spelled}`", p, default))
    examples = [line.strip() for line in command.epilog.splitlines() if line.startswith("  sort-drift ")]
    return [*lines, "", "```", *examples, "```", ""]


def _row(spelled: str, parameter: Any, default: str) -> str:
    return f"| {spelled.replace('|', chr(92) + '|')} | {parameter.help or ''} | {default} |"


EXAMPLES = REFERENCE.parents[1] / "examples"


def example(name: str) -> str:
    """Return the source of an example, as a code block."""
    return f"```python\n{(EXAMPLES / name).read_text(encoding='utf-8').rstrip()}\n```"


def example_run(name: str) -> str:
    """Return what an example prints, and the coverage of the file that it writes."""
    with tempfile.TemporaryDirectory() as folder:
        written = Path(folder) / "runs.otlp.jsonl"
        command = [sys.executable, str(EXAMPLES / name), str(written)]
        environment = {**os.environ, CLASS_VARIABLE: "cpu"}  # not that of who writes the page
        subprocess.run(command, env=environment, capture_output=True, check=True)  # noqa: S603 - our own
        shown = examples.output("coverage", str(written), until="  secondary")
    return shown.replace(str(written), "runs.otlp.jsonl")


def vocabulary() -> str:
    """Return what a vocabulary file may say, table by table, as Markdown."""
    readers = {column.read for column in fields.FIELDS.values()}
    tables: dict[str, tuple[tuple[str, ...], list[tuple[str, ...]]]] = {
        "Keys": (
            ("key", "TOML", "what it is"),
            [(k, fields.CALLED[t], what) for k, (t, what) in fields.KEYS.items()],
        ),
        "Columns": (
            ("column", "reader", "read on", "what it is"),
            [(k, f"`{c.read}`", _on(c.only), c.what) for k, c in fields.FIELDS.items()],
        ),
        "Readers": (
            ("reader", "what it takes", "default"),
            [(k, what, "of some columns" if k in readers else "") for k, (_, what) in fields.READERS.items()],
        ),
        "Kinds of spans": (("kind", "what it is"), [(k, what) for k, (_, what) in fields.KINDS.items()]),
    }
    lines: list[str] = []
    for title, (head, rows) in tables.items():
        lines += [f"## {title}", "", f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
        lines += [f"| `{row[0]}` | {' | '.join(row[1:])} |" for row in rows]
        lines.append("")
    lines += [
        f"Finish reasons: {_code(fields.FINISHES)}. Whose a message in `events` is: {_code(fields.ROLES)}."
    ]
    return "\n".join(lines)


def _on(only: Collection[str]) -> str:
    return "every span" if set(only) == set(CLASSES) else ", ".join(only)


def _code(words: Iterable[str]) -> str:
    return ", ".join(f"`{word}`" for word in words)


def policy() -> str:
    """Return what a policy file may say, key by key, as Markdown."""
    lines = ["| key | TOML | default | option | what it is |", "|---|---|---|---|---|"]
    for key, setting in KEYS.items():
        default = f"`{setting.default}`" if setting.default not in (None, (), {}) else ""
        option = f"`{setting.option}`" if setting.option else ""
        lines.append(f"| `{key}` | {setting.called} | {default} | {option} | {setting.what} |")
    lines += ["", "| variable | scale | unit | tolerance | decides by default |", "|---|---|---|---|---|"]
    for name, v in variables().items():
        size = (
            "" if v.tolerance is None else f"{100 * v.tolerance:g} %" if v.relative else f"{v.tolerance:.3g}"
        )
        lines.append(f"| `{name}` | {v.scale} | {v.unit} | {size} | {'yes' if v.role == 'primary' else ''} |")
    return "\n".join(lines)


def live() -> str:
    """Return what the ``[live]`` table may say, key by key, as Markdown."""
    parts = {"": Settings(Path()), "limits": Limits(), "watching": Watching()}
    lines = ["| key | TOML | default | what it is |", "|---|---|---|---|"]
    for key, setting in live_config.KEYS.items():
        value = getattr(parts[setting.into], key, None)
        default = "" if value in (None, (), {}, "") else f"`{_shown(key, value)}`"
        lines.append(f"| `{key}` | {setting.called} | {default} | {setting.what} |")
    return "\n".join(lines)


def _shown(key: str, value: Any) -> str:
    if key.endswith("_bytes"):
        return f"{value >> 20} MiB"
    if isinstance(value, tuple):
        return json.dumps(list(value))
    return f"{value:,}" if isinstance(value, int) and value > 9_999 and key != "seed" else str(value)


def messages() -> str:
    """Return a table of every slug with its exit code and what it means, as Markdown."""
    rows = [
        f"| [`{c.slug}`](#{c.slug}) | {c.exit_code} | {_first(c)} |" for c in _tree(errors.SortDriftError)
    ]
    return "\n".join(["| slug | exit code | meaning |", "|---|---|---|", *rows])


def _tree(root: type[errors.SortDriftError]) -> Iterator[type[errors.SortDriftError]]:
    for child in root.__subclasses__():
        yield child
        yield from _tree(child)


def _first(cls: type) -> str:
    return (cls.__doc__ or "").split("\n", 1)[0].replace("``", "`")


def objects() -> str:
    """Return every JSON object, field by field, from the schemas beside the page, as Markdown."""
    lines: list[str] = []
    for path in sorted(REFERENCE.glob("*.schema.json")):
        schema = json.loads(path.read_text(encoding="utf-8"))
        name = path.name.removesuffix(".schema.json")
        lines += [f"## {name}", "", f"{schema['title']}. Schema: [{path.name}]({path.name})", ""]
        lines += ["| field | type | what it is |", "|---|---|---|"]
        lines += [f"| `{field}` | {kind} | {what} |" for field, kind, what in _fields(schema, schema, "")]
        lines.append("")
    return "\n".join(lines)


def _fields(node: dict[str, Any], schema: dict[str, Any], prefix: str) -> Iterator[tuple[str, str, str]]:
    for name, child in node.get("properties", {}).items():
        yield from _field(child, schema, prefix + name)
    if isinstance(child := node.get("additionalProperties"), dict):
        yield from _field(child, schema, f"{prefix}NAME")


def _field(node: dict[str, Any], schema: dict[str, Any], path: str) -> Iterator[tuple[str, str, str]]:
    what = node.get("description", "")
    node = _resolved(node, schema)
    kinds = node.get("type", "constant" if "const" in node else "object")
    kind = " or ".join(kinds) if isinstance(kinds, list) else str(kinds)
    if named := node.get("enum"):
        kind = " or ".join("null" if word is None else f"`{word}`" for word in named)
    yield path, kind, str(what or node.get("description", ""))
    yield from _fields(node, schema, f"{path}.")
    items = _resolved(node.get("items", {}), schema)
    yield from _fields(items, schema, f"{path}[].")


def _resolved(node: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    reference = node.get("$ref", "")
    if reference.startswith("#/$defs/"):
        found: dict[str, Any] = schema["$defs"][reference.removeprefix("#/$defs/")]
        return found
    return node


def action() -> str:
    """Return the inputs and outputs of the GitHub Action, as Markdown."""
    said = YAML(typ="safe").load(REFERENCE.parents[1] / "action.yml")
    lines = ["| input | what it is | default |", "|---|---|---|"]
    for name, given in said["inputs"].items():
        default = "required" if given.get("required") else f"`{given['default']}`" if given["default"] else ""
        lines.append(f"| `{name}` | {given['description']} | {default} |")
    lines += ["", "| output | what it is |", "|---|---|"]
    lines += [f"| `{name}` | {given['description']} |" for name, given in said["outputs"].items()]
    return "\n".join(lines)
