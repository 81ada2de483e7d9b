"""Owns office packages: how a part names others, what their properties say, and documents that lie in them."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from posixpath import basename, dirname, join, normpath

from embedmill.shared.errors import DocumentError, UnsupportedDocument
from embedmill.workers.parsing.archive import Archive
from embedmill.workers.parsing.document import ParsedDocument
from embedmill.workers.parsing.draft import Draft
from embedmill.workers.parsing.limits import ParserLimits
from embedmill.workers.parsing.ole import unwrapped
from embedmill.workers.parsing.xml import Element, parse_xml

CORE = "docProps/core.xml"

# Without prefixes, entities, comments and declarations of its own.
_PLAIN_LISTING = re.compile(
    rb'\s*+(?:<\?xml[^<>?]*+\?>\s*+)?<Relationships xmlns="[^"<>&]*+">\s*+'
    rb'(?:<Relationship(?: \w++="[^"<>&]*+")++\s*+(?:/>|></Relationship>)\s*+)*+</Relationships>\s*+'
)
_ATTRIBUTE = re.compile(r'(\w+)="([^"]*)"')


@dataclass(frozen=True, slots=True)
class PartRelation:
    """What a part names: `kind` is the last word of the relation's type, `part` stands in the package."""

    kind: str
    part: str


def relations(archive: Archive, part: str) -> dict[str, PartRelation]:
    """What a part names inside the package, by the id that it uses for it."""
    folder, _, name = part.rpartition("/")
    listing = f"{folder}/_rels/{name}.rels"
    if listing not in archive:
        return {}
    around = dirname(part)
    return {
        relation.get("Id", ""): PartRelation(
            relation.get("Type", "").rpartition("/")[2], _resolve(around, relation.get("Target", ""))
        )
        for relation in _listed(archive.read(listing))
        if relation.get("TargetMode") != "External"
    }


def _listed(xml: bytes) -> Iterable[Mapping[str, str]]:
    """The attributes of each relation; a listing as programs write it needs no tree."""
    if _PLAIN_LISTING.fullmatch(xml):
        text = xml.decode("utf-8", "replace")
        return (dict(_ATTRIBUTE.findall(relation)) for relation in text.split("<Relationship ")[1:])
    return (
        {str(key): str(value) for key, value in found.items()} for found in parse_xml(xml).iterfind("{*}Relationship")
    )


def parts_of_kind(archive: Archive, related: Iterable[PartRelation], *kinds: str) -> Iterator[str]:
    """Each part once, in the order in which it is named."""
    found = dict.fromkeys(relation.part for relation in related if relation.kind in kinds)
    return (part for part in found if part in archive)


def relation_id(element: Element) -> str:
    """`r:id` or its like, not the `id` without a namespace that may stand beside it."""
    return next(
        (str(value) for key, value in element.attrib.items() if str(key).endswith(("}id", "}embed", "}dm"))), ""
    )


def core_title(archive: Archive) -> str:
    """The title in an office package's properties."""
    if CORE not in archive:
        return ""
    return parse_xml(archive.read(CORE)).findtext("{http://purl.org/dc/elements/1.1/}title") or ""


def read_embedded(archive: Archive, parts: Iterable[str], draft: Draft) -> None:
    """Each embedded part as a document of its own, under its name; what cannot be read is noted by name."""

    def read(part: str) -> tuple[bytes, str]:
        return archive.read(part), basename(part)

    read_files(((basename(part), partial(read, part)) for part in parts), draft)


def read_files(files: Iterable[tuple[str, Callable[[], tuple[bytes, str]]]], draft: Draft) -> None:
    """The same of files that are asked for when their turn comes, and may know a better name for themselves."""
    for number, (label, read) in enumerate(files, start=1):
        name = label
        try:
            _require_room(number, draft)
            data, name = unwrapped(*read())
            document = _parsed(data, name, draft)
        except DocumentError as error:
            if isinstance(error.__cause__, MemoryError):
                raise
            draft.note(f"embedded file left out: {name}: {error}")
            continue
        draft.part()
        draft.heading(name, level=1)
        draft.extend(document, below=1, name=name)


def read_in_place(data: bytes, draft: Draft, *, name: str) -> None:
    """A document that stands for a passage of the one around it, and is read as such."""
    try:
        _require_room(1, draft)
        draft.extend(_parsed(data, name, draft), name=name)
    except DocumentError as error:
        if isinstance(error.__cause__, MemoryError):
            raise
        draft.note(f"a passage in a file of its own was left out: {name}: {error}")


def _parsed(data: bytes, name: str, draft: Draft) -> ParsedDocument:
    from embedmill.workers.parsing.parse import parse

    return parse(data, name=name, limits=draft.room, depth=draft.depth + 1)


def _require_room(number: int, draft: Draft) -> None:
    limits: ParserLimits = draft.limits
    if number > limits.attachments:
        raise UnsupportedDocument(f"more than {limits.attachments} are embedded")
    if draft.depth >= limits.attachment_depth:
        raise UnsupportedDocument("it lies in an embedded file, too deep")


def _resolve(folder: str, target: str) -> str:
    return target.lstrip("/") if target.startswith("/") else normpath(join(folder, target))
