"""Owns the fonts of an RTF file, as far as they say how its bytes are read, and its styles that are headings."""

from dataclasses import dataclass, field

from embedmill.workers.parsing.fixed_fonts import is_fixed
from embedmill.workers.parsing.symbols import private, symbol
from embedmill.workers.parsing.word_styles import CAPTIONS, CODE, heading_level

SYMBOLS = "symbols"
_CHARSETS = {
    77: "mac_roman", 78: "cp932", 79: "cp949", 80: "gbk", 81: "big5", 83: "mac_greek", 88: "mac_latin2",
    89: "mac_cyrillic", 128: "cp932", 129: "cp949", 130: "johab", 134: "gbk", 136: "big5", 161: "cp1253",
    162: "cp1254", 163: "cp1258", 177: "cp1255", 178: "cp1256", 186: "cp1257", 204: "cp1251", 222: "cp874",
    238: "cp1250", 254: "cp437", 255: "cp850", 2: SYMBOLS,
}  # fmt: skip
_PAGES = {10000: "mac_roman", 10007: "mac_cyrillic", 936: "gbk", 950: "big5", 65001: "utf-8"}
ALL = {"ansi": "cp1252", "mac": "mac_roman", "pc": "cp437", "pca": "cp850"}


@dataclass(slots=True)
class RtfFont:
    """A font's name and the encoding of text in it; "" where the document's own holds."""

    name: str = ""
    encoding: str = ""
    is_modern: bool = False

    @property
    def is_fixed(self) -> bool:
        """Whether it is one that programs are written in."""
        return self.is_modern or is_fixed(self.name)


@dataclass(slots=True)
class RtfStyle:
    """A paragraph style: its name, and the level of heading that it is, 0 for none."""

    name: str = ""
    outline: str = ""

    @property
    def known_by(self) -> str:
        return self.name.strip().rstrip(";").lower()

    @property
    def level(self) -> int:
        return heading_level(self.known_by, self.outline)

    @property
    def is_code(self) -> bool:
        return self.known_by in CODE

    @property
    def is_caption(self) -> bool:
        return self.known_by in CAPTIONS


@dataclass(slots=True)
class RtfFonts:
    """The fonts by their number, and the document's own encoding."""

    own: str = "cp1252"
    default: int = 0
    by_number: dict[int, RtfFont] = field(default_factory=dict)
    defined: RtfFont = field(default_factory=RtfFont)

    def define(self, number: int) -> None:
        """The font that is described from here on."""
        self.defined = self.by_number.setdefault(number, RtfFont())

    def describe(self, word: str, number: int) -> None:
        if word == "fcharset":
            self.defined.encoding = _CHARSETS.get(number, "")
        elif word == "cpg":
            self.defined.encoding = page(number)
        else:
            self.defined.is_modern = True

    def is_code(self, number: int) -> bool:
        """Whether text in a font is set as code is: not where the whole document is."""
        return (
            self.by_number.get(number, RtfFont()).is_fixed and not self.by_number.get(self.default, RtfFont()).is_fixed
        )

    def symbol(self, code: int, number: int) -> str:
        """A sign of a symbol font that stands where no character does; as it is where the font is not known."""
        name = self.by_number.get(number, RtfFont()).name.strip().rstrip(";")
        return symbol(name, f"{code:x}") or private(code)

    def decode(self, data: bytes, number: int) -> str:
        font = self.by_number.get(number, RtfFont())
        if font.encoding == SYMBOLS:
            return "".join(symbol(font.name.strip().rstrip(";"), f"{byte:x}") or chr(byte) for byte in data)
        try:
            return data.decode(font.encoding or self.own, errors="replace")
        except LookupError:
            return data.decode("cp1252", errors="replace")


def page(number: int) -> str:
    """The encoding of a code page."""
    return _PAGES.get(number, f"cp{number}")
