"""Owns finding out what a document is: from its content first, from its name second."""

import re
from collections.abc import Callable
from functools import partial

from embedmill.shared.containers.mailboxes import is_mailbox
from embedmill.shared.containers.tars import MAGIC, MAGIC_AT
from embedmill.shared.encoding import BINARY, decode_unicode, has_many_nuls, is_mostly_control, is_plain
from embedmill.shared.errors import EncryptedDocument, UnreadableDocument, UnsupportedDocument
from embedmill.shared.foreign import foreign_kind
from embedmill.workers.parsing.archive import Archive
from embedmill.workers.parsing.limits import ParserLimits
from embedmill.workers.parsing.ole import MAGIC as OLE
from embedmill.workers.parsing.source import LANGUAGES, PREFIX, SUFFIXES

ASCIIDOC = "text/asciidoc"
BZIP2 = "application/x-bzip2"
CALENDAR = "text/calendar"
CARD = "text/vcard"
CSV = "text/csv"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
EML = "message/rfc822"
EPUB = "application/epub+zip"
GZIP = "application/gzip"
HTML = "text/html"
JSON = "application/json"
LATEX = "text/x-latex"
MANUAL = "text/troff"
MARKDOWN = "text/markdown"
MBOX = "application/mbox"
MSG = "application/vnd.ms-outlook"
NOTEBOOK = "application/x-ipynb+json"
ODP = "application/vnd.oasis.opendocument.presentation"
ODS = "application/vnd.oasis.opendocument.spreadsheet"
ODT = "application/vnd.oasis.opendocument.text"
ORG = "text/org"
PDF = "application/pdf"
PLAIN = "text/plain"
PPTX = "application/vnd.openxmlformats-officedocument.presentationml.presentation"
RST = "text/x-rst"
RTF = "application/rtf"
SRT = "application/x-subrip"
SSA = "text/x-ssa"
TAR = "application/x-tar"
TNEF = "application/vnd.ms-tnef"
VTT = "text/vtt"
WIKITEXT = "text/x-wiki"
XLS = "application/vnd.ms-excel"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
XML = "application/xml"
XZ = "application/x-xz"
ZIP = "application/zip"

# What people call them.
NAMES = {
    BZIP2: "bzip2", GZIP: "gzip", MBOX: "mbox", NOTEBOOK: "notebook", SRT: "srt", TAR: "tar", VTT: "vtt", XML: "xml",
    LATEX: "latex", MANUAL: "man", MSG: "msg", SSA: "ssa", TNEF: "tnef", XZ: "xz", ZIP: "zip",
    ASCIIDOC: "asciidoc", CALENDAR: "calendar", CARD: "vcard", ORG: "org", WIKITEXT: "wikitext",
    CSV: "csv", DOCX: "docx", EML: "mail", EPUB: "epub", HTML: "html", JSON: "json", MARKDOWN: "markdown", ODP: "odp",
    ODS: "ods",
    **{PREFIX + language: language for language in LANGUAGES},
    ODT: "odt", PDF: "pdf", PLAIN: "text", PPTX: "pptx", RST: "rst", RTF: "rtf", XLS: "xls", XLSX: "xlsx",
}  # fmt: skip

_TEXT_SUFFIXES = {
    ".adoc": ASCIIDOC, ".asciidoc": ASCIIDOC, ".org": ORG, ".wiki": WIKITEXT, ".mediawiki": WIKITEXT,
    ".csv": CSV, ".tsv": CSV,
    ".ics": CALENDAR, ".ifb": CALENDAR, ".vcs": CALENDAR, ".vcf": CARD, ".vcard": CARD,
    ".eml": EML, ".emlx": EML, ".mht": EML, ".mhtml": EML,
    ".htm": HTML, ".html": HTML, ".xhtml": HTML,
    ".json": JSON, ".jsonl": JSON, ".ndjson": JSON,
    ".markdown": MARKDOWN, ".md": MARKDOWN, ".mdown": MARKDOWN, ".mdx": MARKDOWN, ".mkd": MARKDOWN,
    ".rst": RST, ".rest": RST,
    ".tex": LATEX, ".ltx": LATEX, ".latex": LATEX,
    ".ipynb": NOTEBOOK,
    ".srt": SRT, ".sbv": SRT, ".ass": SSA, ".ssa": SSA, ".vtt": VTT,
    ".xml": XML, ".rss": XML, ".atom": XML, ".dbk": XML, ".docbook": XML, ".dita": XML, ".ditamap": XML, ".svg": XML,
    ".xsd": XML, ".xsl": XML, ".xslt": XML, ".wsdl": XML, ".rdf": XML, ".opml": XML, ".kml": XML, ".fb2": XML,
    ".plist": XML,
    **SUFFIXES,
}  # fmt: skip
_BINARY_SUFFIXES = {
    ".docm": "DOCX", ".docx": "DOCX", ".epub": "EPUB", ".odp": "ODP", ".ods": "ODS", ".odt": "ODT", ".pdf": "PDF",
    ".pptm": "PPTX", ".pptx": "PPTX", ".rtf": "RTF", ".xls": "XLS", ".xlsm": "XLSX", ".xlsx": "XLSX",
}  # fmt: skip
_PACKAGE_PARTS = (("word/document.xml", DOCX), ("ppt/presentation.xml", PPTX), ("xl/workbook.xml", XLSX))
_MIMETYPES = {
    EPUB.encode(): EPUB,
    **{kind.encode(): kind for kind in (ODP, ODS, ODT)},
    **{f"{kind}-template".encode(): kind for kind in (ODP, ODS, ODT)},
}
_ZIP = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")

