"""OpenDocument texts keep numbers, spans, notes, drawings and scripts, and nothing that was deleted or hidden."""

import pytest

from embedmill.workers.parsing.document import BlockKind, ParsedDocument
from tests.workers.parsing.making import read, shape, texts, word, word_paragraph, zipped

H, P, L, C, T, N = (
    BlockKind.HEADING,
    BlockKind.PARAGRAPH,
    BlockKind.LIST_ITEM,
    BlockKind.CODE,
    BlockKind.TABLE_ROW,
    BlockKind.CAPTION,
)
OASIS = "urn:oasis:names:tc:opendocument:xmlns"
SPACES = " ".join(
    f'xmlns:{name}="{OASIS}:{space}:1.0"'
    for name, space in (
        ("office", "office"), ("text", "text"), ("table", "table"), ("style", "style"), ("draw", "drawing"),
        ("svg", "svg-compatible"), ("chart", "chart"),
    )
) + ' xmlns:xlink="http://www.w3.org/1999/xlink" xmlns:dc="http://purl.org/dc/elements/1.1/"'  # fmt: skip


def made(body: str, *, automatic: str = "", styles: str = "", parts: dict[str, str] | None = None) -> bytes:
    """An OpenDocument text; `styles` is the inside of `styles.xml`."""
    return zipped(
        {
            "mimetype": "application/vnd.oasis.opendocument.text",
            "content.xml": f"<office:document-content {SPACES}><office:automatic-styles>{automatic}"
            f"</office:automatic-styles><office:body><office:text>{body}</office:text></office:body>"
            "</office:document-content>",
            "styles.xml": f"<office:document-styles {SPACES}>{styles}</office:document-styles>",
            **(parts or {}),
        }
    )


def document(body: str, **others: str) -> ParsedDocument:
    return read(made(body, **others), "a.odt")  # type: ignore[arg-type]


def lines(body: str, **others: str) -> list[str]:
    return texts(document(body, **others))


def level(depth: int, form: str, *, start: int = 1, shown: int = 1, after: str = ".") -> str:
    return (
        f'<text:list-level-style-number text:level="{depth}" style:num-format="{form}" style:num-suffix="{after}" '
        f'text:start-value="{start}" text:display-levels="{shown}"/>'
    )


LISTS = (
    f'<text:list-style style:name="N">{level(1, "1")}{level(2, "1", shown=2)}{level(3, "a", after=")")}'
    f'</text:list-style><text:list-style style:name="S">{level(1, "I", start=4)}</text:list-style>'
    '<text:list-style style:name="B"><text:list-level-style-bullet text:level="1"/></text:list-style>'
)


def item(*inside: str, more: str = "") -> str:
    paragraphs = "".join(text if text.startswith("<") else f"<text:p>{text}</text:p>" for text in inside)
    return f"<text:list-item {more}>{paragraphs}</text:list-item>"


def listing(style: str, *items: str, more: str = "") -> str:
    return f'<text:list text:style-name="{style}" {more}>{"".join(items)}</text:list>'


def inner(*items: str) -> str:
    return f"<text:list>{''.join(items)}</text:list>"


@pytest.mark.parametrize(
    ("body", "items"),
    [
        (listing("N", item("a"), item("b", inner(item("c"), item("d", inner(item("e"))))), item("f", inner(item("g")))),
         ["1. a", "2. b", "  2.1. c", "  2.2. d", "    a) e", "3. f", "  3.1. g"]),
        (listing("S", item("a"), item("b", more='text:start-value="9"'), item("c")), ["IV. a", "IX. b", "X. c"]),
        (listing("B", item("a", "more")), ["- a", "  more"]),
        (listing("N", item("a")) + listing("N", item("b")), ["1. a", "1. b"]),
        (listing("N", item("a")) + listing("N", item("b"), more='text:continue-numbering="true"'), ["1. a", "2. b"]),
        (listing("N", item(inner(item("only deeper")))), ["  1.1. only deeper"]),
        (listing("B", item("a", listing("S", item("b"), item("c"))), item("d")), ["- a", "  IV. b", "  V. c", "- d"]),
        (listing("N", "<text:list-header><text:p>no number</text:p></text:list-header>", item("a")),
         ["  no number", "1. a"]),
    ],
)  # fmt: skip
def test_lists_count_as_their_styles_say(body: str, items: list[str]) -> None:
    assert lines(body, automatic=LISTS) == items


