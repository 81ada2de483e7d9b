"""Owns which columns a document is made of: what was named, against what the table or query has."""

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from embedmill.producers.sources.sql.sessions import StatementRefused
from embedmill.producers.sources.sql.values import Column

SHOWN_COLUMNS = 30
USUAL_ID, USUAL_TEXT, USUAL_TITLE = "id", "text", "title"
_PIECE = re.compile(r"\{\{|\}\}|\{([^{}]+)\}|[{}]")
_ESCAPES = {r"\n": "\n", r"\t": "\t"}


@dataclass(frozen=True, slots=True)
class Template:
    """A text with places for columns: `{title} by {author}`; two braces are one, a backslash and n a new line."""

    literals: tuple[str, ...]
    names: tuple[str, ...]

    def fill(self, values: Sequence[str]) -> str:
        """The text with values in the places of its names."""
        return "".join(part for pair in zip(self.literals, (*values, ""), strict=True) for part in pair)


def read_template(text: str) -> Template:
    """A template; raises Refused for a brace that has no partner."""
    for escape, meant in _ESCAPES.items():
        text = text.replace(escape, meant)
    literals, names, start = [""], [], 0
    for found in _PIECE.finditer(text):
        literals[-1] += text[start : found.start()]
        start = found.end()
        if found[1]:
            names.append(found[1])
            literals.append("")
        elif len(found[0]) == 1:
            raise StatementRefused(f"a template has a single {found[0]!r}: write {{column}}, and {{{{ for a brace")
        else:
            literals[-1] += found[0][0]
    literals[-1] += text[start:]
    return Template(tuple(literals), tuple(names))


@dataclass(frozen=True, slots=True)
class Wanted:
    """The columns that were named, by what they are for."""

    ids: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    template: str = ""
    title: str = ""
    metadata: tuple[str, ...] = ()
    uri: str = ""
    cursor: str = ""
    deleted: str = ""

    def to_spec(self) -> dict[str, Any]:
        """The names as JSON values."""
        named = {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}
        return {name: value for name, value in named.items() if value}

    @property
    def made(self) -> dict[str, Any]:
        """Of what documents are made and which have left, as JSON values: another command may say something else."""
        return replace(self, cursor="").to_spec()


@dataclass(frozen=True, slots=True)
class Layout:
    """The columns that are read, each once, and where among them is what; texts and URIs are templates."""

    columns: tuple[Column, ...]
    ids: tuple[int, ...]
    text: Template
    texts: tuple[int, ...]
    title: int | None
    metadata: tuple[int, ...]
    uri: Template | None
    uris: tuple[int, ...]
    cursor: int | None
    deleted: int | None

    def narrow(self) -> "Layout":
        """The same with those columns only that say which row it is, and whether it is deleted."""
        marks = [] if self.deleted is None else [self.deleted]
        kept = {old: new for new, old in enumerate(dict.fromkeys([*self.ids, *self.uris, *marks]))}
        return replace(
            self,
            columns=tuple(self.columns[index] for index in kept),
            ids=tuple(kept[index] for index in self.ids),
            uris=tuple(kept[index] for index in self.uris),
            deleted=None if self.deleted is None else kept[self.deleted],
            texts=(),
            title=None,
            metadata=(),
            cursor=None,
        )


@dataclass(slots=True)
class _Choosing:
    available: Sequence[Column]
    chosen: dict[str, int] = field(default_factory=dict)

    def index(self, name: str, option: str) -> int:
        column = self.find(name)
        if column is None:
            raise StatementRefused(f"there is no column {name!r}, which {option} names; it has: {self.shown()}")
        return self.chosen.setdefault(column.name, len(self.chosen))

    def find(self, name: str) -> Column | None:
        exact = [column for column in self.available if column.name == name]
        alike = [column for column in self.available if column.name.lower() == name.lower()]
        return next(iter(exact or (alike if len(alike) == 1 else [])), None)

    def has(self, name: str) -> bool:
        return self.find(name) is not None

    def indexes(self, names: Sequence[str], option: str) -> tuple[int, ...]:
        return tuple(self.index(name, option) for name in names)

    def shown(self) -> str:
        return ", ".join(column.name for column in self.available[:SHOWN_COLUMNS])


def lay_out(wanted: Wanted, available: Sequence[Column], key: Sequence[str]) -> Layout:
    """What is read of a table with these columns and this primary key; raises Refused, which names what is there."""
    choosing = _Choosing(available)
    _require_single(available)
    ids = _choose_ids(choosing, wanted, key)
    text = _text_of(wanted, choosing)
    uri = _uri_of(wanted.uri) if wanted.uri else None
    title = wanted.title or (USUAL_TITLE if choosing.has(USUAL_TITLE) and USUAL_TITLE not in text.names else "")
    found = {
        "texts": choosing.indexes(text.names, "--template" if wanted.template else "--text"),
        "title": choosing.index(title, "--title") if title else None,
        "metadata": choosing.indexes(wanted.metadata, "--metadata"),
        "uris": choosing.indexes(uri.names, "--uri") if uri else (),
        "cursor": choosing.index(wanted.cursor, "--cursor") if wanted.cursor else None,
        "deleted": choosing.index(wanted.deleted, "--deleted") if wanted.deleted else None,
    }
    by_name = {column.name: column for column in available}
    return Layout(tuple(by_name[name] for name in choosing.chosen), ids=ids, text=text, uri=uri, **found)  # type: ignore[arg-type]


def find_ids(wanted: Wanted, available: Sequence[Column], key: Sequence[str]) -> list[str]:
    """The columns by which a row is known, as the table calls them; raises Refused."""
    choosing = _Choosing(available)
    _choose_ids(choosing, wanted, key)
    return list(choosing.chosen)


def _choose_ids(choosing: _Choosing, wanted: Wanted, key: Sequence[str]) -> tuple[int, ...]:
    if not (wanted.ids or key or choosing.has(USUAL_ID)):
        raise StatementRefused(
            f"it has no primary key and no column {USUAL_ID!r}: name the column of the id, or those of it, by --id; "
            f"it has: {choosing.shown()}"
        )
    return choosing.indexes(wanted.ids or key or [USUAL_ID], "--id")


def _require_single(available: Sequence[Column]) -> None:
    names = [column.name for column in available]
    if twice := {name for name in names if names.count(name) > 1}:
        raise StatementRefused(f"the query has two columns called {min(twice)!r}: name one of them AS something else")


def _text_of(wanted: Wanted, choosing: _Choosing) -> Template:
    if wanted.template:
        return read_template(wanted.template)
    texts = wanted.texts or ((USUAL_TEXT,) if choosing.has(USUAL_TEXT) else ())
    if not texts:
        raise StatementRefused(f"no --text names the column of the text; it has: {choosing.shown()}")
    return Template(("",) * (len(texts) + 1), tuple(texts))


def _uri_of(text: str) -> Template:
    return read_template(text) if "{" in text else Template(("", ""), (text,))
