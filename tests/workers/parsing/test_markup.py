"""HTML, Markdown, reStructuredText and plain text keep their structure and nothing that was not meant to be read."""

import pytest

from embedmill.workers.parsing.document import BlockKind
from tests.workers.parsing.making import headings, read, shape, texts

H, P, L, C, T = (
    BlockKind.HEADING,
    BlockKind.PARAGRAPH,
    BlockKind.LIST_ITEM,
    BlockKind.CODE,
    BlockKind.TABLE_ROW,
)


def test_html_keeps_headings_lists_code_and_rows() -> None:
    page = b"""<!doctype html><title>Guide</title><h1>Guide</h1><p>One <b>bold</b>\n word.</p>
    <ul><li>first<li>second <ul><li>inner</ul></ul><pre>a  =\n   1</pre>
    <table><tr><th>k<th>v<tr><td>x<br>y<td>1</table><h2>End</h2>tail"""
    document = read(page, "a.html")
    assert document.title == "Guide"
    assert shape(document) == [
        (H, "Guide"), (P, "One bold word."), (L, "- first"), (L, "- second"), (L, "  - inner"), (C, "a  =\n   1"),
        (T, "k | v"), (T, "x y | 1"), (H, "End"), (P, "tail"),
    ]  # fmt: skip


def test_html_leaves_out_scripts_styles_comments_templates_hidden_text_and_navigation() -> None:
    page = b"""<html><head><style>.s{}</style></head><body><script>var script</script><!-- comment -->
    <template>template</template><noscript>noscript</noscript><p hidden>hidden</p>
    <p style="color: red; display: none">unseen</p><nav>Home</nav><div role="navigation">Next</div><p>Visible</p>
    <table><tr><td>cell<script>in cell</script></td></tr></table></body></html>"""
    assert texts(read(page, "a.html")) == ["Visible", "cell"]


def test_html_entities_are_decoded_once() -> None:
    assert texts(read(b"<p>&lt;b&gt; &amp;amp; &#x1F600;&nbsp;x</p>", "a.html")) == ["<b> &amp; 😀\xa0x"]


def test_html_title_opens_the_text_when_no_heading_says_it() -> None:
    assert headings(read(b"<title>Page</title><h2>Part</h2><p>x", "a.html")) == [(1, "Page"), (2, "Part")]


def test_html_of_great_depth_is_read_without_recursion() -> None:
    assert texts(read(b"<b>" * 300 + b"<div>" * 3000 + b"x", "a.html")) == ["x"]


def test_a_table_after_code_is_data_and_one_inside_a_cell_makes_the_outer_one_layout() -> None:
    inner = "<table><tr><td>a<td>b</table>"
    assert shape(read(f"<pre>x</pre><table><tr><td>left<td>{inner}</table>".encode(), "a.html")) == [
        (C, "x"), (P, "left"), (T, "a | b"),
    ]  # fmt: skip


def test_layout_tables_are_not_taken_for_data() -> None:
    page = b"<table><tr><td><h2>Menu</h2>left</td><td><pre>code</pre></td></tr></table>"
    assert shape(read(page, "a.html")) == [(H, "Menu"), (P, "left"), (C, "code")]


def test_markdown_keeps_source_text_and_structure() -> None:
    source = b"""# Title #\n\nSee [docs](http://x) & `code`.\n\n- one\n- two\n\n```python\nx  = 1\n```\n
| a | b |\n|---|---|\n| 1 | 2 |\n\n> quoted\n"""
    document = read(source, "a.md")
    assert document.title == "Title"
    assert shape(document) == [
        (H, "Title"), (P, "See [docs](http://x) & `code`."), (L, "- one"), (L, "- two"), (C, "x  = 1"),
        (T, "a | b"), (T, "1 | 2"), (P, "quoted"),
    ]  # fmt: skip


def test_markdown_html_blocks_lose_their_markup_and_scripts() -> None:
    source = b"<script>\nsecret\n</script>\n\n<!-- hidden -->\n\n<div>shown</div>\n\ntext\n"
    assert texts(read(source, "a.md")) == ["shown", "text"]


