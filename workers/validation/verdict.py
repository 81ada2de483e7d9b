"""The verdict: what was thought of one chunk, by whom, and how a model is to say it (`answers` reads what it says)."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from embedmill.shared.providers.models.rules import judge

Source = Literal["model", "rules"]

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
    """What is stored for a chunk, with a score of 1 to 5.

    `source` is `rules` when no model's answer could be used, and `fallback` says why.

    `cuts` stand in the chunk word for word; `not_found` are the spans that a model named and that do not.
    `repaired` says that a first answer could not be used and a second one was asked for.
    """

    source: Source
    score: int
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


def verdict_by_rules(body: str, *, fallback: str) -> Verdict:
    """What the offline rules say of a chunk, recorded as theirs: 1 for no language, and no opinion otherwise (3)."""
    reason = judge(body)
    return Verdict("rules", 3 if reason is None else 1, reason or "", fallback=fallback)
