"""Owns the question that decomposition asks of a model: which things a compound question asks."""

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from embedmill.retrieval.grading.questions import TEXT, Asked, closed
from embedmill.retrieval.grading.staged import Memory, NoMemory
from embedmill.retrieval.understanding.plans import SUBQUERIES, Plan, check_plan, read_subqueries
from embedmill.shared.addresses import digest
from embedmill.shared.asking.following import MODEL_REFUSED
from embedmill.shared.asking.question import ReadAnswer, Request
from embedmill.shared.asking.sending import Pacing, ask_all
from embedmill.shared.errors import EmbedmillError, ProviderUnavailable
from embedmill.shared.fence import make_fence
from embedmill.shared.metering import Meter
from embedmill.shared.prompts import PromptText, load_prompt
from embedmill.shared.providers.models.asking import ModelQuestion
from embedmill.shared.providers.models.base import Model, ModelAnswer, Prompt, PromptBlock, Stop

DECOMPOSE = "decompose"
MAX_TOKENS = 400
CUT_OFF = "the answer was cut off"
NO_LIST = "the answer was no list of sub-queries"


def instructions() -> PromptText:
    """What a model is told that divides."""
    return load_prompt("embedmill.retrieval.understanding", "divide")


@dataclass(frozen=True, slots=True)
class Divider:
    """A model that may be asked what a question is made of, who keeps its books, and how long it is waited for."""

    model: Model
    meter: Meter
    memory: Memory = field(default_factory=NoMemory)
    domain: str = ""
    seconds: float = 20.0


class Dividing(ModelQuestion[str, Plan]):
    """Asks once for the sub-queries of a question; what is left of them after the check stands in `plan`."""

    noun = "question"
    purpose = DECOMPOSE

    def __init__(self, model: Model, asked: Asked) -> None:
        super().__init__(model)
        self.asked = asked
        self.plan: Plan | None = None

    @property
    def prompt(self) -> PromptText:
        """The instructions."""
        return instructions()

    @property
    def address(self) -> str:
        """The content address of a plan: all that it depends on."""
        asked = (self.asked.question, self.asked.domain)
        return digest("plan", self.model.name, self.model.endpoint, self.prompt.hash, *asked)

    def pack(self) -> list[Request[str]]:
        """The one request."""
        return [Request((self.asked.question,), make_fence([self.asked.question, self.asked.domain]))]

    def word(self, request: Request[str]) -> Prompt:
        fence = request.fence
        parts = [
            f"The fence token of this request is {fence.token}.",
            fence.wrap("question", self.asked.question),
            "Give the sub-queries of this question, or an empty list.",
        ]
        told = self.prompt.text
        if self.asked.domain:
            told += f"\n\n# The domain\n\nThe collection's owner says of it: {self.asked.domain}"
        return Prompt(
            system=(PromptBlock(told, cached=True),),
            user=(PromptBlock("\n\n".join(parts)),),
            schema_name=SUBQUERIES,
            schema=closed({SUBQUERIES: {"type": "array", "items": TEXT}}),
            max_tokens=MAX_TOKENS,
        )

    def documents(self, request: Request[str]) -> tuple[str, ...]:
        del request
        return ()

    def read(self, request: Request[str], answer: ModelAnswer) -> ReadAnswer[str, Plan]:
        (question,) = request.items
        if answer.stop is Stop.REFUSAL or not answer.text.strip():
            return ReadAnswer({}, request.items, MODEL_REFUSED, is_refusal=True)
        listed = read_subqueries(answer.text)
        if listed is None:
            # Not asked again: without sub-queries nothing is lost but what they might have added.
            return ReadAnswer({}, errors={question: ProviderUnavailable(f"{self.name}: {NO_LIST}")})
        said, is_whole = listed
        is_whole = is_whole and answer.stop is Stop.END
        plan = self.check(said, is_whole=is_whole)
        if not (plan.is_whole or plan.subqueries):
            return ReadAnswer({}, errors={question: ProviderUnavailable(f"{self.name}: {CUT_OFF}")})
        return ReadAnswer({question: plan})

    def check(self, said: list[object], *, is_whole: bool = True) -> Plan:
        """What may be searched for of what was said."""
        return check_plan(self.asked.question, said, prompt=self.prompt.text, is_whole=is_whole)

    def keep(self, found: Mapping[str, Plan]) -> None:
        for plan in found.values():
            self.plan = plan


def divide(question: str, divider: Divider) -> Plan:
    """The sub-queries of a question; raises EmbedmillError where no usable answer is to be had."""
    asking = Dividing(divider.model, Asked(question, divider.domain))
    if (known := _recalled(asking, divider.memory)) is not None:
        return known
    pace = Pacing(apart=True, seconds=divider.seconds, all_seconds=divider.seconds)
    errors = ask_all(asking, asking.pack(), meter=divider.meter, pace=pace)
    if asking.plan is None:
        raise next(iter(errors.values()), ProviderUnavailable(NO_LIST))
    if asking.plan.is_whole:
        with suppress(EmbedmillError):
            divider.memory.keep({asking.address: json.dumps(asking.plan.subqueries)}, asking)
    return asking.plan


def _recalled(asking: Dividing, memory: Memory) -> Plan | None:
    """What was answered before, checked as if it was answered now; None for what cannot be read."""
    stored = memory.recall([asking.address], asking).get(asking.address)
    if stored is None:
        return None
    with suppress(ValueError):
        subqueries = json.loads(stored)
        return asking.check(subqueries) if isinstance(subqueries, list) else None
    return None
