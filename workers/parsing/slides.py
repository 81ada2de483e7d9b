"""Owns presentations: one page per slide, its title as a heading, then its text, tables and speaker's notes."""

from collections.abc import Iterator
from posixpath import dirname, join, normpath

from embedmill.workers.parsing.archive import Archive
from embedmill.workers.parsing.draft import Draft, ranges
from embedmill.workers.parsing.office import core_title, note_parts, paragraph_text
from embedmill.workers.parsing.xml import Element, attribute, local_name, parse_xml

PRESENTATION = "ppt/presentation.xml"
LEFT_OUT = (("ppt/charts/chart", "chart"), ("ppt/diagrams/data", "diagram"), ("ppt/embeddings/", "embedded file"))
COMMENTS = "ppt/comments/"

_TITLES = frozenset({"title", "ctrTitle"})
_FURNITURE = frozenset({"sldNum", "dt", "ftr", "hdr", "sldImg"})


def read(data: bytes, draft: Draft) -> None:
    """Slides in the order of the presentation, which is not that of their file names."""
    archive = Archive(data, draft.limits)
    draft.title = core_title(archive)
    targets = _relations(archive, PRESENTATION)
    slides = parse_xml(archive.read(PRESENTATION)).iterfind("{*}sldIdLst/{*}sldId")
    silent: list[int] = []
    for page, slide in enumerate(slides, start=1):
        _, part = targets.get(_relation_id(slide), ("", ""))
        before = draft.chars
        draft.part()
        if part in archive:
            _read_slide(archive, part, draft, page)
        else:
            draft.note(f"slide {page} left out: it is missing")
        if draft.chars == before:
            silent.append(page)
    if silent:
        draft.note(f"{len(silent)} of {page} slides hold no text: {ranges(silent)}")
    note_parts(archive, LEFT_OUT, draft)
    if archive.count(COMMENTS):
        draft.note("comments were left out")


def _read_slide(archive: Archive, part: str, draft: Draft, page: int) -> None:
    _read_shapes(parse_xml(archive.read(part)), draft, page)
    for kind, target in _relations(archive, part).values():
        if kind == "notesSlide" and target in archive:
            _read_shapes(parse_xml(archive.read(target)), draft, page)


def _read_shapes(root: Element, draft: Draft, page: int) -> None:
    for node in _visible(root):
        match local_name(node):
            case "sp":
                _read_shape(node, draft, page)
            case "tbl":
                _read_table(node, draft, page)


def _visible(root: Element) -> Iterator[Element]:
    """Shapes and tables in order, without the fallbacks that repeat them for old programs."""
    for node in root.iter("{*}sp", "{*}tbl"):
        if next(node.iterancestors("{*}Fallback"), None) is None:
            yield node


def _read_shape(shape: Element, draft: Draft, page: int) -> None:
    placeholder = shape.find("{*}nvSpPr/{*}nvPr/{*}ph")
    kind = "" if placeholder is None else attribute(placeholder, "type") or "body"
    if kind in _FURNITURE:
        return
    if kind in _TITLES:
        draft.heading(_text(shape), level=1, page=page)
        return
    for paragraph in shape.iterfind("{*}txBody/{*}p"):
        draft.paragraph(paragraph_text(paragraph), page=page)


def _read_table(element: Element, draft: Draft, page: int) -> None:
    properties = element.find("{*}tblPr")
    table = draft.table(page=page)
    has_head = properties is not None and properties.get("firstRow") in {"1", "true"}
    for number, row in enumerate(element.iterfind("{*}tr")):
        add = table.row if number or not has_head else table.head
        add([_text(cell) for cell in row.iterfind("{*}tc")])


def _text(element: Element) -> str:
    return " ".join(paragraph_text(paragraph) for paragraph in element.iter("{*}p"))


def _relation_id(slide: Element) -> str:
    """`r:id`, not the `id` without a namespace that stands beside it."""
    return next((str(value) for key, value in slide.attrib.items() if str(key).endswith("}id")), "")


def _relations(archive: Archive, part: str) -> dict[str, tuple[str, str]]:
    """Relation id to (kind, part), for targets inside the package."""
    folder, _, name = part.rpartition("/")
    listing = f"{folder}/_rels/{name}.rels"
    if listing not in archive:
        return {}
    return {
        relation.get("Id", ""): (
            relation.get("Type", "").rpartition("/")[2],
            _resolve(part, relation.get("Target", "")),
        )
        for relation in parse_xml(archive.read(listing)).iterfind("{*}Relationship")
        if relation.get("TargetMode") != "External"
    }


def _resolve(part: str, target: str) -> str:
    return target.lstrip("/") if target.startswith("/") else normpath(join(dirname(part), target))
