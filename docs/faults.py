"""The table of docs/reference/faults.md: what goes wrong or is abused, what happens then, what test shows it.

Tests say which cases they prove: ``@pytest.mark.fault(36)``, ``@pytest.mark.fault(12, 39)``, also as
``marks=`` of one parameter and as ``pytestmark`` of a file. They are found in the source (``ast``), so that
the page needs no import of what it describes.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]


class Case(NamedTuple):
    """One thing that goes wrong, and what the product does about it."""

    case: str
    happens: str


GROUPS: Mapping[str, Sequence[Case]] = {
    "Decoding": (
        Case("A well-formed protobuf request", "success; `partial_success` is not set"),
        Case("A well-formed JSON request", "success, answered in JSON"),
        Case("`application/json; charset=utf-8`", "read as JSON"),
        Case("No content type, or another one", "415 with a `Status` body; nothing is stored"),
        Case("GET, PUT, DELETE on an OTLP path", "405, with the method to use"),
        Case("A path that does not exist", "404"),
        Case("An empty body, empty resources, empty scopes", "200: nothing to do is no mistake"),
        Case(
            "Random bytes, a protobuf message that is cut", "400, gRPC `INVALID_ARGUMENT`, with what is wrong"
        ),
        Case("Tens of thousands of requests with seeded mutations", "only 200, 400 and 413, never a 500"),
        Case("Fields that the schema does not have", "ignored"),
        Case("JSON keys in snake_case", "unknown fields, ignored; the answer says so"),
        Case("Enum values as names", "read as their numbers, though OTLP/JSON wants integers"),
        Case("Hex ids in upper and lower case; base64 ids", "the same id; base64 is rejected and named"),
        Case("64-bit integers as text, as numbers, above 2^53", "every digit is kept"),
        Case("Ids of a wrong length, all zeros, not hex", "that span is rejected, the others are stored"),
        Case("Log records sent to the path of traces", "400, which names the mistake and where they belong"),
        Case("Attributes as a JSON object, not a list", "400, with the form that is wanted"),
        Case("Values that are empty, bytes, nested, mixed, NaN, infinite, 10^18", "read back as they were"),
        Case("The same attribute key twice", "the last one counts"),
        Case(
            "Values nested 40, 60 and 100,000 deep", "up to 50 are read; deeper ones cost the request (400)"
        ),
        Case(
            "Invalid UTF-8, lone surrogates, NUL, text-direction marks",
            "400, or sanitised; never a broken batch",
        ),
        Case(
            "Times of 0, end before start, 2^63, 1970, in ten years",
            "missing where impossible, rejected where absurd; no negative duration",
        ),
        Case("Span kinds and status codes out of range", "unspecified"),
        Case("10,000 attributes, a value of 1 MB", "truncated, and counted as dropped"),
    ),
    "Size": (
        Case(
            "A body of the limit, and of one byte more; plain, chunked, gzip",
            "stored; 413, gRPC `RESOURCE_EXHAUSTED`",
        ),
        Case(
            "Gzip bombs, nested, many members, cut, bad CRC; br and zstd",
            "413, 400 or 415; memory stays bounded",
        ),
        Case("2,000,000 empty spans in 4 KB of gzip", "413, before anything is decoded"),
        Case("A million different keys and names", "bounded tables; memory stays flat"),
        Case("100 maximal requests at once", "some get 503 with `Retry-After`; every 200 is stored"),
        Case("A head or a body that comes a byte at a time", "408, and the connection is closed"),
        Case("2,000 idle connections", "the oldest are closed; clients still get through"),
        Case("A client that hangs up in the middle of a body", "nothing is stored, nothing is left behind"),
        Case("Conflicting lengths, endless headers", "refused, 400 or 501; nothing is stored"),
        Case(
            "gRPC: thousands of calls at once, 20 KB of metadata, an unknown method",
            "refused one by one; service goes on",
        ),
        Case(
            "A trace of 200,000 spans, 5,000 deep, with cycles, no root or two",
            "assembled in bounded time and memory",
        ),
    ),
    "Delivery": (
        Case("`kill -9` at random under load from real exporters", "every acknowledged span is there, once"),
        Case(
            "`kill -9` while sealing, compacting, deleting, writing the manifest", "every span is there, once"
        ),
        Case("SIGTERM", "what was taken is stored; exit code 0 within 10 s"),
        Case(
            "The same batch twice, a lost acknowledgement, stores that are merged",
            "counted once; of two versions of a span the one that ends last",
        ),
        Case("Spans that come after their run was measured", "the run is measured again, and counts once"),
        Case(
            "A journal cut, with a tail of zeros, flipped bits, garbage, of a later version",
            "its valid frames are read, the rest is set aside",
        ),
        Case(
            "A segment flipped, cut, empty, foreign, deleted while read; a `.tmp` left over",
            "that segment is set aside and named; the others are read",
        ),
        Case(
            "A file of runs that is corrupt, missing or of another version", "measured again from the spans"
        ),
        Case("A store whose manifest is lost", "rebuilt from the segments"),
        Case(
            "A full disk, a read-only file system, EIO on fsync",
            "503, and nothing acknowledged is lost; after EIO it stops",
        ),
        Case("A second service on one store", "refused, with process id and address of the first"),
        Case("A port that is in use", "one line that names it; exit code 2"),
        Case("Reports and queries while spans are written", "no error, and what was stored when they began"),
        Case("A reader during compaction", "keeps its segments until it is done"),
        Case("A copy of the folder made while the service runs", "opens and verifies"),
        Case(
            "A clock that jumps by a day, forth and back",
            "nothing is lost; waiting goes by a clock that does not jump",
        ),
        Case("Retention by time and by bytes", "the oldest spans go; a baseline never"),
        Case("Hours of traffic", "memory and descriptors stay flat; a prober reads back all it wrote"),
        Case("The receiver is down", "the agent's output is unchanged; its exit waits 2 s at most"),
        Case("Anything refused, rejected, deduplicated or redacted", "is counted, with a reason"),
        Case("A run that cannot be measured", "is marked, and the service goes on"),
    ),
    "Security": (
        Case("An address that others can reach, without a token", "the service does not start"),
        Case("A token that is missing or wrong", "401, gRPC `UNAUTHENTICATED`"),
        Case("Mutual TLS without a certificate, of another CA, expired", "no connection"),
        Case("A Host header that is not ours (DNS rebinding)", "400"),
        Case("A cross-origin request that needs no preflight (text/plain)", "415"),
        Case("POST to a page", "refused: pages only show"),
        Case("Names and values that are HTML and scripts, on every page", "text, in a real browser"),
        Case("`</script>`, U+2028, `{{7*7}}`, `javascript:` in names", "text"),
        Case("A report opened from `file://`", "makes no request"),
        Case("Names that are formulas, Markdown, CI commands, escapes, markup", "escaped in every format"),
        Case("SQL characters in names, paths and selections", "parameters, never statements"),
        Case("SQL of a user", "reads the store; cannot read files, write, attach, install or configure"),
        Case(
            "`../../x`, absolute paths, NUL, symbolic links, archives",
            "nothing outside the store is written or read",
        ),
        Case(
            "JSON lines of any size, an endless line, BOM, CRLF, half a last line, UTF-16",
            "streamed in bounded memory; what cannot be read is named",
        ),
        Case("A key in the configuration that does not exist", "one line with the nearest one; exit code 2"),
        Case("Files that run code when loaded", "no pickle, marshal, `yaml.load` or `eval` in the source"),
        Case(
            "E-mail addresses, keys and card numbers in prompts, arguments and results",
            "not in store, logs, reports or metrics",
        ),
        Case("Hostile and endlessly many names as Prometheus labels", "escaped and capped"),
        Case("Webhooks to other hosts, schemes, by redirect", "refused"),
        Case("Plugins that are installed but not configured", "never loaded"),
        Case("Network access by the library and the command line", "none, at import or in any command"),
        Case("Text made to slow regular expressions down", "time grows with its length, no faster"),
        Case("A frozen baseline that was changed", "exit code 2"),
        Case("A gate with no run or one; a baseline that is missing", "exit code 3; exit code 2"),
    ),
}
"""Every case in its group; they are numbered through, from 1."""

CASES: Mapping[int, Case] = dict(enumerate((case for group in GROUPS.values() for case in group), start=1))


def marked(path: Path) -> Iterator[tuple[str, int]]:
    """Yield (test, number) for every test of a file that proves a case, once for each of its numbers."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    whole = [node.value for node in tree.body if isinstance(node, ast.Assign) and _named(node, "pytestmark")]
    name = path.relative_to(ROOT).as_posix()
    yield from _tests(tree.body, name, _numbers(whole))


