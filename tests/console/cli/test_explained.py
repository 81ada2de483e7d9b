"""An explanation for people: what each step cost, what it moved, and where each hit stood."""

from typing import Any

import pytest

from embedmill.console.cli.explained import print_explanation
from embedmill.retrieval.explaining import Change, Explanation, HitExplained, StageExplained, explain_step
from embedmill.retrieval.steps import Step


def step(name: str, **told: Any) -> StageExplained:
    change = told.pop("change", None)
    return explain_step(Step(name, **{"ran": True, **told}), change)


TOLD = Explanation(
    [
        step("embed", seconds=0.0123),
        step(
            "rank",
            why="2 of 9 were not judged",
            calls=4,
            usd=0.0385,
            tokens_in=9001,
            tokens_out=420,
            seconds=1.5,
            change=Change("filter", 3, 2, 1),
        ),
        step("context", ran=False, why="no neighbours are asked for"),
    ],
    [HitExplained(1, "d1", "file:///a.txt", "c0", {"dense": 7, "lexical": None, "rank": 1})],
)


def test_steps_have_their_cost_and_hits_their_ranks(capsys: pytest.CaptureFixture[str]) -> None:
    print_explanation(TOLD)
    said = " ".join(capsys.readouterr().out.split())
    for part in ("$0.0385", "9001", "420", "1500.0", "2 of 9 were not judged", "no neighbours", "file:///a.txt"):
        assert part in said
    assert "1 7 - 1 file:///a.txt" in said


def test_what_was_not_asked_for_is_not_told(capsys: pytest.CaptureFixture[str]) -> None:
    print_explanation(None)
    assert capsys.readouterr().out == ""
