"""Means of the same queries, with intervals and comparisons that do not flatter."""

from collections.abc import Mapping, Sequence

import pytest

from embedmill.retrieval.evaluation.measures import Gain
from embedmill.retrieval.evaluation.report import compare_runs, measure_runs, warn, within
from embedmill.retrieval.evaluation.runs import RankedDocuments, Run
from embedmill.retrieval.evaluation.statistics import compare, interval

QUERIES = [f"q{n}" for n in range(20)]
GRADES = {query: {"right": 1} for query in QUERIES}
GOOD, BAD = ("right", "wrong"), ("wrong", "right")


def run(name: str, found: Mapping[str, Sequence[str]]) -> Run:
    return Run(
        name,
        {query: RankedDocuments(tuple(ids), tuple(-float(n) for n in range(len(ids)))) for query, ids in found.items()},
    )


def test_an_interval_holds_its_mean_and_is_the_same_each_time() -> None:
    values = [0.0, 0.2, 0.4, 1.0] * 25
    found = interval(values)
    assert found.low < found.mean < found.high
    assert found.mean == pytest.approx(0.4)
    assert found == interval(values)
    assert interval([0.5]).low == interval([0.5]).high == 0.5


def test_a_difference_of_every_query_is_no_chance_and_one_of_a_few_may_be() -> None:
    better = dict.fromkeys(QUERIES, 0.6)
    worse = dict.fromkeys(QUERIES, 0.5)
    found = compare(better, worse)
    assert (found.wins, found.losses, found.ties) == (20, 0, 0)
    assert found.mean == pytest.approx(0.1)
    assert found.p < 0.001
    assert compare(worse | {"q0": 0.7}, worse).p == 1
    assert compare(better, {"q1": 0.5, "other": 0.1}).wins == 1


def test_a_query_that_one_run_left_out_is_in_no_mean() -> None:
    dense, lexical = run("dense", dict.fromkeys(QUERIES, GOOD)), run("lexical", dict.fromkeys(QUERIES[1:], BAD))
    lexical.leave_out("q0", "failed", "a shard is away")
    measured = measure_runs([dense, lexical], GRADES, gain=Gain.EXPONENTIAL)
    assert "q0" not in measured.queries
    assert len(measured.queries) == 19
    assert set(measured.values["dense"]["mrr"]) == set(QUERIES[1:])
    assert (measured.runs["dense"]["mrr"].mean, measured.runs["lexical"]["mrr"].mean) == (1, 0.5)
    assert [(left.query, left.state) for left in measured.left_out] == [("q0", "failed")]


def test_nothing_is_measured_where_every_query_was_left_out() -> None:
    dense = run("dense", {})
    for query in QUERIES:
        dense.leave_out(query, "failed", "away")
    measured = measure_runs([dense], GRADES, gain=Gain.EXPONENTIAL)
    assert (measured.queries, measured.runs) == ((), {})


def test_a_run_that_loses_to_its_input_and_scores_that_do_not_vary_are_warned_of() -> None:
    runs = [run("dense", dict.fromkeys(QUERIES, GOOD)), run("hybrid", dict.fromkeys(QUERIES, BAD))]
    flat = Run("lexical", {query: RankedDocuments(BAD, (0.5, 0.5)) for query in QUERIES})
    measured = measure_runs([*runs, flat], GRADES, gain=Gain.EXPONENTIAL)
    warnings = warn(measured, [*runs, flat])
    assert [warning.partition(":")[0] for warning in warnings] == ["lexical", "hybrid loses to its own input dense"]
    against_lexical = next(found for found in within(measured) if found.against == "lexical")
    assert (against_lexical.mean, against_lexical.ties) == (0, 20)


def test_runs_are_compared_with_those_of_another_measurement() -> None:
    good = measure_runs([run("dense", dict.fromkeys(QUERIES, GOOD))], GRADES, gain=Gain.EXPONENTIAL)
    bad = measure_runs([run("dense", dict.fromkeys(QUERIES[5:], BAD))], GRADES, gain=Gain.EXPONENTIAL)
    found = compare_runs(good.values, bad.values, [("dense", "dense"), ("hybrid", "hybrid")], named="old")
    assert {comparison.against for comparison in found} == {"dense of old"}
    mrr = next(comparison for comparison in found if comparison.metric == "mrr")
    assert mrr.mean == pytest.approx((15 * 0.5 + 5 * 1) / 20)
