"""Ranking and answering what workers have indexed: simulated models are scripted, refuse, or are not asked."""

from collections.abc import Iterator

import pytest

from embedmill.console.services import asking, searching
from embedmill.console.services.asking import Reply
from embedmill.console.services.collections import update_collection
from embedmill.console.services.spending import sum_spend
from embedmill.producers.sources.given import GivenSource
from embedmill.producers.submission import create_collection
from embedmill.retrieval.hits import SearchResult
from embedmill.shared.configuration import load_settings
from embedmill.shared.db.schema import document
from embedmill.shared.db.terms import FoundTerm, replace_terms
from embedmill.simulators.anthropic import AnthropicSimulator
from embedmill.simulators.faults import Fault
from embedmill.simulators.prompts import ScriptedVerdict
from embedmill.simulators.serving import SimulatorServer, running
from embedmill.workers.runtime import WorkerRuntime
from tests.shared.db.tracker import Tracker
from tests.workers.working import submit_sources, work_off

WARRANTY = "The warranty of the X200 pump lasts 36 months."
TEXTS = {
    "warranty": f"Keep this sheet. {WARRANTY} It begins with the delivery.",
    "claims": "Send a warranty claim for the X200 pump in writing.",
    **{f"page{n}": f"Page {n} of the manual tells of valve {n}." for n in range(10)},
}
QUESTION = "How long does the warranty of the X200 pump last?"


@pytest.fixture
def anthropic(monkeypatch: pytest.MonkeyPatch) -> Iterator[SimulatorServer[AnthropicSimulator]]:
    with running(AnthropicSimulator()) as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        yield server


@pytest.fixture
def indexed(runtime: WorkerRuntime, tracker: Tracker, anthropic: SimulatorServer[AnthropicSimulator]) -> WorkerRuntime:
    tracker.collection = create_collection(runtime, "c", embedding="hash", domain="Pumps of the X series.")
    source = GivenSource.of({"id": name, "text": text} for name, text in TEXTS.items())
    submit_sources(runtime, tracker, [source])
    work_off(runtime, tracker)
    return runtime


def find(runtime: WorkerRuntime, *, rank: bool | None = True) -> SearchResult:
    return searching.search(runtime, QUESTION, collection="c", top_k=10, mode="hybrid", rank=rank)


def ask(runtime: WorkerRuntime, question: str = QUESTION, *, rank: bool | None = True) -> Reply:
    return asking.ask(runtime, question, collection="c", rank=rank)


def calls(server: SimulatorServer[AnthropicSimulator]) -> int:
    return sum(line["requests"] for line in server.simulator.bill.as_json()["lines"])


def test_models_rank_only_where_somebody_said_so(
    indexed: WorkerRuntime, anthropic: SimulatorServer[AnthropicSimulator], monkeypatch: pytest.MonkeyPatch
) -> None:
    result = find(indexed, rank=None)
    assert {step.why for step in result.steps if step.name in ("filter", "rank")} == {"no model was asked for"}
    assert all(hit.model_score is None for hit in result.hits)
    assert calls(anthropic) == 0
    monkeypatch.setenv("EMBEDMILL_FAST_MODEL", "off")
    monkeypatch.setenv("EMBEDMILL_RANK_MODEL", "anthropic/claude-opus-4-7")
    indexed.settings = load_settings()
    assert find(indexed, rank=None).hits[0].model_score is not None
    assert find(indexed, rank=False).hits[0].model_score is None


def test_the_script_s_order_is_the_result_s_and_asking_again_costs_nothing(
    indexed: WorkerRuntime, anthropic: SimulatorServer[AnthropicSimulator]
) -> None:
    anthropic.simulator.writer.add(
        ScriptedVerdict(match="valve 7", verdict={"score": 5, "quote": "tells of valve 7"}),
        ScriptedVerdict(match="valve 3", verdict={"score": 4, "quote": "nobody said this at all"}),
    )
    first = find(indexed)
    best = next(hit for hit in first.hits if hit.uri == "page7")
    assert (best.rank <= 3, best.model_score) == (True, 5)
    assert best.quote is not None
    assert TEXTS["page7"][best.quote.start : best.quote.end] == best.quote.text == "tells of valve 7"
    invented = next(hit for hit in first.hits if hit.uri == "page3")
    assert (invented.model_score, invented.quote) == (1, None)
    paid = calls(anthropic)
    again = find(indexed)
    assert [hit.uri for hit in again.hits] == [hit.uri for hit in first.hits]
    assert calls(anthropic) == paid
    assert {step.name: step.calls for step in again.steps if step.name in ("filter", "rank")} == {
        "filter": 0,
        "rank": 0,
    }