def test_front_matter_gives_a_title_and_is_never_executed() -> None:
    tagged = read(b"---\ntitle: !!python/object/apply:os.system ['false']\n---\n# hi\nbody\n", "a.md")
    assert (tagged.title, texts(tagged)) == ("hi", ["hi", "body"])
    plain = read(b"---\ntitle: 'A plain one'\ntags: [x]\n---\nbody\n", "a.md")
    assert (plain.title, texts(plain)) == ("A plain one", ["body"])
    assert plain.notes == ("front matter left out",)


@pytest.mark.parametrize(
    "front", ["---\naccess: secret\n---\n", "---\na: 1\nAccess : [x]\n---\n", '+++\naccess="x"\n+++\n']
)
def test_a_level_in_front_matter_is_no_label_and_noted(front: str) -> None:
    assert "ingest --access" in " ".join(read(f"{front}body\n".encode(), "a.md").notes)


def test_markdown_too_deep_for_its_parser_loses_no_text() -> None:
    document = read(b">" * 3000 + b" deep", "a.md")
    assert "deep" in "".join(texts(document))
    assert document.notes


def test_restructuredtext_keeps_headings_lists_code_and_rows() -> None:
    source = b"""Top\n===\n\nPara with :func:`role`.\n\nSub\n---\n\n* item\n\n::\n\n    code  here\n
=====  =====\na      b\n=====  =====\n1      2\n\\      3\n=====  =====\n"""
    assert shape(read(source, "a.rst")) == [
        (H, "Top"), (P, "Para with :func:`role`."), (H, "Sub"), (L, "- item"), (C, "code  here"), (T, "a | b"),
        (T, "1 | 2"), (T, " | 3"),
    ]  # fmt: skip


def test_directives_that_docutils_does_not_know_keep_their_text() -> None:
    source = b".. function:: open(file)\n   :noindex:\n\n   Opens *file*.\n\n   .. versionadded:: 3.2\n      More.\n"
    assert texts(read(source, "a.rst")) == ["open(file)", "Opens *file*.", "3.2", "More."]
    assert "Reader(stream)" in texts(read(b".. class:: Reader(stream)\n\n   Reads.\n", "a.rst"))


@pytest.mark.parametrize(
    "directive", ["include:: {}", "raw:: html\n   :file: {}", "csv-table:: t\n   :file: {}", "literalinclude:: {}"]
)
def test_restructuredtext_inserts_no_files(directive: str, tmp_path: object) -> None:
    secret = f"{tmp_path}/secret.txt"
    with open(secret, "w") as file:
        file.write("do,not,leak")
    source = f"before\n\n.. {directive.format(secret)}\n\nafter\n"
    assert "leak" not in "".join(texts(read(source.encode(), "a.rst")))


def test_plain_text_parts_at_empty_lines_and_sees_underlined_titles() -> None:
    source = (
        b"Manual\n======\n\nFirst line\n  second line\n\n\nNAME\n----\nls - list\n\n========\nOverline\n========\nx\n"
    )
    document = read(source, "a.txt")
    assert shape(document) == [
        (H, "Manual"), (P, "First line\n  second line"), (H, "NAME"), (P, "ls - list"), (H, "Overline"), (P, "x"),
    ]  # fmt: skip
    assert [level for level, _ in headings(document)] == [1, 2, 3]


@pytest.mark.parametrize(
    ("source", "items"),
    [
        ("1. a\n1. b\n   - c\n\n     more\n2) d\n", ["1. a", "2. b", "  - c", "    more", "2) d"]),
        ("7. a\n8. b\n", ["7. a", "8. b"]),
        ("- [x] done\n* [ ] open\n", ["- [x] done", "- [ ] open"]),
    ],
)
def test_markdown_lists_keep_numbers_and_nesting(source: str, items: list[str]) -> None:
    assert texts(read(source.encode(), "a.md")) == items


def test_markdown_captions_belong_to_their_tables_and_are_text_elsewhere() -> None:
    table = "| a | b |\n|---|---|\n| 1 |  |\n"
    document = read(f"Table: Prices\n\n{table}\n: After it\n\nTable: none\n\ntext\n".encode(), "a.md")
    assert [(block.kind.value, block.text) for block in document.blocks] == [
        ("caption", "Prices"), ("table_row", "a | b"), ("table_row", "1"), ("caption", "After it"),
        ("paragraph", "Table: none"), ("paragraph", "text"),
    ]  # fmt: skip
    assert document.blocks[2].head == (0, 2)


