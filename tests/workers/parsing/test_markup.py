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
        (H, "Title"), (P, "See [docs](http://x) & `code`."), (L, "one"), (L, "two"), (C, "x  = 1"),
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


def test_markdown_too_deep_for_its_parser_loses_no_text() -> None:
    document = read(b">" * 3000 + b" deep", "a.md")
    assert "deep" in "".join(texts(document))
    assert document.notes


def test_restructuredtext_keeps_headings_lists_code_and_rows() -> None:
    source = b"""Top\n===\n\nPara with :func:`role`.\n\nSub\n---\n\n* item\n\n::\n\n    code  here\n
=====  =====\na      b\n=====  =====\n1      2\n=====  =====\n"""
    assert shape(read(source, "a.rst")) == [
        (H, "Top"), (P, "Para with :func:`role`."), (H, "Sub"), (L, "item"), (C, "code  here"), (T, "a | b"),
        (T, "1 | 2"),
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
