"""The verdict: what was thought of one chunk, by whom, and the strict reading of a model's answer.

ReadAnswer never raises. What cannot be used is missing, with a reason, and whoever asked decides what to do about it.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from embedmill.shared.asking.question import ReadAnswer
from embedmill.shared.providers.models.lists import read_list
from embedmill.shared.providers.models.rules import judge

Source = Literal["model", "rules"]
Score = Annotated[int, Field(strict=True, ge=1, le=5)]

SCHEMA_NAME = "verdicts"
_TEXTS = {"type": "array", "items": {"type": "string"}}
_PROPERTIES = {
    "id": {"type": "string"},
    # Before the verdict: a model writes in this order, and the score is to follow from the reasons.
    "reasoning": {"type": "string"},
    "score": {"type": "integer", "enum": [5, 4, 3, 2, 1]},
    "missing_context": {"type": "string"},
    "extraneous_spans": _TEXTS,
    "caveats": _TEXTS,
}
SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "verdicts": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": _PROPERTIES,
                "required": list(_PROPERTIES),
                "additionalProperties": False,
            },
        }
    },
    "required": ["verdicts"],
    "additionalProperties": False,
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is stored for a chunk. `source` is `rules` when no model's answer could be used, and `fallback` says why.

    `cuts` stand in the chunk word for word; `not_found` are the spans that a model named and that do not.
    `repaired` says that a first answer could not be used and a second one was asked for.
    """

    source: Source
    score: Score
    reasoning: str = ""
    missing_context: str = ""
    cuts: tuple[str, ...] = ()
    not_found: tuple[str, ...] = ()
    caveats: tuple[str, ...] = ()
    repaired: bool = False
    fallback: str = ""

    def as_json(self) -> dict[str, Any]:
        """Plain JSON, as it is stored."""
        return asdict(self)


_STORED = TypeAdapter(Verdict)


def verdict_from_json(stored: str) -> Verdict | None:
    """The verdict as it was stored, None when that is damaged; what a later release added is left out."""
    try:
        return _STORED.validate_json(stored, strict=True)
    except ValidationError:
        return None


def verdict_by_rules(body: str, *, fallback: str) -> Verdict:
    """What the offline rules say of a chunk, recorded as theirs: 1 for no language, and no opinion otherwise (3)."""
    reason = judge(body)
    return Verdict("rules", 3 if reason is None else 1, reason or "", fallback=fallback)


class _Answered(BaseModel):
    """One verdict as a model gives it."""

    model_config = ConfigDict(extra="ignore")

    id: str
    reasoning: str
    score: Score
    missing_context: str
    extraneous_spans: list[str]
    caveats: list[str]


def read_answer(text: str, bodies: Mapping[str, str], *, repaired: bool = False) -> ReadAnswer[str, Verdict]:
    """The verdicts on `bodies`, chunks by id, in a model's answer; ids that are unknown or contradict are left out."""

    def read(item: Any) -> tuple[str, Verdict] | None:
        try:
            answered = _Answered.model_validate(item)
        except ValidationError:
            return None
        return answered.id, _verdict(answered, bodies.get(answered.id, ""), repaired=repaired)

    reading = read_list(text, SCHEMA_NAME, bodies, read)
    return ReadAnswer(reading.found, list(reading.left), reading.complaint(SCHEMA_NAME))


def _verdict(answered: _Answered, body: str, *, repaired: bool) -> Verdict:
    spans = dict.fromkeys(span for span in answered.extraneous_spans if span.strip())
    return Verdict(
        "model",
        answered.score,
        answered.reasoning.strip(),
        " ".join(answered.missing_context.split()),
        tuple(span for span in spans if span in body),
        tuple(span for span in spans if span not in body),
        tuple(caveat.strip() for caveat in answered.caveats if caveat.strip()),
        repaired,
    )
