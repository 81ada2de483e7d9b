"""Presentations keep each slide by itself: its title first, its shapes in reading order, and what hangs on it."""

import io
import zipfile
from typing import Any

from pptx import Presentation
from pptx.chart.data import CategoryChartData, XyChartData
from pptx.enum.chart import XL_CHART_TYPE
from pptx.util import Inches

from embedmill.workers.parsing.slide_layouts import Box, reading_order
from tests.workers.parsing.making import pages, read, texts
from tests.workers.parsing.test_formats import saved

DRAWING = 'xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main"'


def deck() -> Any:
    return Presentation()


def blank(made: Any) -> Any:
    return made.slides.add_slide(made.slide_layouts[6])


def say(slide: Any, text: str, *, left: float, top: float) -> Any:
    box = slide.shapes.add_textbox(Inches(left), Inches(top), Inches(2), Inches(1))
    box.text_frame.text = text
    return box


def lines(made: Any) -> list[str]:
    return texts(read(saved(made.save), "a.pptx"))


def test_shapes_are_read_in_bands_and_columns_whatever_their_order_in_the_file() -> None:
    made = deck()
    slide = made.slides.add_slide(made.slide_layouts[5])
    for text, left, top in (("r2", 6, 4), ("l2", 1, 4.2), ("foot", 1, 6), ("r1", 6, 2.2), ("l1", 1, 2.6)):
        say(slide, text, left=left, top=top)
    slide.shapes.title.text = "Title"
    assert lines(made) == ["Title", "l1", "r1", "l2", "r2", "foot"]


def test_columns_that_no_band_cuts_are_read_one_after_the_other() -> None:
    left, right = [Box(0, 0, 10, 4), Box(0, 5, 10, 9)], [Box(20, 1, 30, 6), Box(20, 7, 30, 9)]
    assert reading_order([right[0], left[1], right[1], left[0]]) == [3, 1, 0, 2]
    assert reading_order([Box(0, 5, 10, 9), None, Box(0, 0, 10, 4)]) == [2, 0, 1]


def test_a_low_box_over_a_high_one_of_its_column_heads_it() -> None:
    heads, bodies = [Box(0, 0, 10, 2), Box(20, 0, 30, 2)], [Box(0, 3, 10, 9), Box(20, 3, 30, 9)]
    assert reading_order([*heads, *bodies]) == [0, 2, 1, 3]
    assert reading_order([*heads, Box(0, 3, 10, 5), Box(20, 3, 30, 5)]) == [0, 1, 2, 3]


def test_bullets_come_from_the_layout_and_numbers_from_the_paragraph() -> None:
    made = deck()
    slide = made.slides.add_slide(made.slide_layouts[1])
    frame = slide.placeholders[1].text_frame
    frame.text = "one"
    for text, depth, kind in (
        ("two", 1, ""),
        ("three", 0, "romanUcPeriod"),
        ("four", 0, "romanUcPeriod"),
        ("five", 0, "no"),
    ):
        paragraph = frame.add_paragraph()
        paragraph.text, paragraph.level = text, depth
        properties = paragraph._p.get_or_add_pPr()
        if kind:
            mark = properties.makeelement(
                f"{{{DRAWING[9:-1]}}}{'buNone' if kind == 'no' else 'buAutoNum'}", {"type": kind}
            )
            properties.append(mark)
    assert lines(made) == ["- one", "  - two", "I. three", "II. four", "five"]


