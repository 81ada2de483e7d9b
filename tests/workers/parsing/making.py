"""Makes the documents that the parsing tests read: real files where a library is at hand, raw bytes elsewhere."""

import io
import zipfile

from embedmill.workers.parsing.document import BlockKind, ParsedDocument
from embedmill.workers.parsing.limits import ParserLimits
from embedmill.workers.parsing.parse import parse

WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
LIMITS = ParserLimits(seconds=30.0)


def read(data: bytes, name: str) -> ParsedDocument:
    return parse(data, name=name, limits=LIMITS)


def texts(document: ParsedDocument, kind: BlockKind | None = None) -> list[str]:
    return [block.text for block in document.blocks if kind is None or block.kind is kind]


def headings(document: ParsedDocument) -> list[tuple[int, str]]:
    return [(block.level, block.text) for block in document.blocks if block.kind is BlockKind.HEADING]


def shape(document: ParsedDocument) -> list[tuple[BlockKind, str]]:
    return [(block.kind, block.text) for block in document.blocks]


def pages(document: ParsedDocument) -> list[tuple[int | None, str]]:
    return [(block.page, block.text) for block in document.blocks]


def zipped(members: dict[str, bytes | str], *, stored: bool = False) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return stream.getvalue()


def word(body: str, **others: str) -> bytes:
    """The least that is a Word file; `others` maps a part of `word/` to its XML."""
    document = f'<w:document xmlns:w="{WORD}"><w:body>{body}</w:body></w:document>'
    parts = {f"word/{name}.xml": content for name, content in others.items()}
    return zipped({"[Content_Types].xml": "<Types/>", "word/document.xml": document, **parts})


def word_paragraph(text: str) -> str:
    return f"<w:p><w:r><w:t>{text}</w:t></w:r></w:p>"


def pdf(page_texts: list[list[str]], *, outline: str = "") -> bytes:
    """Pages of lines in Helvetica; `outline`, if given, is a bookmark to the first page."""
    objects = ["<</Type/Catalog/Pages 2 0 R" + ("/Outlines 4 0 R" if outline else "") + ">>"]
    first = 6
    kids = " ".join(f"{first + 2 * number} 0 R" for number in range(len(page_texts)))
    objects.append(f"<</Type/Pages/Count {len(page_texts)}/Kids[{kids}]>>")
    objects.append("<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>")
    objects.append("<</Type/Outlines/First 5 0 R/Last 5 0 R/Count 1>>")
    objects.append(f"<</Title({outline})/Parent 4 0 R/Dest[{first} 0 R/Fit]>>")
    for number, lines in enumerate(page_texts):
        shown = "".join(f"({line}) Tj 0 -14 Td " for line in lines)
        content = f"BT /F1 12 Tf 72 720 Td {shown} ET"
        objects.append(
            f"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Resources<</Font<</F1 3 0 R>>>>"
            f"/Contents {first + 2 * number + 1} 0 R>>"
        )
        objects.append(f"<</Length {len(content)}>>stream\n{content}\nendstream")
    return _assembled(objects)


def _assembled(objects: list[str]) -> bytes:
    out, offsets = bytearray(b"%PDF-1.4\n"), []
    for number, body in enumerate(objects, start=1):
        offsets.append(len(out))
        out += f"{number} 0 obj{body}endobj\n".encode()
    table = "".join(f"{offset:010} 00000 n \n" for offset in offsets)
    out += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}".encode()
    start = bytes(out).rindex(b"xref\n0 ")
    return bytes(out) + f"trailer<</Size {len(objects) + 1}/Root 1 0 R>>\nstartxref\n{start}\n%%EOF".encode()
