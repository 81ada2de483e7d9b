"""Word documents keep their numbers, spans, notes, drawings and tracked changes as they read on paper."""

import io

import pytest
from docx import Document

from embedmill.workers.parsing.document import BlockKind
from tests.workers.parsing.making import WORD, read, shape, texts, word, word_paragraph, zipped

H, P, L, C, T, N = (
    BlockKind.HEADING,
    BlockKind.PARAGRAPH,
    BlockKind.LIST_ITEM,
    BlockKind.CODE,
    BlockKind.TABLE_ROW,
    BlockKind.CAPTION,
)
RELATION = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
SPACES = (
    f'xmlns:w="{WORD}" xmlns:r="{RELATION}" xmlns:m="http://schemas.openxmlformats.org/officeDocument/2006/math" '
    'xmlns:c="http://schemas.openxmlformats.org/drawingml/2006/chart" '
    'xmlns:dgm="http://schemas.openxmlformats.org/drawingml/2006/diagram" '
    'xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main" '
    'xmlns:wp="http://schemas.openxmlformats.org/drawingml/2006/wordprocessingDrawing"'
)


def made(body: str, parts: dict[str, str] | None = None, related: dict[str, tuple[str, str]] | None = None) -> bytes:
    """A Word file; `related` has (kind, part) by the relation's id."""
    listing = "".join(
        f'<Relationship Id="{name}" Type="{RELATION}/{kind}" Target="{target}"/>'
        for name, (kind, target) in (related or {}).items()
    )
    return zipped(
        {
            "[Content_Types].xml": "<Types/>",
            "word/document.xml": f"<w:document {SPACES}><w:body>{body}</w:body></w:document>",
            "word/_rels/document.xml.rels": f"<Relationships>{listing}</Relationships>",
            **(parts or {}),
        }
    )


def item(text: str, number: int, depth: int = 0) -> str:
    numbered = f'<w:numPr><w:ilvl w:val="{depth}"/><w:numId w:val="{number}"/></w:numPr>'
    return f"<w:p><w:pPr>{numbered}</w:pPr><w:r><w:t>{text}</w:t></w:r></w:p>"


def level(depth: int, kind: str, text: str, start: int = 1, more: str = "") -> str:
    return (
        f'<w:lvl w:ilvl="{depth}"><w:start w:val="{start}"/><w:numFmt w:val="{kind}"/>{more}'
        f'<w:lvlText w:val="{text}"/></w:lvl>'
    )


def numbering(levels: str, *nums: str) -> dict[str, str]:
    lists = "".join(
        f'<w:num w:numId="{number}"><w:abstractNumId w:val="0"/>{inside}</w:num>'
        for number, inside in enumerate(nums or ("",), start=1)
    )
    abstract = f'<w:abstractNum w:abstractNumId="0">{levels}</w:abstractNum>'
    return {"word/numbering.xml": f"<w:numbering {SPACES}>{abstract}{lists}</w:numbering>"}


LEGAL = level(0, "decimal", "%1.") + level(1, "decimal", "%1.%2.") + level(2, "lowerLetter", "%3)")


def lines(data: bytes) -> list[str]:
    return texts(read(data, "a.docx"))


def test_numbers_of_several_levels_restart_below_each_item() -> None:
    body = item("a", 1) + item("b", 1, 1) + item("c", 1, 1) + item("d", 1, 2) + item("e", 1) + item("f", 1, 1)
    assert lines(made(body, numbering(LEGAL))) == ["1. a", "  1.1. b", "  1.2. c", "    a) d", "2. e", "  2.1. f"]


def test_lists_of_one_kind_count_on_until_one_says_where_it_starts() -> None:
    start = '<w:lvlOverride w:ilvl="0"><w:startOverride w:val="7"/></w:lvlOverride>'
    body = item("a", 1) + item("b", 2) + item("c", 3) + item("d", 3)
    assert lines(made(body, numbering(LEGAL, "", "", start))) == ["1. a", "2. b", "7. c", "8. d"]


def test_a_level_may_be_bullets_letters_legal_or_never_begin_anew() -> None:
    levels = (
        level(0, "upperRoman", "%1.")
        + level(1, "decimal", "%1.%2", more="<w:lvlRestart w:val='0'/><w:isLgl/>")
        + level(2, "bullet", "o")
    )
    body = item("a", 1) + item("b", 1, 1) + item("c", 1) + item("d", 1, 1) + item("e", 1, 2)
    assert lines(made(body, numbering(levels))) == ["I. a", "  1.1 b", "II. c", "  2.2 d", "    - e"]