def test_headings_keep_the_numbers_of_the_outline() -> None:
    outline = "".join(
        f'<text:outline-level-style text:level="{depth}" style:num-format="1" text:display-levels="{depth}"/>'
        for depth in (1, 2)
    )
    styles = f"<office:styles><text:outline-style>{outline}</text:outline-style></office:styles>"
    body = "".join(
        f'<text:h text:outline-level="{depth}">{text}</text:h>'
        for depth, text in ((1, "A"), (2, "B"), (1, "C"), (2, "D"))
    )
    assert lines(body, styles=styles) == ["1 A", "1.1 B", "2 C", "2.1 D"]


STYLES = """<office:styles><style:style style:name="Title"/><style:style style:name="Heading_20_2"/>
<style:style style:name="Preformatted_20_Text"/>
<style:style style:name="Caption"/><style:style style:name="Table" style:parent-style-name="Caption"/>
<style:style style:name="Up"><style:text-properties style:text-position="super 58%"/></style:style>
<style:style style:name="Low"><style:text-properties style:text-position="-33% 58%"/></style:style>
<style:style style:name="No"><style:text-properties text:display="none"/></style:style></office:styles>"""


def styled(style: str, text: str) -> str:
    return f'<text:p text:style-name="{style}">{text}</text:p>'


def span(style: str, text: str) -> str:
    return f'<text:span text:style-name="{style}">{text}</text:span>'


def test_styles_say_what_is_a_title_a_heading_code_or_a_caption() -> None:
    automatic = '<style:style style:name="P1" style:parent-style-name="Preformatted_20_Text"/>'
    automatic += '<style:style style:name="P2" style:parent-style-name="Heading_20_2"/>'
    body = (
        styled("Title", "Report")
        + styled("P2", "Aim")
        + styled("P1", "a = 1")
        + styled("P1", "<text:s text:c='2'/>b = 2")
        + styled("Table", "x")
    )
    assert shape(document(body, automatic=automatic, styles=STYLES)) == [
        (H, "Report"), (H, "Aim"), (C, "a = 1\n  b = 2"), (N, "x"),
    ]  # fmt: skip


def test_scripts_stay_apart_and_hidden_text_is_noted() -> None:
    body = f"<text:p>10{span('Up', '-')}{span('Up', '3')} H{span('Low', '2')}O {span('No', 'secret')}</text:p>"
    found = document(body + '<text:section text:display="none"><text:p>x</text:p></text:section>', styles=STYLES)
    assert (texts(found), found.notes) == (["10^-3 H_2O"], ("hidden text left out",))


def test_deleted_text_is_left_out_and_white_space_is_folded() -> None:
    body = "<text:tracked-changes><text:deletion><text:p>gone</text:p></text:deletion></text:tracked-changes>"
    assert lines(body + "<text:p>kept\n   and <text:change-start/>new</text:p>") == ["kept and new"]


def cell(text: str, more: str = "") -> str:
    inside = text if text.startswith("<") else f"<text:p>{text}</text:p>"
    return f"<table:table-cell {more}>{inside}</table:table-cell>"


def row(*cells: str, more: str = "") -> str:
    return f"<table:table-row {more}>{''.join(cells)}</table:table-row>"


COVERED = "<table:covered-table-cell/>"


def test_cells_stand_on_the_grid_and_captions_with_their_table() -> None:
    table = (
        f"<table:table><table:table-header-rows>{row(cell('Region'), cell('Product'), cell('Q1'), cell('Q2'))}"
        "</table:table-header-rows>"
        + row(cell("North", 'table:number-rows-spanned="2"'), cell("Bolt"), cell("1"), cell("2"))
        + row(COVERED, cell("Nut"), cell("3"), cell("4"))
        + row(cell("South"), cell("Bolt"), cell("sold out", 'table:number-columns-spanned="2"'), COVERED)
        + row(cell("West"), cell("", 'table:number-columns-repeated="2"'), cell("5"))
        + row(cell("", 'table:number-columns-repeated="16384"'), more='table:number-rows-repeated="1048576"')
        + "</table:table>"
    )
    found = document(styled("Table", "Table 1: Sales") + table, styles=STYLES)
    assert texts(found) == [
        "Table 1: Sales", "Region | Product | Q1 | Q2", "North | Bolt | 1 | 2", "North | Nut | 3 | 4",
        "South | Bolt | sold out | sold out", "West |  |  | 5",
    ]  # fmt: skip
    assert {block.head for block in found.blocks} == {(0, 2)}


def test_a_table_in_a_cell_follows_its_row_and_a_list_stays_in_it() -> None:
    small = f"<table:table>{row(cell('k'), cell('v'))}{row(cell('x'), cell('1'))}</table:table>"
    table = row(cell("Name"), cell("More")) + row(cell("Ann"), cell(small))
    table += row(cell("Bo"), cell(listing("N", item("one"), item("two"))))
    found = lines(f"<table:table>{table}</table:table>", automatic=LISTS)
    assert found == ["Name | More", "Ann", "Ann", "k | v", "x | 1", "Bo | 1. one 2. two"]


