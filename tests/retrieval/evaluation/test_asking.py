"""What runs are asked: models that rank take part in the run that is called so, and in no other."""

from collections.abc import Sequence

from embedmill.retrieval.evaluation.asking import run_each, run_mode
from embedmill.retrieval.grading.grader import Judges
from embedmill.retrieval.grading.staged import Judge
from embedmill.retrieval.search import Searcher
from embedmill.shared.metering import FreeMeter
from embedmill.shared.providers.models.base import Prompt
from embedmill.shared.providers.vectorstores.embedded.store import EmbeddedVectorStore
from tests.retrieval.grading.judge import Scripted, ScriptedModel, grades
from tests.retrieval.orchard import Tracker, fruit

QUERIES = {"q": "apple 0"}


def last_first(shown: Sequence[tuple[str, str]], _: Prompt) -> str:
    return grades([{"id": id, "quote": said, "score": 5 if said.endswith("9") else 1} for id, said in shown])


def test_models_rank_the_ranked_run_alone_and_are_asked_for_no_other(
    store: EmbeddedVectorStore, tracker: Tracker, searcher: Searcher
) -> None:
    fruit(store, tracker)
    before = {run.name: run.found["q"].documents for run in run_each(searcher, QUERIES)}
    script = Scripted(last_first)
    judges = searcher.judges = Judges(rank=Judge(ScriptedModel(script), FreeMeter()))
    searcher.search(QUERIES["q"], top_k=10)
    asked = len(script.prompts)
    runs = {run.name: run.found["q"].documents for run in run_each(searcher, QUERIES)}
    assert runs.pop("ranked") != before["hybrid"]
    assert runs == before
    assert len(script.prompts) == 2 * asked
    run_mode(searcher, QUERIES, "hybrid")
    assert len(script.prompts) == 2 * asked, "what is tuned is not paid for"
    assert searcher.judges is judges
