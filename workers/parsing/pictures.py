"""Owns the pictures of a document without text: where there are some, it may be a scan in an office program's file."""

import re

from embedmill.workers.parsing import detect
from embedmill.workers.parsing.draft import Draft, count

_WITH_PARTS = frozenset({detect.DOCX, detect.ODP, detect.ODS, detect.ODT, detect.PPTX, detect.XLSX})
_PICTURE = re.compile(r"(?!.*thumbnail).*\.(?:png|jpe?g|gif|bmp|tiff?|emf|wmf|svg|webp)", re.IGNORECASE)
_RTF_PICTURE = re.compile(rb"\\pict\b")
_NEVER_BLANK = frozenset({detect.PDF, detect.EPUB})
_SILENT = "it was read and holds no text"


def missing_text(data: bytes, draft: Draft) -> str:
    """Why a document that was read and holds no text is likely to say something all the same; "" when it is blank."""
    if draft.media_type in _NEVER_BLANK:
        return _SILENT
    pictures = _count_pictures(data, draft)
    return f"{_SILENT}, but {count(pictures, 'picture')}" if pictures else ""


def _count_pictures(data: bytes, draft: Draft) -> int:
    if draft.media_type in _WITH_PARTS:
        return sum(_PICTURE.fullmatch(name) is not None for name in draft.archive(data).names)
    return len(_RTF_PICTURE.findall(data)) if draft.media_type == detect.RTF else 0