def _named(node: ast.Assign, name: str) -> bool:
    return any(isinstance(target, ast.Name) and target.id == name for target in node.targets)


def _tests(body: Iterable[ast.stmt], name: str, above: tuple[int, ...]) -> Iterator[tuple[str, int]]:
    for node in body:
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            continue
        numbers = *above, *_numbers(node.decorator_list)
        if isinstance(node, ast.ClassDef):
            yield from _tests(node.body, f"{name}::{node.name}", numbers)
        elif node.name.startswith("test"):
            yield from ((f"{name}::{node.name}", number) for number in dict.fromkeys(numbers))


def _numbers(nodes: Iterable[ast.expr]) -> tuple[int, ...]:
    """Return the arguments of every ``pytest.mark.fault(...)`` in some expressions."""
    calls = (call for node in nodes for call in ast.walk(node) if isinstance(call, ast.Call))
    faults = (call for call in calls if ast.unparse(call.func) == "pytest.mark.fault")
    return tuple(ast.literal_eval(argument) for call in faults for argument in call.args)


def tests() -> Mapping[int, Sequence[str]]:
    """Return number of a case -> the tests that prove it, sorted by name."""
    found = defaultdict[int, list[str]](list)
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        for test, number in marked(path):
            found[number].append(test)
    return found


def faults() -> str:
    """Return a table for each group of cases, as Markdown."""
    proofs, lines, numbered = tests(), list[str](), iter(CASES.items())
    for group, cases in GROUPS.items():
        lines += [f"## {group}", "", "| # | case | what happens | tests |", "|---|---|---|---|"]
        for number, (case, happens) in islice(numbered, len(cases)):
            shown = "<br>".join(f"`{test}`" for test in proofs.get(number, ()))
            lines.append(f"| {number} | {case} | {happens} | {shown} |")
        lines.append("")
    return "\n".join(lines)
