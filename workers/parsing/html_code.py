"""Owns code that a page draws line by line, in rows of a table or boxes, as sites that show sources do."""

from typing import TYPE_CHECKING

from embedmill.workers.parsing.html_names import PageNames

if TYPE_CHECKING:
    from selectolax.lexbor import LexborHTMLParser, LexborNode

# A word of a name, what holds the code, and its lines: of Doxygen, GitHub, Gitea, and programs that colour code.
_DRAWN = (
    ("fragment", "div.fragment", "div.line"),
    ("blob-code", "table", "td.blob-code"),
    ("lines-code", "table", "td.lines-code"),
    ("syntaxhighlighter", "div.syntaxhighlighter", "td.code div.line"),
    ("crayon-line", ".crayon-table", ".crayon-line"),
    ("hljs-ln", "table.hljs-ln", "td.hljs-ln-code"),
    ("linenums", "ol.linenums", "li"),
)
_NUMBER = ".lineno"


def drawn_code(tree: "LexborHTMLParser", names: PageNames) -> dict[int, str]:
    """The code by the `mem_id` of what holds it, the outermost of several."""
    found: dict[int, str] = {}
    within: set[int] = set()
    for word, holder, line in _DRAWN:
        if names.holds(word):
            for node in tree.css(holder):
                if node.mem_id in within:
                    continue
                within.update(each.mem_id for each in node.css(holder))
                if lines := node.css(line):
                    found[node.mem_id] = "\n".join(map(_line, lines))
    return found


def _line(node: "LexborNode") -> str:
    text, number = node.text(), node.css_first(_NUMBER)
    if number is not None:
        text = text.partition(number.text())[2].removeprefix("\xa0")
    return text.strip("\r\n")
