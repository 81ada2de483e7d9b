"""RTF is read with its structure: every font's characters, headings, lists, tables, and what stands beside the text."""

import struct

import pytest

from embedmill.shared.errors import UnreadableDocument
from tests.workers.parsing.making import read, texts, word, word_paragraph

HEAD = (
    rb"{\rtf1\ansi\ansicpg1252\deff0\uc1{\fonttbl{\f0\fnil Arial;}{\f1\fnil\fcharset204 Arial Cyr;}"
    rb"{\f2\fnil\fcharset161 Arial Greek;}{\f3\fnil\fcharset128 MS Gothic;}{\f4\ftech\fcharset2 Symbol;}"
    rb"{\f5\fcharset2 Wingdings;}}"
    rb"{\colortbl;\red0\green0\blue0;}{\stylesheet{\s0 Normal;}{\s1\sb240\outlinelevel0 heading 1;}{\s2 heading 2;}"
    rb"{\*\cs10 Default Paragraph Font;}}{\info{\title The title}{\author Ada}}\f0 "
)


def shown(body: bytes) -> list[str]:
    return texts(read(HEAD + body + b"}", "a.rtf"))


def kinds(body: bytes) -> list[tuple[str, int, str]]:
    return [(str(block.kind), block.level, block.text) for block in read(HEAD + body + b"}", "a.rtf").blocks]


def test_an_emoji_is_two_halves_and_a_star_counts_only_where_a_group_begins() -> None:
    assert shown(rb"before \u-10180?\u-8307? after {\loch\i0\*\cs7 words inside a starred group}\par") == [
        "before \U0001f38d after words inside a starred group"
    ]


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (rb"\f1\'cf\'f0\'e8\'e2\'e5\'f2", "Привет"),
        (rb"\f2\'c3\'e5\'e9\'e1", "Γεια"),
        (rb"\f3\'93\'fa\'96\'7b", "日本"),
        (rb"caf\'e9 {\f1\'cf} caf\'e9", "café П café"),
        (rb"\uc2\u8364 ??\uc0\u8364 x", "€€x"),
        (rb"{\upr{Pr?}{\*\ud{\u1055 ?r}}}", "Пr"),
        (rb"\lquote a\rquote \emdash b\~c\-d\_e", "‘a’—b\xa0cd\u2011e"),
        (rb"\{x\} \\y", "{x} \\y"),
        (rb"a{\pict\pngblip\bin5 }}}{{b}c", "ac"),
        (rb"EUR {\strike 1}{\striked1 00\striked0  80}\strike x\plain y", "EUR ~~100~~ 80~~x~~y"),
        (rb"10{\super -3} H{\sub 2}O 1{\super st}", "10^-3 H_2O 1st"),
        (rb"10{\up8\fs14 -3}\up0  H{\dn2 2}O {\up2 a}", "10^-3 H_2O a"),
        (rb"{\field{\*\fldinst {FORMCHECKBOX {\*\formfield{\fftype1\ffres25\ffdefres1}}}}{\fldrslt }} yes", "☒ yes"),
        (rb"{\field{\*\fldinst FORMDROPDOWN {\*\formfield{\fftype2\ffres1{\*\ffl rot}{\*\ffl gr\'fcn}}}}}", "grün"),
        (rb"{\field{\*\fldinst FORMTEXT {\*\formfield{\fftype0{\*\ffdeftext A}}}}{\fldrslt B}}", "B"),
        (
            rb"x={\mmath{\*\moMath{\mf{\mnum{\mr a+b}}{\mden{\mr\u960 ?}}}{\msSup{\me{\mr c}}{\msup{\mr 2}}}}}",
            "x=(a+b)/π c^2",
        ),
        (rb"{\f5\u61692\'3f}{\f4\u61540 ?}\u61623 ?", "✓δ•"),
    ],
)
def test_characters_are_those_that_were_written(body: bytes, text: str) -> None:
    assert shown(body) == [text]


def test_headings_are_known_by_their_outline_level_or_style() -> None:
    body = rb"\pard\s1 One\par\pard\s2 Two\par\pard\outlinelevel2 Three\par{\pard\s1 Four\par}\pard text\par"
    assert kinds(body) == [
        ("heading", 1, "One"),
        ("heading", 2, "Two"),
        ("heading", 3, "Three"),
        ("heading", 1, "Four"),
        ("paragraph", 0, "text"),
    ]
    assert read(HEAD + b"x}", "a.rtf").title == "The title"


