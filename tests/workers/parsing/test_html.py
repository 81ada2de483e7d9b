"""HTML keeps numbers, spans, captions and scripts, and loses what a site puts around its text."""

import pytest

from embedmill.shared.errors import UnreadableDocument
from embedmill.workers.parsing.document import BlockKind
from embedmill.workers.parsing.draft import Draft
from embedmill.workers.parsing.html import _bounded
from tests.workers.parsing.making import LIMITS, read, shape, texts

H, P, L, C, T, N = (
    BlockKind.HEADING,
    BlockKind.PARAGRAPH,
    BlockKind.LIST_ITEM,
    BlockKind.CODE,
    BlockKind.TABLE_ROW,
    BlockKind.CAPTION,
)


def lines(markup: str) -> list[str]:
    return texts(read(markup.encode(), "a.html"))


@pytest.mark.parametrize(
    ("markup", "items"),
    [
        ("<ol start=4><li>a<li>b</ol>", ["4. a", "5. b"]),
        ("<ol><li>a<li value=7>b<li>c</ol>", ["1. a", "7. b", "8. c"]),
        ("<ol reversed><li>a<li>b</ol>", ["2. a", "1. b"]),
        ("<ol type=a start=3><li>a</ol><ol type=I><li>b</ol>", ["c. a", "I. b"]),
        ('<ol style="list-style-type: lower-roman"><li>a<li>b</ol>', ["i. a", "ii. b"]),
        ('<ol style="list-style: none"><li>a</ol>', ["- a"]),
        ("<ol start=x><li value=-2>a<li>b</ol>", ["-2. a", "-1. b"]),
        ("<ul><li>a<ol><li>b<ul><li>c</ul><li>d</ol><li>e</ul>", ["- a", "  1. b", "    - c", "  2. d", "- e"]),
        ("<ol><li><p>a</p><p>more</p></li><li>b</ol>", ["1. a", "  more", "2. b"]),
        ("<ul><li><input type=checkbox checked> done<li><input type=checkbox> open</ul>", ["- [x] done", "- [ ] open"]),
        ("<ul><li>Name <input value=Ada><li>Word <input type=password value=x><input type=hidden value=y>",
         ["- Name Ada", "- Word"]),
        ("<dl><dt>term<dd>what it is<dd>more<dt>other<dd><dl><dt>inner<dd>x</dl></dl>",
         ["term", "  what it is", "  more", "other", "  inner", "    x"]),
        ("<ol><li><h3>Open</h3>text</ol>", ["1. Open", "  text"]),
        ("<li>a stray item", ["- a stray item"]),
        ("<select size=2><option>a<option>b</select>", ["- a", "- b"]),
        ("<select multiple><optgroup label=Nuts><option selected>a<option>b</select>", ["Nuts", "- a", "- b"]),
    ],
)  # fmt: skip
def test_lists_keep_numbers_bullets_and_nesting(markup: str, items: list[str]) -> None:
    assert lines(markup) == items


@pytest.mark.parametrize(
    ("markup", "line"),
    [
        ("10<sup>-3</sup> m", "10^-3 m"),
        ("H<sub>2</sub>O", "H_2O"),
        ("the 1<sup>st</sup>", "the 1st"),
        ('said<sup><a href="#n1">1</a></sup> so<a href="#n2"><sup>2</sup></a>', "said[1] so[2]"),
        ("now <del>100</del> 80 <s>or 90</s>", "now 80 ~~or 90~~"),
        ("he said <q>yes</q>", "he said “yes”"),
        ("<ruby>漢<rt>kan</rt></ruby>字", "漢(kan)字"),
        ("<ruby>漢字<rp>(</rp><rt>かんじ</rt><rp>)</rp></ruby>", "漢字(かんじ)"),
        ("auf&shy;ge&shy;teilt", "aufgeteilt"),
        ("from <select><option>Oslo<option selected>Lund<option>Bergen</select> by train", "from Lund by train"),
        ("from <select><option disabled>Where?<option label=Oslo>1<option>2</select> by train", "from Oslo by train"),
        ("<select hidden><option>a</select>none<select></select>", "none"),
        ("a<b>b</b>c<span>d</span> e<br>f<wbr>g", "abcd e fg"),
        ("E = <math><mfrac><mi>a</mi><mi>b</mi></mfrac></math>", "E = a/b"),
        ('see <img src=x alt="a red lamp">now', "see a red lamp now"),
        ('x<a class="headerlink" href="#x">¶</a> y<a href="#y">#</a>', "x y"),
    ],
)
def test_inline_elements_neither_glue_nor_split_words(markup: str, line: str) -> None:
    assert lines(f"<p>{markup}</p>") == [line]


