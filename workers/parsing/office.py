"""Owns Word documents: read as a stream of XML, so that memory does not grow with the number of paragraphs."""

from collections.abc import Iterator

from embedmill.workers.parsing.archive import Archive
from embedmill.workers.parsing.draft import Draft
from embedmill.workers.parsing.package import core_title, parts_of_kind, read_embedded, relations
from embedmill.workers.parsing.page_numbers import says_more
from embedmill.workers.parsing.word_blocks import Blocks
from embedmill.workers.parsing.word_lists import Numbering
from embedmill.workers.parsing.word_styles import Styles
from embedmill.workers.parsing.word_text import NoteMarks
from embedmill.workers.parsing.xml import Element, attribute, forget, local_name, parse_xml, stream_xml

DOCUMENT = "word/document.xml"
FOOTNOTES = "word/footnotes.xml"
ENDNOTES = "word/endnotes.xml"
COMMENTS = "word/comments.xml"
NUMBERING = "word/numbering.xml"

_FOLLOWED = ("p", "tbl", "tr", "Fallback", "altChunk")


def read(data: bytes, draft: Draft) -> None:
    """The body, then foot- and endnotes, comments, headers and footers, each once, and embedded documents."""
    archive = draft.archive(data)
    draft.title = core_title(archive)
    styles, marks = Styles.of(archive), NoteMarks()
    numbering = Numbering(parse_xml(archive.read(NUMBERING)) if NUMBERING in archive else None, styles)
    blocks = Blocks(archive, DOCUMENT, draft, styles=styles, marks=marks, numbering=numbering)
    with archive.open(DOCUMENT) as stream:
        _follow(stream_xml(stream, _FOLLOWED), blocks)
    blocks.finish()
    _read_notes(archive, FOOTNOTES, marks.footnotes, blocks)
    _read_notes(archive, ENDNOTES, marks.endnotes, blocks)
    _read_comments(archive, blocks)
    _read_running(archive, blocks)
    for thing in marks.left_out:
        draft.note(f"{thing} left out")
    _read_embedded(archive, draft)


def _follow(events: Iterator[tuple[str, Element]], blocks: Blocks) -> None:
    """Hands over paragraphs, rows and passages of the body; what lies in them is theirs to read."""
    depths = dict.fromkeys(_FOLLOWED, 0)
    for event, element in events:
        name = local_name(element)
        if event == "start":
            depths[name] += 1
            continue
        depths[name] -= 1
        if depths["p"] or depths["Fallback"]:
            continue
        if name == "Fallback":
            element.clear()
        elif depths["tbl"] == (name == "tr") and depths["tr"] == 0:
            _hand_over(name, element, blocks)


def _hand_over(name: str, element: Element, blocks: Blocks) -> None:
    match name:
        case "p":
            blocks.paragraph(element)
        case "tr":
            blocks.row(element)
            return
        case "tbl":
            blocks.end_table()
        case "altChunk":
            blocks.passage(element)
    forget(element)


def _read_notes(archive: Archive, part: str, marks: dict[str, str], blocks: Blocks) -> None:
    """In the order of their marks in the text; separators are notes without words."""
    if part not in archive:
        return
    notes = {attribute(note, "id"): note for note in parse_xml(archive.read(part))}
    inside = blocks.of_part(part)
    for number in [*marks, *(number for number in notes if number not in marks)]:
        if (note := notes.get(number)) is not None and not attribute(note, "type").lower().endswith("separator"):
            inside.opened_by(marks.get(number, ""), note)


def _read_comments(archive: Archive, blocks: Blocks) -> None:
    if COMMENTS not in archive:
        return
    inside = blocks.of_part(COMMENTS)
    for comment in parse_xml(archive.read(COMMENTS)).iterfind("{*}comment"):
        author = attribute(comment, "author")
        inside.opened_by(f"Comment by {author}:" if author else "Comment:", comment)


def _read_running(archive: Archive, blocks: Blocks) -> None:
    """Headers and footers: sections repeat them; a page's number is no loss, and words are."""
    seen: set[str] = set()
    for part in parts_of_kind(archive, relations(archive, DOCUMENT).values(), "header", "footer"):
        root = parse_xml(archive.read(part))
        words = " ".join("".join(text.text or "" for text in root.iter("{*}t")).split())
        if words not in seen and says_more(words):
            blocks.of_part(part).read(root)
        seen.add(words)


def _read_embedded(archive: Archive, draft: Draft) -> None:
    related = relations(archive, DOCUMENT).values()
    read_embedded(archive, parts_of_kind(archive, related, "package", "oleObject"), draft)
