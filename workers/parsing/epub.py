"""Owns EPUB books: the chapters of the spine in order, each read as HTML."""

from posixpath import dirname, join, normpath
from urllib.parse import unquote

from embedmill.shared.errors import EncryptedDocument, UnreadableDocument, UnsupportedDocument
from embedmill.shared.markup import declared_encoding
from embedmill.workers.parsing.archive import Archive
from embedmill.workers.parsing.draft import Draft
from embedmill.workers.parsing.html import read_markup
from embedmill.workers.parsing.xml import Element, parse_xml

CONTAINER = "META-INF/container.xml"
ENCRYPTION = "META-INF/encryption.xml"

_CHAPTERS = frozenset({"application/xhtml+xml", "text/html", "application/x-dtbook+xml"})


def read(data: bytes, draft: Draft) -> None:
    """EncryptedDocument when a chapter is encrypted; scrambled fonts do not matter."""
    archive = draft.archive(data)
    package = _package_path(archive)
    root = parse_xml(archive.read(package))
    draft.title = root.findtext(".//{http://purl.org/dc/elements/1.1/}title") or ""
    chapters = _chapters(root, dirname(package), draft)
    if _encrypted_parts(archive) & set(chapters):
        raise EncryptedDocument("its chapters are encrypted (DRM)")
    for chapter in chapters:
        _read_chapter(archive, chapter, draft)


def _package_path(archive: Archive) -> str:
    found = parse_xml(archive.read(CONTAINER)).find("{*}rootfiles/{*}rootfile")
    if found is None:
        raise UnreadableDocument("its container names no package")
    return found.get("full-path", "")


def _chapters(root: Element, folder: str, draft: Draft) -> list[str]:
    items = {item.get("id", ""): item for item in root.iterfind("{*}manifest/{*}item")}
    chapters: list[str] = []
    for reference in root.iterfind("{*}spine/{*}itemref"):
        item = items.get(reference.get("idref", ""))
        if item is None:
            draft.note(f"chapter left out: {reference.get('idref', '')}: the book does not say where it is")
        elif item.get("media-type") not in _CHAPTERS:
            draft.note(f"chapter left out: {item.get('href', '')}: it is {item.get('media-type', 'of no known kind')}")
        else:
            chapters.append(normpath(join(folder, unquote(item.get("href", "")))))
    return chapters


def _encrypted_parts(archive: Archive) -> set[str]:
    if ENCRYPTION not in archive:
        return set()
    references = parse_xml(archive.read(ENCRYPTION)).iter("{*}CipherReference")
    return {normpath(unquote(reference.get("URI", ""))) for reference in references}


def _read_chapter(archive: Archive, chapter: str, draft: Draft) -> None:
    if chapter not in archive:
        draft.note(f"chapter left out: {chapter}: it is missing")
        return
    try:
        data = archive.read(chapter)
        draft.part()
        read_markup(draft.decode(data, declared=declared_encoding(data)), draft)
    except (UnreadableDocument, UnsupportedDocument) as error:
        draft.note(f"chapter left out: {chapter}: {error}")
