"""Owns the words of roff: escapes for fonts, signs and places, and arguments in quotation marks."""

import re

_SIGNS = {
    "bu": "•", "em": "—", "en": "–", "hy": "-", "lq": "“", "rq": "”", "oq": "‘", "cq": "’", "aq": "'", "dq": '"',
    "co": "©", "rg": "®", "tm": "™", "mu": "×", "di": "÷", "<=": "≤", ">=": "≥", "!=": "≠", "->": "→", "<-": "←",
    "de": "°", "ha": "^", "ti": "~", "rs": "\\", "ga": "`", "sl": "/", "at": "@", "sh": "#", "Do": "$", "lB": "[",
    "rB": "]", "lC": "{", "rC": "}", "ss": "ß", ":a": "ä", ":o": "ö", ":u": "ü", ":A": "Ä", ":O": "Ö", ":U": "Ü",
    "'e": "é", "`e": "è", "sc": "§", "+-": "±", "..": "…",
}  # fmt: skip
_STRINGS = {"lq": "“", "rq": "”", "L": "“", "R": "”", "(lq": "“", "(rq": "”", "Tm": "™", 'R"': "®"}
_ESCAPE = re.compile(
    r"""\\(?:
      (?P<comment>["\#].*)
    | [fFgkmMnsVY][+-]?(?:\[[^\]\n]{0,60}\]|\(..|.)
    | \((?P<two>..) | \[(?P<named>[^\]\n]{0,60})\]
    | \*(?:\((?P<string>..)|\[(?P<long>[^\]\n]{0,60})\]|(?P<short>.))
    | [ACDhHlLNoRSvwxXZb]'[^'\n]{0,200}'
    | (?P<sign>.)
    )""",
    re.VERBOSE,
)
_SINGLE = {"-": "-", "e": "\\", "\\": "\\", " ": " ", "~": " ", "0": " ", "'": "'", "`": "`", ".": ".", "t": "\t"}
_ARGUMENT = re.compile(r'"((?:[^"]|"")*)"?|((?:\\.|[^\s\\])+)')


def shown(text: str) -> str:
    """A line without its escapes."""
    return _ESCAPE.sub(_sign, text) if "\\" in text else text


def arguments(text: str) -> list[str]:
    """Those of a macro, shown."""
    bare = text.partition('\\"')[0]
    return [
        shown(found[1].replace('""', '"') if found[1] is not None else found[2]) for found in _ARGUMENT.finditer(bare)
    ]


def _sign(found: re.Match[str]) -> str:
    if name := found["two"] or found["named"]:
        if re.fullmatch(r"u[0-9A-F]{4,5}", name):
            return chr(int(name[1:], 16))
        return _SIGNS.get(name, "")
    if name := found["string"] or found["long"] or found["short"]:
        return _STRINGS.get(name, "")
    return _SINGLE.get(found["sign"] or "", "")
