"""What a row has to hold to be a document, whichever format it came in."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from embedmill.producers.sources.base import Remark, RemarkKind, RowItem, SourcePlace
from embedmill.producers.sources.options import FieldMap
from embedmill.producers.sources.seen import SeenKeys
from embedmill.producers.sources.tables import remark_on_rows
from embedmill.shared.access.labels import is_label, says

MAX_ROW_BYTES = 50_000_000
MAX_URI_CHARACTERS = 16 * 1024
_SHOWN_CHARACTERS = 80
_SHOWN_NAMES = 20
_BOTH, _ID, _URI = b"b", b"i", b"u"


class BadRow(ValueError):
    """A row that is no document; the message says why and never holds its text."""


@dataclass(frozen=True, slots=True)
class RowReader:
    """Turns the rows of one file into items; the first row with an id or URI wins. `uri` is the file's.

    Of each id and URI it remembers 16 bytes, beyond some fifty thousand of them on disk. A chance collision among a
    billion has odds of one in 10^18.
    """

    fields: FieldMap
    uri: str
    _seen: SeenKeys = field(default_factory=SeenKeys)
    _met: "_Met" = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_met", _Met(self.fields))

    def meet(self, names: Iterable[str]) -> None:
        """Take note of the fields that a row has, or a header."""
        self._met.add(names)

    def read(self, record: Mapping[str, object], line: int) -> RowItem:
        """The row that starts on a line; BadRow when it is no document or is a repeated one."""
        self.meet(record)
        key = _key(record, self.fields.id)
        uri = _optional_text(record, self.fields.uri) or key
        _check_name(uri, self.fields.uri)
        title = _optional_text(record, self.fields.title)
        text, metadata = _text(record, self.fields.text), _metadata(record, self.fields)
        item = RowItem(uri, title, text, metadata, hash_row(title, text, metadata), SourcePlace(self.uri, line))
        self._claim(key, uri, line)
        self._met.rows += 1
        return item

    def remarks(self, *, guess: str = "") -> list[Remark]:
        """How the file was read, by which `guess`, and the names of `--field` that no row has; called at the end."""
        if not self._met.any_names:
            return []
        unmet = [Remark(self.uri, reason, RemarkKind.UNMET) for reason in self._met.unmet()]
        return [remark_on_rows(self.uri, self._met.rows, guess=guess), *unmet]

    def _claim(self, key: str, uri: str, line: int) -> None:
        key_mark, uri_mark = _digest(key), _digest(uri)
        taken = (_BOTH + key_mark, _BOTH + uri_mark, _ID + key_mark, _URI + uri_mark)
        if (earlier := self._seen.find(taken)) is not None:
            raise BadRow(
                f"the id or URI of {key[:_SHOWN_CHARACTERS]!r} belongs to an earlier row, on line {earlier}; "
                "that one is taken"
            )
        # Most rows have no URI of their own and cost one mark instead of two.
        self._seen.add(taken[:1] if key == uri else taken[2:], line)


class _Met:
    """Which fields the rows of a file have, as far as that is of interest."""

    def __init__(self, fields: FieldMap) -> None:
        self.rows = 0
        self.any_names: list[str] = []
        # What nobody mapped may be missing: titles and metadata are optional.
        defaults = FieldMap().to_spec()
        self._left = {name: field_ for field_, name in fields.to_spec().items() if name != defaults[field_]}

    def add(self, names: Iterable[str]) -> None:
        if not self.any_names:
            self.any_names = list(names)
        if self._left:
            for name in names:
                self._left.pop(name, None)

    def unmet(self) -> list[str]:
        found = ", ".join(name[:_SHOWN_CHARACTERS] for name in self.any_names[:_SHOWN_NAMES])
        return [
            f"no row has the field {name!r}, which --field names as its {field_}; the first row has: {found}"
            for name, field_ in self._left.items()
        ]


def hash_row(title: str, text: str, metadata: Mapping[str, Any]) -> str:
    """SHA-256 hex over canonical JSON; BadRow for metadata that is nested too deeply to be written again."""
    content = {"metadata": metadata, "text": text, "title": title}
    try:
        return hashlib.sha256(orjson.dumps(content, option=orjson.OPT_SORT_KEYS)).hexdigest()
    except orjson.JSONEncodeError as error:
        raise BadRow("its metadata is nested too deeply") from error


def hash_text(title: str, text: str) -> str:
    """The same of a row without metadata."""
    return hashlib.sha256(orjson.dumps({"metadata": {}, "text": text, "title": title})).hexdigest()


def _digest(name: str) -> bytes:
    return hashlib.blake2b(name.encode(), digest_size=15).digest()


def _key(record: Mapping[str, object], name: str) -> str:
    value = record.get(name)
    if value is None:
        raise BadRow(f"no {name!r}")
    key = str(value) if type(value) is int else value
    if not isinstance(key, str):
        raise BadRow(f"{name!r} is neither a string nor a whole number of at most 64 bits")
    if not key or key.isspace():
        raise BadRow(f"{name!r} is empty")
    _check_name(key, name)
    return key


def _check_name(value: str, name: str) -> None:
    if "\0" in value:
        raise BadRow(f"{name!r} holds a NUL character")
    if len(value) > MAX_URI_CHARACTERS:
        raise BadRow(f"{name!r} is longer than {MAX_URI_CHARACTERS:,} characters")


def _text(record: Mapping[str, object], name: str) -> str:
    value = record.get(name)
    if isinstance(value, str):
        return value
    raise BadRow(f"no {name!r}" if value is None else f"{name!r} is not a string")


def _optional_text(record: Mapping[str, object], name: str) -> str:
    value = record.get(name)
    if value is None or isinstance(value, str):
        return value or ""
    raise BadRow(f"{name!r} is not a string")


def _metadata(record: Mapping[str, object], fields: FieldMap) -> dict[str, Any]:
    given = record.get(fields.metadata)
    if given is not None and not isinstance(given, dict):
        raise BadRow(f"{fields.metadata!r} is not an object")
    mapped = (fields.id, fields.text, fields.title, fields.uri, fields.metadata)
    rest = {k: v for k, v in record.items() if k not in mapped and (isinstance(v, str | int | float) or is_label(k))}
    return rest | given | labels_of_both(rest, given) if given else rest


def labels_of_both(rest: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Labels that a row has beside its metadata and in them; where these are not alike, both, which is none."""
    found: dict[str, Any] = {}
    for name in filter(is_label, rest.keys() & given.keys()):
        told = [value for value in (rest[name], given[name]) if says(value)]
        found[name] = told if told[1:] and told[0] != told[1] else next(iter(told), None)
    return found
