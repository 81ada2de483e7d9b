"""Turns rows into documents: their URIs, texts, titles and metadata."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import blake2b, sha256
from typing import Any

import orjson

from embedmill.producers.sources.base import Departed, HeldItem, Item, Problem, RowItem, Skipped, SourcePlace
from embedmill.producers.sources.rows import (
    MAX_ROW_BYTES,
    MAX_URI_CHARACTERS,
    BadRow,
    hash_row,
    hash_text,
    labels_of_both,
)
from embedmill.producers.sources.seen import SeenKeys
from embedmill.producers.sources.sql.layouts import Layout
from embedmill.producers.sources.sql.values import ColumnKind, as_id, as_metadata, as_text, is_set
from embedmill.shared.access.labels import KEPT, is_label

SEPARATOR = "\n\n"
# How a PDF, an office file or book (a zip archive, or an older file of Microsoft's) and an RTF file begin.
FILES = (b"%PDF-", b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", b"{\\rtf")
NO_ID = "NULL"
METADATA = "metadata"


def digest_of(uri: str) -> bytes:
    """A short mark that stands for a URI."""
    return blake2b(uri.encode("utf-8", "surrogatepass"), digest_size=16).digest()


@dataclass(slots=True)
class Maker:
    """Makes documents of rows of one layout; `base` begins the URIs of rows that have none of their own.

    `is_unique` says that the database lets no two rows have one id. Otherwise the first one with a URI wins.
    """

    base: str
    layout: Layout
    is_unique: bool = False
    _seen: SeenKeys = field(default_factory=SeenKeys)
    _kinds: tuple[ColumnKind, ...] = field(init=False)
    _place: SourcePlace = field(init=False)
    _named: tuple[tuple[str, int, ColumnKind], ...] = field(init=False)
    _claims: bool = field(init=False)
    _id: int | None = field(init=False)
    _is_number: bool = field(init=False)
    _text: int | None = field(init=False)
    _title: tuple[int, ColumnKind] | None = field(init=False)
    _nested: str | None = field(init=False)

    def __post_init__(self) -> None:
        """What of a layout is asked for with every row."""
        layout = self.layout
        self._kinds = tuple(column.kind for column in layout.columns)
        self._place = SourcePlace(self.base)
        self._named = tuple((layout.columns[index].name, index, self._kinds[index]) for index in layout.metadata)
        # Labels within it are the row's, as those in the `metadata` of a row of JSON are.
        self._nested = next((name for name, _, _ in self._named if name.strip().lower() == METADATA), None)
        self._claims = layout.uri is not None or not self.is_unique
        self._id = layout.ids[0] if layout.uri is None and len(layout.ids) == 1 else None
        self._is_number = self._id is not None and self._kinds[self._id] is ColumnKind.INTEGER
        self._text = layout.texts[0] if len(layout.texts) == 1 and not any(layout.text.literals) else None
        self._title = None if layout.title is None else (layout.title, self._kinds[layout.title])

    @property
    def width(self) -> int:
        """Columns of the layout; what a row has besides comes after them."""
        return len(self.layout.columns)

    def make_all(self, rows: Iterable[Sequence[Any]]) -> Iterator[Item]:
        """The same of each row as `make`; of a layout as most have it without a call for each row."""
        if self._id is None or self._text is None or self._claims or self.layout.deleted is not None:
            return map(self.make, rows)
        return self._make_plain(rows, self._id, self._text)

    def _make_plain(self, rows: Iterable[Sequence[Any]], id_: int, text_: int) -> Iterator[Item]:
        """One id and one text, nobody else with that id, and no mark of deletion.

        A row that has more than that to say is `make`'s.
        """
        begin, place, is_number, named = f"{self.base}/", self._place, self._is_number, self._named
        title_, kind = self._title or (None, ColumnKind.TEXT)
        for row in rows:
            value, text = row[id_], row[text_]
            title = None if title_ is None else row[title_]
            is_plain = title is None or (title.__class__ is str and kind is not ColumnKind.BOOLEAN)
            is_known = value.__class__ is int or (is_number and value is not None)
            is_text = text.__class__ is str and 0 < len(text) <= MAX_ROW_BYTES and not text.isspace()
            if not (is_known and is_text and is_plain):
                yield self.make(row)
                continue
            title = title or ""
            try:
                metadata = self._read_metadata(row) if named else {}
                content = hash_row(title, text, metadata) if metadata else hash_text(title, text)
            except BadRow:
                yield self.make(row)
                continue
            yield RowItem(f"{begin}{value}", title, text, metadata, content, place)

    def make(self, row: Sequence[Any]) -> Item:
        """The document of a row; Departed where it is marked as deleted, Skipped without text, Problem without id."""
        uri = ""
        try:
            uri = self.name(row)
            if self._claims:
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
        if self._id is not None:
            value = row[self._id]
            if value.__class__ is int or (self._is_number and value is not None):
                return f"{self.base}/{value}"
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
        mark = [digest_of(uri)]
        if self._seen.find(mark) is not None:
            raise BadRow("an earlier row has this id or URI; that one is taken")
        self._seen.add(mark, 0)

    def name_all(self, rows: Sequence[Sequence[Any]]) -> list[str]:
        """The URIs of rows of which each is one document; [] where that has to be looked at one by one."""
        if self._claims or self.layout.deleted is not None:
            return []
        try:
            return [self.name(row) for row in rows]
        except BadRow:
            return []

    def _document(self, uri: str, row: Sequence[Any]) -> Item:
        text = row[self._text] if self._text is not None else None
        if text.__class__ is not str or not text or text.isspace():
            if isinstance(text, bytes) and text.startswith(FILES):
                return self._file(uri, text, row)
            if not (text := self._put_together(row)):
                binary = any(isinstance(row[index], bytes) and row[index] for index in self.layout.texts)
                return Skipped(uri, "its text is binary" if binary else "its text is empty")
        if len(text) > MAX_ROW_BYTES:
            raise BadRow(f"its text is longer than {MAX_ROW_BYTES:,} characters")
        title, metadata = self._read_title(row), self._read_metadata(row)
        return RowItem(uri, title, text, metadata, hash_row(title, text, metadata), self._place)

    def _file(self, uri: str, data: bytes, row: Sequence[Any]) -> HeldItem:
        """A file that lies in a column is parsed as any file; its hash is over what is shown of the row, too."""
        title, metadata = self._read_title(row), self._read_metadata(row)
        content_hash = hash_row(title, sha256(data).hexdigest(), metadata)
        return HeldItem(uri, data, "", title, metadata, content_hash, self._place)

    def _read_title(self, row: Sequence[Any]) -> str:
        if self._title is None:
            return ""
        index, kind = self._title
        return as_text(row[index], kind) or ""

    def _put_together(self, row: Sequence[Any]) -> str:
        """The text of a row, empty where none of its columns has any."""
        texts = self._texts(row, self.layout.texts)
        if not any(text.strip() for text in texts):
            return ""
        # A template says what is between texts; columns by themselves are paragraphs.
        is_plain = not any(self.layout.text.literals)
        return SEPARATOR.join(filter(None, texts)) if is_plain else self.layout.text.fill(texts)

    def _texts(self, row: Sequence[Any], indexes: Sequence[int]) -> list[str]:
        return [as_text(row[index], self._kinds[index]) or "" for index in indexes]

    def _read_metadata(self, row: Sequence[Any]) -> dict[str, Any]:
        found = {}
        for name, index, kind in self._named:
            if (value := row[index]) is None:
                continue
            if (shown := as_metadata(value, kind)) is not None:
                found[name] = shown
            elif is_label(name):
                # A label that cannot be shown is none, and not left out.
                found[name] = []
        if self._nested is not None and (told := found.get(self._nested)):
            labels = {name: value for name, value in _object(told).items() if is_label(name)}
            found |= labels | labels_of_both(found, labels)
        return found


def _object(value: Any) -> dict[str, Any]:
    """A JSON object, also one that a column has as text; {} for anything else, and where no label can be in it."""
    if value.__class__ is str and value.lstrip()[:1] == "{" and any(label in value.lower() for label in KEPT):
        with suppress(orjson.JSONDecodeError):
            value = orjson.loads(value)
    return value if isinstance(value, dict) else {}
