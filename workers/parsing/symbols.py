"""Owns characters of symbol fonts, which office files write as numbers of a font that only their maker has."""

import re

_GREEK = "ΑΒΧΔΕΦΓΗΙϑΚΛΜΝΟΠΘΡΣΤΥςΩΞΨΖ", "αβχδεφγηιϕκλμνοπθρστυϖωξψζ"
_SYMBOL = {
    0xA3: "≤", 0xA5: "∞", 0xAB: "↔", 0xAC: "←", 0xAD: "↑", 0xAE: "→", 0xAF: "↓", 0xB0: "°", 0xB1: "±", 0xB3: "≥",
    0xB4: "×", 0xB5: "∝", 0xB6: "∂", 0xB7: "•", 0xB8: "÷", 0xB9: "≠", 0xBA: "≡", 0xBB: "≈", 0xBC: "…", 0xC5: "⊕",
    0xC6: "∅", 0xC7: "∩", 0xC8: "∪", 0xCC: "⊂", 0xCE: "∈", 0xD1: "∇", 0xD6: "√", 0xD7: "·", 0xD9: "∧", 0xDA: "∨",
    0xDE: "⇒", 0xE5: "∑", 0xF2: "∫",
    **{0x41 + number: sign for number, sign in enumerate(_GREEK[0])},
    **{0x61 + number: sign for number, sign in enumerate(_GREEK[1])},
}  # fmt: skip
_WINGDINGS = {
    0x28: "☎", 0x2A: "✉", 0x4A: "☺", 0x4C: "☹", 0x6C: "●", 0x6E: "■", 0x6F: "□", 0x71: "❑", 0x76: "❖", 0xA7: "▪",
    0xA8: "☐", 0xD8: "➢", 0xDF: "←", 0xE0: "→", 0xE1: "↑", 0xE2: "↓", 0xE8: "➔", 0xF0: "⇨", 0xFB: "✗", 0xFC: "✓",
    0xFD: "☒", 0xFE: "☑",
}  # fmt: skip
_WINGDINGS_2 = {0x50: "✓", 0x4F: "✗", 0x51: "☒", 0x52: "☑", 0xA3: "☐"}
_FONTS = {"symbol": _SYMBOL, "wingdings": _WINGDINGS, "wingdings 2": _WINGDINGS_2}
_PRIVATE = range(0xE000, 0xF900)
_SHOWN = re.compile("[\uf020-\uf0ff]")
# Signs that stand for bullets in Symbol's place, where Wingdings has others.
_BULLETS = {0xB7: "•", 0xD7: "·"}


def private(code: int) -> str:
    """The likeliest character for a place of a symbol font that is not named: most are Wingdings'."""
    return (_BULLETS | _WINGDINGS).get(code & 0xFF, chr(code)) if code in _PRIVATE else chr(code)


def shown(text: str) -> str:
    """The same for what is in a text."""
    return text if text.isascii() else _SHOWN.sub(lambda found: private(ord(found[0])), text)


def symbol(font: str, code: str) -> str:
    """The character that a font shows for a hexadecimal number; "" for one that is not known."""
    try:
        number = int(code, 16)
    except ValueError:
        return ""
    if table := _FONTS.get(font.strip().lower()):
        return table.get(number & 0xFF, "")
    return "" if number in _PRIVATE or not 0 < number < 0x110000 else chr(number)