def test_spans_stand_on_the_grid_and_end_with_their_section() -> None:
    table = """<table><thead><tr><th rowspan=9>Region<th colspan=2>Sales<tr><th>Q1<th>Q2</thead>
    <tbody><tr><td rowspan=0>North<td>1<td>2<tr><td>3<td>4</tbody><tfoot><tr><td>Sum<td colspan=2>10</table>"""
    document = read(table.encode(), "a.html")
    assert texts(document) == [
        "Region | Sales | Sales", "Region | Q1 | Q2", "North | 1 | 2", "North | 3 | 4", "Sum | 10 | 10",
    ]  # fmt: skip
    assert {block.head for block in document.blocks} == {(0, 2)}


def test_spans_out_of_bounds_cost_nothing() -> None:
    table = "<table><tr><th>a<th>b<tr><td colspan=99999999 rowspan=99999999>x<tr><td>y<td>z</table>"
    assert lines(table) == ["a | b", "x | x", "x | x | y | z"]
    assert lines("<table><tr><td colspan=-1>a<td colspan=0>b<tr><td>1<td>2</table>") == ["a | b", "1 | 2"]
    assert lines("<table><tr><td rowspan=-1>a<td>b<tr><td>1<td>2</table>") == ["a | b", "1 | 2"]


def test_what_its_roles_call_a_table_is_one() -> None:
    names = "<div role=row><span role=columnheader aria-colspan=2>A</span><span role=columnheader>B</span></div>"
    cells = "<div role=row><span role=cell>1</span><span role=cell>2</span><span role=gridcell>3</span></div>"
    assert lines(f"<div role=table>{names}{cells}</div>") == ["A | A | B", "1 | 2 | 3"]
    assert lines(f"{cells}") == ["123"]


def test_a_long_text_that_spans_stands_once() -> None:
    long = "word " * 30
    assert lines(f"<table><tr><th>a<th>b<tr><td colspan=2>{long}</table>") == ["a | b", long.strip()]


@pytest.mark.parametrize(
    ("odd", "text"),
    [
        ("<pre>tool  list\n --all</pre>", "tool list --all"),
        ("<ul><li>one<li>two</ul>", "- one - two"),
        ("<h4>Big</h4>", "Big"),
        ("<p>one</p><p>two</p>", "one two"),
        ("<table><tr><td>left<td>right</table>", "left, right"),
    ],
)
def test_one_odd_cell_does_not_flatten_a_table(odd: str, text: str) -> None:
    table = f"<table><tr><td>list<td>{odd}<tr><td>stop<td>tool stop<tr><td>go<td>tool go</table>"
    assert [kind for kind, _ in shape(read(table.encode(), "a.html"))] == [T, T, T]
    assert lines(table)[0] == f"list | {text}"


def test_a_table_in_a_cell_follows_its_row_under_the_key_of_that() -> None:
    inner = "<table><tr><th>k<th>v<tr><td>x<td>1</table>"
    table = f"<table><tr><th>Name<th>More<tr><td>Ann<td>{inner}<tr><td>Bo<td>none</table>"
    assert lines(table) == ["Name | More", "Ann", "Ann", "k | v", "x | 1", "Bo | none"]
    assert lines(table.replace("<table><tr><th>k", "<table><caption>Ages</caption><tr><th>k"))[2] == "Ann: Ages"


