"""Owns the question that answering asks of a model, its prompt, and the strict reading of what comes back."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from embedmill.retrieval.answering.answers import Answer, Claim, Said, check_answer
from embedmill.retrieval.grading.questions import TEXT, AskedQuestion, closed
from embedmill.retrieval.passages import Passage
from embedmill.shared.addresses import digest
from embedmill.shared.asking.following import MODEL_REFUSED
from embedmill.shared.asking.question import ReadAnswer, Request
from embedmill.shared.fence import make_fence
from embedmill.shared.prompts import PromptText, load_prompt
from embedmill.shared.providers.models.asking import ModelQuestion
from embedmill.shared.providers.models.base import Model, ModelAnswer, Prompt, PromptBlock, Stop
from embedmill.shared.providers.models.lists import read_items, read_whole_items

CLAIMS = "claims"
MAX_TOKENS = 1_500
IN_ANOTHER = "its sentences were not in the language of the question"

SCHEMA: Mapping[str, Any] = closed(
    {
        CLAIMS: {
            "type": "array",
            "items": closed(
                {"text": TEXT, "quotes": {"type": "array", "items": closed({"id": TEXT, "quote": TEXT})}},
            ),
        }
    }
)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What one question is answered from."""

    passages: tuple[Passage, ...]


class _Quoted(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True)

    id: str
    quote: str


class _Claimed(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True)

    text: str
    quotes: list[_Quoted]


TellClaim = Callable[[Claim], object]


def _nobody(_: Claim) -> None:
    """Nobody listens."""


class Answering(ModelQuestion[Evidence, Answer]):
    """Asks for an answer from some passages; what is left of it after the check stands in `answer`.

    Each sentence is told as soon as it is whole and held, while the model goes on. Of an answer that begins in another
    language than the question's nothing is told: it is asked for once more.
    """

    noun = "question"
    purpose = "answer"

    def __init__(self, model: Model, asked: AskedQuestion, tell: TellClaim = _nobody) -> None:
        super().__init__(model)
        self.asked = asked
        self.answer: Answer | None = None
        self.heard = Answer(cut=True)
        """What was held of what was heard so far."""
        self._aside: Answer | None = None
        self._tell = tell
        self._hearing: Request[Evidence] | None = None
        self._said = ""

    @property
    def left(self) -> Answer:
        """What there is where the last answer did not come to its end: what was heard of it, or the one before."""
        return self._aside if self._aside is not None and not self.heard.claims else self.heard

    @property
    def prompt(self) -> PromptText:
        """The instructions."""
        return load_prompt("embedmill.retrieval.answering", "answer")

    def pack(self, passages: Sequence[Passage]) -> list[Request[Evidence]]:
        """One request, in an order that follows from the question and not from the ranks."""
        shuffled = tuple(sorted(passages, key=lambda passage: digest(self.asked.question, passage.id)))
        texts = [text for p in shuffled for text in (p.text, p.title, p.section, p.uri)]
        return [Request((Evidence(shuffled),), make_fence([self.asked.question, self.asked.domain, *texts]))]

    def word(self, request: Request[Evidence]) -> Prompt:
        fence = request.fence
        parts = [f"The fence token of this request is {fence.token}.", fence.wrap("question", self.asked.question)]
        parts += [
            fence.wrap("passage", item.text, id=id, title=item.title, section=item.section, uri=item.uri)
            for id, item in _by_id(request).items()
        ]
        if request.complaint:
            parts.append(f"An earlier answer could not be used: {request.complaint}.")
        parts.append("Answer the question from these passages, in the language of the question.")
        instructions = self.prompt.text
        if self.asked.domain:
            instructions += f"\n\n# The domain\n\nThe collection's owner says of it: {self.asked.domain}"
        return Prompt(
            system=(PromptBlock(instructions, cached=True),),
            user=(PromptBlock("\n\n".join(parts)),),
            schema_name="answer",
            schema=SCHEMA,
            max_tokens=MAX_TOKENS * (2 if request.complaint else 1),
        )

    def documents(self, request: Request[Evidence]) -> tuple[str, ...]:
        return tuple(sorted({passage.document for item in request.items for passage in item.passages}))

    def send_aloud(self, request: Request[Evidence], tell: Callable[[str], None]) -> ModelAnswer:
        return self.model.stream(self.word(request), tell)

    def hear(self, request: Request[Evidence], piece: str) -> None:
        if request is not self._hearing:
            self._hearing, self._said = request, ""
        self._said += piece
        if "}" in piece and (items := read_whole_items(self._said, CLAIMS)):
            heard = self._check(request, items, cut=True)
            if request.complaint or not _begins_in_another(heard):
                before, self.heard = len(self.heard.claims), heard
                for claim in heard.claims[before:]:
                    self._tell(claim)

    def _check(self, request: Request[Evidence], items: Sequence[Any], *, cut: bool) -> Answer:
        said = [one for one in map(_said, items) if one is not None]
        return check_answer(self.asked.question, said, _by_id(request), prompt=self.prompt.text, cut=cut)

    def read(self, request: Request[Evidence], answer: ModelAnswer) -> ReadAnswer[Evidence, Answer]:
        (evidence,) = request.items
        if answer.stop is Stop.REFUSAL or not answer.text.strip():
            return ReadAnswer({}, request.items, MODEL_REFUSED, is_refusal=True)
        try:
            items, whole = read_items(answer.text, CLAIMS)
        except ValueError:
            return ReadAnswer({}, request.items, f"the answer was no JSON object with a list of {CLAIMS}")
        checked = self._check(request, items, cut=not whole)
        if not whole and not checked.claims and not request.complaint:
            return ReadAnswer({}, request.items, "the answer was cut off")
        if _begins_in_another(checked) and not request.complaint:
            self._aside = checked
            return ReadAnswer({}, request.items, IN_ANOTHER)
        return ReadAnswer({evidence: checked})

    def keep(self, found: Mapping[Evidence, Answer]) -> None:
        for answer in found.values():
            self.answer = answer


def _begins_in_another(answer: Answer) -> bool:
    """Whether nothing of an answer was told yet that is not in the question's language."""
    return bool(answer.claims) and answer.claims[0].in_another


def _by_id(request: Request[Evidence]) -> dict[str, Passage]:
    """Passages by the short ids of this request, which no document can guess."""
    suffix = request.fence.token[:4]
    return {f"p{place}-{suffix}": passage for place, passage in enumerate(request.items[0].passages, start=1)}


def _said(item: Any) -> Said | None:
    try:
        claimed = _Claimed.model_validate(item)
    except ValidationError:
        return None
    return Said(claimed.text, tuple((quoted.id, quoted.quote) for quoted in claimed.quotes))
