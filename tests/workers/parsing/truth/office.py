"""Makes the documents of text processors and the presentations of the truth."""

import io
from collections.abc import Callable
from typing import Any

from docx import Document
from docx.oxml.ns import qn
from pptx import Presentation
from pptx.chart.data import CategoryChartData
from pptx.enum.chart import XL_CHART_TYPE
from pptx.util import Inches

from tests.workers.parsing import test_odt as odt
from tests.workers.parsing import test_word as word
from tests.workers.parsing.making import word_paragraph, zipped


def _saved(made: Any) -> bytes:
    stream = io.BytesIO()
    made.save(stream)
    return stream.getvalue()


def _scripted(document: Any) -> None:
    """`The gap is 10^-3 m wide, and H_2O flows.`"""
    paragraph = document.add_paragraph("The gap is 10")
    paragraph.add_run("-3").font.superscript = True
    paragraph.add_run(" m wide, and H")
    paragraph.add_run("2").font.subscript = True
    paragraph.add_run("O flows.")


def same_docx() -> bytes:
    """The document that is kept in several formats, as Word saves it."""
    document = Document()
    document.add_heading("Pump manual", 1)
    _scripted(document)
    document.add_heading("Starting", 2)
    for text, style in (
        ("Open valve A.", "List Number"), ("Open valve B.", "List Number"), ("slowly", "List Bullet 2"),
        ("by hand", "List Bullet 2"), ("Press START.", "List Number"),
    ):  # fmt: skip
        document.add_paragraph(text, style=style)
    for line in ("pump --start", "  --watch"):
        document.add_paragraph(line, style="macro")
    document.add_paragraph("Torques of the screws", style="Caption")
    _filled(document.add_table(3, 3), ("part", "torque", "note", "lid", "12 Nm", "", "base", "", "soft"))
    document.add_paragraph("The end.")
    return _saved(document)


