"""Owns what all OpenDocument files have in common: their parts, a title, and that they may be encrypted."""

from embedmill.shared.errors import EncryptedDocument
from embedmill.workers.parsing.archive import Archive
from embedmill.workers.parsing.draft import Draft
from embedmill.workers.parsing.xml import parse_xml

CONTENT = "content.xml"
STYLES = "styles.xml"

_MANIFEST = "META-INF/manifest.xml"
_META = "meta.xml"


def open_package(data: bytes, draft: Draft, *, what: str) -> Archive:
    """The package, whose title the draft takes; EncryptedDocument when the manifest says that it is, of `what`."""
    archive = draft.archive(data)
    if _MANIFEST in archive and b"encryption-data" in archive.read(_MANIFEST):
        raise EncryptedDocument(f"the {what} is protected with a password")
    if _META in archive:
        draft.title = parse_xml(archive.read(_META)).findtext(".//{http://purl.org/dc/elements/1.1/}title") or ""
    return archive
