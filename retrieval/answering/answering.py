"""Owns the last step of a question: an answer from what was found, by a model, or in the words of the passages."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from embedmill.retrieval.answering.answers import Answer, Cited, Claim
from embedmill.retrieval.answering.questions import Answering, TellClaim
from embedmill.retrieval.grading.grader import Judges
from embedmill.retrieval.grading.questions import AskedQuestion
from embedmill.retrieval.grading.staged import Judge
from embedmill.retrieval.hits import UNPRICED, Hit, SearchResult
from embedmill.retrieval.passages import RELEVANT, Passage, Quote
from embedmill.retrieval.relevance import WEAK, Relevance
from embedmill.retrieval.steps import Running, Step, Steps
from embedmill.shared.asking.sending import Pacing, ask_all
from embedmill.shared.errors import EmbedmillError
from embedmill.shared.headed import body_at
from embedmill.shared.metering import Tally
from embedmill.shared.sentences import sentences_of
from embedmill.shared.words.cutting import count_terms
from embedmill.shared.words.queries import parse_query

ANSWER = "answer"
CUT_OFF = "the answer was cut off"
MOST_PASSAGES = 3
"""So many passages are shown where no model words an answer."""
NO_MODEL = "no model was asked for"
NONE_SET = "no model is set for it"
NOT_SAID = "nothing that was found is near enough to the question"
IN_ANOTHER = "{count} of {all} sentences are not in the question's language"
NONE_RELEVANT = "no passage that a model read answers the question"


@dataclass(frozen=True, slots=True)
class GivenAnswer:
    """An answer, who worded it, and how that step went; `hits` are what it was made of, by row."""

    answer: Answer
    by: str
    step: Step
    hits: dict[str, Hit]
    notes: list[str] = field(default_factory=list)

    def sources(self, claim: Claim) -> Iterator[tuple[Hit, tuple[int, int]]]:
        """The hits that bear a claim, with the quote's offsets in their texts."""
        return sources(claim, self.hits)


Source = tuple[Hit, tuple[int, int]]
TellSourced = Callable[[Claim, Iterator[Source]], object]
"""Is given a sentence, and the hits that bear it with the offsets of the quotes in their texts."""


def sources(claim: Claim, hits: Mapping[str, Hit]) -> Iterator[Source]:
    """The hits that bear a claim, of those that an answer is made of."""
    for cited in claim.quotes:
        yield hits[cited.passage.id], (cited.quote.start, cited.quote.end)


def _telling(tell: TellSourced | None, hits: Mapping[str, Hit]) -> TellClaim:
    return lambda claim: None if tell is None else tell(claim, sources(claim, hits))


def answer(
    question: str,
    found: SearchResult,
    judges: Judges | None,
    tally: Tally | None = None,
    *,
    tell: TellSourced | None = None,
) -> GivenAnswer:
    """Answer a question from what a search found; what a model cannot do is done without, and said.

    Sentences that a model words are told as they are whole, each with its sources. Raises nothing but what `tell` does.
    """
    steps = Steps(ANSWER, tally=tally)
    hits = {_id(hit): hit for hit in _worth_reading(found)}
    passages = [_passage(id, hit) for id, hit in hits.items()]
    judge = judges.answer if judges else None
    notes: list[str] = []
    said, by = None, ""
    if not passages:
        steps.skip(ANSWER, NONE_RELEVANT if found.relevance is not Relevance.NONE else NOT_SAID)
    elif judge is None:
        steps.skip(ANSWER, NONE_SET if judges else NO_MODEL)
    else:
        with steps.step(ANSWER, given=len(passages)) as step:
            asking = Answering(
                judge.model, AskedQuestion(question, judges.domain if judges else ""), _telling(tell, hits)
            )
            said = _ask(asking, passages, judge, step)
        by = judge.model.name if said is not None else ""
    if said is None:
        near = [passage for passage in passages if _is_near(hits[passage.id])]
        said = Answer(claims=_in_their_words(question, (near or passages)[:MOST_PASSAGES]))
    (told,) = steps.told()
    if told.failed:
        notes.append(f"{ANSWER}: {told.why}")
    if told.unpriced_calls:
        notes.append(f"{ANSWER}: {UNPRICED.format(told.unpriced_calls)}")
    if said.in_another:
        notes.append(IN_ANOTHER.format(count=said.in_another, all=len(said.claims)))
    return GivenAnswer(said, by, told, hits, notes)


def _worth_reading(found: SearchResult) -> Sequence[Hit]:
    """The hits that may answer: those that a model found relevant or did not judge; none where nothing is near."""
    if found.relevance is Relevance.NONE and not any((hit.model_score or 0) >= RELEVANT for hit in found.hits):
        return []
    return [hit for hit in found.hits if hit.model_score is None or hit.model_score >= RELEVANT]


def _is_near(hit: Hit) -> bool:
    """Whether a hit may be shown as an answer that no model worded."""
    return hit.model_score is not None or hit.similarity is None or hit.similarity >= WEAK


def _ask(question: Answering, passages: Sequence[Passage], judge: Judge, step: Running) -> Answer | None:
    step.model, step.prompt = judge.model.name, question.prompt.hash
    pace = Pacing(apart=True, seconds=judge.seconds, all_seconds=judge.stage_seconds)
    try:
        errors = list(ask_all(question, question.pack(passages), meter=judge.meter, pace=pace).values())
    except EmbedmillError as error:
        errors = [error]
    said, why = question.answer, CUT_OFF
    if said is None:
        said, why = question.left, str(errors[0])
    if said.cut and not said.claims:
        step.fail(f"{CUT_OFF} before a sentence was whole" if said is question.answer else why)
        return None
    step.out, step.why = len(said.claims), why if said.cut else ""
    return said


def _id(hit: Hit) -> str:
    return f"{hit.document}/{hit.chunk}"


def _passage(id: str, hit: Hit) -> Passage:
    near = hit.similarity or 0.0
    return Passage(id, hit.document, hit.uri, hit.title, hit.section, hit.text, near, body_at(hit.head))


def _in_their_words(question: str, passages: Sequence[Passage]) -> list[Claim]:
    """Of each passage the sentence with most of the question's words, as it stands: it bears itself. Best first."""
    wanted = frozenset(parse_query(question).terms)
    best = [max(_sentences(passage, wanted), key=lambda pair: pair[0]) for passage in passages]
    claims = {claim.text: claim for _, claim in sorted(best, key=lambda pair: -pair[0])}
    return list(claims.values())


def _sentences(passage: Passage, wanted: frozenset[int]) -> Iterator[tuple[int, Claim]]:
    """The sentences of a passage, each with how many of the wanted terms it holds."""
    begin = passage.body_at
    body = passage.text[begin:]
    for start, end in list(sentences_of(body)) or [(0, len(body))]:
        text = body[start:end].rstrip()
        held = wanted.intersection(count_terms(text=text).terms.tolist())
        cited = Cited(passage, Quote(text, begin + start, begin + start + len(text)))
        yield len(held), Claim(" ".join(text.split()), (cited,))