def test_a_bullet_without_a_sign_continues_the_item_before() -> None:
    levels = numbering(
        level(0, "bullet", " "), "", f'<w:lvlOverride w:ilvl="0">{level(0, "bullet", "o")}</w:lvlOverride>'
    )
    assert lines(made(item("a", 2) + item("more of a", 1) + item("b", 2), levels)) == ["- a", "more of a", "- b"]


def test_headings_keep_the_numbers_of_their_style() -> None:
    styles = (
        f'<w:styles {SPACES}><w:style w:styleId="H1"><w:name w:val="heading 1"/><w:pPr><w:numPr>'
        '<w:numId w:val="1"/></w:numPr></w:pPr></w:style><w:style w:styleId="H2"><w:name w:val="heading 2"/>'
        '<w:basedOn w:val="H1"/></w:style></w:styles>'
    )
    levels = level(0, "decimal", "%1", more='<w:pStyle w:val="H1"/>') + level(
        1, "decimal", "%1.%2", more='<w:pStyle w:val="H2"/>'
    )
    body = "".join(
        f'<w:p><w:pPr><w:pStyle w:val="{style}"/></w:pPr><w:r><w:t>{text}</w:t></w:r></w:p>'
        for style, text in (("H1", "One"), ("H2", "Deeper"), ("H1", "Two"), ("H2", "Again"))
    )
    document = made(body, {**numbering(levels), "word/styles.xml": styles})
    assert shape(read(document, "a.docx")) == [(H, "1 One"), (H, "1.1 Deeper"), (H, "2 Two"), (H, "2.1 Again")]


def test_nested_styles_of_a_real_template_are_nested() -> None:
    document = Document()
    for style in ("List Bullet", "List Bullet 2", "List Number"):
        document.add_paragraph("x", style=style)
    stream = io.BytesIO()
    document.save(stream)
    assert lines(stream.getvalue()) == ["- x", "  - x", "1. x"]


def run(text: str, properties: str = "") -> str:
    return f"<w:r><w:rPr>{properties}</w:rPr><w:t>{text}</w:t></w:r>"


RUBY = (
    "<w:r><w:ruby><w:rubyPr/><w:rt><w:r><w:t>kan</w:t></w:r></w:rt>"
    "<w:rubyBase><w:r><w:t>漢</w:t></w:r></w:rubyBase></w:ruby></w:r>"
)


@pytest.mark.parametrize(
    ("inside", "text", "notes"),
    [
        (run("10") + run("-", '<w:vertAlign w:val="superscript"/>') + run("3", '<w:vertAlign w:val="superscript"/>'),
         "10^-3", ()),
        (run("H") + run("2", '<w:vertAlign w:val="subscript"/>') + run("O"), "H_2O", ()),
        (run("seen ") + run("secret", "<w:vanish/>") + run("too"), "seen too", ("hidden text left out",)),
        (run("shown", '<w:vanish w:val="0"/>'), "shown", ()),
        (f"<w:del><w:r><w:delText>old</w:delText></w:r></w:del><w:ins>{run('new')}</w:ins>", "new",
         ()),
        (f"<w:moveFrom>{run('moved')}</w:moveFrom>{run('stays')}", "stays",
         ()),
        ('<w:r><w:sym w:font="Symbol" w:char="F061"/></w:r>', "\u03b1", ()),
        (RUBY, "漢(kan)", ()),
        (run("EUR ") + run("1", "<w:strike/>") + run("00 ", "<w:dstrike/><w:b/>") + run("80", '<w:strike w:val="0"/>'),
         "EUR ~~100~~ 80", ()),
        (run("x", "<w:strike/>") + run("2", '<w:strike/><w:vertAlign w:val="superscript"/>'), "~~x^2~~", ()),
        ('<w:r><w:fldChar><w:ffData><w:checkBox><w:default w:val="1"/></w:checkBox></w:ffData></w:fldChar></w:r>'
         + run(" agreed"), "☒ agreed", ()),
        ('<w:r><w:fldChar><w:ffData><w:ddList><w:result w:val="1"/><w:listEntry w:val="red"/>'
         '<w:listEntry w:val="blue"/></w:ddList></w:ffData></w:fldChar></w:r>' + run(" wall"), "blue wall", ()),
        (run("E=") + "<m:oMath><m:f><m:num><m:r><m:t>a</m:t></m:r></m:num><m:den><m:r><m:t>b</m:t></m:r></m:den></m:f>"
         "</m:oMath>", "E=a/b", ()),
    ],
)  # fmt: skip
def test_runs_read_as_they_are_printed(inside: str, text: str, notes: tuple[str, ...]) -> None:
    document = read(made(f"<w:p>{inside}</w:p>"), "a.docx")
    assert (texts(document), document.notes) == ([text], notes)