def test_an_answer_has_checked_quotes_and_is_in_the_ledger(
    indexed: WorkerRuntime, anthropic: SimulatorServer[AnthropicSimulator]
) -> None:
    reply = ask(indexed)
    assert reply.answered
    assert reply.by == "anthropic/claude-opus-4-7"
    (quote,) = next(claim for claim in reply.claims if claim.text == WARRANTY).quotes
    assert quote.text == WARRANTY == TEXTS["warranty"][quote.start : quote.end]
    assert reply.spend.calls == calls(anthropic) > 0
    assert reply.spend.usd > 0
    assert all(step.ran for step in reply.steps if step.name in ("filter", "rank", "answer"))


def test_what_no_document_bears_is_removed_and_an_answer_of_nothing_is_none(
    indexed: WorkerRuntime, anthropic: SimulatorServer[AnthropicSimulator]
) -> None:
    invented = {"text": "It lasts 48 months.", "quotes": [{"match": "Keep this", "quote": "lasts 48 months"}]}
    anthropic.simulator.writer.add(ScriptedVerdict(match=QUESTION, verdict={"claims": [invented]}))
    reply = ask(indexed)
    assert (reply.answered, reply.removed, reply.claims) == (False, 1, [])
    assert sum(reply.faults.values()) == 1


@pytest.mark.parametrize("kind", ["status", "malformed", "refusal", "max_tokens", "cut"])
def test_without_its_models_a_question_is_answered_in_the_passages_words(
    indexed: WorkerRuntime, anthropic: SimulatorServer[AnthropicSimulator], kind: str
) -> None:
    fault = Fault(kind=kind, status=529, times=None) if kind == "status" else Fault(kind=kind, times=None)
    anthropic.simulator.faults.add(fault)
    reply = ask(indexed)
    assert reply.degraded
    assert reply.cut or not reply.by
    assert WARRANTY in [claim.text for claim in reply.claims]
    assert any(step.failed and step.why for step in reply.steps)


def test_without_models_passages_are_shown_and_what_nothing_is_near_is_not_answered(indexed: WorkerRuntime) -> None:
    reply = ask(indexed, rank=None)
    assert (reply.answered, reply.by, reply.spend.calls) == (True, "", 0)
    assert reply.claims[0].text == WARRANTY
    nothing = ask(indexed, "Quelle heure est-il?", rank=None)
    assert (nothing.answered, nothing.claims) == (False, [])


COMPOUND = "How long does the warranty of the X200 pump last and who tells of valve 7?"
PARTS = ["How long does the warranty of the X200 pump last", "who tells of valve 7"]


def divide(runtime: WorkerRuntime, question: str = COMPOUND) -> SearchResult:
    return searching.search(runtime, question, collection="c", top_k=10, mode="hybrid", decompose=True)


def test_a_question_is_divided_by_one_call_that_is_booked_and_the_next_time_by_none(
    indexed: WorkerRuntime, anthropic: SimulatorServer[AnthropicSimulator]
) -> None:
    first, second = divide(indexed), divide(indexed)
    assert first.query.subqueries == second.query.subqueries == PARTS
    assert first.hits == second.hits
    assert calls(anthropic) == 1
    steps = [next(step for step in result.steps if step.name == "decompose") for result in (first, second)]
    assert [step.calls for step in steps] == [1, 0]
    assert steps[0].usd > 0
    assert steps[0].model == "anthropic/claude-haiku-5-5"
    by_operation = {row.key: row.calls for row in sum_spend(indexed, "operation").rows}
    assert by_operation["decompose"] == 1


def test_questions_that_need_no_model_cost_nothing(
    indexed: WorkerRuntime, anthropic: SimulatorServer[AnthropicSimulator]
) -> None:
    for question in ("warranty", "X200 and X300", '"the manual" and "the pump"', QUESTION):
        assert divide(indexed, question).query.subqueries == []
    assert find(indexed, rank=None).query.subqueries == []
    assert calls(anthropic) == 0


def test_what_a_model_says_wrong_leaves_the_question(
    indexed: WorkerRuntime, anthropic: SimulatorServer[AnthropicSimulator]
) -> None:
    whole = searching.search(indexed, COMPOUND, collection="c", top_k=10, mode="hybrid")
    wrong = ["", "x" * 5000, COMPOUND, "which albums did Drake release", *PARTS[:1] * 9]
    for script in ({"raw": "I would rather talk about something else."}, {"verdict": {"subqueries": wrong}}):
        anthropic.simulator.writer.add(ScriptedVerdict.model_validate({"match": COMPOUND, **script}))
        divided = divide(indexed)
        assert (divided.hits, divided.query.subqueries) == (whole.hits, [])
        assert next(step.why for step in divided.steps if step.name == "decompose")
    assert calls(anthropic) == 2