def test_lists_keep_their_numbers_and_nesting() -> None:
    body = (
        rb"\pard{\listtext\tab 1.\tab}\ls1 Open\par{\pard\ilvl1\ls1{\listtext\f4\'b7\tab}valve\par}"
        rb"\pard\li720 b)\tab written\par"
    )
    assert kinds(body) == [("list_item", 0, "1. Open"), ("list_item", 1, "  - valve"), ("list_item", 1, "  b) written")]


def test_a_table_keeps_empty_cells_and_spans() -> None:
    row = rb"\trowd\trhdr\cellx1000\cellx2000\cellx3000\pard\intbl Name\cell Size\cell Note\cell\row"
    row += rb"\trowd\cellx1000\cellx2000\cellx3000 a\cell\cell one\par two\cell\row"
    row += rb"\trowd\cellx1000\clmgf\cellx2000\clmrg\cellx3000 b\cell both\cell\cell\row"
    row += rb"\trowd\cellx1000\cellx3000 c\cell wide\cell\row"
    row += rb"\trowd\clvmrg\cellx1000\cellx2000\cellx3000 \cell 1\cell 2\cell\row\pard after\par"
    document = read(HEAD + row + b"}", "a.rtf")
    assert texts(document) == [
        "Name | Size | Note",
        "a |  | one two",
        "b | both | both",
        "c | wide | wide",
        "c | 1 | 2",
        "after",
    ]
    assert document.blocks[1].head == (0, 1)


def test_what_stands_beside_the_text_follows_it() -> None:
    body = (
        rb"{\header Report {\field{\*\fldinst PAGE}{\fldrslt 1}}\par}{\headerl Report {\field{\fldrslt 1}}\par}"
        rb"{\footer 7\par}A fact{\super\chftn}{\footnote{\super\chftn} The source.}.{\*\atnid AB}{\*\atnauthor Ada}"
        rb"{\*\annotation{\*\atndate 1}Really?}\par"
        rb"{\shp{\*\shpinst{\sp{\sn name}{\sv value}}{\shptxt\pard In a box\par}}{\shprslt In a box}}End\par"
    )
    assert shown(body) == [
        "A fact[1].",
        "End",
        "In a box",
        "[1] The source.",
        "Comment by Ada: Really?",
        "Report 1",
    ]


def test_hidden_text_is_left_out_and_said_deleted_text_is_left_out() -> None:
    document = read(HEAD + rb"a {\v secret }b {\deleted gone }c\par{\object{\*\objdata 00}{\result shown}}}", "a.rtf")
    assert texts(document) == ["a b c", "shown"]
    assert document.notes == (
        "hidden text left out",
        "embedded file left out: object 1: the object is damaged or cut short",
    )


def test_a_link_keeps_its_words() -> None:
    assert shown(rb'{\field{\*\fldinst HYPERLINK "x"}{\fldrslt the words}}') == ["the words"]


def test_a_file_that_is_all_braces_is_refused() -> None:
    with pytest.raises(UnreadableDocument):
        read(b"{\\rtf1" + b"{" * 100_000 + b"}" * 100_000, "a.rtf")


@pytest.mark.parametrize(
    ("data", "kept"),
    [
        (rb"{\rtf1 half of it", ["half of it"]),
        (rb"{\rtf1 a{b}", ["ab"]),
        (rb"{\rtf1 a\par{\trowd\cellx9\cellx99 \intbl b\cell c\cell\row}{\footnote d", ["a", "b | c", "[1]", "[1] d"]),
    ],
)
def test_a_file_that_is_cut_short_is_read_to_its_end_with_a_note(data: bytes, kept: list[str]) -> None:
    document = read(data, "a.rtf")
    assert texts(document) == kept
    assert document.notes == ("the file is cut short: its end is missing",)


def test_items_whose_numbers_stand_in_the_tables_of_lists_alone_are_numbered() -> None:
    level = rb"{\listlevel\levelnfc%d\levelstartat%d{\leveltext\leveltemplateid7\'0%s;}{\levelnumbers\'01;}}"
    levels = level % (0, 3, rb"2\'00.") + level % (4, 1, rb"3\'00.\'01")
    bullets = level % (23, 1, rb"1\u8226 ?")
    tables = (
        rb"{\*\listtable{\list" + levels + rb"\listid5}{\list" + bullets + rb"\listid6}}"
        rb"{\*\listoverridetable{\listoverride\listid5\ls1}{\listoverride\listid6\ls2}}"
    )
    items = rb"\pard\ls1 a\par\ilvl1 b\par c\par\ilvl0{\listtext 4.\tab}d\par e\par\pard\ls2 f\par\pard\ls9 g\par}"
    assert shown(tables + items) == ["3. a", "  3.a b", "  3.b c", "4. d", "5. e", "- f", "g"]


