"""What `search` says beside the hits, and how it ends."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import typer

from embedmill.console.cli import app
from embedmill.console.cli import search as command
from embedmill.console.cli.queries import QueryFile
from embedmill.console.services.searching import Answered, Query, Unanswered
from embedmill.retrieval.hits import SearchResult, Understood
from embedmill.retrieval.steps import Step


def result(**changes: Any) -> SearchResult:
    whole: dict[str, Any] = {
        "hits": [],
        "timings": {},
        "query": Understood("q", "q", ["q"]),
        "steps": [Step("embed", ran=True, out=1)],
        "partial": [],
        "failures": {},
        "degraded": False,
        "notes": [],
    }
    return SearchResult(**whole | changes)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({}, ""),
        ({"steps": [Step("embed", why="no key", failed=True)]}, "warning: the step embed was left out: no key\n"),
        ({"steps": [Step("embed", ran=True, out=1, why="only half")]}, "warning: embed: only half\n"),
        ({"steps": [Step("phrases", why="the query has no phrase")]}, ""),
        ({"partial": ["s1"], "failures": {"s1": "it was too late"}}, "warning: without shard s1: it was too late\n"),
        ({"notes": ["too many words"]}, "warning: too many words\n"),
    ],
)
def test_what_is_missing_is_one_line_each_on_stderr(
    capsys: pytest.CaptureFixture[str], changes: dict[str, Any], told: str
) -> None:
    command._print_remarks(result(**changes))
    assert capsys.readouterr().err == told


def print_answers(path: Path, **unanswered: str) -> None:
    """Answer the queries of a file, but for those by these ids."""
    queries = QueryFile(path)

    def answer(query: Query) -> Answered | Unanswered:
        error = unanswered.get(str(query.id))
        return Unanswered(query.id, error, "") if error else Answered.of(query.id, result())

    command._print_answers(map(answer, queries), queries)


def test_queries_are_answered_line_by_line_and_end_with_1_when_one_was_not(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "queries.jsonl"
    path.write_text('{"id": "a", "text": "x"}\n{"id": "b", "text": "y"}\n')
    print_answers(path)
    assert capsys.readouterr().err == ""
    with pytest.raises(typer.Exit) as ended:
        print_answers(path, a="no shard answers")
    assert ended.value.exit_code == 1
    printed = capsys.readouterr()
    assert [json.loads(line)["id"] for line in printed.out.splitlines()] == ["a", "b"]
    assert printed.err == "error: query 'a': no shard answers\n"
    path.write_text('{"id": "a", "text": "x"}\nno query\n{"id": "b", "text": "y"}\n')
    with pytest.raises(typer.Exit) as ended:
        print_answers(path)
    assert ended.value.exit_code == 1
    printed = capsys.readouterr()
    assert [json.loads(line)["id"] for line in printed.out.splitlines()] == ["a", "b"]
    assert printed.err.startswith("error: line 2 of the queries: no JSON")


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (("search", "-40 degrees"), "embedmill search -- '-40 degrees'"),
        (("search", "-k", "3", "-5"), "embedmill search -- -5"),
        (("ask", "-pump or not?"), "embedmill ask -- '-pump or not?'"),
        (("search", "-x"), "embedmill search -h"),
        (("search", "--whre", "a = b", "pump"), "embedmill search -h"),
        (("jobs", "list", "-40 degrees"), "embedmill jobs list -h"),
    ],
)
def test_a_text_that_begins_with_a_sign_is_told_how_to_be_written(
    arguments: Sequence[str], hint: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["embedmill", *arguments])
    assert app.main() == 2
    assert f"next: {hint}\n" in capsys.readouterr().err
