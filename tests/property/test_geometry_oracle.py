"""Columnar geometry against the graph walked by hand: the same numbers and the same nulls, on any run."""

from __future__ import annotations

import math
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sort_drift import geometry
from sort_drift.graph import execution_graph, measures
from sort_drift.model import OPS, RUNS
from tests.examples import examples
from tests.opframes import frames, operations, run_facts

ON_RUN_ONLY = {"tool_order", "order_surprise", "llm_calls", "tool_calls"}
"""Sequences, what needs a baseline, and what assembly has counted already: the graph adds nothing."""

some_runs = st.lists(st.tuples(operations(), run_facts(), st.booleans()), min_size=1, max_size=4)


def _population(drawn: Any) -> tuple[pl.DataFrame, pl.DataFrame]:
    runs, ops = frames(*(o for o, _, _ in drawn))
    rows = [
        row | facts | ({"tools": None} if hidden else {})
        for row, (_, facts, hidden) in zip(runs.to_dicts(), drawn, strict=True)
    ]
    return pl.DataFrame(rows, schema=dict(RUNS)), ops


@examples(80)
@given(some_runs)
def test_every_variable_equals_the_graph_walked_by_hand(drawn):
    """For every run and numeric variable both ways give one number, or both give none."""
    runs, ops = _population(drawn)
    table = geometry.measure(runs, ops)
    for row, run in zip(table.to_dicts(), runs.to_dicts(), strict=True):
        expected = measures(execution_graph(run, ops))
        assert set(expected) | ON_RUN_ONLY == set(geometry.variables())
        for name, value in expected.items():
            if value is None:
                assert row[name] is None, f"{name}: {row[name]} where the graph shows nothing"
            else:
                assert row[name] is not None, f"{name}: null ({row[name + '.note']}), the graph says {value}"
                assert math.isclose(row[name], value, rel_tol=1e-9, abs_tol=1e-9), name


@examples(40)
@given(some_runs)
def test_every_reason_says_what_would_help(drawn):
    """No variable gives a reason for a null that the coverage report has no line for."""
    table = geometry.measure(*_population(drawn))
    for name in geometry.variables():
        reasons = table.filter(pl.col(f"{name}.evidence").is_null())[f"{name}.note"]
        assert set(reasons) <= set(geometry.NEEDS), name


@examples(40)
@given(some_runs)
def test_every_null_says_why_and_every_value_on_what_it_rests(drawn):
    """No note is missing; evidence is there exactly where a value is."""
    table = geometry.measure(*_population(drawn))
    for name, variable in geometry.variables().items():
        assert table[name + ".note"].null_count() == 0
        if variable.scale != "sequence":
            known = table[name].is_not_null()
            assert (table[name + ".evidence"].is_not_null() == known).all()
            assert set(table[name + ".evidence"].drop_nulls()) <= {"observed", "inferred"}


@examples(40)
@given(some_runs)
def test_a_run_is_measured_the_same_alone_and_among_others(drawn):
    """What else is in the batch never changes a value, so runs may be measured in any batches."""
    runs, ops = _population(drawn)
    together = geometry.measure(runs, ops)
    for i in range(runs.height):
        alone = geometry.measure(runs[i : i + 1], ops.filter(pl.col("run") == runs["run"][i]))
        assert alone.equals(together[i : i + 1])


def test_no_runs_give_an_empty_table_of_the_same_columns():
    """Zero runs are a table of zero rows."""
    table = geometry.measure(pl.DataFrame(schema=dict(RUNS)), pl.DataFrame(schema=dict(OPS)))
    assert table.height == 0
    assert set(geometry.variables()) <= set(table.columns)


@pytest.mark.parametrize("name", sorted(geometry.variables()))
def test_every_variable_has_three_columns(name):
    """Value, evidence and note of each variable stand in the run table."""
    runs, ops = frames([])
    table = geometry.measure(runs, ops)
    assert {name, f"{name}.evidence", f"{name}.note"} <= set(table.columns)