@pytest.mark.parametrize(
    "table",
    [
        "<table role=presentation><tr><td>a<td>b</table>",
        "<table><tr><td><p>a<p>b</table>",
        "<table><tr><td>a<tr><td>b</table>",
        '<table><tr><td rowspan=2><img alt="[Tip]"><th>a<tr><td>b</table>',
        f"<table><tr><td>a<td>b {'long ' * 200}<tr><td></table>",
    ],
)
def test_tables_that_arrange_a_page_are_no_data(table: str) -> None:
    assert T not in {kind for kind, _ in shape(read(table.encode(), "a.html"))}
    assert [line[:1] for line in lines(table)] == ["a", "b"]


def test_captions_stand_with_what_they_are_of() -> None:
    page = """<table><caption>Prices <b>now</b></caption><tr><th>k<th>v<tr><td>a<td>1</table>
    <div class=table><p class=title>Table 2. Keys</p><table><tr><th>k<th>v<tr><td>b<td>2</table></div>
    <figure><img src=x alt="A pump"><figcaption>Figure 1: A pump</figcaption></figure><p><img src=y alt="A valve">"""
    document = read(page.encode(), "a.html")
    assert shape(document) == [
        (N, "Prices now"), (T, "k | v"), (T, "a | 1"), (N, "Table 2. Keys"), (T, "k | v"), (T, "b | 2"),
        (N, "Figure 1: A pump"), (N, "A valve"),
    ]  # fmt: skip
    assert [block.head for block in document.blocks[:6]] == [(0, 2)] * 3 + [(3, 5)] * 3


TEXT = "<p>" + "The text of the page goes on and on. " * 5 + "</p>"


@pytest.mark.parametrize(
    "around",
    [
        "<nav>Home</nav>",
        "<footer>Imprint</footer>",
        '<div class="site-footer">Imprint</div>',
        '<div class="navheader"><table><tr><th>Chapter<td>Next</table></div>',
        '<div id="cookie-banner">We use cookies</div>',
        '<ul class="breadcrumbs"><li>Home</ul>',
        '<div class="sidebar"><a href="/a">A</a> <a href="/b">B</a></div>',
        f"<div>{' '.join(f'<a hreflang={code} href={code}>{code}</a>' for code in ('de', 'fr', 'ja', 'es'))}</div>",
        '<form role="search">Search</form>',
        '<div class="searchBox">Search <select><option>Pages</select></div>',
        '<p class="toplang">Available languages: <a hreflang=de href=a>de</a> | <a hreflang=fr href=b>fr</a></p>',
        '<div id="path"><a href="/">Home</a> &gt; <a href="/docs">Documentation</a></div>',
        "<ul><li><a href=/a>Menu of the site</a><li><a href=/b>More of it</a></ul>",
        '<a href="/"><img alt="Logo"></a>',
        '<a class="skip-link" href="#m">Skip to content</a>',
    ],
)  # fmt: skip
def test_what_a_site_puts_around_its_text_goes(around: str) -> None:
    page = f"<body>{around}<h1>Title</h1>{TEXT}</body>"
    assert [kind for kind, _ in shape(read(page.encode(), "a.html"))] == [H, P]


@pytest.mark.parametrize(
    "part",
    [
        "<details><summary>More</summary>inside</details>",
        '<div class="sidebar"><p>A box beside the text that explains it.</p></div>',
        "<blockquote>quoted<footer>Ada</footer></blockquote>",
        '<div class="footnotes"><p>A note</p></div>',
        '<section class="next-steps"><p>Then do this</p></section>',
        "<aside><p>Beside</p></aside>",
        '<span class="nav">word</span>',
        '<p>see <a href="#x">the sign §</a></p>',
        '<section id="cookies"><h2>Cookies</h2><p>How they are set</p></section>',
        "<ul><li><a href=/a>See also</a></ul>",
        '<table class="related"><tr><th>Modules<tr><td>mod_a</table>',
    ],
)
def test_what_belongs_to_the_text_stays(part: str) -> None:
    page = f"<body><h1>Title</h1>{TEXT}{part}</body>"
    assert len(lines(page)) > 2


