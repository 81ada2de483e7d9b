"""Turns rows into documents: their URIs, texts, titles and metadata."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

from embedmill.producers.sources.base import Departed, Item, Problem, RowItem, Skipped, SourcePlace
from embedmill.producers.sources.rows import MAX_URI_CHARACTERS, BadRow, hash_row
from embedmill.producers.sources.seen import Seen
from embedmill.producers.sources.sql.layouts import Layout
from embedmill.producers.sources.sql.values import Kind, as_id, as_metadata, as_text, is_set

SEPARATOR = "\n\n"
NO_ID = "NULL"


@dataclass(slots=True)
class Maker:
    """Makes documents of rows of one layout; `base` begins the URIs of rows that have none of their own.

    `is_unique` says that the database lets no two rows have one id. Otherwise the first one with a URI wins.
    """

    base: str
    layout: Layout
    is_unique: bool = False
    _seen: Seen = field(default_factory=Seen)
    _kinds: tuple[Kind, ...] = field(init=False)
    _place: SourcePlace = field(init=False)

    def __post_init__(self) -> None:
        """Kinds by index, as rows have their values."""
        self._kinds = tuple(column.kind for column in self.layout.columns)
        self._place = SourcePlace(self.base)

    def make(self, row: Sequence[Any]) -> Item:
        """The document of a row; Departed where it is marked as deleted, Skipped without text, Problem without id."""
        uri = ""
        try:
            uri = self.name(row)
            self._claim(uri)
            if self.layout.deleted is not None and is_set(row[self.layout.deleted]):
                return self.departed(uri)
            return self._document(uri, row)
        except BadRow as error:
            return Problem(uri or f"{self.base}/{NO_ID}", str(error))

    def departed(self, uri: str) -> Departed:
        """A row that is marked as deleted."""
        assert self.layout.deleted is not None
        return Departed(uri, f"{self.layout.columns[self.layout.deleted].name} says that it is deleted")

    def name(self, row: Sequence[Any]) -> str:
        """The URI of a row; raises BadRow."""
        layout = self.layout
        if any(row[index] is None for index in layout.ids):
            raise BadRow("its id is NULL")
        if layout.uri is None:
            uri = f"{self.base}/{','.join(as_id(row[index], self._kinds[index]) for index in layout.ids)}"
        else:
            uri = layout.uri.fill(self._texts(row, layout.uris)).strip()
        if not uri or "\0" in uri or len(uri) > MAX_URI_CHARACTERS:
            raise BadRow(f"its URI is empty, has a NUL character or is longer than {MAX_URI_CHARACTERS:,} characters")
        return uri

    def _claim(self, uri: str) -> None:
        if self.is_unique and self.layout.uri is None:
            return
        mark = (blake2b(uri.encode("utf-8", "surrogatepass"), digest_size=16).digest(),)
        if self._seen.find(mark) is not None:
            raise BadRow("an earlier row has this id or URI; that one is taken")
        self._seen.add(mark, 0)

    def _document(self, uri: str, row: Sequence[Any]) -> Item:
        layout = self.layout
        texts = self._texts(row, layout.texts)
        if not any(text.strip() for text in texts):
            binary = any(isinstance(row[index], bytes) and row[index] for index in layout.texts)
            return Skipped(uri, "its text is binary" if binary else "its text is empty")
        # A template says what is between texts; columns by themselves are paragraphs.
        is_plain = not any(layout.text.literals)
        text = SEPARATOR.join(filter(None, texts)) if is_plain else layout.text.fill(texts)
        title = "" if layout.title is None else as_text(row[layout.title], self._kinds[layout.title]) or ""
        metadata = self._metadata(row) if layout.metadata else {}
        return RowItem(uri, title, text, metadata, hash_row(title, text, metadata), self._place)

    def _texts(self, row: Sequence[Any], indexes: Sequence[int]) -> list[str]:
        return [as_text(row[index], self._kinds[index]) or "" for index in indexes]

    def _metadata(self, row: Sequence[Any]) -> dict[str, Any]:
        named = ((self.layout.columns[index].name, index) for index in self.layout.metadata)
        read = ((name, as_metadata(row[index], self._kinds[index])) for name, index in named)
        return {name: value for name, value in read if value is not None}