def test_notes_and_comments_stand_behind_the_text() -> None:
    note = (
        "<text:note><text:note-citation>1</text:note-citation><text:note-body><text:p>aside</text:p></text:note-body>"
    )
    comment = "<office:annotation><dc:creator>Ann</dc:creator><dc:date>2026</dc:date><text:p>too long</text:p>"
    body = f"<text:p>one{note}</text:note> two{comment}</office:annotation></text:p><text:p>three</text:p>"
    assert lines(body) == ["one[1] two", "three", "[1] aside", "Comment by Ann: too long"]


def test_headers_and_footers_stand_once() -> None:
    running = "<style:header><text:p>Acme</text:p></style:header>"
    running += "<style:footer><text:p>Seite 12 von 20</text:p></style:footer>"
    styles = f"<office:master-styles>{f'<style:master-page>{running}</style:master-page>' * 2}</office:master-styles>"
    assert lines("<text:p>text</text:p>", styles=styles) == ["text", "Acme"]


CHART = f"""<office:document-content {SPACES}><office:body><office:chart><chart:chart><chart:title>
<text:p>Birds</text:p></chart:title><chart:plot-area><chart:axis chart:dimension="y"><chart:title>
<text:p>pairs</text:p></chart:title></chart:axis></chart:plot-area><table:table>
<table:table-header-rows>{row(cell(""), cell("Seen"))}
</table:table-header-rows><table:table-rows>{row(cell("May"), cell("41"))}</table:table-rows></table:table>
</chart:chart></office:chart></office:body></office:document-content>"""
FORMULA = """<math xmlns="http://www.w3.org/1998/Math/MathML"><mfrac><mi>a</mi><mi>b</mi></mfrac></math>"""


def test_drawings_are_read_as_what_they_hold() -> None:
    def frame(inside: str) -> str:
        return f"<draw:frame>{inside}</draw:frame>"

    body = (
        f"<text:p>box {frame('<draw:text-box><text:p>inside</text:p></draw:text-box>')}here</text:p>"
        f"<text:p>{frame('<draw:image/><svg:title>t</svg:title><svg:desc>A pump</svg:desc>')}</text:p>"
        f'<text:p>E = {frame("""<draw:object xlink:href="./Object 2"/>""")} holds</text:p>'
        f'<text:p>{frame("""<draw:object xlink:href="./Object 1"/>""")}</text:p>'
        f'<text:p>{frame("""<draw:object-ole xlink:href="./Object 3"/>""")}</text:p>'
    )
    parts = {"Object 1/content.xml": CHART, "Object 2/content.xml": FORMULA}
    found = read(made(body, parts=parts), "a.odt")
    assert shape(found) == [
        (P, "box here"), (P, "inside"), (N, "A pump"), (P, "E = a/b holds"), (N, "Birds (pairs)"), (T, " | Seen"),
        (T, "May | 41"),
    ]  # fmt: skip
    assert found.notes == ("embedded objects left out",)


def number(value: str) -> str:
    kind = f'office:value-type="float" office:value="{value}"'
    return f"<table:table-cell {kind}><text:p>{value}</text:p></table:table-cell>"


def series(values: str, domain: str = "") -> str:
    across = f'<chart:domain table:cell-range-address="local-table.${domain}$2:.${domain}$3"/>' if domain else ""
    address = f'chart:values-cell-range-address="local-table.${values}$2:.${values}$3"'
    return f"<chart:series {address}>{across}</chart:series>"


DATES = '<chart:axis chart:dimension="x" chart:axis-type="date"/>'
SHARES = '<chart:axis chart:dimension="y" chart:style-name="c"/>'
PERCENT = """<office:automatic-styles><number:percentage-style xmlns:number="urn:x" style:name="N1"><number:number
number:decimal-places="1"/></number:percentage-style><style:style style:name="c" style:data-style-name="N1"/>
</office:automatic-styles>"""