def test_a_title_with_the_name_of_its_site_is_said_once() -> None:
    page = "<title>Pumps &mdash; Acme 3.1 documentation</title><h1>Pumps</h1><p>text"
    document = read(page.encode(), "a.html")
    assert (document.title, texts(document)) == ("Pumps — Acme 3.1 documentation", ["Pumps", "text"])


def test_furniture_that_holds_most_of_the_text_is_text() -> None:
    assert lines(f'<body><div class="navigation">{TEXT}</div><p>x</body>')[0].startswith("The text")
    assert lines(f"<body><footer><h1>Title</h1></footer>{TEXT}</body>")[0] == "Title"


def test_a_main_part_that_holds_most_of_the_text_is_all_that_is_read() -> None:
    assert lines(f"<body><p>around</p><main>{TEXT}</main></body>")[0].startswith("The text")
    assert lines("<body><p>around it</p><main>x</main></body>") == ["around it", "x"]


def test_numbers_beside_lines_of_code_are_no_code() -> None:
    page = "<table><tr><td class=linenos><pre>1\n2</pre><td><pre>a = 1\nb = 2</pre></table>"
    assert shape(read(page.encode(), "a.html")) == [(C, "a = 1\nb = 2")]


def test_tables_in_tables_without_end_are_read() -> None:
    deep = "<table><tr><td>a<td>" * 200 + "x"
    assert "x" in " ".join(lines(deep))
    assert len(lines("<table><tr><td>" * 2000 + "x")) == 1


def test_spans_of_spans_have_an_end_and_lose_no_cell() -> None:
    rows = 1200
    found = lines("<table>" + "".join(f"<tr><td rowspan=65000>a<td>b{number}" for number in range(rows)))
    text = "\n".join(found)
    assert all(f"b{number}" in text for number in (0, rows // 2, rows - 1))
    assert len(text) < 2_000_000


@pytest.mark.parametrize(
    ("markup", "level"),
    [
        ("<div role=heading aria-level=3>Valves</div>", 3),
        ("<p><span role='heading'>Valves</span></p>", 2),
        ("<h1 role=heading aria-level=9>Valves</h1>", 6),
    ],
)
def test_what_is_a_heading_by_its_role_is_one(markup: str, level: int) -> None:
    document = read(f"{markup}<p>Close them.</p>".encode(), "a.html")
    assert [(block.kind, block.level, block.text) for block in document.blocks] == [
        (H, level, "Valves"),
        (P, 0, "Close them."),
    ]


def test_options_that_are_not_chosen_are_told() -> None:
    document = read(b"<select><option>a<option>b<option>c</select><select size=2><option>d<option>e</select>", "a.html")
    assert document.notes == ("2 options of closed choices left out",)


@pytest.mark.parametrize("attribute", ["a{}=b", "a{}'", "a{}", 'a{}=">"'])
def test_attributes_without_end_are_cut_before_they_are_parsed(attribute: str) -> None:
    attributes = " ".join(attribute.format(number) for number in range(1500))
    markup = f"<p {attributes}>The body.</p><p hidden>gone</p>"
    tree = _bounded(markup, Draft("text/html", name="", limits=LIMITS))
    assert tree.index("The body.") < 1050 * len(attribute.format(1000) + " ")
    document = read(markup.encode(), "a.html")
    assert texts(document) == ["The body."]
    assert document.notes == ("elements with more than 1,000 attributes: the others were left out",)


@pytest.mark.parametrize("markup", ["<div>" * 20_000 + "deep" + "</div>" * 20_000, "<p><b>" * 2_000 + "deep"])
def test_what_is_nested_too_deeply_is_refused_before_it_is_parsed(markup: str) -> None:
    with pytest.raises(UnreadableDocument, match="nested too deeply"):
        lines(markup)


def test_a_script_that_looks_like_an_element_of_many_attributes_still_ends() -> None:
    assert lines(f"<script>if (a <b {'x ' * 2000}) c()</script><p>The body.</p>") == ["The body."]
