"""The HTML report in a browser: from a file, without a request, by keyboard, in the dark and on paper."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sort_drift.model import Report
from sort_drift.report import html, words
from tests import illustrated
from tests.browser.chromium import PROGRAM, Page, chromium
from tests.golden import reports as samples
from tests.property.test_report_hostile import NAMES, everything, harmless, rendered

pytestmark = [
    pytest.mark.skipif(PROGRAM is None, reason="no chromium here (apt-get install chromium); CI installs it"),
    pytest.mark.xdist_group("browser"),
]

SAMPLES: dict[str, Callable[[], Report]] = {
    "recorded": illustrated.recorded,
    "regimes": illustrated.regimes,
    **samples.ALL,
}


ROWS = "[...document.querySelectorAll('{} tbody tr')]"


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    """Yield one tab; a browser for every test would take minutes."""
    with chromium() as browser:
        yield Page(browser)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return where the pages are."""
    made = tmp_path_factory.mktemp("pages")
    for name, sample in SAMPLES.items():
        whole = html.render(sample(), decision=(1, "drift"), trace_url="https://traces.example/{trace_id}")
        (made / f"{name}.html").write_text(whole, encoding="utf-8")
    return made


def box(page: Page, selector: str) -> tuple[float, float, float, float]:
    """Return left, top, right and bottom of the first element of a selector, in pixels of the screen."""
    element = f"document.querySelector({selector!r})"
    found = page.run(f"(b => [b.left, b.top, b.right, b.bottom])({element}.getBoundingClientRect())")
    return found[0], found[1], found[2], found[3]


@pytest.mark.fault(65)
@pytest.mark.parametrize("name", SAMPLES)
def test_nothing_is_asked_for_and_nothing_complained_about(page: Page, folder: Path, name: str) -> None:
    """From file:// the page asks for itself alone; the console stays empty, the policy is never broken."""
    page.media()
    page.open(folder / f"{name}.html")
    page.run("document.querySelectorAll('details').forEach(d => d.open = true)")
    assert page.requests() == [(folder / f"{name}.html").as_uri()]
    assert page.complaints() == []


ELEMENTS = (
    "[...document.querySelectorAll('*')].map(e => e.tagName + [...e.attributes].map(a => ' ' + a.name))"
)


@pytest.mark.fault(63, 64)
@pytest.mark.parametrize("name", ["xss", "close", "template", "url", "bidi"])
def test_hostile_names_are_text(page: Page, tmp_path: Path, name: str) -> None:
    """Names that are HTML, scripts and templates add no element, run and load nothing, and can be read."""
    seen = []
    for title, text in (("plain", harmless(NAMES[name])), ("hostile", NAMES[name])):
        path = tmp_path / f"{title}.html"
        path.write_text(rendered(everything, text, "html"), encoding="utf-8")
        page.open(path)
        page.run("document.querySelectorAll('details').forEach(d => d.open = true)")
        seen.append(page.run(ELEMENTS))
        assert page.requests() == [path.as_uri()]
        assert page.complaints() == []
        assert not [e for e in page.browser.events if e["method"] == "Page.javascriptDialogOpening"]
    assert seen[0] == seen[1]
    if name != "bidi":  # whose characters are shown as escapes
        assert NAMES[name][:20] in page.run("document.querySelector('main').innerText")


@pytest.mark.parametrize("name", ["recorded", "regimes", "drift", "inconclusive", "stable", "across"])
def test_the_first_screen_says_what_matters(page: Page, folder: Path, name: str) -> None:
    """At 1280 x 800: the verdict, each effect with interval, unit and place, and what was not tested."""
    page.media()
    page.open(folder / f"{name}.html")
    report = SAMPLES[name]()
    for selector in ("#verdict", "#comparability", "#effects table", "#not-tested li"):
        left, top, right, bottom = box(page, selector)
        assert 0 <= left < right <= 1280, selector
        assert 0 <= top < bottom <= 800, selector
    rows = page.run(f"{ROWS.format('#effects')}.map(r => [r.innerText, r.getBoundingClientRect().bottom])")
    for f, (said, bottom) in zip(words.primaries(report), rows, strict=True):
        assert bottom <= 800
        assert f.variable in said
        if f.effect is not None:
            m = words.measured(f)
            assert m.effect in said
            assert m.interval in said
            assert m.unit in said or m.unit == "ratio"
            assert "task" in said or "load=" in said  # where it holds
    shown = page.run("document.body.innerText")
    assert " ".join(words.headline(report).split()) in " ".join(shown.split())


@pytest.mark.parametrize("name", ["recorded", "regimes", "hostile"])
@pytest.mark.parametrize("width", [1280, 700, 360])
def test_no_page_is_wider_than_its_window(page: Page, folder: Path, name: str, width: int) -> None:
    """Wide tables scroll by themselves; the page does not."""
    page.media()
    page.open(folder / f"{name}.html")
    page.size(width)
    try:
        assert page.run("document.documentElement.scrollWidth") <= width
    finally:
        page.size(1280)


