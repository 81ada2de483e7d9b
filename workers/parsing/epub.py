"""Owns EPUB books: the chapters of the spine in order, each read as HTML."""

from posixpath import dirname, join, normpath
from urllib.parse import unquote

from shared.errors import EncryptedDocument, UnreadableDocument
from workers.parsing.archive import Archive
from workers.parsing.draft import Draft
from workers.parsing.encoding import decode
from workers.parsing.html import read_markup
from workers.parsing.xml import Element, parse_xml

CONTAINER = "META-INF/container.xml"
ENCRYPTION = "META-INF/encryption.xml"

_CHAPTERS = frozenset({"application/xhtml+xml", "text/html", "application/x-dtbook+xml"})


def read(data: bytes, draft: Draft) -> None:
    """EncryptedDocument when a chapter is encrypted; scrambled fonts do not matter."""
    archive = Archive(data, draft.limits)
    package = _package_path(archive)
    root = parse_xml(archive.read(package))
    draft.title = root.findtext(".//{http://purl.org/dc/elements/1.1/}title") or ""
    chapters = _chapters(root, dirname(package))
    if _encrypted_parts(archive) & set(chapters):
        raise EncryptedDocument("its chapters are encrypted (DRM)")
    for chapter in chapters:
        _read_chapter(archive, chapter, draft)


def _package_path(archive: Archive) -> str:
    found = parse_xml(archive.read(CONTAINER)).find("{*}rootfiles/{*}rootfile")
    if found is None:
        raise UnreadableDocument("its container names no package")
    return found.get("full-path", "")


def _chapters(root: Element, folder: str) -> list[str]:
    items = {item.get("id", ""): item for item in root.iterfind("{*}manifest/{*}item")}
    spine = (items.get(reference.get("idref", "")) for reference in root.iterfind("{*}spine/{*}itemref"))
    return [
        normpath(join(folder, unquote(item.get("href", ""))))
        for item in spine
        if item is not None and item.get("media-type") in _CHAPTERS
    ]


def _encrypted_parts(archive: Archive) -> set[str]:
    if ENCRYPTION not in archive:
        return set()
    references = parse_xml(archive.read(ENCRYPTION)).iter("{*}CipherReference")
    return {normpath(unquote(reference.get("URI", ""))) for reference in references}


def _read_chapter(archive: Archive, chapter: str, draft: Draft) -> None:
    if chapter in archive:
        read_markup(decode(archive.read(chapter)), draft)
    else:
        draft.note("a chapter that the book lists is missing")