def test_markdown_notes_and_targets_of_links_are_text() -> None:
    source = "Text[^1] and [a][l].\n\n[^1]: Note.\n\n    More of it.\n\n[l]: http://example.org\n\n    code\n"
    assert shape(read(source.encode(), "a.md")) == [
        (P, "Text[^1] and [a][l]."), (P, "[^1]: Note."), (P, "More of it."), (P, "[l]: http://example.org"),
        (C, "code"),
    ]  # fmt: skip


def test_an_empty_line_does_not_end_a_table_of_html_in_markdown() -> None:
    source = b"<table>\n<tr><th>k<th>v</tr>\n\n<tr><td>1<td>2</tr>\n</table>\n\n+ x\n"
    assert shape(read(source, "a.md")) == [(T, "k | v"), (T, "1 | 2"), (L, "- x")]


def test_front_matter_may_be_toml() -> None:
    document = read(b'+++\ntitle = "Plain"\n+++\nbody\n', "a.md")
    assert (document.title, texts(document)) == ("Plain", ["body"])


def test_restructuredtext_lists_keep_numbers_terms_and_nesting() -> None:
    source = b"""c. a\nd. b\n\n   more\n\n   * nested\n\n(7) x\n\nterm : class\n   meaning\n
-v, --verbose  Say more.\n\n:Author: Me\n"""
    assert texts(read(source, "a.rst")) == [
        "c. a", "d. b", "  more", "  - nested", "(7) x", "term : class", "  meaning", "-v, --verbose", "  Say more.",
        "Author: Me",
    ]  # fmt: skip


def test_restructuredtext_places_spans_and_keeps_lists_in_cells() -> None:
    source = b"""+------+-----------+\n| a    | b         |\n+======+=====+=====+\n| x    | 1   | 2   |\n
|      +-----+-----+\n|      | * p | 4   |\n|      | * q |     |\n+------+-----+-----+\n""".replace(b"\n\n", b"\n")
    inside = b"".join(b"   " + line + b"\n" for line in source.splitlines())
    document = read(b".. table:: Prices\n\n" + inside, "a.rst")
    assert texts(document) == ["Prices", "a | b | b", "x | 1 | 2", "x | - p - q | 4"]
    assert {block.head for block in document.blocks} == {(0, 2)}


def test_restructuredtext_keeps_notes_captions_and_alternative_texts() -> None:
    source = b""".. [1] A note.\n\n.. figure:: x.png\n   :alt: A pump\n\n   A pump, open\n
.. image:: y.png\n   :alt: A valve\n
.. topic:: Title\n\n   Body.\n"""
    kinds = [(block.kind.value, block.text) for block in read(source, "a.rst").blocks]
    assert kinds == [
        ("paragraph", "[1] A note."), ("caption", "A pump, open"), ("caption", "A valve"), ("paragraph", "Title"),
        ("paragraph", "Body."),
    ]  # fmt: skip


def test_markdown_keeps_cells_beyond_its_header() -> None:
    source = (
        b"| a | b |\n|---|---|\n| x | y | more | `p | q` |\n| `a \\| b` | c |\n\n> | q | r |\n> |-|-|\n> | 1 | 2 |\n"
    )
    assert texts(read(source, "a.md")) == ["a | b", "x | y | more | `p | q`", "`a | b` | c", "q | r", "1 | 2"]


