"""Owns the two questions that ranking asks of models, their prompts, and the strict reading of their answers."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from embedmill.retrieval.passages import HIGHEST, LOWEST, Grade, Passage, Quote
from embedmill.retrieval.quotes import QuoteKind, check_quote
from embedmill.retrieval.snippets import snippet
from embedmill.shared.addresses import digest
from embedmill.shared.asking.following import MODEL_REFUSED
from embedmill.shared.asking.packing import ItemSize, Room, pack_in_order
from embedmill.shared.asking.question import ReadAnswer, Request
from embedmill.shared.fence import make_fence
from embedmill.shared.prompts import PromptText, load_prompt
from embedmill.shared.providers.models.asking import ModelQuestion
from embedmill.shared.providers.models.base import Model, ModelAnswer, Prompt, PromptBlock, Stop
from embedmill.shared.providers.models.lists import Flaw, read_list
from embedmill.shared.tokenizer import count_tokens
from embedmill.shared.words.cutting import count_terms

NEEDS_QUOTE = 3
"""From this score on a grade needs words of the passage to stand on."""

Score = Annotated[int, Field(strict=True, ge=LOWEST, le=HIGHEST)]
SCORE: Mapping[str, Any] = {"type": "integer", "enum": list(range(HIGHEST, LOWEST - 1, -1))}
TEXT: Mapping[str, Any] = {"type": "string"}


@dataclass(frozen=True, slots=True)
class AskedQuestion:
    """What is asked: the user's question, in the owner's domain where there is one."""

    question: str
    domain: str = ""


@dataclass(slots=True)
class FlawCounts:
    """What was wrong with answers, for the metrics: flaws of lists, and quotes that were not held, by kind."""

    flaws: dict[Flaw, int] = field(default_factory=dict)
    quotes: dict[QuoteKind, int] = field(default_factory=dict)
    refusals: int = 0

    @property
    def hallucinations(self) -> int:
        """Quotes that the passage does not hold, of whatever kind."""
        return sum(self.quotes.values())


class _Graded(BaseModel):
    model_config = ConfigDict(extra="ignore")

    id: str
    score: Score
    quote: str = ""


class Grading(ModelQuestion[Passage, Grade]):
    """A question about passages, answered by a list of grades; what is found stands in `found`.

    A passage of which nothing usable is said is in neither list of the answer: whoever asked has an error for it.
    """

    noun = "passage"
    most_refused = 8
    most_declined = 4
    prompt_name: str
    list_name: str
    properties: ClassVar[Mapping[str, Any]]
    room: Room
    text_tokens: int
    """As much of a passage is shown at most."""
    beginning: float = 1.0
    """This share of it is the passage's beginning; the rest is the part with most of the question's words."""
    answer_tokens: tuple[int, int]
    """Of an answer: whatever it says, and for each passage."""

    def __init__(self, model: Model, asked: AskedQuestion) -> None:
        super().__init__(model)
        self.asked = asked
        self.found: dict[Passage, Grade] = {}
        self.counts = FlawCounts()
        self._checked: dict[str, Passage] = {}

    @property
    def prompt(self) -> PromptText:
        """The instructions."""
        return load_prompt("embedmill.retrieval.grading", self.prompt_name)

    def address(self, passage: Passage) -> str:
        """The content address of a grade: all that it depends on."""
        asked = (self.asked.question, self.asked.domain)
        shown = (passage.title, passage.section, passage.uri, passage.text)
        return digest("grade", self.model.name, self.model.endpoint, self.prompt.hash, *asked, *shown)

    def pack(self, passages: Sequence[Passage]) -> list[Request[Passage]]:
        """Requests for the passages, in an order that follows from the question and not from their ranks."""
        self._checked = {passage.id: passage for passage in passages}
        shuffled = sorted(passages, key=lambda passage: digest(self.asked.question, passage.id))
        sizes = [ItemSize(min(count_tokens(passage.text), self.text_tokens)) for passage in shuffled]
        requests = []
        for places in pack_in_order(sizes, self.room):
            items = tuple(shuffled[place] for place in places)
            requests.append(Request(items, make_fence(self._texts(items))))
        return requests

    def word(self, request: Request[Passage]) -> Prompt:
        fence, ids = request.fence, request.by_id
        parts = [f"The fence token of this request is {fence.token}.", fence.wrap("question", self.asked.question)]
        parts += [
            fence.wrap("passage", self._shown(item.text), id=id, title=item.title, section=item.section, uri=item.uri)
            for id, item in ids.items()
        ]
        if request.complaint:
            parts.append(f"An earlier answer could not be used: {request.complaint}.")
        parts.append(f"Give one member for each of these ids, in this order: {', '.join(ids)}.")
        always, each = self.answer_tokens
        return Prompt(
            system=(PromptBlock(self._instructions(), cached=True),),
            user=(PromptBlock("\n\n".join(parts)),),
            schema_name=self.list_name,
            schema=self._schema(),
            max_tokens=(always + each * len(ids)) * (2 if request.complaint else 1),
        )

    def documents(self, request: Request[Passage]) -> tuple[str, ...]:
        return tuple(sorted({passage.document for passage in request.items}))

    def read(self, request: Request[Passage], answer: ModelAnswer) -> ReadAnswer[Passage, Grade]:
        if answer.stop is Stop.REFUSAL or not answer.text.strip():
            self.counts.refusals += 1
            return ReadAnswer({}, request.items, MODEL_REFUSED, is_refusal=True)
        passages = request.by_id
        reading = read_list(answer.text, self.list_name, passages, _graded)
        for flaw, count in reading.flaws.items():
            self.counts.flaws[flaw] = self.counts.flaws.get(flaw, 0) + count
        found = {passages[id]: self.weigh(passages[id], graded) for id, graded in reading.found.items()}
        return ReadAnswer(found, [passages[id] for id in reading.left], reading.complaint(self.list_name))

    def keep(self, found: Mapping[Passage, Grade]) -> None:
        self.found |= found

    @abstractmethod
    def weigh(self, passage: Passage, graded: "GradedAs") -> Grade:
        """What a member of the list comes to."""

    def _texts(self, passages: Sequence[Passage]) -> list[str]:
        shown = [text for p in passages for text in (p.text, p.title, p.section, p.uri)]
        return [self.asked.question, self.asked.domain, *shown]

    def _shown(self, text: str) -> str:
        """A text that is too long to be read in whole is cut."""
        tokens = count_tokens(text)
        if tokens <= self.text_tokens:
            return text
        width = len(text) * self.text_tokens // tokens
        begun, rest = text[: int(width * self.beginning)], text[int(width * self.beginning) :]
        start, end = snippet(rest, self._terms, width=width - len(begun)) if len(begun) < width else (0, 0)
        between = " … " if start else ""
        return f"{begun}{between}{rest[start:end]}{' …' if end < len(rest) else ''}"

    @cached_property
    def _terms(self) -> frozenset[int]:
        return frozenset(count_terms(text=self.asked.question).terms.tolist())

    def _instructions(self) -> str:
        if not self.asked.domain:
            return self.prompt.text
        return f"{self.prompt.text}\n\n# The domain\n\nThe collection's owner says of it: {self.asked.domain}"

    def _schema(self) -> Mapping[str, Any]:
        member = closed({"id": TEXT, **self.properties})
        return closed({self.list_name: {"type": "array", "items": member}})


GradedAs = tuple[int, str]
"""Score and quote, as a model gave them."""


class Sifting(Grading):
    """The cheap question: which passages are worth a closer look; many in one request, without quotes."""

    purpose = "filter"
    prompt_name = "sift"
    list_name = "scores"
    properties: ClassVar = {"score": SCORE}
    room = Room(50, 30_000)
    # Of a text of 400 tokens this finds what is relevant as well as all of it does (decision 0064).
    text_tokens = 160
    beginning = 1 / 3
    answer_tokens = (100, 30)

    def weigh(self, passage: Passage, graded: GradedAs) -> Grade:
        del passage
        return Grade(graded[0])


class RankingQuestion(Grading):
    """The expensive question: does a passage answer, and with which words; few in a request, each with its quote."""

    purpose = "rank"
    prompt_name = "rank"
    list_name = "grades"
    # The quote comes before the score: a model writes in this order, and the score is to follow from the words.
    properties: ClassVar = {"quote": TEXT, "score": SCORE}
    room = Room(5, 12_000)
    text_tokens = 2_400
    answer_tokens = (200, 220)

    def weigh(self, passage: Passage, graded: GradedAs) -> Grade:
        score, words = graded
        if score < NEEDS_QUOTE and not words.strip():
            return Grade(score)
        others = [other.text for other in self._checked.values() if other.id != passage.id]
        ours = f"{self.prompt.text}\n{self.asked.question}"
        checked = check_quote(words, passage.text, others=others, prompt=ours)
        if checked.start is not None and checked.end is not None:
            return Grade(score, Quote(passage.text[checked.start : checked.end], checked.start, checked.end))
        self.counts.quotes[checked.kind] = self.counts.quotes.get(checked.kind, 0) + 1
        return Grade(LOWEST, fault=checked.kind)


def _graded(item: Any) -> tuple[str, GradedAs] | None:
    try:
        graded = _Graded.model_validate(item)
    except ValidationError:
        return None
    return graded.id, (graded.score, graded.quote)


def closed(properties: Mapping[str, Any]) -> Mapping[str, Any]:
    """An object of a schema as structured outputs take it: every property required, and no other."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
