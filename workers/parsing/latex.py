"""Owns LaTeX: headings, lists with their numbers, tables, captions, code and notes; equations as they are written."""

import re
from collections.abc import Iterator

from embedmill.workers.parsing.draft import Draft, clean
from embedmill.workers.parsing.grid import Cell
from embedmill.workers.parsing.latex_words import LatexWords, argument
from embedmill.workers.parsing.light_markup import MarkupWriter
from embedmill.workers.parsing.list_items import BULLET

_LEVELS = {
    "part": 1,
    "chapter": 1,
    "section": 2,
    "subsection": 3,
    "subsubsection": 4,
    "paragraph": 5,
    "subparagraph": 6,
}
_VERBATIM = ("verbatim", "verbatim*", "lstlisting", "minted", "Verbatim", "alltt", "comment")
_BEGIN_VERBATIM = re.compile(
    r"\\begin\{(" + "|".join(map(re.escape, _VERBATIM)) + r")\}(?:\[[^\]\n]{0,500}\])?(?:\{[^}\n]{0,100}\})?\n?"
)
_COMMENT = re.compile(r"(?<!\\)((?:\\\\)*)%[^\n]*(?:\n[ \t]*(?=\S))?")
_PIECE = re.compile(
    r"\\begin[ ]?\{(?P<begin>[a-zA-Z]+\*?)\}(?:\[[^\]\n]{0,200}\])?"
    r"|\\end[ ]?\{(?P<end>[a-zA-Z]+\*?)\}"
    r"|\\(?P<level>part|chapter|(?:sub){0,2}section|(?:sub)?paragraph)\*?[ \t]*(?:\[[^\]\n]{0,200}\])?(?=[ \t]*\{)"
    r"|\\(?P<item>item)\b[ \t]*(?:\[(?P<term>[^\]\n]{0,300})\])?"
    r"|\\(?P<caption>caption\*?)[ \t]*(?:\[[^\]\n]{0,200}\])?(?=[ \t]*\{)"
    r"|(?P<bibitem>\\bibitem)(?:\[[^\]\n]{0,200}\])?\{[^}\n]{0,100}\}"
    r"|(?P<apart>\n[ \t]*\n\s*|\\par\b)"
)
_TABLES = frozenset(("tabular", "tabular*", "tabularx", "tabulary", "longtable", "array", "supertabular", "xltabular"))
_EQUATIONS = frozenset(
    "equation equation* align align* gather gather* multline multline* eqnarray eqnarray* displaymath math".split()
)
_ARGUMENTS = {"thebibliography": 1, "minipage": 1, "multicols": 1, "wrapfigure": 2, "subfigure": 1, "adjustbox": 1}
_NO_MARKER = " "
_NUMBERED, _BULLETED, _DESCRIBED = "enumerate", "itemize", "description"
_RULE = re.compile(
    r"\\(?:hline|toprule|midrule|bottomrule|endhead|endfirsthead)\b|\\(?:cline|cmidrule)(?:\([^)]{0,60}\))?\{[^}]{0,60}\}"
)
_MANY_ROWS = re.compile(
    r"\\multirow\s{0,9}(?:\[[^\]\n]{0,60}\])?\{[^}\n]{0,60}\}\s{0,9}(?:\[[^\]\n]{0,60}\])?\{[^}\n]{0,60}\}"
)
_TABLE_CAPTION = re.compile(r"\\caption\*?(?=\s{0,9}\{)")
_ROW = re.compile(r"\\\\(?:\[[^\]\n]{0,30}\])?|\\tabularnewline\b")
_CELL = re.compile(r"(?<!\\)&")
_SPAN = re.compile(r"\s*\\multicolumn\s*\{(\d{1,3})\}")
_LABELS = re.compile(r"\\label\{[^}\n]{0,200}\}")
_TITLE = re.compile(r"\\title[ \t]*(?:\[[^\]\n]{0,200}\])?(?=[ \t]*\{)")
_AUTHOR = re.compile(r"\\author[ \t]*(?:\[[^\]\n]{0,200}\])?(?=[ \t]*\{)")
_BEGIN, _END = "\\begin{document}", "\\end{document}"


def read(data: bytes, draft: Draft) -> None:
    """What stands before the document is left out, but for its title and authors; notes stand behind the text."""
    reader = _LatexReader(draft)
    for text, is_code in _passages(clean(draft.decode(data))):
        if is_code:
            reader.writer.code(text.strip("\n").split("\n"))
        else:
            reader.read(text)
    reader.close()


