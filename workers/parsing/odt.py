"""Owns OpenDocument texts: the body, then notes, comments, and what stands in headers and footers, each once."""

from embedmill.workers.parsing.archive import Archive
from embedmill.workers.parsing.draft import Draft
from embedmill.workers.parsing.odt_blocks import OdtBlocks
from embedmill.workers.parsing.odt_styles import OdtStyles
from embedmill.workers.parsing.odt_text import OdtMarks
from embedmill.workers.parsing.open_document import CONTENT, STYLES, open_package
from embedmill.workers.parsing.package import read_embedded
from embedmill.workers.parsing.page_numbers import says_more
from embedmill.workers.parsing.xml import Element, all_text, local_name, parse_xml


def read(data: bytes, draft: Draft) -> None:
    """EncryptedDocument when the manifest says that the content is encrypted."""
    archive = open_package(data, draft, what="document")
    root = parse_xml(archive.read(CONTENT))
    pages = parse_xml(archive.read(STYLES)) if STYLES in archive else None
    _read_document(archive, root, pages, draft)


def _read_document(archive: Archive, root: Element, pages: Element | None, draft: Draft) -> None:
    styles = OdtStyles(root) if pages is None else OdtStyles(pages, root)
    marks = OdtMarks()
    blocks = OdtBlocks(archive, draft, styles=styles, marks=marks)
    for body in root.iterfind("{*}body/{*}text"):
        blocks.read(body)
    _read_asides(blocks, marks)
    if pages is not None:
        _read_running(pages, blocks)
    read_embedded(archive, marks.embedded, draft)
    for thing in marks.left_out:
        draft.note(f"{thing} left out")


def _read_asides(blocks: OdtBlocks, marks: OdtMarks) -> None:
    """Notes and comments; those that stand in notes come behind them."""
    for mark, note in marks.notes:
        blocks.opened_by(mark, note)
    for comment in marks.comments:
        blocks.comment(comment)


def _read_running(pages: Element, blocks: OdtBlocks) -> None:
    """Headers and footers of all kinds of pages; a page's number is no loss, and words are."""
    seen: set[str] = set()
    for page in pages.iterfind("{*}master-styles/{*}master-page"):
        for running in page:
            words = " ".join(all_text(running).split())
            if local_name(running).startswith(("header", "footer")) and says_more(words):
                if words not in seen:
                    blocks.read(running)
                seen.add(words)
