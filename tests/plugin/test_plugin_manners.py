"""A guest in everybody's pytest: light, clear about mistakes, untouched by hostile names."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from importlib import import_module

import pytest

from tests.plugin.projects import Project, outcomes, text
from tests.shared_data import ROOT

pytest_plugins = ["pytester"]

IMPORT = """
import sys, pytest
before = set(sys.modules)
import sort_drift.pytest_plugin
print(*sorted(set(sys.modules) - before))
"""


def test_importing_it_costs_nothing() -> None:
    """Every pytest session imports it: it brings a few modules of its own (1.5 ms) and no engine."""
    ran = subprocess.run([sys.executable, "-c", IMPORT], capture_output=True, text=True, check=True, cwd=ROOT)
    added = ran.stdout.split()
    heavy = {"polars", "numpy", "scipy", "duckdb", "typer", "opentelemetry", "msgspec"}
    assert not heavy & {name.partition(".")[0] for name in added}
    assert len(added) < 20, added


def test_the_entry_point_leads_to_it() -> None:
    """The name in pyproject.toml is the plugin's, by which pytest finds it."""
    points = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]["pytest11"]
    assert points == {"sort_drift": "sort_drift.pytest_plugin"}
    assert import_module(points["sort_drift"]).pytest_configure


@pytest.mark.fault(76)
def test_a_suite_that_does_not_use_it_loads_nothing(project: Project) -> None:
    """Without a marked test no engine is loaded and nothing is printed."""
    project.tests(
        """
        import sys

        def test_other():
            assert not {"polars", "opentelemetry", "sort_drift.suite"} & set(sys.modules)
        """
    )
    ran = project.run()
    assert outcomes(ran) == {"passed": 1}
    said = [line for line in text(ran).splitlines() if not line.startswith("plugins: ")]  # pytest's own list
    assert "sort-drift" not in "\n".join(said)


def test_the_marker_is_registered(project: Project) -> None:
    """``pytest --markers`` explains it; --strict-markers accepts it (every other test here runs with it)."""
    ran = project.run("--markers")
    ran.stdout.fnmatch_lines(["@pytest.mark.drift(baseline, *, runs=1, tolerance={}, *"])


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ("", "needs baseline="),
        ("baseline=3", "needs baseline="),
        ("'a', 'b'", "takes one positional argument"),
        ("'a', baseline='b'", "takes one positional argument"),
        ("'a', run=5", "Did you mean 'runs'"),
        ("'a', runs=0", "has runs=0"),
        ("'a', runs=True", "has runs=True"),
        ("'a', runs='5'", "has runs='5'"),
        ("'a', alpha=2", "alpha is 2"),
        ("'a', tolerance=3", "tolerance is 3"),
        ("'a', tolerance={'busy_tim': 1}", "Did you mean 'busy_time'"),
        ("'a', tolerance={'busy_time': -1}", "no positive number"),
        ("'a', variables=['nothing']", "unknown variable 'nothing'"),
        ("'a', match=7", "match is 7"),
        ("'a', inconclusive='maybe'", "'maybe'"),
    ],
)
def test_a_marker_with_mistakes_is_refused(project: Project, arguments: str, says: str) -> None:
    """Each mistake is one line when tests are collected, before an agent runs."""
    project.tests(
        f"""
        import pytest

        @pytest.mark.drift({arguments})
        def test_agent():
            pass
        """
    )
    ran = project.run()
    assert ran.ret == pytest.ExitCode.INTERRUPTED
    assert says in text(ran)
    assert "Traceback" not in text(ran)


def test_repetitions_need_a_function(project: Project) -> None:
    """``runs=`` on a TestCase or on one parameter cannot be kept, and says so instead of running once."""
    project.tests(
        """
        import unittest, pytest

        class TestOld(unittest.TestCase):
            @pytest.mark.drift("base.parquet", runs=3)
            def test_agent(self):
                pass

        @pytest.mark.parametrize("task", [pytest.param(1, marks=pytest.mark.drift("base.parquet", runs=3))])
        def test_parameter(task):
            pass
        """
    )
    ran = project.run("--drift-update-baseline", "--drift-reason", "x")
    assert outcomes(ran) == {"errors": 2}
    assert text(ran).count("runs= repeats functions") >= 2


def test_each_repetition_has_fixtures_of_its_own(project: Project) -> None:
    """A run begins where the first one did: in an empty directory; all are runs of one task."""
    project.tests(
        """
        import pytest
        from agent import solve
        seen = []

        @pytest.mark.drift("base.parquet", runs=3)
        @pytest.mark.parametrize("word", ["a-run1of3", "b"])
        def test_agent(drift_recorder, tmp_path, word):
            assert not list(tmp_path.iterdir())
            (tmp_path / "left-over").touch()
            seen.append(drift_recorder.repetition)
            solve("x")

        def test_last(pytestconfig):
            from sort_drift.api import runs
            assert sorted(seen) == [0, 0, 1, 1, 2, 2]
        """
    )
    ran = project.freeze()
    assert outcomes(ran) == {"passed": 7}
    assert "6 runs of 2 tasks" in text(ran)