# `BZh` alone is the beginning of a word.
_COMPRESSED = ((b"\x1f\x8b", GZIP), (b"\xfd7zXZ\0", XZ), *((b"BZh%d1AY&SY" % level, BZIP2) for level in range(1, 10)))

_COMPRESSED_BEGINNINGS = tuple(magic for magic, _ in _COMPRESSED)
_TNEF = b"\x78\x9f\x3e\x22"
_NO_TEXT = (_TNEF, *_ZIP, OLE, b"%PDF-", b"{\\rtf")

_HTML_START = re.compile(
    rb"\s*(?:<\?xml[^>]{0,200}>\s*)?(?:<!--.{0,2000}?-->\s*)?<(?:!doctype\s+html|html[\s>])", re.IGNORECASE | re.DOTALL
)
_SRT_START = re.compile(rb"(?:\xef\xbb\xbf)?\s*\d+[ \t]*\r?\n[ \t]*\d{1,2}:\d\d:\d\d[,.]\d{1,3}[ \t]+-->")
_VTT_START = re.compile(rb"(?:\xef\xbb\xbf)?WEBVTT(?=\s)")
_CARD_START = re.compile(rb"(?:\xef\xbb\xbf)?BEGIN:V(CALENDAR|CARD)\r?\n", re.IGNORECASE)
_MANUAL_SUFFIX = re.compile(r"\.(?:[1-9][a-z]{0,3}|man|mdoc|roff|troff|n|l)")
_MANUAL_START = re.compile(rb"(?m)^\.[ ]?(?:TH|Dd|Dt)[ ]")
_NOTEBOOK_KEY = re.compile(rb'"nbformat"\s*:\s*\d')
_WITH_MAILBOXES = ("", ".mbox", ".mbx", ".txt")
_HEADER_LINE = re.compile(rb"[!-9;-~]{1,60}:[ \t]?[^\r\n]*\r?\n(?:[ \t][^\r\n]*\r?\n)*")
_MAIL_HEADER = re.compile(
    rb"^(received|return-path|message-id|mime-version|from|to|subject|date|delivered-to):", re.IGNORECASE | re.MULTILINE
)


def suffix_of(name: str) -> str:
    """The last dot and what follows, in lower case, of the last path segment; a query or fragment is no part of it."""
    last = re.split(r"[?#]", name)[0].replace("\\", "/").rpartition("/")[2].lower()
    stem, dot, suffix = last.rpartition(".")
    return f".{suffix}" if dot and stem else ""


def detect(data: bytes, *, name: str, limits: ParserLimits, open_archive: Callable[[], Archive] | None = None) -> str:
    """The media type of `data`; `open_archive` opens it as a container, once for whoever asks.

    UnsupportedDocument names what it is instead, UnreadableDocument is a file that is not what its name says,
    EncryptedDocument an office file behind a password.
    """
    suffix = suffix_of(name)
    if not data:
        return _detect_empty(suffix)
    return _detect_container(data, suffix, open_archive or partial(Archive, data, limits)) or _detect_text(data, suffix)


def is_plain_utf8(data: bytes, *, name: str) -> bool:
    """Whether `data` is plain text for certain, found without opening any container."""
    suffix = suffix_of(name)
    if suffix in _TEXT_SUFFIXES or suffix in _BINARY_SUFFIXES or _has_container_magic(data):
        return False
    if _detect_compressed(data):
        return False
    try:
        return _detect_text(data, suffix) == PLAIN and (is_plain(data) or not is_mostly_control(data.decode("utf-8")))
    except (UnicodeDecodeError, UnsupportedDocument):
        return False


def _detect_empty(suffix: str) -> str:
    if kind := _BINARY_SUFFIXES.get(suffix):
        raise UnreadableDocument(f"the file is empty (0 bytes), which no {kind} file is")
    return _TEXT_SUFFIXES.get(suffix, PLAIN)