def _filled(table: Any, texts: tuple[str, ...]) -> Any:
    for number, text in enumerate(texts):
        table.cell(number // len(table.columns), number % len(table.columns)).text = text
    return table


def same_odt() -> bytes:
    """The document that is kept in several formats, as LibreOffice saves it."""
    bullets = '<text:list-level-style-bullet text:level="2"/>'
    automatic = (
        f'<text:list-style style:name="L">{odt.level(1, "1")}{bullets}</text:list-style>'
        '<style:style style:name="P1" style:parent-style-name="Preformatted_20_Text"/>'
    )
    steps = odt.listing(
        "L",
        odt.item("Open valve A."),
        odt.item("Open valve B.", odt.inner(odt.item("slowly"), odt.item("by hand"))),
        odt.item("Press START."),
    )
    indented = '<text:s text:c="2"/>--watch'
    rows = (("part", "torque", "note"), ("lid", "12 Nm", ""), ("base", "", "soft"))
    table = "".join(odt.row(*map(odt.cell, cells)) for cells in rows)
    body = (
        '<text:h text:outline-level="1">Pump manual</text:h>'
        f"<text:p>The gap is 10{odt.span('Up', '-3')} m wide, and H{odt.span('Low', '2')}O flows.</text:p>"
        f'<text:h text:outline-level="2">Starting</text:h>{steps}{odt.styled("P1", "pump --start")}'
        f"{odt.styled('P1', indented)}{odt.styled('Table', 'Torques of the screws')}"
        f"<table:table>{table}</table:table><text:p>The end.</text:p>"
    )
    return odt.made(body, automatic=automatic, styles=odt.STYLES)


def levels_docx() -> bytes:
    """A contract: numbers of three levels, one of them set anew, and bullets in between."""
    levels = word.LEGAL + word.level(3, "bullet", "o")
    start = '<w:lvlOverride w:ilvl="0"><w:startOverride w:val="5"/></w:lvlOverride>'
    items = (
        ("Parties", 0),
        ("The seller", 1),
        ("The buyer", 1),
        ("a person", 2),
        ("of age", 3),
        ("Price", 0),
        ("Sum", 1),
    )
    body = "".join(word.item(text, 1, depth) for text, depth in items) + word_paragraph("In between.")
    body += word.item("Goes on", 1) + word.item("Set anew", 2) + word.item("Follows", 2, 1)
    return word.made(body, word.numbering(levels, "", start))


def tables_docx() -> bytes:
    """Spans over rows and columns, a table in a cell, and a frame of one cell."""
    cell, row = word.cell, word.row
    spans = (
        row(cell("Region"), cell("Sales", '<w:gridSpan w:val="2"/>'), properties="<w:tblHeader/>")
        + row(cell("North", '<w:vMerge w:val="restart"/>'), cell("Bolt"), cell("1"))
        + row(cell("", "<w:vMerge/>"), cell("Nut"), cell(""))
        + row(cell("South"), cell("none", '<w:gridSpan w:val="2"/>'))
    )
    inner = f"<w:tbl>{row(cell('k'), cell('v'))}{row(cell('x'), cell('1'))}</w:tbl>"
    nested = row(cell("Name"), cell("Keys")) + row(cell("Ann"), cell(inner)) + row(cell("Bo"), cell("none"))
    frame = row(cell(word_paragraph("A box around") + word_paragraph("two paragraphs.")))
    return word.made("".join(f"<w:tbl>{table}</w:tbl>" for table in (spans, nested, frame)))


def asides_docx() -> bytes:
    """Tracked changes, hidden text, notes, a comment, a header, a text box, a chart, an equation, a picture."""
    run = word.run
    fraction = (
        "<m:oMath><m:f><m:num><m:r><m:t>a+b</m:t></m:r></m:num><m:den><m:r><m:t>c</m:t></m:r></m:den></m:f></m:oMath>"
    )
    box = f"<w:txbxContent>{word_paragraph('in the box')}</w:txbxContent>"
    body = (
        f"<w:p>{run('now ')}<w:del><w:r><w:delText>100</w:delText></w:r></w:del><w:ins>{run('80')}</w:ins>"
        f"{run(' euros')}<w:r><w:footnoteReference w:id='2'/></w:r>{run('secret', '<w:vanish/>')}</w:p>"
        f"<w:p>{run('x = ')}<m:oMath>{fraction}</m:oMath></w:p>"
        f"<w:p>{run('beside ')}<w:r><w:pict>{box}</w:pict></w:r></w:p>"
        f"{word.picture('A pump')}<w:p><w:r><w:drawing><c:chart r:id='c'/></w:drawing></w:r></w:p>"
    )
    parts = {
        "word/charts/c1.xml": word.CHART,
        "word/footnotes.xml": word.part(
            "footnotes", f"<w:footnote w:id='2'>{word_paragraph('Since May.')}</w:footnote>"
        ),
        "word/comments.xml": word.part("comments", f"<w:comment w:author='Ann'>{word_paragraph('Sure?')}</w:comment>"),
        "word/header1.xml": word.part("hdr", word_paragraph("Acme Inc.")),
    }
    return word.made(body, parts, {"c": ("chart", "charts/c1.xml"), "h": ("header", "header1.xml")})


def chapters_odt() -> bytes:
    """Numbered headings, a list that is continued, a note, a comment, a header."""
    outline = "".join(
        f'<text:outline-level-style text:level="{depth}" style:num-format="1" text:display-levels="{depth}"/>'
        for depth in (1, 2)
    )
    running = "<style:header><text:p>Acme Inc.</text:p></style:header>"
    styles = (
        f"<office:styles><text:outline-style>{outline}</text:outline-style></office:styles>"
        f"<office:master-styles><style:master-page>{running}</style:master-page></office:master-styles>"
    )
    body = "<text:note-body><text:p>Aside.</text:p></text:note-body>"
    note = f"<text:note><text:note-citation>1</text:note-citation>{body}</text:note>"
    comment = "<office:annotation><dc:creator>Ann</dc:creator><text:p>Sure?</text:p></office:annotation>"
    body = (
        '<text:h text:outline-level="1">Pumps</text:h><text:h text:outline-level="2">Red</text:h>'
        f"<text:p>One{note} thing{comment}.</text:p>{odt.listing('N', odt.item('a'))}"
        '<text:h text:outline-level="2">Blue</text:h>'
        + odt.listing("N", odt.item("b", odt.inner(odt.item("deeper"))), more='text:continue-numbering="true"')
        + '<text:h text:outline-level="1">Valves</text:h><text:p>Another.</text:p>'
    )
    return odt.made(body, automatic=odt.LISTS, styles=styles)


def deck_pptx() -> bytes:
    """Four slides: bullets in two levels, a table with a span, a chart with notes, one that is hidden."""
    deck: Any = Presentation()
    first = deck.slides.add_slide(deck.slide_layouts[1])
    first.shapes.title.text, frame = "Plan", first.placeholders[1].text_frame
    frame.text = "Build"
    deeper = frame.add_paragraph()
    deeper.text, deeper.level = "with care", 1
    second = deck.slides.add_slide(deck.slide_layouts[5])
    second.shapes.title.text = "Torques"
    table = second.shapes.add_table(3, 3, Inches(1), Inches(2), Inches(6), Inches(2)).table
    _filled(table, ("part", "May", "June", "lid", "12", "13", "base", "none", "")).cell(2, 1).merge(table.cell(2, 2))
    third = deck.slides.add_slide(deck.slide_layouts[5])
    third.shapes.title.text = "Birds"
    data = CategoryChartData()  # type: ignore[no-untyped-call]
    data.categories = ["January", "February"]
    data.add_series("Ptarmigans counted", (41, 57))  # type: ignore[no-untyped-call]
    third.shapes.add_chart(XL_CHART_TYPE.BAR_CLUSTERED, Inches(1), Inches(2), Inches(4), Inches(3), data)
    third.notes_slide.notes_text_frame.text = "Say where they were seen."
    fourth = deck.slides.add_slide(deck.slide_layouts[6])
    fourth.shapes.add_textbox(Inches(1), Inches(1), Inches(2), Inches(1)).text_frame.text = "Left out of the talk"
    fourth._element.set("show", "0")
    return _saved(deck)


def places_pptx() -> bytes:
    """Boxes whose order in the file is not that in which people read them, one of them in a group."""
    deck: Any = Presentation()
    slide = deck.slides.add_slide(deck.slide_layouts[5])
    for text, left, top in (
        ("below right", 5, 5),
        ("above right", 5, 2),
        ("below left", 1, 4.8),
        ("above left", 1, 2.2),
    ):
        box = slide.shapes.add_textbox(Inches(left), Inches(top), Inches(3), Inches(1))
        box.text_frame.text = text
    slide.shapes.title.text = "Places"
    return _saved(deck)


def headed_docx() -> bytes:
    """A table whose header row is marked, as a long table's is, of two rows."""
    document = Document()
    table = _filled(document.add_table(3, 2), ("2026", "2026", "May", "June", "1", "2"))
    for row in table.rows[:2]:
        properties = row._tr.get_or_add_trPr()
        properties.append(properties.makeelement(qn("w:tblHeader"), {}))
    return _saved(document)


def talk_odp() -> bytes:
    """Shapes in another order than they stand, a group, a table, notes, a comment, and what no one reads aloud."""

    def shape(inside: str, at: str = "1cm 1cm", of: str = "", tag: str = "frame") -> str:
        left, top = at.split()
        kind = f'presentation:class="{of}"' if of else ""
        return (
            f'<draw:{tag} {kind} svg:x="{left}" svg:y="{top}" svg:width="5cm" svg:height="20mm">{inside}</draw:{tag}>'
        )

    def box(text: str, at: str = "1cm 1cm", of: str = "") -> str:
        return shape(f"<draw:text-box><text:p>{text}</text:p></draw:text-box>", at, of)

    steps = odt.listing("N", odt.item("Open", odt.inner(odt.item("slowly"))), odt.item("Shut"))
    table = "".join(odt.row(*map(odt.cell, cells)) for cells in (("Item", "Price"), ("Bolt", "$2")))
    notes = box("Say it twice.") + box("7", of="page-number")
    comment = "<office:annotation><dc:creator>Ann</dc:creator><text:p>Sure?</text:p></office:annotation>"
    slides = (
        (
            f"<draw:page>{box('right', '12cm 6cm')}{shape('<text:p>low</text:p>', '1cm 15cm', tag='custom-shape')}"
            f"<draw:g>{box('left', '1cm 60mm')}</draw:g>{box('Pumps', '1cm 1cm', 'title')}{box('Draft', of='footer')}"
            f"{comment}<presentation:notes>{notes}</presentation:notes></draw:page>"
        ),
        (
            f"<draw:page>{shape(f'<draw:text-box>{steps}</draw:text-box>')}"
            f"{shape(f'<table:table>{table}</table:table>', '1cm 9cm')}</draw:page>"
        ),
        '<draw:page draw:style-name="gone"><draw:line/></draw:page>',
    )
    hidden = '<style:drawing-page-properties presentation:visibility="hidden"/>'
    styles = f'{odt.LISTS}<style:style style:name="gone">{hidden}</style:style>'
    space = f'{odt.SPACES} xmlns:presentation="{odt.OASIS}:presentation:1.0"'
    return zipped(
        {
            "mimetype": "application/vnd.oasis.opendocument.presentation",
            "content.xml": f"<office:document-content {space}><office:automatic-styles>{styles}"
            f"</office:automatic-styles><office:body><office:presentation>{''.join(slides)}</office:presentation>"
            "</office:body></office:document-content>",
        }
    )


MADE: dict[str, Callable[[], bytes]] = {
    "asides.docx": asides_docx,
    "chapters.odt": chapters_odt,
    "deck.pptx": deck_pptx,
    "headed.docx": headed_docx,
    "levels.docx": levels_docx,
    "places.pptx": places_pptx,
    "same.docx": same_docx,
    "same.odt": same_odt,
    "tables.docx": tables_docx,
    "talk.odp": talk_odp,
}