def test_tables_keep_spans_and_their_first_row_heads_them() -> None:
    made = deck()
    table = blank(made).shapes.add_table(3, 3, 0, 0, Inches(4), Inches(2)).table
    for number, text in enumerate(("Region", "Q1", "Q2", "North", "sold out", "", "", "3", "4")):
        table.cell(number // 3, number % 3).text = text
    table.cell(1, 0).merge(table.cell(2, 0))
    table.cell(1, 1).merge(table.cell(1, 2))
    document = read(saved(made.save), "a.pptx")
    assert texts(document) == ["Region | Q1 | Q2", "North | sold out | sold out", "North | 3 | 4"]
    assert [block.head for block in document.blocks] == [(0, 1)] * 3


def test_a_chart_is_read_as_its_table_and_its_workbook_is_not_read_again() -> None:
    made = deck()
    data = CategoryChartData()  # type: ignore[no-untyped-call]
    data.categories = ["January", "February"]
    data.add_series("Ptarmigans", (41, None))  # type: ignore[no-untyped-call]
    data.add_series("Share", (0.25, 0.5), number_format="0.0%")  # type: ignore[no-untyped-call]
    data.add_series("Since", (45000, 45001), number_format="dd.mm.yyyy")  # type: ignore[no-untyped-call]
    chart = blank(made).shapes.add_chart(XL_CHART_TYPE.BAR_CLUSTERED, 0, 0, Inches(2), Inches(2), data).chart
    chart.has_title = True
    chart.chart_title.text_frame.text = "Birds"
    document = read(saved(made.save), "a.pptx")
    assert texts(document) == [
        "Birds", " | Ptarmigans | Share | Since", "January | 41 | 25.0% | 15.03.2023",
        "February |  | 50.0% | 16.03.2023",
    ]  # fmt: skip
    assert document.notes == ()


def test_series_with_places_of_their_own_have_rows_of_their_own() -> None:
    made, data = deck(), XyChartData()  # type: ignore[no-untyped-call]
    for name, points in (("A", ((1, 2.5), (1.5, 3))), ("B", ((2, 7),))):
        series = data.add_series(name)  # type: ignore[no-untyped-call]
        for x, y in points:
            series.add_data_point(x, y)
    blank(made).shapes.add_chart(XL_CHART_TYPE.XY_SCATTER, 0, 0, Inches(2), Inches(2), data)
    assert texts(read(saved(made.save), "a.pptx")) == [" | A | B", "1 | 2.5", "1.5 | 3", "2 |  | 7"]


def test_groups_alternative_texts_and_footers() -> None:
    made = deck()
    for _ in range(2):
        slide = blank(made)
        group = slide.shapes.add_group_shape()
        say(group, "grouped", left=1, top=1)._element.nvSpPr.cNvPr.set("descr", "A diagram of it")
        footer = say(slide, "Acme Inc.", left=1, top=7)._element
        footer.nvSpPr.nvPr.append(footer.makeelement(f"{{{footer.nsmap['p']}}}ph", {"type": "ftr", "idx": "11"}))
    assert pages(read(saved(made.save), "a.pptx")) == [
        (1, "grouped"), (1, "A diagram of it"), (1, "Acme Inc."), (2, "grouped"), (2, "A diagram of it"),
    ]  # fmt: skip


def test_each_slide_is_a_part_and_a_hidden_one_is_noted() -> None:
    made = deck()
    for text in ("first", "second", "third"):
        say(blank(made), text, left=1, top=1)
    made.slides[1]._element.set("show", "0")
    document = read(saved(made.save), "a.pptx")
    assert [(block.page, block.part) for block in document.blocks] == [(1, 0), (2, 1), (3, 2)]
    assert document.notes == ("hidden slides, read like the others: 2",)


def with_parts(data: bytes, parts: dict[str, str], relations: str) -> bytes:
    """The deck with more parts, its first slide related to them."""
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(stream, "w") as target:
        for name in source.namelist():
            content = source.read(name)
            if name == "ppt/slides/_rels/slide1.xml.rels":
                content = content.replace(b"</Relationships>", relations.encode() + b"</Relationships>")
            if name == "ppt/_rels/presentation.xml.rels":
                authors = b'<Relationship Id="x9" Type="x/commentAuthors" Target="commentAuthors.xml"/>'
                content = content.replace(b"</Relationships>", authors + b"</Relationships>")
            target.writestr(name, content)
        for name, text in parts.items():
            target.writestr(name, text)
    return stream.getvalue()


def test_comments_have_authors_and_files_in_a_slide_are_read_behind_the_deck() -> None:
    made = deck()
    say(blank(made), "text", left=1, top=1)
    parts = {
        "ppt/commentAuthors.xml": '<l><a id="3" name="Ann"/></l>',
        "ppt/comments/c1.xml": '<l><cm authorId="3"><text>too long</text></cm></l>',
        "ppt/embeddings/list.csv": "a,b\n1,2\n",
    }
    related = '<Relationship Id="y1" Type="x/comments" Target="../comments/c1.xml"/>'
    related += '<Relationship Id="y2" Type="x/package" Target="../embeddings/list.csv"/>'
    document = read(with_parts(saved(made.save), parts, related), "a.pptx")
    assert texts(document) == ["text", "Comment by Ann: too long", "list.csv", "a | b", "1 | 2"]
    assert [block.part for block in document.blocks] == [0, 0, 1, 1, 1]


def test_scripts_and_the_words_of_a_field_stay() -> None:
    made = deck()
    box = say(blank(made), "10", left=1, top=1)
    run = box.text_frame.paragraphs[0].add_run()
    run.text = "-3"
    run.font._element.set("baseline", "30000")
    assert lines(made) == ["10^-3"]


def test_what_is_struck_is_marked() -> None:
    made = deck()
    paragraph = say(blank(made), "EUR ", left=1, top=1).text_frame.paragraphs[0]
    for text, struck in (("1", "sngStrike"), ("00", "dblStrike"), (" 80", "noStrike")):
        run = paragraph.add_run()
        run.text = text
        run.font._element.set("strike", struck)
    assert lines(made) == ["EUR ~~100~~ 80"]
