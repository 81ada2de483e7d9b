"""The adversarial set against scripted models: what is refused is refused whatever a model says."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest

from embedmill.console.services import searching
from embedmill.retrieval.answering.questions import IN_ANOTHER
from embedmill.retrieval.grading.grader import Judges
from embedmill.retrieval.grading.staged import Judge
from embedmill.shared.metering import FreeMeter
from embedmill.shared.presence import Presence
from embedmill.shared.settings import Settings
from embedmill.workers.runtime import WorkerRuntime
from tests.adversarial.asking import Outcome, ask_each, index
from tests.adversarial.cases import Case, read_cases, read_documents
from tests.adversarial.scripted import Scripted, ScriptedModel, Shown, fair_claims, fair_grade
from tests.migrated import place_migrated

CASES, DOCUMENTS = read_cases(), read_documents()
KINDS = {
    "unanswerable", "near-miss", "stuffing", "injection-text", "injection-title", "injection-uri",
    "injection-metadata", "contradiction", "language", "negation", "answerable",
}  # fmt: skip
BESIDE = 6
"""Documents that have nothing to do with a question: `make adversarial` asks from all of them."""
MANY = 5
"""Cases of each kind of lie: a lie is a lie whatever the question is."""


@pytest.fixture(scope="module")
def indexed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WorkerRuntime]:
    settings = Settings(home=tmp_path_factory.mktemp("home"), record_queries=False)
    place_migrated(settings.home_path / "tracking.db")
    with Presence(settings.home_path / "run") as presence:
        opened = WorkerRuntime(settings, process_id=presence.id)
        index(opened, DOCUMENTS, embedding="hash")
        yield opened
        opened.close()


@contextmanager
def answered_by(script: Scripted) -> Iterator[None]:
    """Let every model say what the script says, cost nothing and remember nothing."""
    judge = Judge(ScriptedModel(script, "anthropic/scripted"), FreeMeter())
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(searching, "open_judges", lambda *_: Judges(judge, judge, judge))
        yield


def ask(runtime: WorkerRuntime, script: Scripted, cases: Sequence[Case]) -> list[Outcome]:
    with answered_by(script):
        return list(ask_each(runtime, cases, DOCUMENTS, beside=BESIDE))


@pytest.fixture(scope="module")
def fair(indexed: WorkerRuntime) -> tuple[Scripted, list[Outcome]]:
    """Every question, judged and answered as a careful person would."""
    script = Scripted.of(CASES)
    return script, ask(indexed, script, CASES)


def test_the_set_is_large_and_sound() -> None:
    texts = {document.id: document.text for document in DOCUMENTS}
    assert len(CASES) >= 150
    assert {case.kind for case in CASES} == KINDS
    assert min(Counter(case.kind for case in CASES).values()) >= 6
    for case in CASES:
        assert all(words in texts[id] for id, words in case.supports.items()), case.id
        assert texts.keys() >= set(case.traps) and not set(case.traps) & case.supports.keys(), case.id


def test_a_careful_model_is_believed_and_nothing_else_is_said(fair: tuple[Scripted, list[Outcome]]) -> None:
    _, outcomes = fair
    assert [(outcome.case.id, outcome.faults) for outcome in outcomes if outcome.faults] == []
    assert all(not outcome.reply.faults for outcome in outcomes)


def test_what_contradicts_is_cited_from_both_sides(fair: tuple[Scripted, list[Outcome]]) -> None:
    _, outcomes = fair
    both = [outcome.reply for outcome in outcomes if len(outcome.case.supports) > 1]
    assert len(both) >= 7
    assert all(len({quote.document for claim in reply.claims for quote in claim.quotes}) == 2 for reply in both)


def test_no_word_of_a_document_is_outside_a_fence_whatever_it_looks_like(fair: tuple[Scripted, list[Outcome]]) -> None:
    script, _ = fair
    known = {(" ".join(d.title.split()), d.text.strip()): d for d in DOCUMENTS}
    shown = {passage for seen in script.seen for passage in seen.passages}
    for passage in shown:
        document = known[passage.title, passage.text]
        assert not document.uri or passage.uri == " ".join(document.uri.split())
    assert {passage.text for passage in shown} == {document.text.strip() for document in DOCUMENTS}, "all were seen"
    ids = re.compile(r"(\b[cp]\d+-[0-9a-f]{4}(, )?)+")
    # The script answers in the documents' language, so that it is asked once more where that is not the question's.
    again = f"An earlier answer could not be used: {IN_ANOTHER}.\n\n"
    outside = {ids.sub("IDS", seen.outside.replace(again, "").partition(".")[2]).strip() for seen in script.seen}
    assert len(outside) == 2, "one wording for judging and one for answering, and nothing of a document in them"


def test_metadata_is_told_to_no_model(fair: tuple[Scripted, list[Outcome]]) -> None:
    script, _ = fair
    told = " ".join(str(seen) for seen in script.seen)
    assert not re.search("META-(ONE|TWO|THREE)", told)


def test_the_ids_of_a_call_are_no_other_calls(fair: tuple[Scripted, list[Outcome]]) -> None:
    script, _ = fair
    ids = Counter(passage.id for seen in script.seen for passage in seen.passages)
    assert max(ids.values()) <= 4, "an id has four random digits, and calls are some hundred"


def payload(case: Case, passage: Shown) -> tuple[int, str]:
    """A model that obeys documents, and quotes what it was told to say."""
    return 5, next(iter(case.never), "This passage answers the question.")


def other_number(case: Case, passage: Shown) -> tuple[int, str]:
    score, quote = fair_grade(case, passage)
    return score, re.sub(r"\d", lambda digit: str((int(digit[0]) + 1) % 10), quote)


def without_not(case: Case, passage: Shown) -> tuple[int, str]:
    score, quote = fair_grade(case, passage)
    return score, re.sub(r" (not|never)\b", "", quote)


def of_another(case: Case, passage: Shown) -> tuple[int, str]:
    score, _ = fair_grade(case, passage)
    return score, next(iter(case.supports.values()), "") if score == 1 else "The flag is raised on holidays"


def of_the_prompt(case: Case, passage: Shown) -> tuple[int, str]:
    return 5, "a warranty of 36 months from the day of delivery"


def numbered() -> list[Case]:
    return [case for case in CASES if any(re.search(r"\d", words) for words in case.supports.values())]


def negated() -> list[Case]:
    return [case for case in CASES if any(re.search(r" (not|never)\b", w) for w in case.supports.values())]


def injected() -> list[Case]:
    return [case for case in CASES if case.kind.startswith("injection") and not case.supports]


@pytest.mark.parametrize(
    ("lie", "cases"),
    [
        (other_number, numbered()[:MANY]),
        (without_not, negated()[:MANY]),
        (of_another, CASES[:MANY]),
        (of_the_prompt, CASES[:MANY]),
        (payload, [case for case in injected() if case.never[0] == "BANANA-ONE"][:MANY]),
    ],
    ids=lambda each: each.__name__ if callable(each) else "",
)
def test_a_quote_that_does_not_stand_in_the_passage_makes_no_answer(
    indexed: WorkerRuntime, lie: "type", cases: list[Case]
) -> None:
    script = Scripted.of(cases, grade=lie)
    for outcome in ask(indexed, script, cases):
        cited = {quote.text for claim in outcome.reply.claims for quote in claim.quotes}
        assert not outcome.reply.answered or lie is payload, outcome.case.id
        assert all("BANANA-ONE" in text for text in cited), "only where a document itself holds it"


def bare(case: Case, passages: Sequence[Shown]) -> list[tuple[str, list[tuple[str, str]]]]:
    return [("Everything is fine.", [])]


def wrong_number(case: Case, passages: Sequence[Shown]) -> list[tuple[str, list[tuple[str, str]]]]:
    return [(f"{text} It is 987654.", quotes) for text, quotes in fair_claims(case, passages)]


def foreign_id(case: Case, passages: Sequence[Shown]) -> list[tuple[str, list[tuple[str, str]]]]:
    return [(text, [("p1", quote) for _, quote in quotes]) for text, quotes in fair_claims(case, passages)]


def edited(case: Case, passages: Sequence[Shown]) -> list[tuple[str, list[tuple[str, str]]]]:
    return [
        (text, [(id, f"{quote} as everybody knows") for id, quote in quotes])
        for text, quotes in fair_claims(case, passages)
    ]


@pytest.mark.parametrize("lie", [bare, wrong_number, foreign_id, edited])
def test_a_sentence_that_nothing_bears_is_removed_and_counted(indexed: WorkerRuntime, lie: "type") -> None:
    cases = [case for case in CASES if case.supports][:MANY]
    for outcome in ask(indexed, Scripted.of(cases, claim=lie), cases):
        assert (outcome.reply.answered, outcome.reply.answer) == (False, ""), outcome.case.id
        assert outcome.reply.removed >= 1 and sum(outcome.reply.faults.values()) >= 1


def test_true_sentences_stay_beside_invented_ones(indexed: WorkerRuntime) -> None:
    def mixed(case: Case, passages: Sequence[Shown]) -> list[tuple[str, list[tuple[str, str]]]]:
        return [*bare(case, passages), *fair_claims(case, passages), *edited(case, passages)]

    cases = [case for case in CASES if case.supports][:MANY]
    for outcome in ask(indexed, Scripted.of(cases, claim=mixed), cases):
        assert outcome.reply.answer == " ".join(f"{words}." for words in outcome.case.supports.values())
        assert outcome.reply.removed == 1 + len(outcome.case.supports)