def test_where_the_end_of_a_paragraph_is_deleted_the_next_goes_on() -> None:
    body = f"<w:p><w:pPr><w:rPr><w:del/></w:rPr></w:pPr>{run('one ')}</w:p><w:p>{run('two')}</w:p>"
    assert lines(made(body)) == ["one two"]


def cell(text: str, properties: str = "") -> str:
    return f"<w:tc><w:tcPr>{properties}</w:tcPr>{text if text.startswith('<') else word_paragraph(text)}</w:tc>"


def row(*cells: str, properties: str = "") -> str:
    return f"<w:tr><w:trPr>{properties}</w:trPr>{''.join(cells)}</w:tr>"


def test_cells_that_span_rows_and_columns_stand_on_the_grid() -> None:
    table = (
        row(cell("Region"), cell("Product"), cell("Q1"), cell("Q2"), properties="<w:tblHeader/>")
        + row(cell("North", '<w:vMerge w:val="restart"/>'), cell("Bolt"), cell("1"), cell("2"))
        + row(cell("", "<w:vMerge/>"), cell("Nut"), cell("3"), cell("4"))
        + row(cell("South"), cell("Bolt"), cell("sold out", '<w:gridSpan w:val="2"/>'))
        + row(cell("gone"), properties="<w:del/>")
    )
    document = read(made(f"<w:tbl>{table}</w:tbl>"), "a.docx")
    assert texts(document) == [
        "Region | Product | Q1 | Q2",
        "North | Bolt | 1 | 2",
        "North | Nut | 3 | 4",
        "South | Bolt | sold out | sold out",
    ]
    assert {block.head for block in document.blocks} == {(0, 1)}
    assert document.notes == ()


def test_a_table_in_a_cell_follows_its_row_and_one_of_a_row_stays_in_it() -> None:
    inner = f"<w:tbl>{row(cell('k'), cell('v'))}{row(cell('x'), cell('1'))}</w:tbl>"
    small = f"<w:tbl>{row(cell('left'), cell('right'))}</w:tbl>"
    table = row(cell("Name"), cell("More")) + row(cell("Ann"), cell(word_paragraph("see") + inner))
    table += row(cell("Bo"), cell(small + word_paragraph("")))
    assert shape(read(made(f"<w:tbl>{table}</w:tbl>"), "a.docx")) == [
        (T, "Name | More"), (T, "Ann | see"), (N, "Ann"), (T, "k | v"), (T, "x | 1"), (T, "Bo | left, right"),
    ]  # fmt: skip


def test_a_table_of_one_cell_is_a_frame_around_its_paragraphs() -> None:
    inside = word_paragraph("one") + item("two", 1)
    document = made(f"<w:tbl>{row(cell(inside))}</w:tbl>", numbering(LEGAL))
    assert shape(read(document, "a.docx")) == [(P, "one"), (L, "1. two")]


def styled(text: str, style: str) -> str:
    return f'<w:p><w:pPr><w:pStyle w:val="{style}"/></w:pPr><w:r><w:t>{text}</w:t></w:r></w:p>'


STYLES = {
    "word/styles.xml": f'<w:styles {SPACES}><w:style w:styleId="Cap"><w:name w:val="caption"/></w:style>'
    '<w:style w:styleId="Code"><w:name w:val="HTML Preformatted"/></w:style></w:styles>'
}


def test_a_caption_before_a_table_is_the_tables_and_lines_of_code_are_one_block() -> None:
    table = f"<w:tbl>{row(cell('k'), cell('v'))}{row(cell('a'), cell('1'))}</w:tbl>"
    body = styled("Table 1: Keys", "Cap") + table + styled("x = 1", "Code") + styled("  y = 2", "Code")
    document = read(made(body, STYLES), "a.docx")
    assert shape(document) == [(N, "Table 1: Keys"), (T, "k | v"), (T, "a | 1"), (C, "x = 1\n  y = 2")]
    assert document.blocks[2].head == (0, 2)


def picture(said: str) -> str:
    return f'<w:p><w:r><w:drawing><wp:inline><wp:docPr descr="{said}"/></wp:inline></w:drawing></w:r></w:p>'


