"""Draws PDF files from text at places, rules and fields, as raw bytes: what a reader sees is what a test says."""

from dataclasses import dataclass, field
from typing import Self

from embedmill.workers.parsing.document import ParsedDocument
from embedmill.workers.parsing.limits import ParserLimits
from embedmill.workers.parsing.parse import parse

FONTS = ("Helvetica", "Helvetica-Bold", "Courier", "Times-Roman", "Hebrew", "Torn")
MEANINGS = {
    "Hebrew": "1 beginbfrange <61> <7A> <05D0> endbfrange",
    "Torn": "1 beginbfchar <21> <0000> endbfchar",
}
"""The letters a to z stand for those of the Hebrew alphabet, in its order; and nobody knows what `!` stands for."""
CMAP = """/CIDInit /ProcSet findresource begin begincmap 1 begincodespacerange <00> <FF> endcodespacerange
{} endcmap end"""
FIRST_FREE = 4 + len(FONTS)


@dataclass
class Page:
    """One page, 612 by 792 points unless `box` says otherwise; places count from its lower left corner."""

    content: list[str] = field(default_factory=list)
    annotations: list[str] = field(default_factory=list)
    fields: list[str] = field(default_factory=list)
    box: tuple[int, int, int, int] = (0, 0, 612, 792)
    more: str = ""

    def text(self, x: float, y: float, text: str, *, font: str = "Helvetica", size: float = 12) -> Self:
        shown = text.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")
        return self.draw(f"BT /F{FONTS.index(font)} {size} Tf {x} {y} Td ({shown}) Tj ET")

    def lines(
        self, x: float, y: float, *lines: str, leading: float = 14, font: str = "Helvetica", size: float = 12
    ) -> Self:
        """Lines below one another; an empty one is a gap."""
        for number, line in enumerate(lines):
            if line:
                self.text(x, y - number * leading, line, font=font, size=size)
        return self

    def rule(self, x0: float, y0: float, x1: float, y1: float) -> Self:
        return self.draw(f"0.5 w {x0} {y0} m {x1} {y1} l S")

    def draw(self, operators: str) -> Self:
        self.content.append(operators)
        return self

    def fill_in(self, kind: str, entries: str, box: tuple[float, float, float, float]) -> Self:
        """A form's field of that kind (`Tx`, `Btn`, `Ch`) with its value among `entries`."""
        left, bottom, right, top = box
        self.fields.append(f"<</Type/Annot/Subtype/Widget/F 4/FT/{kind}/Rect[{left} {bottom} {right} {top}]{entries}>>")
        return self

    def comment(self, entries: str, *, subtype: str = "Text") -> Self:
        self.annotations.append(f"<</Type/Annot/Subtype/{subtype}/Rect[400 700 420 720]{entries}>>")
        return self


def draw(*pages: Page, outline: str = "") -> bytes:
    """The pages as one file; `outline` is a bookmark to the first of them."""
    objects: list[str] = [""] * (FIRST_FREE - 1)
    kids, fields = [], []
    for page in pages:
        page_fields = [_add(objects, text) for text in page.fields]
        annotations = page_fields + [_add(objects, text) for text in page.annotations]
        content = "\n".join(page.content)
        stream = _add(objects, f"<</Length {len(content.encode('latin-1'))}>>stream\n{content}\nendstream")
        fonts = "".join(f"/F{number} {4 + number} 0 R" for number in range(len(FONTS)))
        box = " ".join(map(str, page.box))
        kids.append(
            _add(
                objects,
                f"<</Type/Page/Parent 2 0 R/MediaBox[{box}]/Resources<</Font<<{fonts}>>>>/Contents {stream}"
                f"/Annots[{' '.join(annotations)}]{page.more}>>",
            )
        )
        fields += page_fields
    catalogue = "/Outlines 3 0 R" if outline else ""
    if fields:
        catalogue += f"/AcroForm<</Fields[{' '.join(fields)}]/DA(/Helv 12 Tf)>>"
    objects[0] = f"<</Type/Catalog/Pages 2 0 R{catalogue}>>"
    objects[1] = f"<</Type/Pages/Count {len(kids)}/Kids[{' '.join(kids)}]>>"
    entry = _add(objects, f"<</Title({outline})/Parent 3 0 R/Dest[{kids[0]}/Fit]>>") if outline else ""
    objects[2] = f"<</Type/Outlines/First {entry}/Last {entry}/Count 1>>" if outline else "null"
    for number, font in enumerate(FONTS):
        encoding = "/WinAnsiEncoding"
        if font in MEANINGS:
            meanings = CMAP.format(MEANINGS[font])
            stream = _add(objects, f"<</Length {len(meanings)}>>stream\n{meanings}\nendstream")
            encoding = f"<</Differences[33/g33]>>/ToUnicode {stream}"
        objects[3 + number] = f"<</Type/Font/Subtype/Type1/BaseFont/{font}/Encoding{encoding}>>"
    return _assembled(objects)


def read(*pages: Page, outline: str = "", limits: ParserLimits | None = None) -> ParsedDocument:
    return parse(draw(*pages, outline=outline), name="a.pdf", limits=limits or ParserLimits())


def _add(objects: list[str], text: str) -> str:
    objects.append(text)
    return f"{len(objects)} 0 R"


def _assembled(objects: list[str]) -> bytes:
    out, offsets = bytearray(b"%PDF-1.7\n"), []
    for number, body in enumerate(objects, start=1):
        offsets.append(len(out))
        out += f"{number} 0 obj\n".encode() + body.encode("latin-1") + b"\nendobj\n"
    start = len(out)
    table = "".join(f"{offset:010} 00000 n \n" for offset in offsets)
    out += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}".encode()
    return bytes(out) + f"trailer<</Size {len(objects) + 1}/Root 1 0 R>>\nstartxref\n{start}\n%%EOF".encode()
