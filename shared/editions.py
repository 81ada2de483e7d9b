"""Owns what rows in vector stores are called, which edition of a document they belong to, and which one readers see.

An edition is one writing of a document: a version under the generation of the submission that wrote it. Only work on
that submission ever writes or removes rows by these names (decision 0027). Rows of Embedmill 0.1.0 name no generation.
"""

import re
from typing import NamedTuple

_NAME = re.compile(r"(.+)-([^-]+)-(?:([0-9]{1,18})\.)?([0-9]{1,18})", re.DOTALL)


class Edition(NamedTuple):
    """A version of a document under one generation; None for rows that do not tell theirs."""

    version: str
    generation: int | None

    def is_seen_as(self, active: "Edition | None") -> bool:
        """Whether readers see rows of this edition while the tracker says that `active` is the document's."""
        return (
            active is not None
            and self.version == active.version
            and (self.generation is None or self.generation == active.generation)
        )

    def names(self, id: str, document: str) -> bool:
        """Whether readers see the row of a document that is called `id` while this edition is the active one.

        A query asks it of hundreds of rows: it is `is_seen_as` without taking the id apart.
        """
        beginning = f"{document}-{self.version}-"
        number = id.removeprefix(beginning).removeprefix(f"{self.generation}.")
        return id.startswith(beginning) and number.isascii() and number.isdigit()


class Seen(NamedTuple):
    """The editions that readers see of some documents, and rows that they see, as of a number of changes."""

    changes: int
    editions: dict[str, Edition]
    rows: set[str]


class RowName(NamedTuple):
    """What a row's id tells."""

    document: str
    edition: Edition
    ordinal: int


def row_id(document: str, version: str, generation: int, ordinal: int) -> str:
    """The id of a row: `document-version-generation.ordinal`."""
    return f"{document}-{version}-{generation}.{ordinal}"


def ordinal_of(id: str) -> str:
    """The place of a row in its document, of an id that is ours."""
    return id.rpartition("-")[2].rpartition(".")[2]


def parse_id(id: str) -> RowName | None:
    """What an id tells; None for one that nobody here ever gave."""
    found = _NAME.fullmatch(id)
    if found is None:
        return None
    document, version, generation, ordinal = found.groups()
    return RowName(document, Edition(version, None if generation is None else int(generation)), int(ordinal))
