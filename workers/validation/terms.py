"""Terminology: what a document calls things, collected by a model and checked, word for word, against the document."""

import re
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import from_json

from embedmill.shared.db.terms import LONGEST, FoundTerm
from embedmill.shared.fence import make_fence
from embedmill.shared.prompts import load_prompt
from embedmill.shared.providers.models.base import Answer, Block, Model, Prompt, Stop
from embedmill.shared.providers.models.metering import About, Keep, Meter, ask
from embedmill.workers.validation.sanity import gives_orders

OPERATION = "terms"
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


def ask_for_terms(model: Model, text: str, *, title: str, document: str, meter: Meter, keep: Keep) -> Answer:
    """The model's answer about a document; raises what `Model.ask` raises. `keep` is given it before it is settled."""
    shown = text[:MOST_CHARACTERS]
    fence = make_fence((shown, title))
    question = f"The fence token of this request is {fence.token}.\n\n{fence.wrap('document', shown, title=title)}"
    prompt = Prompt(
        system=(Block(load_prompt("embedmill.workers.validation", "terms").text, cached=True),),
        user=(Block(question),),
        schema_name="terms",
        schema=SCHEMA,
        max_tokens=ANSWER_TOKENS,
    )
    return ask(model, prompt, About(OPERATION, documents=(document,)), meter=meter, keep=keep)


def read_terms(answer: Answer, text: str) -> list[FoundTerm] | None:
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
