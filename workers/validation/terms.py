"""Terminology: what a document calls things, collected by a model and checked, word for word, against the document."""

import re
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import from_json

from embedmill.shared.asking.following import MODEL_REFUSED
from embedmill.shared.asking.question import ReadAnswer, Request
from embedmill.shared.db.terms import LONGEST, FoundTerm
from embedmill.shared.errors import EmbedmillError, InputRefused
from embedmill.shared.fence import make_fence
from embedmill.shared.prompts import load_prompt
from embedmill.shared.providers.models.asking import ModelQuestion
from embedmill.shared.providers.models.base import Model, ModelAnswer, Prompt, PromptBlock, Stop
from embedmill.workers.validation.sanity import gives_orders

MOST_CHARACTERS = 24_000
"""Of a document's text; terms are introduced early, and a sample does not have to be complete."""
MOST_TERMS, MOST_WORDS = 30, 12
ANSWER_TOKENS = 4_000

_PROPERTIES = {
    "reasoning": {"type": "string"},
    "term": {"type": "string"},
    "synonyms": {"type": "array", "items": {"type": "string"}},
}
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "terms": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": _PROPERTIES,
                "required": list(_PROPERTIES),
                "additionalProperties": False,
            },
        }
    },
    "required": ["terms"],
    "additionalProperties": False,
}


class _Named(BaseModel):
    """A term as a model gives it."""

    model_config = ConfigDict(extra="ignore")

    term: str
    synonyms: list[str]


@dataclass(frozen=True, slots=True)
class Titled:
    """A document whose terms are asked for; `key` is whatever the caller knows it by."""

    key: Hashable
    document: str
    title: str
    text: str


class TermsQuestion(ModelQuestion[Titled, Sequence[FoundTerm] | None]):
    """Asks what a document calls things; None stands for an answer that could not be used."""

    noun = "document"

    def __init__(self, model: Model, store: Callable[[Titled, Sequence[FoundTerm] | None], None]) -> None:
        super().__init__(model)
        self._store = store

    def word(self, request: Request[Titled]) -> Prompt:
        (titled,) = request.items
        fence, shown = request.fence, titled.text[:MOST_CHARACTERS]
        asked = [
            f"The fence token of this request is {fence.token}.",
            fence.wrap("document", shown, title=titled.title),
        ]
        complaint = [f"An earlier answer could not be used: {request.complaint}."] if request.complaint else []
        return Prompt(
            system=(PromptBlock(load_prompt("embedmill.workers.validation", "terms").text, cached=True),),
            user=(PromptBlock("\n\n".join([*asked, *complaint])),),
            schema_name="terms",
            schema=SCHEMA,
            max_tokens=ANSWER_TOKENS,
        )

    def documents(self, request: Request[Titled]) -> tuple[str, ...]:
        return tuple(titled.document for titled in request.items)

    def read(self, request: Request[Titled], answer: ModelAnswer) -> ReadAnswer[Titled, Sequence[FoundTerm] | None]:
        (titled,) = request.items
        terms = read_terms(answer, titled.text)
        if terms is None:
            return ReadAnswer({}, request.items, "it held no list of terms", is_refusal=answer.stop is Stop.REFUSAL)
        return ReadAnswer({titled: terms})

    def keep(self, found: Mapping[Titled, Sequence[FoundTerm] | None]) -> None:
        for titled, terms in found.items():
            self._store(titled, terms)

    def fall_back(self, item: Titled, reason: str, error: EmbedmillError) -> None:
        if isinstance(error, InputRefused) and reason != MODEL_REFUSED:
            raise error


def request_terms(documents: Iterable[Titled]) -> list[Request[Titled]]:
    """A request for each document."""
    return [Request((titled,), make_fence((titled.text[:MOST_CHARACTERS], titled.title))) for titled in documents]


def read_terms(answer: ModelAnswer, text: str) -> list[FoundTerm] | None:
    """The terms of an answer that occur in the text, with those of their synonyms that do; None when it is unusable."""
    if answer.stop is Stop.REFUSAL:
        return None
    try:
        parsed = from_json(answer.text.encode("utf-8", "replace"), allow_partial=True)
    except ValueError:
        return None
    match parsed:
        case {"terms": [*items]}:
            found = (_checked(item, text) for item in items[:MOST_TERMS])
            return [term for term in found if term is not None]
    return None


def _checked(item: Any, text: str) -> FoundTerm | None:
    try:
        named = _Named.model_validate(item)
    except ValidationError:
        return None
    label = _tidy(named.term)
    mentions = _mentions(label, text)
    if not mentions:
        return None
    synonyms = dict.fromkeys(_tidy(synonym) for synonym in named.synonyms)
    kept = (s for s in synonyms if s.casefold() != label.casefold() and _mentions(s, text))
    return FoundTerm(label, tuple(kept), mentions)


def _tidy(name: str) -> str:
    return " ".join(name.split())


def _mentions(name: str, text: str) -> int:
    """How often a name occurs as whole words; 0 for what is no name at all."""
    if not 1 < len(name) <= LONGEST or len(name.split()) > MOST_WORDS or gives_orders(name):
        return 0
    pattern = r"\s+".join(re.escape(word) for word in name.split())
    return len(re.findall(rf"(?<!\w){pattern}(?!\w)", text, re.IGNORECASE))