def _passages(text: str) -> Iterator[tuple[str, bool]]:
    """Text without comments, and code as it is, in turns."""
    preamble, begun, body = text.partition(_BEGIN)
    if begun:
        for pattern in (_TITLE, _AUTHOR):
            if found := pattern.search(preamble):
                said, _ = argument(preamble, found.end())
                yield (f"\\part{{{said}}}\n\n" if pattern is _TITLE else f"{said}\n\n"), False
        text = body.partition(_END)[0]
    at = 0
    while found := _BEGIN_VERBATIM.search(text, at):
        yield _COMMENT.sub(r"\1", text[at : found.start()]), False
        end = text.find(f"\\end{{{found[1]}}}", found.end())
        end = len(text) if end < 0 else end
        if found[1] != "comment":
            yield text[found.end() : end], True
        at = end + len(f"\\end{{{found[1]}}}")
    yield _COMMENT.sub(r"\1", text[at:]), False


class _LatexReader:
    def __init__(self, draft: Draft) -> None:
        self.writer = MarkupWriter(draft)
        self._draft = draft
        self._words = LatexWords()
        self._lists: list[str] = []

    def read(self, text: str) -> None:
        at = 0
        while found := _PIECE.search(text, at):
            self._say(text[at : found.start()])
            at = self._piece(found, text)
        self._say(text[at:])
        if not self._lists:
            self.writer.flush()

    def close(self) -> None:
        self.writer.close()
        for number, note in enumerate(self._words.notes, start=1):
            self._draft.paragraph(f"[{number}] {note}")

    def _say(self, text: str) -> None:
        if said := self._words.plain(text):
            self.writer.line(said)

    def _piece(self, found: re.Match[str], text: str) -> int:
        """What a command makes of what follows it; the place behind that."""
        at = found.end()
        if level := found["level"]:
            said, at = argument(text, at)
            self.writer.heading(self._words.plain(said), _LEVELS[level])
        elif found["caption"]:
            said, at = argument(text, at)
            self.writer.caption(self._words.plain(_LABELS.sub("", said)))
        elif found["item"]:
            self._item(found["term"])
        elif found["bibitem"]:
            self.writer.item("", BULLET, 0)
        elif found["apart"]:
            self.writer.flush()
        elif kind := found["begin"]:
            return self._begin(kind, text, at)
        elif (kind := found["end"]) and kind in (_NUMBERED, _BULLETED, _DESCRIBED):
            self.writer.flush()
            self._lists = self._lists[:-1]
        return at

    def _item(self, term: str | None) -> None:
        depth = max(len(self._lists) - 1, 0)
        kind = self._lists[-1] if self._lists else _BULLETED
        if term is not None:
            self.writer.term(self._words.plain(term), "", depth)
            self.writer.item("", _NO_MARKER, depth + 1)
        elif kind == _NUMBERED:
            self.writer.item("", "", depth)
        else:
            self.writer.item("", BULLET, depth)

    def _begin(self, kind: str, text: str, at: int) -> int:
        if kind in (_NUMBERED, _BULLETED, _DESCRIBED):
            self.writer.flush()
            self.writer.restart(len(self._lists))
            self._lists.append(kind)
            return at
        if kind not in _TABLES and kind not in _EQUATIONS:
            for _ in range(_ARGUMENTS.get(kind, 0)):
                _, at = argument(text, at)
            return at
        closer = f"\\end{{{kind}}}"
        end = text.find(closer, at)
        end = len(text) if end < 0 else end
        if kind in _EQUATIONS:
            self.writer.flush()
            self.writer.line(" ".join(_LABELS.sub("", text[at:end]).split()))
            self.writer.flush()
        else:
            self._table(kind, text[at:end])
        return end + len(closer)

    def _table(self, kind: str, text: str) -> None:
        """A rule below the first row makes it the head; rows of a longtable's running heads are rows like others."""
        at = 0
        for _ in range(2 if kind in ("tabular*", "tabularx", "tabulary", "xltabular") else 1):
            _, at = argument(text, at)
        body = text[at:]
        if caption := _TABLE_CAPTION.search(body):
            said, end = argument(body, caption.end())
            self.writer.caption(self._words.plain(_LABELS.sub("", said)))
            body = body[: caption.start()] + body[end:]
        rows: list[list[Cell]] = []
        heads: int | None = None
        for written in _ROW.split(body):
            if rows and heads is None and _RULE.search(written):
                heads = len(rows)
            bare = _RULE.sub("", written)
            if bare.strip():
                rows.append([self._cell(cell) for cell in _CELL.split(bare)])
        self.writer.table(rows, heads if heads and heads < len(rows) and heads < 3 else None)

    def _cell(self, text: str) -> Cell:
        if span := _SPAN.match(text):
            _, at = argument(text, span.end())
            said, _ = argument(text, at)
            return Cell(self._words.plain(said), max(int(span[1]), 1), 1)
        text = _MANY_ROWS.sub("", text) if "\\multirow" in text else text
        return Cell(self._words.plain(text), 1, 1)
