"""Owns OpenDocument texts: headings, paragraphs, lists and tables of `content.xml`."""

from collections.abc import Iterator

from embedmill.shared.errors import EncryptedDocument
from embedmill.workers.parsing.archive import Archive
from embedmill.workers.parsing.draft import Draft, count
from embedmill.workers.parsing.xml import Element, attribute, local_name, parse_xml

CONTENT = "content.xml"
MANIFEST = "META-INF/manifest.xml"
META = "meta.xml"

_SPACES_AT_MOST = 1000
_HIDDEN = frozenset({"annotation", "tracked-changes", "note-citation", "sequence-decls", "forms"})


def read(data: bytes, draft: Draft) -> None:
    """EncryptedDocument when the manifest says that the content is encrypted."""
    archive = Archive(data, draft.limits)
    if MANIFEST in archive and b"encryption-data" in archive.read(MANIFEST):
        raise EncryptedDocument("the document is protected with a password")
    if META in archive:
        draft.title = parse_xml(archive.read(META)).findtext(".//{http://purl.org/dc/elements/1.1/}title") or ""
    root = parse_xml(archive.read(CONTENT))
    for body in root.iterfind("{*}body/{*}text"):
        for element in body:
            _read_block(element, draft, is_item=False)
    _note_what_is_left_out(archive, root, draft)


def _note_what_is_left_out(archive: Archive, root: Element, draft: Draft) -> None:
    if comments := sum(1 for _ in root.iter("{*}annotation")):
        draft.note(f"{count(comments, 'comment')} left out")
    if objects := len({name.split("/")[0] for name in archive.names if name.startswith("Object ")}):
        draft.note(f"{count(objects, 'embedded object')} left out")


def _read_block(element: Element, draft: Draft, *, is_item: bool) -> None:
    match local_name(element):
        case "h":
            draft.heading(_text(element), level=int(attribute(element, "outline-level") or 1))
        case "p" if is_item:
            draft.list_item(_text(element))
        case "p":
            draft.paragraph(_text(element))
        case "table":
            _read_table(element, draft)
        case "list-item":
            _read_children(element, draft, is_item=True)
        case name if name and name not in _HIDDEN:
            _read_children(element, draft, is_item=is_item)


def _read_table(element: Element, draft: Draft) -> None:
    table = draft.table()
    for row in element.iter("{*}table-row"):
        is_head = local_name(row.getparent()) == "table-header-rows"  # type: ignore[arg-type]
        add = table.head if is_head else table.row
        add([_text(cell) for cell in row if local_name(cell) == "table-cell"])


def _read_children(element: Element, draft: Draft, *, is_item: bool) -> None:
    for child in element:
        _read_block(child, draft, is_item=is_item)


def _text(element: Element) -> str:
    return "".join(_pieces(element))


def _pieces(element: Element) -> Iterator[str]:
    name = local_name(element)
    if name == "s":
        yield " " * min(int(attribute(element, "c") or 1), _SPACES_AT_MOST)
    elif name in {"tab", "line-break"}:
        yield "\t" if name == "tab" else "\n"
    elif name and name not in _HIDDEN:
        yield element.text or ""
        for child in element:
            yield from _pieces(child)
            yield child.tail or ""
        if name in {"p", "h"}:
            yield " "