@pytest.mark.parametrize(
    ("plot", "head", "rows", "told"),
    [
        (
            DATES + SHARES,
            ("", "Share"),
            (("45292", ".215"), ("45323", "NaN")),
            [" | Share", "2024-01-01 | 21.5%", "2024-02-01"],
        ),
        (
            series("B", "C") + series("D", "E"),
            ("", "A", "x", "B", "y"),
            (("0", "2.5", "1", "7", "2"), ("0", "3", "1.5", "9", "4")),
            [" | A | B", "1 | 2.5", "1.5 | 3", "2 |  | 7", "4 |  | 9"],
        ),
        (
            series("B", "D") + series("C"),
            ("", "A", "B", "x"),
            (("0", "2.5", "7", "1"), ("0", "3", "9", "1.5")),
            [" | A | B", "1 | 2.5 | 7", "1.5 | 3 | 9"],
        ),
    ],
)
def test_values_of_a_chart_stand_at_their_places_as_its_axes_show_them(
    plot: str, head: tuple[str, ...], rows: tuple[tuple[str, ...], ...], told: list[str]
) -> None:
    table = row(*map(cell, head)) + "".join(row(*map(number, values)) for values in rows)
    chart = (
        f"<office:document-content {SPACES}>{PERCENT}<office:body><office:chart><chart:chart><chart:plot-area>{plot}"
        f"</chart:plot-area><table:table>{table}</table:table></chart:chart></office:chart></office:body>"
        "</office:document-content>"
    )
    drawn = '<text:p><draw:frame><draw:object xlink:href="./Object 1"/></draw:frame></text:p>'
    assert texts(read(made(drawn, parts={"Object 1/content.xml": chart}), "a.odt")) == told


STRUCK = """<office:styles><style:style style:name="S"><style:text-properties style:text-line-through-style="solid"/>
</style:style><style:style style:name="T" style:parent-style-name="S"/><style:style style:name="N">
<style:text-properties style:text-line-through-style="none" style:text-line-through-type="none"/></style:style>
</office:styles>"""


@pytest.mark.parametrize(
    ("inside", "line"),
    [
        (f"<text:p>EUR {span('S', '1')}{span('T', '00')} 80</text:p>", "EUR ~~100~~ 80"),
        (f'<text:p text:style-name="S">a<text:tab/>b {span("N", "c")}</text:p>', "~~a\tb~~ c"),
    ],
)
def test_what_is_struck_is_marked(inside: str, line: str) -> None:
    assert lines(inside, styles=STRUCK) == [line]


def test_an_object_is_found_however_its_path_is_written_and_a_file_in_one_is_read() -> None:
    frame = '<draw:frame><draw:{} xlink:href="{}"/></draw:frame>'.format
    formula = '<math xmlns="http://www.w3.org/1998/Math/MathML"><mfrac><mi>a</mi><mi>b</mi></mfrac></math>'
    body = (
        f"<text:p>E={frame('object', 'Formula-0/')} and {frame('object-ole', './Formula-0')}</text:p>"
        f"<text:p>x {frame('object-ole', './Object 1')}{frame('object-ole', './Object 2')}</text:p>"
    )
    parts: dict[str, bytes | str] = {"Formula-0/content.xml": formula, "Object 1": word(word_paragraph("inside"))}
    found = document(body, parts=parts)  # type: ignore[arg-type]
    assert texts(found) == ["E=a/b and a/b", "x", "Object 1", "inside"]
    assert found.notes == ("embedded objects left out",)


def test_a_style_that_the_file_does_not_define_is_known_by_its_name() -> None:
    body = '<text:p text:style-name="Title">T</text:p>' + "".join(
        f'<text:p text:style-name="Source_20_Code">{line}</text:p>' for line in ("def f():", "", "return 1")
    )
    assert shape(document(body)) == [(H, "T"), (C, "def f():\n\nreturn 1")]


def test_what_is_drawn_on_a_sheet_is_read_behind_its_rows() -> None:
    cell = '<table:table-cell office:value-type="string"><text:p>{}</text:p>{}</table:table-cell>'.format
    box = "<draw:frame><draw:text-box><text:p>In a box</text:p></draw:text-box></draw:frame>"
    picture = "<draw:frame><draw:image/><svg:desc>A mill</svg:desc></draw:frame>"
    embedded = '<draw:frame><draw:object-ole xlink:href="./Object 1"/></draw:frame>'
    script = '<style:style style:name="T1"><style:text-properties style:text-position="super 58%"/></style:style>'
    ten = cell('10<text:span text:style-name="T1">-3</text:span> m', box)
    sheet = (
        f"<table:table table:name='One'><table:shapes>{picture}{embedded}</table:shapes>"
        f"<table:table-row>{ten}</table:table-row></table:table>"
    )
    content = (
        f"<office:document-content {SPACES}><office:automatic-styles>{script}</office:automatic-styles>"
        f"<office:body><office:spreadsheet>{sheet}</office:spreadsheet></office:body></office:document-content>"
    )
    data = zipped({
        "mimetype": "application/vnd.oasis.opendocument.spreadsheet", "content.xml": content,
        "Object 1": word(word_paragraph("inside")),
    })  # fmt: skip
    assert texts(read(data, "a.ods")) == ["One", "10^-3 m", "A mill", "In a box", "Object 1", "inside"]
