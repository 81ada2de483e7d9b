"""Owns what is asked of a model about a question alone: once, with all that others wrote fenced, and kept."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from embedmill.retrieval.grading.questions import AskedQuestion
from embedmill.retrieval.grading.staged import AnswerMemory, NoMemory
from embedmill.shared.addresses import digest
from embedmill.shared.asking.following import MODEL_REFUSED
from embedmill.shared.asking.question import FoundT, ReadAnswer, Request
from embedmill.shared.asking.sending import Pacing, ask_all
from embedmill.shared.errors import EmbedmillError, ProviderUnavailable
from embedmill.shared.fence import make_fence
from embedmill.shared.metering import Meter
from embedmill.shared.prompts import PromptText, load_prompt
from embedmill.shared.providers.models.asking import ModelQuestion
from embedmill.shared.providers.models.base import Model, ModelAnswer, Prompt, PromptBlock, Stop

PACKAGE = "embedmill.retrieval.understanding"
CUT_OFF = "the answer was cut off"
MAX_TOKENS = 400


def instructions(name: str) -> PromptText:
    """What a model is told to do with a question."""
    return load_prompt(PACKAGE, name)


@dataclass(frozen=True, slots=True)
class Adviser:
    """A model that may be asked about questions, who keeps its books, and how long it is waited for."""

    model: Model
    meter: Meter
    memory: AnswerMemory = field(default_factory=NoMemory)
    domain: str = ""
    seconds: float = 20.0


class AboutQuestion(ModelQuestion[str, FoundT]):
    """Asks once about a question; what is left of the answer after the check stands in `found`.

    What makes no sense is not asked again: nothing is lost but what it might have added.
    """

    noun = "question"
    prompt_name: str
    schema_name: str
    schema: Mapping[str, Any]
    last_words: str
    """What is asked for, behind all that is data."""

    def __init__(self, model: Model, asked: AskedQuestion) -> None:
        super().__init__(model)
        self.asked = asked
        self.found: FoundT | None = None

    @property
    def prompt(self) -> PromptText:
        """The instructions."""
        return instructions(self.prompt_name)

    @property
    def context(self) -> Mapping[str, str]:
        """What is shown beside the question, by what it is."""
        return {}

    @property
    def address(self) -> str:
        """The content address of an answer: all that it depends on."""
        asked = (self.asked.question, self.asked.domain, *self.context.values())
        return digest(self.prompt_name, self.model.name, self.model.endpoint, self.prompt.hash, *asked)

    def pack(self) -> list[Request[str]]:
        """The one request."""
        shown = [self.asked.question, self.asked.domain, *self.context.values()]
        return [Request((self.asked.question,), make_fence(shown))]

    def word(self, request: Request[str]) -> Prompt:
        fence = request.fence
        parts = [f"The fence token of this request is {fence.token}."]
        parts += [fence.wrap(name, text) for name, text in self.context.items()]
        parts += [fence.wrap("question", self.asked.question), self.last_words]
        told = self.prompt.text
        if self.asked.domain:
            told += f"\n\n# The domain\n\nThe collection's owner says of it: {self.asked.domain}"
        return Prompt(
            system=(PromptBlock(told, cached=True),),
            user=(PromptBlock("\n\n".join(parts)),),
            schema_name=self.schema_name,
            schema=self.schema,
            max_tokens=MAX_TOKENS,
        )

    def documents(self, request: Request[str]) -> tuple[str, ...]:
        del request
        return ()

    def read(self, request: Request[str], answer: ModelAnswer) -> ReadAnswer[str, FoundT]:
        (question,) = request.items
        if answer.stop is Stop.REFUSAL or not answer.text.strip():
            return ReadAnswer({}, request.items, MODEL_REFUSED, is_refusal=True)
        try:
            return ReadAnswer({question: self.understand(answer)})
        except ValueError as error:
            return ReadAnswer({}, errors={question: ProviderUnavailable(f"{self.name}: {error}")})

    @abstractmethod
    def understand(self, answer: ModelAnswer) -> FoundT:
        """What is held of an answer; raises ValueError, with what was wrong, for one that makes no sense."""

    @abstractmethod
    def dump(self, found: FoundT) -> str | None:
        """What is kept; None for what is not worth it."""

    @abstractmethod
    def load(self, kept: str) -> FoundT | None:
        """What was kept, checked as if it was answered now; raises ValueError or gives None for what is damaged."""

    def keep(self, found: Mapping[str, FoundT]) -> None:
        for each in found.values():
            self.found = each


def ask_about(asking: AboutQuestion[FoundT], adviser: Adviser) -> FoundT:
    """What a model says of a question; raises EmbedmillError where no usable answer is to be had."""
    if (known := _recalled(asking, adviser.memory)) is not None:
        return known
    pace = Pacing(apart=True, seconds=adviser.seconds, all_seconds=adviser.seconds)
    errors: Sequence[EmbedmillError] = list(ask_all(asking, asking.pack(), meter=adviser.meter, pace=pace).values())
    if asking.found is None:
        raise next(iter(errors), ProviderUnavailable(f"{asking.name}: no answer"))
    if (kept := asking.dump(asking.found)) is not None:
        with suppress(EmbedmillError):
            adviser.memory.keep({asking.address: kept}, asking)
    return asking.found


def _recalled(asking: AboutQuestion[FoundT], memory: AnswerMemory) -> FoundT | None:
    stored = memory.recall([asking.address], asking).get(asking.address)
    with suppress(ValueError):
        return None if stored is None else asking.load(stored)
    return None
