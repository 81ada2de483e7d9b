"""The adversarial set: small documents of our own, and what may be answered from them and what must not be."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Case:
    """A question. `supports` has the words that answer it by document: without any the documents don't say.

    `says` is what an answer has to hold, `never` what no answer may, and `traps` are documents that answer nothing.
    """

    id: str
    kind: str
    question: str
    supports: Mapping[str, str]
    says: Sequence[str] = ()
    never: Sequence[str] = ()
    traps: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Document:
    """A document of the set, by its id."""

    id: str
    text: str
    title: str = ""
    uri: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)

    @property
    def as_given(self) -> dict[str, Any]:
        """What a source is given; the id stands for an address that there is not."""
        return {
            "id": self.id,
            "text": self.text,
            "title": self.title,
            "metadata": {**self.metadata, "name": self.id},
        } | ({"uri": self.uri} if self.uri else {})


def read_cases() -> list[Case]:
    """Every question."""
    return [Case(**row) for row in _rows("questions")]


def read_documents() -> list[Document]:
    """Every document."""
    return [Document(**row) for row in _rows("documents")]


def _rows(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (FOLDER / f"{name}.jsonl").read_text("utf-8").splitlines()]
