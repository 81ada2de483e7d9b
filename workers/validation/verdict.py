"""The verdict: what was thought of one chunk, by whom, and the strict reading of a model's answer.

ReadAnswer never raises. What cannot be used is missing, with a reason, and whoever asked decides what to do about it.
"""

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic_core import from_json

from embedmill.shared.asking.question import ReadAnswer
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
    try:
        items, whole = _items(text)
    except ValueError:
        return ReadAnswer({}, list(bodies), "the answer was no JSON object with a list of verdicts")
    read: dict[str, Verdict] = {}
    problems: set[str] = set() if whole else {"the answer was cut off"}
    disputed: set[str] = set()
    for item in items:
        answered = _validated(item)
        if answered is None:
            problems.add("a verdict did not follow the schema")
        elif answered.id not in bodies:
            problems.add("a verdict had an id that was not asked for")
        else:
            verdict = _verdict(answered, bodies[answered.id], repaired=repaired)
            if read.setdefault(answered.id, verdict) != verdict:
                disputed.add(answered.id)
    if disputed:
        problems.add("an id had two different verdicts")
    kept = {id_: verdict for id_, verdict in read.items() if id_ not in disputed}
    left = [id_ for id_ in bodies if id_ not in kept]
    return ReadAnswer(kept, left, _complaint(problems, left))


def _items(text: str) -> tuple[list[Any], bool]:
    """The list of verdicts, and whether the answer was whole; of one that is cut off, the items before the cut."""
    start = max(text.find("{"), 0)
    try:
        answer, whole = from_json(_bytes(text[start : text.rfind("}") + 1 or None])), True
    except ValueError:
        answer, whole = from_json(_bytes(text[start:]), allow_partial=True), False
    match answer:
        case {"verdicts": [*items]}:
            return items, whole
    raise ValueError("no list of verdicts")


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "replace")


def _validated(item: Any) -> _Answered | None:
    try:
        return _Answered.model_validate(item)
    except ValidationError:
        return None


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


def _complaint(problems: Collection[str], missing: Collection[str]) -> str:
    complaints = sorted(problems)
    if missing:
        complaints.append(f"{len(missing)} chunks had no usable verdict")
    return "; ".join(complaints)