def test_alternative_texts_are_captions_unless_they_are_names_or_said_again() -> None:
    body = picture("A pump") + picture("image1.png") + picture("A valve") + styled("Figure 2: A valve, open", "Cap")
    assert shape(read(made(body, STYLES), "a.docx")) == [(N, "A pump"), (N, "Figure 2: A valve, open")]


CHART = (
    f"<c:chartSpace {SPACES}><c:chart><c:title><c:tx><c:rich><a:p><a:r><a:t>Birds</a:t></a:r></a:p></c:rich></c:tx>"
    "</c:title><c:plotArea><c:barChart><c:ser><c:tx><c:strRef><c:strCache><c:pt idx='0'><c:v>Seen</c:v></c:pt>"
    "</c:strCache></c:strRef></c:tx><c:cat><c:strRef><c:strCache><c:pt idx='0'><c:v>May</c:v></c:pt>"
    "<c:pt idx='1'><c:v>June</c:v></c:pt></c:strCache></c:strRef></c:cat><c:val><c:numRef><c:numCache>"
    "<c:pt idx='1'><c:v>4.2999999999999998</c:v></c:pt></c:numCache></c:numRef></c:val></c:ser></c:barChart>"
    "<c:valAx><c:title><c:tx><c:rich><a:p><a:r><a:t>pairs</a:t></a:r></a:p></c:rich></c:tx></c:title></c:valAx>"
    "</c:plotArea></c:chart></c:chartSpace>"
)
DIAGRAM = (
    f"<dgm:dataModel {SPACES}><dgm:ptLst><dgm:pt modelId='0' type='doc'/>"
    + "".join(
        f"<dgm:pt modelId='{number}'><dgm:t><a:p><a:r><a:t>{text}</a:t></a:r></a:p></dgm:t></dgm:pt>"
        for number, text in ((1, "Plan"), (2, "Build"), (3, "Test"))
    )
    + "</dgm:ptLst><dgm:cxnLst><dgm:cxn srcId='0' destId='1' srcOrd='0'/><dgm:cxn srcId='0' destId='2' srcOrd='1'/>"
    "<dgm:cxn srcId='2' destId='3' srcOrd='0'/><dgm:cxn type='presOf' srcId='1' destId='2'/>"
    "</dgm:cxnLst></dgm:dataModel>"
)


def test_charts_are_tables_and_diagrams_are_lists() -> None:
    body = (
        "<w:p><w:r><w:drawing><c:chart r:id='c'/></w:drawing></w:r></w:p>"
        "<w:p><w:r><w:drawing><dgm:relIds r:dm='d'/></w:drawing></w:r></w:p>"
        "<w:p><w:r><w:drawing><c:chart r:id='gone'/></w:drawing></w:r></w:p>"
    )
    parts = {"word/charts/c1.xml": CHART, "word/diagrams/d1.xml": DIAGRAM}
    related = {"c": ("chart", "charts/c1.xml"), "d": ("diagramData", "/word/diagrams/d1.xml")}
    document = read(made(body, parts, related), "a.docx")
    assert shape(document) == [
        (N, "Birds (pairs)"), (T, " | Seen"), (T, "May"), (T, "June | 4.3"), (L, "- Plan"),
        (L, "- Build"), (L, "  - Test"),
    ]  # fmt: skip
    assert document.notes == ("a chart was left out: it is missing",)


def part(name: str, inside: str) -> str:
    return f"<w:{name} {SPACES}>{inside}</w:{name}>"


def test_notes_stand_behind_the_text_in_the_order_of_their_marks() -> None:
    body = f"<w:p>{run('one')}<w:r><w:footnoteReference w:id='5'/></w:r>{run(' two')}"
    body += "<w:r><w:endnoteReference w:id='2'/></w:r><w:r><w:footnoteReference w:id='4'/></w:r></w:p>"
    notes = "<w:footnote w:id='0' w:type='separator'><w:p/></w:footnote>" + "".join(
        f"<w:footnote w:id='{number}'>{word_paragraph(text)}</w:footnote>"
        for number, text in ((4, "late"), (5, "early"))
    )
    ends = part("endnotes", f"<w:endnote w:id='2'>{word_paragraph('end')}</w:endnote>")
    document = made(body, {"word/footnotes.xml": part("footnotes", notes), "word/endnotes.xml": ends})
    assert lines(document) == ["one[1] two[i][2]", "[1] early", "[2] late", "[i] end"]


def test_headers_and_footers_stand_once_and_page_numbers_do_not() -> None:
    running = {name: part("hdr", word_paragraph(text)) for name, text in
               (("word/h1.xml", "Acme"), ("word/h2.xml", "Acme"), ("word/f1.xml", "– 12 –"))}  # fmt: skip
    related = {"1": ("header", "h1.xml"), "2": ("header", "h2.xml"), "3": ("footer", "f1.xml")}
    document = read(made(word_paragraph("text"), running, related), "a.docx")
    assert (texts(document), document.notes) == (["text", "Acme"], ())