def test_a_model_that_fails_leaves_the_question(
    indexed: WorkerRuntime, anthropic: SimulatorServer[AnthropicSimulator]
) -> None:
    whole = searching.search(indexed, COMPOUND, collection="c", top_k=10, mode="hybrid")
    for kind in ("refusal", "max_tokens", "status", "cut_body", "malformed", "truncated"):
        anthropic.simulator.faults.clear()
        anthropic.simulator.faults.add(Fault.model_validate({"kind": kind, "times": None}))
        divided = divide(indexed)
        assert (divided.hits, divided.query.subqueries) == (whole.hits, [])
        assert divided.degraded
        assert any(remark.startswith("the step decompose was left out") for remark in divided.remarks)


WORDY = "how long does the guarantee of the X200 pump last?"


def word(runtime: WorkerRuntime, question: str = WORDY) -> SearchResult:
    return searching.search(runtime, question, collection="c", top_k=10, mode="hybrid", normalise=True)


def test_a_question_is_worded_as_the_documents_are_by_one_call_that_is_booked(
    indexed: WorkerRuntime, tracker: Tracker, anthropic: SimulatorServer[AnthropicSimulator]
) -> None:
    id_ = tracker.rows(document)[0]["id"]
    with indexed.database.write() as connection:
        found = [FoundTerm("warranty", ("guarantee",), 2)]
        replace_terms(connection, found, collection_id=tracker.collection.id, document_id=id_)
    first, second = word(indexed), word(indexed)
    assert first.query.normalised == second.query.normalised == "how long does the warranty of the X200 pump last?"
    assert (first.query.original, first.query.subqueries) == (WORDY, [])
    assert calls(anthropic) == 1
    assert (first.cached, second.cached) == (False, True)
    assert {row.key: row.calls for row in sum_spend(indexed, "operation").rows}["normalise"] == 1
    assert word(indexed, "warranty").query.normalised == "warranty"
    assert calls(anthropic) == 1


def test_a_wording_that_is_refused_or_comes_from_elsewhere_leaves_the_question(
    indexed: WorkerRuntime, anthropic: SimulatorServer[AnthropicSimulator]
) -> None:
    whole = searching.search(indexed, WORDY, collection="c", top_k=10, mode="hybrid")
    wrong = ({"verdict": {"question": "how long does the manual of the X300 pump last?"}}, {"raw": "no"})
    for script in wrong:
        anthropic.simulator.writer.add(ScriptedVerdict.model_validate({"match": WORDY, **script}))
        worded = word(indexed)
        assert (worded.hits, worded.query.normalised) == (whole.hits, WORDY)
        assert next(step.why for step in worded.steps if step.name == "normalise")


def requests_of(server: SimulatorServer[AnthropicSimulator]) -> list[str]:
    """The models that were asked, in turn."""
    return [str(body["model"]) for body in server.simulator.bodies]


NOTHING = "Quelle heure est-il?"


@pytest.mark.parametrize("where", [None, 'uri = "claims"'])
def test_what_no_document_says_is_told_before_an_expensive_call(
    indexed: WorkerRuntime, anthropic: SimulatorServer[AnthropicSimulator], where: str | None
) -> None:
    reply = asking.ask(indexed, NOTHING, collection="c", rank=True, where=where)
    assert (reply.answered, reply.relevance, reply.degraded) == (False, "none", False)
    assert requests_of(anthropic) == ["claude-haiku-5-5"], "one look of the cheap model, however little there is"
    assert {step.name for step in reply.steps if step.ran and step.model} == {"embed", "filter"}


def test_where_nothing_is_near_and_no_cheap_model_looks_nobody_is_asked(
    indexed: WorkerRuntime, anthropic: SimulatorServer[AnthropicSimulator]
) -> None:
    update_collection(indexed, "c", fast_model="off")
    assert not ask(indexed, NOTHING).answered
    assert requests_of(anthropic) == []


def test_a_question_in_another_language_is_answered_where_the_cheap_model_sees_it(
    indexed: WorkerRuntime, anthropic: SimulatorServer[AnthropicSimulator]
) -> None:
    question = "Wie lange besteht die Garantie?"
    said = {"text": "Sie besteht 36 Monate.", "quotes": [{"match": "Keep this", "quote": "lasts 36 months"}]}
    anthropic.simulator.writer.add(
        ScriptedVerdict(match="Keep this", verdict={"score": 5, "quote": WARRANTY}),
        ScriptedVerdict(match="Answer the question", verdict={"claims": [said]}),
    )
    reply = ask(indexed, question)
    assert (reply.answer, reply.degraded) == ("Sie besteht 36 Monate.", False)
    (quote,) = reply.claims[0].quotes
    assert quote.text == "lasts 36 months" == TEXTS["warranty"][quote.start : quote.end]
    assert requests_of(anthropic)[0] == "claude-haiku-5-5"
