"""Finds the documents in which a person is named, by an e-mail address, a number or a name.

What redaction hid is found by keyed hashes. All that is stored is read besides: what came before redaction was on,
or is no value that it knows, is found by its words.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from unicodedata import normalize

from embedmill.shared.db import described, redactions, traces, words
from embedmill.shared.db.collections import Collection, get_collection, list_collections
from embedmill.shared.db.described import Described
from embedmill.shared.db.engine import Connection
from embedmill.shared.errors import UsageError
from embedmill.shared.paging import walk
from embedmill.shared.privacy.document_seals import open_metadata
from embedmill.shared.runtime import Runtime

PAGE = 500
LEAST_CHARACTERS = 4
"""Whatever is shorter is in every document."""
LEAST_DIGITS = 6
"""A value that is a number is found however it is spaced, if it has so many digits."""
SIGNS = " ()+-./"
"""May stand between the digits of a number."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A value to be looked for; raises UsageError for one that says too little."""

    value: str

    def __post_init__(self) -> None:
        """Refuse what would erase everything."""
        if len(self.value.strip()) < LEAST_CHARACTERS:
            raise UsageError(f"{self.value!r} tells no person: give at least {LEAST_CHARACTERS} characters")

    @property
    def folded(self) -> str:
        """The value in one spelling."""
        return fold(self.value)

    @property
    def digits(self) -> str:
        """Its digits, where it is a number; else nothing."""
        digits = "".join(c for c in self.value if c.isdigit())
        return digits if len(digits) >= LEAST_DIGITS and not self.value.strip(f"{SIGNS}0123456789") else ""

    def is_in(self, text: str) -> bool:
        """Whether a text names it."""
        return self.folded in fold(text) or bool(self.digits and self.digits in _joined(text))


def fold(text: str) -> str:
    """A text in one spelling: case, width and spaces do not count."""
    return " ".join(normalize("NFKC", text).casefold().split())


def _joined(text: str) -> str:
    """A text whose numbers have nothing between their digits, and something else is between numbers."""
    return "".join(c for c in text if c.isdigit() or c not in SIGNS)


def find_subject(runtime: Runtime, value: str, *, collection: str | None) -> Mapping[str, str]:
    """Documents by id with their URIs; raises UsageError for a value that says too little, NotFound."""
    wanted = Subject(value)
    chosen = runtime.database.query(_choose, collection)
    hidden = {id: uri for place in chosen for id, uri in _find_hidden(runtime, place, value).items()}
    return hidden | {d.id: d.uri for place in chosen for d in _walk(runtime, place) if _names(runtime, d, wanted)}


def forget_subject(runtime: Runtime, value: str, *, collection: str | None) -> int:
    """Forget the texts of queries that name a person, and the reasons of feedback that do; returns how many."""
    wanted = Subject(value)
    return sum(
        runtime.database.transact(words.forget_where, place.id, wanted.is_in)
        for place in runtime.database.query(_choose, collection)
    )


def _find_hidden(runtime: Runtime, collection: Collection, value: str) -> dict[str, str]:
    """Documents in which redaction hid the value, which it knows by a keyed hash only."""
    redactor = runtime.redactor(collection.id)
    if not redactor.is_on:
        return {}
    found = partial(
        redactions.find_documents_of, collection_id=collection.id, subjects=sorted(redactor.subjects_of(value))
    )
    return runtime.database.query(traces.find_uris, runtime.database.query(found))


def _choose(connection: Connection, name: str | None) -> list[Collection]:
    return list_collections(connection) if name is None else [get_collection(connection, name)]


def _walk(runtime: Runtime, collection: Collection) -> Iterator[Described]:
    def find(after: str) -> Sequence[Described]:
        query = partial(described.list_described, collection_id=collection.id, after=after, limit=PAGE)
        return runtime.database.query(query)

    return (one for page in walk(find, key=lambda one: one.id) for one in page)


def _names(runtime: Runtime, document: Described, wanted: Subject) -> bool:
    metadata = (open_metadata(runtime.vault, origin) for origin in document.origins)
    told = " ".join([document.uri, document.title, *(json.dumps(m, ensure_ascii=False) for m in metadata)])
    return wanted.is_in(told) or any(map(wanted.is_in, _texts(runtime, document)))


def _texts(runtime: Runtime, document: Described) -> Iterator[str]:
    """Everything that is stored of it, as text: chunk sets, texts of rows, findings."""
    found = runtime.blobs.get_pack(document.references)
    return (data.decode("utf-8", "replace") for data in found.values() if isinstance(data, bytes))
