"""The strict reading of verdicts: from a model's answer, and from where they are stored.

Reading never raises. What cannot be used is missing, with a reason, and whoever asked decides what to do about it.
"""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from embedmill.shared.asking.question import ReadAnswer
from embedmill.shared.providers.models.lists import read_list
from embedmill.workers.validation.verdict import SCHEMA_NAME, Verdict

WORST, BEST = 1, 5

_STORED = TypeAdapter(Verdict)


def verdict_from_json(stored: str) -> Verdict | None:
    """The verdict as it was stored, None when that is damaged; what a later release added is left out."""
    try:
        verdict = _STORED.validate_json(stored, strict=True)
    except ValidationError:
        return None
    return verdict if WORST <= verdict.score <= BEST else None


class _Answered(BaseModel):
    """One verdict as a model gives it."""

    model_config = ConfigDict(extra="ignore")

    id: str
    reasoning: str
    score: Annotated[int, Field(strict=True, ge=WORST, le=BEST)]
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
