"""Every case of the fault table is proved by a test, and the table says so as it is now."""

from __future__ import annotations

from pathlib import Path

import pytest

from docs import faults
from tests.shared_data import ROOT

PAGE = ROOT / "docs" / "reference" / "faults.md"
PROOFS = faults.tests()


@pytest.mark.parametrize("number", faults.CASES)
def test_every_case_has_a_test(number: int) -> None:
    """A case that nothing proves is only a promise."""
    assert PROOFS.get(number), f"{number}: {faults.CASES[number].case}"


def test_no_test_names_a_case_that_does_not_exist() -> None:
    """Eighty cases, numbered from 1; a marker without a number proves nothing."""
    assert set(PROOFS) <= set(faults.CASES)
    assert len(faults.CASES) == 80


def test_the_page_is_current() -> None:
    """The page is what the tests say now (`make docs` writes it again)."""
    assert f"]]] -->\n{faults.faults()}\n<!-- [[[end]]] -->" in PAGE.read_text(encoding="utf-8")


def test_markers_are_found_wherever_they_stand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a function, on a class, on one parameter, on a whole file; helpers are no tests."""
    monkeypatch.setattr(faults, "ROOT", tmp_path)
    path = tmp_path / "test_some.py"
    path.write_text(
        "import pytest\n"
        "pytestmark = [pytest.mark.slow, pytest.mark.fault(1)]\n"
        "@pytest.mark.fault(2, 3)\n"
        "def test_a(): ...\n"
        "def helper(): ...\n"
        "@pytest.mark.fault(4)\n"
        "class TestB:\n"
        "    @pytest.mark.parametrize('x', [pytest.param(1, marks=pytest.mark.fault(5)), 2])\n"
        "    async def test_c(self, x): ...\n"
    )
    assert list(faults.marked(path)) == [
        *(("test_some.py::test_a", number) for number in (1, 2, 3)),
        *(("test_some.py::TestB::test_c", number) for number in (1, 4, 5)),
    ]
