"""An evaluation: files checked first, documents found by any name, what failed told apart from what was bad."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from embedmill.console.rendering import to_json
from embedmill.console.services import evaluating
from embedmill.console.services.evaluating import Evaluation, evaluate
from embedmill.retrieval.hits import Hit, SearchResult, Understood
from embedmill.retrieval.steps import Step
from embedmill.shared.errors import NotFound, ProviderUnavailable, SourceError
from embedmill.shared.runtime import Runtime
from tests.shared.db.tracker import Tracker

URIS = ["file:///shelf/a%20b.txt", "file:///shelf/rows.jsonl#7", "plain"]


def hit(rank: int, document: str) -> Hit:
    return Hit(rank, 1 / rank, document, "", "", "", 0, 1, "", "", None, {})


def answer(hits: list[Hit], *, degraded: bool) -> SearchResult:
    steps = [Step("embed", why="the embedder is away", failed=True)] if degraded else []
    return SearchResult(hits, {}, Understood("", "", []), steps, [], {}, degraded, [])


class Scripted:
    """A searcher that answers with the documents named in a query, in that order.

    For the word `away` it fails but in mode lexical, for `torn` it answers in part.
    """

    def __init__(self, ids: dict[str, str]) -> None:
        self._ids = ids
        self.judges = None
        self.asked: list[str] = []

    def search(self, text: str, *, mode: str, **_: Any) -> SearchResult:
        self.asked.append(text)
        if "away" in text and mode != "lexical":
            raise ProviderUnavailable("nobody answers")
        found = [self._ids[word] for word in text.split() if word in self._ids]
        return answer([hit(rank, id_) for rank, id_ in enumerate(found, 1)], degraded="torn" in text)


@pytest.fixture
def scripted(runtime: Runtime, tracker: Tracker, monkeypatch: pytest.MonkeyPatch) -> Scripted:
    scan = tracker.scan()
    tracker.meet(scan, URIS)
    tracker.index(tracker.claim(tracker.queue()))
    tracker.end_scan()
    tracker.complete_jobs()
    ids = {row["uri"]: row["id"] for row in tracker.rows(document_table())}
    searcher = Scripted({"spaced": ids[URIS[0]], "row": ids[URIS[1]], "plain": ids[URIS[2]]})

    @contextmanager
    def opened(runtime: Runtime, collection: str, *, rank: bool, **asked: bool | None) -> Iterator[Scripted]:
        unasked = {"normalise": False, "decompose": False, "cache": False}
        assert rank or asked == unasked, "nobody said that models may be paid"
        yield searcher

    monkeypatch.setattr(evaluating, "open_searcher", opened)
    return searcher


def document_table() -> Any:
    from embedmill.shared.db.schema import document

    return document


class Desk:
    """Writes files and evaluates them."""

    def __init__(self, runtime: Runtime, folder: Path) -> None:
        self._runtime, self._folder = runtime, folder

    def evaluate(self, queries: dict[str, str], qrels: str, **options: Any) -> Evaluation:
        asked, judged = self._folder / "queries.jsonl", self._folder / "qrels.txt"
        asked.write_text("".join(json.dumps({"id": id_, "text": text}) + "\n" for id_, text in queries.items()))
        judged.write_text(qrels)
        return evaluate(self._runtime, asked, judged, collection="default", **options)


@pytest.fixture
def desk(runtime: Runtime, scripted: Scripted, tmp_path: Path) -> Desk:
    return Desk(runtime, tmp_path)


def test_a_judged_document_may_be_named_by_uri_path_row_or_file(desk: Desk) -> None:
    names = [URIS[0], "/shelf/a b.txt", "a b.txt"]
    for name in names:
        assert desk.evaluate({"q": "spaced plain"}, f"q\t0\t{name}\t1").runs["hybrid"]["mrr"].mean == 1
    assert desk.evaluate({"q": "plain row"}, "q 0 7 1").runs["dense"]["mrr"].mean == 0.5
    assert desk.evaluate({"q": "plain row"}, "q 0 plain 1").runs["dense"]["mrr"].mean == 1


def test_what_is_named_and_not_there_is_told(desk: Desk) -> None:
    queries = {"q": "plain", "asked only": "row", "all bad": "row"}
    found = desk.evaluate(queries, "q\t0\tplain\t1\nq\t0\tgone\t1\nother\t0\tplain\t1\nall bad\t0\t7\t0\n")
    assert (found.queries, found.asked) == (1, 3)
    assert (found.unjudged, found.unasked, found.without_relevant) == (["asked only"], ["other"], ["all bad"])
    assert [(unknown.document, unknown.line) for unknown in found.unknown_documents] == [("gone", 2)]
    assert found.runs["lexical"]["recall@10"].mean == 0.5
    assert len(found.warnings) == 4


def test_nothing_is_asked_where_queries_judgements_or_documents_do_not_meet(desk: Desk, scripted: Scripted) -> None:
    for qrels, said in (
        ("other 0 plain 1", "no query is judged"),
        ("q 0 gone 1", "no judged document is in default"),
        ("q 0 plain 0", "nothing to measure"),
        ("q 0 plain", "line 1"),
    ):
        with pytest.raises(SourceError, match=said):
            desk.evaluate({"q": "plain"}, qrels)
    with pytest.raises(NotFound):
        desk.evaluate({"q": "plain"}, "q 0 plain 1", against="nowhere")
    assert scripted.asked == []


def test_an_unanswered_query_is_0_and_a_failed_one_is_left_out(desk: Desk) -> None:
    found = desk.evaluate({"a": "plain", "b": "nothing", "c": "plain away"}, "a 0 plain 1\nb 0 plain 1\nc 0 plain 1")
    assert found.queries == 2
    assert {name: means["mrr"].mean for name, means in found.runs.items()} == dict.fromkeys(found.runs, 0.5)
    assert [(left.query, left.run, left.state) for left in found.left_out] == [
        ("c", "dense", "failed"),
        ("c", "fused", "failed"),
        ("c", "hybrid", "failed"),
    ]
    assert not found.is_whole


def test_an_answer_in_part_is_in_no_mean(desk: Desk) -> None:
    found = desk.evaluate({"a": "plain", "b": "row torn"}, "a 0 plain 1\nb 0 7 1")
    assert found.queries == 1
    assert {(left.query, left.state, left.why) for left in found.left_out} == {
        ("b", "degraded", "embed: the embedder is away")
    }


def test_an_embedder_that_is_away_for_all_is_an_error(desk: Desk) -> None:
    with pytest.raises(ProviderUnavailable):
        desk.evaluate({"a": "plain away"}, "a 0 plain 1")


def test_a_report_that_was_kept_is_compared_with(desk: Desk, tmp_path: Path) -> None:
    judged = "a 0 plain 1\nb 0 7 1"
    kept = tmp_path / "before.json"
    kept.write_text(json.dumps(to_json(desk.evaluate({"a": "row plain", "b": "row"}, judged))))
    found = desk.evaluate({"a": "plain row", "b": "row"}, judged, against=str(kept))
    assert found.against is not None
    assert found.against.queries == 2
    better = next(c for c in found.comparisons if c.metric == "mrr" and c.against == f"hybrid of {kept}")
    assert (better.mean, better.wins, better.ties) == (0.25, 1, 1)
    kept.write_text("{}")
    with pytest.raises(SourceError, match="no report"):
        desk.evaluate({"a": "plain"}, judged, against=str(kept))


def test_the_report_has_the_names_that_the_contract_gives(desk: Desk) -> None:
    found = to_json(desk.evaluate({"a": "plain"}, "a 0 plain 1"))
    assert found["queries"] == 1
    assert list(found["runs"]) == ["dense", "lexical", "fused", "hybrid"]
    for means in found["runs"].values():
        assert list(means) == ["ndcg@10", "recall@10", "mrr", "map"]
        assert means["map"] == {"mean": 1.0, "low": 1.0, "high": 1.0}
    assert found["values"]["hybrid"]["ndcg@10"] == {"a": 1.0}
    assert found["gain"] == "2^relevance - 1"