def test_tables_sort_by_keyboard(page: Page, folder: Path) -> None:
    """Tab reaches the head of a column, Enter sorts by number, again turns it around; both are announced."""
    page.open(folder / "recorded.html")
    page.run("document.querySelector('#measures input').focus()")
    column = f"{ROWS.format('#measures')}.map(r => r.cells[4].dataset.v).filter(Boolean)"
    for _ in range(5):  # measure, role, where, verdict, effect
        page.press("Tab")
    assert page.run("document.activeElement.innerText").startswith("effect")
    page.press("Enter")
    rising = [float(v) for v in page.run(column)]
    assert rising == sorted(rising)
    assert len(rising) > 5
    assert page.run("document.activeElement.closest('th').getAttribute('aria-sort')") == "ascending"
    page.press("Enter")
    assert [float(v) for v in page.run(column)] == rising[::-1]
    last = f"{ROWS.format('#measures')}.at(-1).cells[4].innerText"
    assert page.run(last) == ""  # what has no effect stays last


def test_tables_filter_by_keyboard(page: Page, folder: Path) -> None:
    """Words typed into the field leave the rows that have all of them, and how many is said."""
    page.open(folder / "recorded.html")
    page.run("document.querySelector('#measures input').focus()")
    page.type("retry drift")
    rows = page.run(f"{ROWS.format('#measures')}.filter(r => !r.hidden).map(r => r.innerText)")
    assert rows
    assert all("retry" in row and "drift" in row for row in rows)
    assert page.run("document.querySelector('#measures [role=status]').innerText").startswith(
        f"{len(rows)} of "
    )


def test_a_regime_leads_to_its_runs(page: Page, folder: Path) -> None:
    """A cell of the regime table shows the runs of that regime."""
    page.open(folder / "regimes.html")
    link = "document.querySelector('.heat td.changed a[data-about=retry_depth]')"
    page.run(f"{link}.focus()")
    page.press("Enter")
    found = ROWS.format("[data-about=retry_depth]")
    rows = page.run(f"{found}.filter(r => !r.hidden).map(r => r.cells[3].innerText)")
    assert len(rows) >= 3
    assert set(rows) == {"load=(4, 8]"}


def test_without_script_everything_is_there(page: Page, folder: Path) -> None:
    """No script: the same text, tables unsorted, no field that does nothing."""
    page.open(folder / "recorded.html")
    words_with = set(page.run("document.querySelector('main').innerText").split())
    page.open(folder / "recorded.html", scripts=False)
    seen = page.call("DOM.getDocument", depth=-1)  # scripts are off: the tree is read from outside
    assert "INPUT" not in str(seen)
    assert "BUTTON" not in str(seen)
    outer = page.call("DOM.getOuterHTML", nodeId=seen["root"]["nodeId"])["outerHTML"]
    missing = {w for w in words_with if w.isalpha() and w not in outer} - {"Filter", "rows"}
    assert missing == set()
    page.open(folder / "recorded.html")


def test_dark_and_paper_differ_from_light(page: Page, folder: Path) -> None:
    """The dark page is dark, paper is white without controls, and each is a picture of its own."""
    page.open(folder / "recorded.html")
    ground = "getComputedStyle(document.body).backgroundColor"
    shots = []
    for ways in ({}, {"dark": True}, {"print_": True, "dark": True}):
        page.media(**ways)
        shots.append((page.run(ground), page.screenshot()))
    light, dark, paper = (colour for colour, _ in shots)
    assert light == paper == "rgb(255, 255, 255)"
    assert sum(int(c) for c in dark[4:-1].split(",")) < 150
    assert len({shot for _, shot in shots}) == 3
    assert page.run("getComputedStyle(document.querySelector('.filter')).display") == "none"
    pdf = page.pdf()
    assert pdf.startswith(b"%PDF-")
    assert len(pdf) > 20_000
    page.media()


@pytest.mark.parametrize("dark", [False, True])
def test_text_can_be_read_on_its_ground(page: Page, folder: Path, *, dark: bool) -> None:
    """Every colour of text has a contrast of at least 4.5 with what is behind it (WCAG 2.2, AA)."""
    page.media(dark=dark)
    page.open(folder / "regimes.html")
    pairs = page.run(
        """[...document.querySelectorAll('p,td,th,h1,h2,h3,a,dd,li,caption,small,.sign')].map(node => {
          let behind = node;
          const ground = (n) => getComputedStyle(n).backgroundColor;
          while (behind && ground(behind) === 'rgba(0, 0, 0, 0)') behind = behind.parentElement;
          const what = node.className + node.tagName;
          return [getComputedStyle(node).color, ground(behind ?? document.body), what];
        })"""
    )
    assert len(pairs) > 100
    for ink, ground, what in pairs:
        assert contrast(ink, ground) >= 4.5, (ink, ground, what)
    page.media()


def contrast(ink: str, ground: str) -> float:
    """Return the contrast ratio of two colours as a browser writes them."""
    a, b = sorted((luminance(colour) for colour in (ink, ground)), reverse=True)
    return (a + 0.05) / (b + 0.05)


def luminance(colour: str) -> float:
    """Return the relative luminance of ``rgb(r, g, b)`` (WCAG 2.2)."""
    parts = [int(p) / 255 for p in colour[colour.index("(") + 1 : -1].split(",")[:3]]
    r, g, b = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b