def test_words_before_a_table_in_a_cell_stay_in_their_cell() -> None:
    inner = rb"\itap2 a\nestcell b\nestcell{\*\nesttableprops\trowd\cellx9\cellx99\nestrow}"
    body = rb"\trowd\cellx99\cellx999 \pard\intbl See\par" + inner + inner + rb"\pard\intbl end\cell c\cell\row}"
    assert shown(body) == ["See end | c", "See end", "a | b", "a | b"]


def test_what_stands_behind_the_last_brace_is_nobodys() -> None:
    assert texts(read(b"{\\rtf1 a\\par}\0\0{\\b rest", "a.rtf")) == ["a"]


def test_a_document_that_is_typed_in_courier_is_no_code() -> None:
    body = rb"{\fonttbl{\f0\fmodern Courier New;}}\f0 A letter.\par Yours, Ada\par}"
    document = read(rb"{\rtf1\ansi\deff0" + body, "a.rtf")
    assert [str(block.kind) for block in document.blocks] == ["paragraph", "paragraph"]


def test_lines_of_code_are_one_block_and_words_in_its_font_are_none() -> None:
    fonts = rb"{\fonttbl{\f0 Arial;}{\f1 Courier New;}}"
    body = rb"Call {\f1 f()} now.\par{\f1 a = 1\par\par   b = 2\par}{\f1 }Text\par"
    document = read(rb"{\rtf1\ansi\deff0" + fonts + body + b"}", "a.rtf")
    assert [(str(block.kind), block.text) for block in document.blocks] == [
        ("paragraph", "Call f() now."),
        ("code", "a = 1\n\n  b = 2"),
        ("paragraph", "Text"),
    ]


def nested_row(*cells: bytes) -> bytes:
    return b"".join(rb"\pard\intbl\itap2 %b\nestcell" % cell for cell in cells) + (
        rb"{\*\nesttableprops\trowd\cellx500\cellx900\nestrow}{\nonesttables\par}"
    )


def test_a_table_in_a_cell_stands_in_it_as_a_line_or_behind_the_row() -> None:
    row = rb"\trowd\cellx2000\cellx4000\pard\intbl %b\cell\pard\intbl %b\cell\cell\row"
    two = nested_row(b"in", b"ner") + nested_row(b"p", b"1")
    body = (
        row % (b"Name", b"Sum")
        + row % (b"Hill " + nested_row(b"i", b"ii"), b"3")
        + row % (two + rb"\pard\intbl ", b"4")
    )
    found = read(HEAD + body + rb"\pard after\par}", "a.rtf")
    assert texts(found) == ["Name | Sum", "Hill i, ii | 3", " | 4", "4", "in | ner", "p | 1", "after"]
    assert [block.head for block in found.blocks[:5]] == [(0, 1)] * 3 + [(3, 5)] * 2


def test_what_a_picture_shows_is_read_and_its_bytes_are_not() -> None:
    said = rb"{\*\picprop{\sp{\sn wzName}{\sv x}}{\sp{\sn wzDescription}{\sv A mill at \u8217\'92dawn}}}"
    assert kinds(
        rb"a {\*\shppict{\pict" + said + rb"\picw20\pngblip 89504e47}}{\nonshppict{\pict" + said + rb"}} b\par"
    ) == [
        ("paragraph", 0, "a  b"),
        ("caption", 0, "A mill at ’dawn"),
    ]


def test_objects_are_read_as_the_files_that_they_hold_and_linked_ones_are_named() -> None:
    def counted(text: bytes) -> bytes:
        return struct.pack("<I", len(text)) + text

    def written(kind: bytes, content: bytes, form: int = 2) -> bytes:
        data = struct.pack("<II", 0x501, form) + counted(kind + b"\0") + bytes(8) + counted(content)
        return rb"{\object\objemb{\*\objclass X}{\*\objdata " + data.hex("\n", 40).encode() + rb"}{\result{\pict 00}}}"

    packed = b"\2\0list.csv\0C:\\x\0" + bytes(4) + counted(b"y\0") + counted(b"a,b\n1,2\n")
    inside = word(word_paragraph("inside"))
    body = b"body" + written(b"Package", packed) + written(b"Word.Document.12", inside) + written(b"Y", b"", form=1)
    found = read(HEAD + body + rb"\par}", "a.rtf")
    assert texts(found) == ["body", "list.csv", "a | b", "1 | 2", "Word.Document.12", "inside"]
    assert found.notes == ("embedded file left out: object 3: it is an object that is only linked",)
