"""Owns parsing in this process: finds the media type, runs that format's parser, and names what went wrong."""

import zlib
from collections.abc import Callable
from functools import cache, partial
from importlib import import_module
from typing import cast
from zipfile import BadZipFile

from embedmill.shared.errors import DocumentError, NoText, ParserLimitExceeded, ReaderMissing, UnreadableDocument
from embedmill.workers.parsing import detect
from embedmill.workers.parsing.archive import DAMAGED, Archive
from embedmill.workers.parsing.document import ParsedDocument
from embedmill.workers.parsing.draft import Draft
from embedmill.workers.parsing.limits import ParserLimits
from embedmill.workers.parsing.pictures import missing_text
from embedmill.workers.parsing.source import SUFFIXES

_READERS = {
    **dict.fromkeys(
        (detect.BZIP2, detect.GZIP, detect.MBOX, detect.TAR, detect.XZ, detect.ZIP),
        "embedmill.workers.parsing.containers:read",
    ),
    **dict.fromkeys(SUFFIXES.values(), "embedmill.workers.parsing.source:read"),
    detect.ASCIIDOC: "embedmill.workers.parsing.asciidoc:read",
    detect.CALENDAR: "embedmill.workers.parsing.cards:read",
    detect.CARD: "embedmill.workers.parsing.cards:read",
    detect.CSV: "embedmill.workers.parsing.sheets.separated:read",
    detect.DOCX: "embedmill.workers.parsing.office:read",
    detect.EML: "embedmill.workers.parsing.mail:read",
    detect.EPUB: "embedmill.workers.parsing.epub:read",
    detect.HTML: "embedmill.workers.parsing.html:read",
    detect.JSON: "embedmill.workers.parsing.json:read",
    detect.MARKDOWN: "embedmill.workers.parsing.markdown:read",
    detect.NOTEBOOK: "embedmill.workers.parsing.notebook:read",
    detect.ODP: "embedmill.workers.parsing.odp:read",
    detect.ODS: "embedmill.workers.parsing.sheets.opendocument:read",
    detect.ODT: "embedmill.workers.parsing.odt:read",
    detect.ORG: "embedmill.workers.parsing.org:read",
    detect.PDF: "embedmill.workers.parsing.pdf.reading:read",
    detect.PLAIN: "embedmill.workers.parsing.text:read",
    detect.PPTX: "embedmill.workers.parsing.slides:read",
    detect.RST: "embedmill.workers.parsing.rst:read",
    detect.RTF: "embedmill.workers.parsing.rtf.reading:read",
    detect.LATEX: "embedmill.workers.parsing.latex:read",
    detect.MANUAL: "embedmill.workers.parsing.manual_pages:read",
    detect.MSG: "embedmill.workers.parsing.outlook:read_msg",
    detect.TNEF: "embedmill.workers.parsing.outlook:read_tnef",
    detect.SRT: "embedmill.workers.parsing.subtitles:read",
    detect.SSA: "embedmill.workers.parsing.subtitles:read",
    detect.VTT: "embedmill.workers.parsing.subtitles:read",
    detect.WIKITEXT: "embedmill.workers.parsing.wikitext:read",
    detect.XML: "embedmill.workers.parsing.xml_text:read",
    detect.XLS: "embedmill.workers.parsing.sheets.workbook:read",
    detect.XLSX: "embedmill.workers.parsing.sheets.workbook:read",
}

Reader = Callable[[bytes, Draft], None]


def parse(
    data: bytes, *, name: str, limits: ParserLimits, depth: int = 0, media_type: str | None = None
) -> ParsedDocument:
    """The structure of `data`; `name` is a file name, path or address and only breaks ties.

    `depth` is how many documents this one lies in, as an attachment lies in its message; `media_type` is what it is
    known to be.

    Raises UnreadableDocument, EncryptedDocument, NoText, UnsupportedDocument, ReaderMissing or ParserLimitExceeded.
    Limits on time and memory need a process of their own: see `embedmill.workers.parsing.sandbox`.
    """
    try:
        return _parse(data, name, limits, depth, media_type)
    except DocumentError:
        raise
    except ModuleNotFoundError as error:
        raise ReaderMissing(f"what reads it is not installed: {error.name or 'a part of Embedmill'}") from error
    # A library that is there and cannot be loaded found no room.
    except (MemoryError, ImportError) as error:
        raise ParserLimitExceeded(
            f"parsing needed more than {limits.memory_mb} MB of memory", setting="EMBEDMILL_PARSER_MEMORY_MB"
        ) from error
    except (BadZipFile, zlib.error, EOFError):
        raise UnreadableDocument(DAMAGED) from None
    except RecursionError:
        raise UnreadableDocument("it is nested too deeply") from None
    # Parsers of hostile input raise whatever their authors forgot; the text of such errors may quote the document.
    except Exception as error:  # noqa: BLE001
        raise UnreadableDocument(f"its content is damaged ({type(error).__name__})") from None


def _parse(data: bytes, name: str, limits: ParserLimits, depth: int, known: str | None) -> ParsedDocument:
    open_archive = cache(partial(Archive, data, limits))
    media_type = known or detect.detect(data, name=name, limits=limits, open_archive=open_archive)
    draft = Draft(media_type, name=name, limits=limits, depth=depth, open_archive=open_archive)
    _reader(draft.media_type)(data, draft)
    if draft.is_empty and (reason := missing_text(data, draft)):
        raise NoText(reason)
    return draft.finish()


def _reader(media_type: str) -> Reader:
    module, _, function = _READERS[media_type].partition(":")
    return cast("Reader", getattr(import_module(module), function))