def test_no_spans_is_a_failure_that_says_what_to_do(project: Project) -> None:
    """An agent that nothing records never passes for one that did not change."""
    project.tests()
    project.freeze()
    project.set("drift_inconclusive = pass")
    project.tests(
        """
        import pytest

        @pytest.mark.drift("base.parquet")
        def test_agent():
            pass
        """
    )
    ran = project.run()
    assert outcomes(ran) == {"failed": 1}
    assert "no spans were recorded (test_agent.py::test_agent)" in text(ran)
    assert "Turn on an OpenTelemetry instrumentor" in text(ran)


def test_spans_that_nobody_reads_are_named(project: Project) -> None:
    """The framework's scope and its attributes are in the failure's text."""
    project.tests()
    project.freeze()
    project.tests(
        """
        import pytest
        from opentelemetry import trace

        @pytest.mark.drift("base.parquet")
        def test_agent():
            with trace.get_tracer("acme.agents").start_as_current_span("step") as span:
                span.set_attribute("acme.kind", "model")
        """
    )
    ran = project.run()
    assert outcomes(ran) == {"failed": 1}
    assert "no vocabulary recognises 1 of 1 spans, of acme.agents" in text(ran)


HOSTILE = "\x1b]0;owned\x07\x1b[2J\u202egnp\n::error::x\r##[group]<script>alert(1)</script>|`![x](y)"


@pytest.mark.fault(66)
def test_hostile_names_do_nothing(project: Project) -> None:
    """A task, a tool and a run named by an attacker act on no terminal and on no CI log."""
    project.tests(
        f"""
        import pytest
        from opentelemetry import trace
        from agent import solve, _span, _tool

        NAME = {HOSTILE!r}

        @pytest.mark.drift("base.parquet", tolerance={{"tool_order": 0.01}})
        def test_agent(drift_recorder):
            import os
            for number in range(6):
                for _ in range(4):
                    task = NAME + str(number)
                    with drift_recorder.run(task=task), _span("invoke_agent", "gen_ai.agent.name", NAME):
                        for tool in (["a", NAME] if os.environ.get("CAUTIOUS") else [NAME, "a"]):
                            _tool(tool, "x")
        """
    )
    project.freeze()
    ran = project.run("--drift-report", "drift.html", "--junit-xml=junit.xml", CAUTIOUS="1")
    assert outcomes(ran) == {"failed": 1}
    shown = text(ran)
    assert "tool_order" in shown
    for bad in ("\x1b]0", "\x1b[2J", "\x07", "\u202e"):
        assert bad not in shown
    assert not any(line.startswith(("::error", "##[group]")) for line in shown.splitlines())
    assert "<script>alert" not in (project.path / "drift.html").read_text()


def test_a_hostile_task_that_is_lost_is_named_harmlessly(project: Project) -> None:
    """Names in the refusal of an update are inert, too."""
    suite = """
        import pytest
        from agent import solve

        @pytest.mark.drift("base.parquet")
        def test_agent(drift_recorder):
            with drift_recorder.run(task=NAME):
                solve("x")
        """
    project.tests(suite.replace("NAME", repr(HOSTILE)))
    project.freeze()
    project.tests(suite.replace("NAME", "'other'"))
    ran = project.run("--drift-update-baseline", "--drift-reason", HOSTILE)
    assert ran.ret == 1
    assert "no run of 1 of its tasks" in text(ran)
    assert "\x1b[2J" not in text(ran)
    assert "\u202e" not in text(ran)


def test_the_fixture_serves_without_a_marker(project: Project) -> None:
    """A test may look at its runs itself, and compare them."""
    project.tests(
        """
        import sort_drift
        from agent import solve

        def test_agent(drift_recorder):
            for seed in range(3):
                with drift_recorder.run(task="issue"):
                    solve("issue", seed)
            runs = drift_recorder.population().runs
            assert runs.height == 3
            assert runs["tools"][0][0] == "search"
        """
    )
    ran = project.run()
    assert outcomes(ran) == {"passed": 1}
    assert "= sort-drift =" not in text(ran)


def test_a_failing_test_stays_the_test_s_failure(project: Project) -> None:
    """An assertion that fails is shown as it is; the verdict is in the summary."""
    project.tests(
        """
        import pytest
        from agent import solve

        @pytest.mark.drift("base.parquet")
        def test_agent(drift_recorder):
            solve("x")
            assert 1 == 2
        """.replace("assert 1 == 2", "pass")
    )
    project.freeze()
    path = project.path / "test_agent.py"
    path.write_text(path.read_text().replace("pass", "assert 1 == 2"))
    ran = project.run()
    assert outcomes(ran) == {"failed": 1}
    assert "assert 1 == 2" in text(ran)
    assert "base.parquet: inconclusive" in text(ran)