DOCBOOK = """<article><title>T</title><para>10<superscript>-3</superscript> m of H<subscript>2</subscript>O
<footnote><para>A note.</para></footnote> go on.</para>
<orderedlist numeration="loweralpha" startingnumber="3"><listitem><para>c</para><para>more</para></listitem>
</orderedlist>
<orderedlist numeration="loweralpha" continuation="continues"><listitem><para>d</para></listitem>
<listitem override="9"><para>i</para></listitem></orderedlist>
<variablelist><varlistentry><term>Mill</term><listitem><para>Grinds.</para></listitem></varlistentry></variablelist>
<figure><title>A mill</title><mediaobject><imageobject/><textobject><phrase>A mill</phrase>
</textobject></mediaobject></figure>
<table><title>Sales</title><tgroup><colspec colname="a"/><colspec colname="b"/><colspec colname="c"/>
<thead><row><entry>Shop</entry><entry namest="b" nameend="c">2026</entry></row></thead>
<tbody><row><entry>North</entry><entry>1</entry><entry>2</entry></row></tbody></tgroup></table></article>"""
JATS = """<?xml version="1.0"?><!DOCTYPE article><article><front><article-title>T</article-title></front><body><sec>
<title>S</title><p>See<xref ref-type="fn" rid="f">1</xref> 10<sup>-3</sup> and <inline-formula><alternatives>
<tex-math>x</tex-math><mml:math xmlns:mml="http://www.w3.org/1998/Math/MathML"><mml:mfrac><mml:mi>a</mml:mi>
<mml:mi>b</mml:mi>
</mml:mfrac></mml:math></alternatives></inline-formula>.</p>
<list list-type="order"><list-item><label>4.</label><p>Dig.</p></list-item>
</list><fig><caption><p>A mill</p></caption></fig></sec></body></article>"""
OPML = """<opml><head><title>T</title></head><body>
<outline text="a" _note="n"><outline text="b"/></outline></body></opml>"""
BOOK = """<FictionBook><body><section><title><p>T</p></title>
<table><tr><th>a</th><th>b</th></tr><tr><td>1</td><td>2</td></tr>
</table></section></body><binary id="x">iVBORw0KGgo=</binary></FictionBook>"""


@pytest.mark.parametrize(
    ("source", "name", "found"),
    [
        (
            DOCBOOK,
            "a.dbk",
            [
                "T", "10^-3 m of H_2O [1] go on.", "[1] A note.", "c. c", "  more", "d. d", "i. i", "Mill", "  Grinds.",
                "A mill", "Sales", "Shop | 2026 | 2026", "North | 1 | 2",
            ],
        ),
        (JATS, "a.nxml", ["T", "S", "See[1] 10^-3 and a/b.", "4. Dig.", "A mill"]),
        (OPML, "a.opml", ["T", "- a\nn", "  - b"]),
        (BOOK, "a.fb2", ["T", "a | b", "1 | 2"]),
    ],
)  # fmt: skip
def test_xml_keeps_scripts_notes_numbers_terms_captions_and_spans(source: str, name: str, found: list[str]) -> None:
    assert texts(read(source.encode(), name)) == found


def test_of_xml_what_is_left_out_is_said() -> None:
    assert read(BOOK.encode(), "a.fb2").notes == ("pictures left out",)
    entity = b'<!DOCTYPE a [<!ENTITY co "Mill">]><a><p>x &co; y</p></a>'
    assert read(entity, "a.xml").notes == ("entities that the file defines were left out",)


def test_a_book_s_marks_of_notes_are_in_brackets_and_links_back_go() -> None:
    page = b"""<p>Step<a href="#n" epub:type="noteref">1</a> and <a href="x">2</a></p>
    <ol><li id=n>A note. <a href="#r" role="doc-backlink">back</a></li></ol>
    <textarea>area</textarea><button>Send</button>"""
    assert texts(read(page, "a.html")) == ["Step[1] and 2", "1. A note.", "area", "Send"]


def test_wikitext_tells_options_of_cells_and_captions_from_their_text_however_they_are_written() -> None:
    signs = "a" + "=aaaa" * 40
    table = f"""{{|
|+ style="x" class=y | Pumps
! scope=col | Name !! a=b
|-
| colspan=1 style='q' | one || {signs}
|}}"""
    assert texts(read(table.encode(), "a.wiki")) == ["Pumps", "Name | a=b", f"one | {signs}"]


@pytest.mark.parametrize(
    "broken",
    ["........\n| dugong", "+-----+----+\n| dugong | x |\n+-----+----+", "=====  ===\ndugong too wide\n=====  ==="],
)
def test_what_docutils_leaves_out_as_an_error_is_text(broken: str) -> None:
    found = texts(read(f"Head\n====\n\nBefore.\n\n{broken}\n\nBehind.\n".encode(), "a.rst"))
    assert [text for text in found if "dugong" in text]
    assert found[-1] == "Behind."
    once = texts(read(b"Head\n====\n\nToo short a line\n===\n\nBehind.\n", "a.rst"))
    assert "".join(once).count("Too short") == 1, "what docutils warns of is not told twice"