def _has_container_magic(data: bytes) -> bool:
    return data.startswith(_NO_TEXT)


def _detect_container(data: bytes, suffix: str, open_archive: Callable[[], Archive]) -> str | None:
    if data.startswith(b"%PDF-") or (suffix == ".pdf" and b"%PDF-" in data[:1024]):
        return PDF
    if data.startswith(_ZIP):
        return _detect_zip(open_archive(), suffix)
    if data.startswith(OLE):
        return _detect_ole(data)
    if data.startswith(b"{\\rtf"):
        return RTF
    if data.startswith(_TNEF):
        return TNEF
    if media_type := _detect_compressed(data):
        return media_type
    _refuse_foreign(data)
    if kind := _BINARY_SUFFIXES.get(suffix):
        raise UnreadableDocument(f"it is named {suffix} but its content is not {kind}")
    return None


def _detect_zip(archive: Archive, suffix: str) -> str:
    for part, media_type in _PACKAGE_PARTS:
        if part in archive:
            return media_type
    if media_type := _declared_mimetype(archive):
        return media_type
    if kind := _BINARY_SUFFIXES.get(suffix):
        raise UnreadableDocument(f"it is named {suffix} but holds no {kind} document")
    return ZIP


def _detect_compressed(data: bytes) -> str:
    if data[MAGIC_AT : MAGIC_AT + len(MAGIC)] == MAGIC:
        return TAR
    if not data.startswith(_COMPRESSED_BEGINNINGS):
        return ""
    return next(media_type for magic, media_type in _COMPRESSED if data.startswith(magic))


def _declared_mimetype(archive: Archive) -> str:
    if "mimetype" not in archive:
        return ""
    with archive.open("mimetype") as stream:
        declared = stream.read(200).strip()
    if declared.startswith(b"application/vnd.oasis") and declared not in _MIMETYPES:
        raise UnsupportedDocument("it is an OpenDocument file other than a text, a spreadsheet or a presentation")
    return _MIMETYPES.get(declared, "")


def _detect_ole(data: bytes) -> str:
    """Names of streams stand in the container's directory as UTF-16."""
    if _utf16("EncryptedPackage") in data:
        raise EncryptedDocument("it is an office file protected with a password")
    if _utf16("WordDocument") in data:
        raise UnsupportedDocument("it is a Word document in the format from before 2007 (.doc): save it as .docx")
    if _utf16("PowerPoint Document") in data:
        raise UnsupportedDocument("it is a presentation in the format from before 2007 (.ppt): save it as .pptx")
    if _utf16("__substg1.0_") in data:
        return MSG
    if _utf16("Workbook") in data or _utf16("Book") in data:
        return XLS
    raise UnsupportedDocument("it is an OLE container of no known kind")


def _utf16(name: str) -> bytes:
    return name.encode("utf-16-le")


def _refuse_foreign(data: bytes) -> None:
    if kind := foreign_kind(data):
        raise UnsupportedDocument(f"it is {kind}")


def _detect_text(data: bytes, suffix: str) -> str:
    _refuse_foreign(data)
    head = data[:4096]
    if suffix in _WITH_MAILBOXES and is_mailbox(head):
        return MBOX
    if media_type := _TEXT_SUFFIXES.get(suffix):
        return HTML if media_type == XML and _HTML_START.match(head) else media_type
    if has_many_nuls(data) and decode_unicode(data) is None:
        raise UnsupportedDocument(BINARY)
    if media_type := _detect_marked(head, data):
        return media_type
    if _MANUAL_SUFFIX.fullmatch(suffix) and _MANUAL_START.search(head):
        return MANUAL
    return EML if not suffix and _looks_like_mail(head) else PLAIN


def _detect_marked(head: bytes, data: bytes) -> str:
    """What a text shows itself to be, whatever it is called."""
    if _HTML_START.match(head):
        return HTML
    if head.removeprefix(b"\xef\xbb\xbf").startswith(b"<?xml "):
        return XML
    if _SRT_START.match(head):
        return SRT
    if _VTT_START.match(head):
        return VTT
    if begun := _CARD_START.match(head):
        return CARD if begun[1].upper() == b"CARD" else CALENDAR
    return NOTEBOOK if head.lstrip().startswith(b"{") and _NOTEBOOK_KEY.search(data) and b'"cells"' in data else ""


def _looks_like_mail(head: bytes) -> bool:
    if not _HEADER_LINE.match(head):
        return False
    block = re.split(rb"\r?\n\r?\n", head, maxsplit=1)[0]
    names = {name.lower() for name in _MAIL_HEADER.findall(block)}
    return b"from" in names and len(names) >= 3
