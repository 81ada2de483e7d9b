"""Owns the words of LaTeX: what a person reads of a passage with commands, accents and braces."""

import re
from unicodedata import normalize

_ACCENTS = {
    "`": "\u0300", "'": "\u0301", "^": "\u0302", "~": "\u0303", '"': "\u0308", "=": "\u0304", ".": "\u0307",
    "u": "\u0306", "v": "\u030c", "H": "\u030b", "c": "\u0327", "k": "\u0328", "r": "\u030a", "d": "\u0323",
    "b": "\u0331",
}  # fmt: skip
_LETTERS = {
    "ss": "ß", "ae": "æ", "AE": "Æ", "oe": "œ", "OE": "Œ", "o": "ø", "O": "Ø", "aa": "å", "AA": "Å", "l": "ł",
    "L": "Ł", "i": "i", "j": "j", "S": "§", "P": "¶", "dag": "†", "ddag": "‡", "copyright": "©", "pounds": "£",
    "euro": "€", "dots": "…", "ldots": "…", "textellipsis": "…", "textendash": "–", "textemdash": "—",
    "textbackslash": "\\", "textasciitilde": "~", "textasciicircum": "^", "textunderscore": "_", "textbar": "|",
    "textquotedblleft": "“", "textquotedblright": "”", "LaTeX": "LaTeX", "TeX": "TeX", "today": "", "quad": " ",
    "qquad": " ", "newline": " ", "linebreak": " ", "textdegree": "°", "degree": "°",
    "textregistered": "®", "texttrademark": "™", "textbullet": "•",
    "par": " ",
}  # fmt: skip
# What names a place, a size or a file, and says nothing.
_SILENT = frozenset(
    "label index vspace hspace vskip hskip setlength addtolength pagestyle thispagestyle bibliographystyle usepackage "
    "includegraphics input include graphicspath documentclass pagenumbering color definecolor setcounter addtocounter "
    "newcommand renewcommand providecommand newenvironment DeclareMathOperator hypersetup phantom rule cline cmidrule "
    "bibliography addbibresource nocite RequirePackage captionsetup lstset tikzset rowcolor cellcolor columncolor "
    "raisebox fontsize selectfont hyphenation author date title".split()
)
_TWO = frozenset(("setlength", "addtolength", "newcommand", "renewcommand", "providecommand", "href", "textcolor",
                  "setcounter", "addtocounter", "DeclareMathOperator", "rule", "fontsize", "definecolor"))  # fmt: skip
_LAST_OF_TWO = frozenset(("href", "textcolor"))
_NOTES = frozenset(("footnote", "thanks"))
_SIGNED = {"\\": " ", ",": " ", ";": " ", ":": " ", " ": " ", "\n": " ", "!": "", "/": "", "-": ""}
_CITED = re.compile(r"(?:\w*cite\w*|ref|eqref|autoref|cref|Cref|pageref|nameref)\*?")
_MATH = re.compile(r"(?<!\\)\$(?:[^$\\\n]|\\.|\n(?!\s*\n))*+\$|\\\((?:[^\\]|\\(?![()])){0,300}+\\\)")
_COMMAND = re.compile(r"\\(?:([a-zA-Z]+\*?)[ \t]*|(.))", re.DOTALL)
_ACCENTED = re.compile(r"\{?[ \t]*(?:\\([ij])|([^\W\d_]))[ \t]*\}?")
_OPTION = re.compile(r"[ \t]*\[[^\[\]\n]{0,200}\]")
_SIGNS = (("---", "—"), ("--", "–"), ("``", "“"), ("''", "”"))
_PLAIN = re.compile(r"[^\\{}~$]+")


def argument(text: str, at: int) -> tuple[str, int]:
    """What stands in the braces at a place, and the place behind; "" where there are none."""
    while at < len(text) and text[at] in " \t":
        at += 1
    if at >= len(text) or text[at] != "{":
        return "", at
    depth, begin = 0, at + 1
    for found in _BRACE.finditer(text, at):
        sign = found[0]
        depth += (sign == "{") - (sign == "}")
        if not depth:
            return text[begin : found.start()], found.end()
    return text[begin:], len(text)


_BRACE = re.compile(r"\\.|[{}]", re.DOTALL)


class LatexWords:
    """Reads passages; a note that stands in one leaves its number there and waits in `notes`."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def plain(self, text: str, depth: int = 0) -> str:
        """Equations stay as they are written."""
        out: list[str] = []
        at = 0
        while at < len(text):
            if found := _PLAIN.match(text, at):
                out.append(_with_signs(found[0]))
                at = found.end()
            elif (sign := text[at]) in "{}":
                at += 1
            elif sign == "~":
                out.append(" ")
                at += 1
            elif found := _MATH.match(text, at):
                out.append(found[0])
                at = found.end()
            elif found := _COMMAND.match(text, at):
                said, at = self._command(found[1] or found[2], text, found.end(), depth)
                out.append(said)
            else:
                out.append(sign)
                at += 1
        return " ".join("".join(out).split())

    def _command(self, name: str, text: str, at: int, depth: int) -> tuple[str, int]:
        """What a command says, and the place behind all of it."""
        if name in _ACCENTS and (len(name) > 1 or not name.isalpha() or text[at : at + 1] == "{"):
            if letter := _ACCENTED.match(text, at):
                return normalize("NFC", (letter[1] or letter[2]) + _ACCENTS[name]), letter.end()
            return "", at
        if name in _LETTERS:
            return _LETTERS[name], at + 2 if text[at : at + 2] == "{}" else at
        if len(name) == 1 and not name.isalpha():
            return _SIGNED.get(name, name), at
        option = _OPTION.match(text, at)
        at = option.end() if option else at
        bare = name.rstrip("*")
        if bare in _SILENT or bare in _LAST_OF_TWO:
            return self._after(bare, text, argument(text, at)[1], depth)
        if bare in _NOTES:
            said, at = argument(text, at)
            return self._mark(said, depth), at
        if not _CITED.fullmatch(name):
            return "", at
        said, at = argument(text, at)
        return (f"[{said}]" if "cite" in name else said), at

    def _after(self, bare: str, text: str, at: int, depth: int) -> tuple[str, int]:
        """What a command says behind its first argument."""
        if bare not in _TWO:
            return "", at
        option = _OPTION.match(text, at)
        said, at = argument(text, option.end() if option else at)
        return (self.plain(said, depth + 1) if bare in _LAST_OF_TWO and depth < _DEEPEST else ""), at

    def _mark(self, said: str, depth: int) -> str:
        self.notes.append("")
        number = len(self.notes)
        self.notes[number - 1] = self.plain(said, depth + 1) if depth < _DEEPEST else said
        return f"[{number}]"


_DEEPEST = 10
"""Notes within one another."""


def _with_signs(text: str) -> str:
    for written, sign in _SIGNS:
        if written in text:
            text = text.replace(written, sign)
    return text