def test_comments_are_read_with_their_author() -> None:
    comments = f"<w:comment w:author='Ann'>{word_paragraph('too long')}</w:comment>"
    assert lines(word(word_paragraph("text"), comments=part("comments", comments))) == [
        "text",
        "Comment by Ann: too long",
    ]


def test_passages_in_files_of_their_own_stand_in_place_and_embedded_files_at_the_end() -> None:
    body = word_paragraph("before") + "<w:altChunk r:id='h'/>" + word_paragraph("after")
    parts = {"word/a.html": "<h2>Inside</h2><p>chunk</p>", "word/embeddings/list.csv": "a,b\n1,2\n"}
    parts["word/embeddings/object.bin"] = "\0\1\2\3" * 9
    related = {
        "h": ("aFChunk", "a.html"),
        "e": ("package", "embeddings/list.csv"),
        "o": ("oleObject", "embeddings/object.bin"),
    }
    document = read(made(body, parts, related), "a.docx")
    assert shape(document) == [
        (P, "before"), (H, "Inside"), (P, "chunk"), (P, "after"), (H, "list.csv"), (T, "a | b"), (T, "1 | 2"),
    ]  # fmt: skip
    assert [note.rpartition(":")[0] for note in document.notes] == ["embedded file left out: object.bin"]


def test_documents_in_documents_in_documents_end_somewhere() -> None:
    def around(inner: bytes | None) -> bytes:
        parts = {} if inner is None else {"word/embeddings/in.docx": inner}
        related = {"e": ("package", "embeddings/in.docx")} if inner else {}
        return made(word_paragraph("layer"), parts, related)  # type: ignore[arg-type]

    data: bytes | None = None
    for _ in range(6):
        data = around(data)
    document = read(data or b"", "a.docx")
    assert texts(document).count("layer") == 4
    assert "too deep" in document.notes[0]


def test_what_waits_for_the_next_block_is_not_lost_at_the_end() -> None:
    ends = [styled("x = 1", "Code"), styled("Caption", "Cap"), picture("A")]
    assert [lines(made(end, STYLES)) for end in ends] == [["x = 1"], ["Caption"], ["A"]]


def test_what_a_style_strikes_is_struck_but_where_a_run_says_otherwise() -> None:
    styles = f'<w:styles {SPACES}><w:style w:styleId="Gone"><w:rPr><w:strike/></w:rPr></w:style></w:styles>'
    others = run("b", "<w:b/>") + run(" c", '<w:strike w:val="0"/>')
    body = f'<w:p><w:pPr><w:pStyle w:val="Gone"/></w:pPr><w:r><w:t>a </w:t></w:r>{others}</w:p>'
    body += "<w:p>" + run("d", '<w:rStyle w:val="Gone"/>') + "</w:p>"
    assert lines(made(body, {"word/styles.xml": styles})) == ["~~a b~~ c", "~~d~~"]


def test_small_letters_above_or_below_the_line_are_scripts_and_signs_of_fonts_are_characters() -> None:
    def moved(text: str, by: int, more: str = '<w:sz w:val="14"/>') -> str:
        return f'<w:r><w:rPr><w:position w:val="{by}"/>{more}</w:rPr><w:t>{text}</w:t></w:r>'

    plain = "<w:r><w:t>{}</w:t></w:r>".format
    body = (
        plain("10") + moved("-3", 8) + plain(" H") + moved("2", -2) + plain("O ") + moved("up", 8, "") + plain("\uf0fc")
    )
    assert lines(made(f"<w:p>{body}</w:p>")) == ["10^-3 H_2O up✓"]


def test_an_empty_paragraph_between_lines_of_code_is_one_of_them() -> None:
    def code(text: str) -> str:
        return f'<w:p><w:pPr><w:pStyle w:val="C"/></w:pPr><w:r><w:t>{text}</w:t></w:r></w:p>'

    styles = f'<w:styles {SPACES}><w:style w:styleId="C"><w:name w:val="Source Code"/></w:style></w:styles>'
    document = made(
        code("def f():") + "<w:p/>" + code("  return 1") + "<w:p/>" + word_paragraph("x"), {"word/styles.xml": styles}
    )
    assert shape(read(document, "a.docx")) == [(C, "def f():\n\n  return 1"), (P, "x")]
