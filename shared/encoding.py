"""Owns turning bytes of text into characters: by what they show, by what the document declares, or by a guess."""

import codecs
import re
import unicodedata
from collections import Counter
from dataclasses import dataclass

from embedmill.shared.errors import UnsupportedDocument

BINARY = "it is binary data of no known kind"
CONTROL_SHARE = 0.3
SAMPLE_BYTES = 64 * 1024
REPLACEMENT = "\ufffd"
WESTERN = "cp1252"
GUESS_BYTES = 256 * 1024
# Of a guess, and of what a document declares, so many characters may be damaged.
MOST_DAMAGED_GUESS, MOST_DAMAGED = 0.1, 0.01
WIDE_SAMPLE_BYTES = 4096
LEAST_LETTERS_OF_UTF_16 = 0.97
LEAST_OF_ONE_SCRIPT = 0.5

# UTF-32 first: its little-endian mark starts with UTF-16's.
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# They switch alphabets within bytes that are all ASCII. Colours of a terminal begin with `ESC [`.
_ESCAPES = ((b"\x1b$)C", "iso2022_kr"), (b"\x1b$", "iso2022_jp_ext"), (b"\x1b(J", "iso2022_jp_ext"))
_NOT_ASCII = bytes(range(128, 256))
_CONTROLS = bytes({*range(0x20), 0x7F} - {*b"\t\n\v\f\r\x1b"})
_ODD_IN_ASCII = _CONTROLS + b"\x1b"
_C1 = re.compile("[\x80-\x84\x86-\x9f]")
_ENCODED_SURROGATE = re.compile(rb"\xed[\xa0-\xbf][\x80-\xbf]")
# Names that mail programs and browsers write and Python does not know.
_ALIASES = {
    "macintosh": "mac_roman", "x-mac-roman": "mac_roman", "x-mac-cyrillic": "mac_cyrillic", "x-sjis": "cp932",
    "ks_c_5601-1987": "cp949", "x-gbk": "gb18030", "x-euc-jp": "euc_jp", "unicode-1-1-utf-8": "utf-8",
    "dos-874": "cp874", "windows-31j": "cp932", "iso-8859-8-i": "cp1255", "x-cp1250": "cp1250", "x-cp1251": "cp1251",
    "x-cp1252": WESTERN, "x-user-defined": WESTERN, "x-unknown": "", "unknown-8bit": "", "8bit": "", "default": "",
}  # fmt: skip
_KNOWN_BY = {
    "big5": "Big5", "big5hkscs": "Big5-HKSCS", "euc_jp": "EUC-JP", "euc_jis_2004": "EUC-JP", "gb18030": "GB18030",
    "cp932": "Shift_JIS", "shift_jis_2004": "Shift_JIS", "cp949": "EUC-KR", "johab": "Johab",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Decoded:
    """Text, and how many characters of it were damaged.

    `guess` is the encoding where nothing else says which it is, `refuted` the one that was declared and cannot be.
    """

    text: str
    lost: int = 0
    guess: str = ""
    refuted: str = ""

    @property
    def note(self) -> str:
        """What is uncertain about the text, as a note of its document; "" when nothing is."""
        damage = f"damaged characters that could not be read: {self.lost:,}" if self.lost else ""
        guess = f"its encoding was guessed: {show_encoding(self.guess)}" if self.guess else ""
        refuted = f"it declares an encoding that it is not in: {show_encoding(self.refuted)}" if self.refuted else ""
        return "; ".join(filter(None, (refuted, guess, damage)))


def decode(data: bytes, *, declared: str | None = None) -> Decoded:
    """The text in `data`; `declared` is the encoding that the document claims, tried after UTF-8.

    UnsupportedDocument when no encoding yields mostly printable text.
    """
    if is_plain(data):
        return Decoded(data.decode("ascii"))
    text = decode_unicode(data)
    found = _decode_legacy(data, declared) if text is None else Decoded(text, _count_lost(data, text))
    if found is None or is_mostly_control(found.text):
        raise UnsupportedDocument(BINARY)
    return found


def is_plain(data: bytes) -> bool:
    """Whether it is ASCII without any control character that text has none of, so that there is nothing to find out."""
    return data.isascii() and len(data.translate(None, _ODD_IN_ASCII)) == len(data)


def _count_lost(data: bytes, text: str) -> int:
    """Replacement characters that the author did not write."""
    return max(0, text.count(REPLACEMENT) - data.count(REPLACEMENT.encode()))


def decode_unicode(data: bytes) -> str | None:
    """The text when `data` is beyond doubt in an encoding that shows itself, as Unicode's do, else None."""
    for mark, name in _MARKS:
        if data.startswith(mark):
            return data.decode(name, errors="replace")
    if b"\x1b" in data and (name := _escaped_encoding(data)):
        return data.decode(name, errors="replace")
    if wide := _wide_encoding(data):
        return data.decode(wide, errors="replace")
    return _decode_utf8(data)


def guess_legacy(sample: bytes) -> str:
    """The encoding of text that is in none of Unicode's, by its beginning; "" for text that is, damaged or not.

    Unlike `decode`, which is about one document, this takes every good character of UTF-8 for a proof of it.
    """
    if sample.isascii() or has_many_nuls(sample):
        return _escaped_encoding(sample) if b"\x1b" in sample else ""
    text = sample.decode("utf-8", errors="replace")
    bad = text.count(REPLACEMENT)
    if sum(1 for character in text if character > "\x7f") >= 2 * bad:
        return ""
    return _guess(sample[:GUESS_BYTES]) or ""


def show_encoding(encoding: str) -> str:
    """An encoding by the name that people know: cp1252 is windows-1252."""
    number = encoding.removeprefix("cp")
    if encoding.startswith(("cp125", "cp874")):
        return f"windows-{number}"
    return _KNOWN_BY.get(encoding, encoding.replace("iso8859", "iso-8859").replace("_", "-"))


def is_mostly_control(text: str) -> bool:
    """Whether more than `CONTROL_SHARE` of the beginning are control characters, which text is not made of."""
    sample = text[:SAMPLE_BYTES]
    controls = len(data := sample.encode("utf-8", "surrogatepass")) - len(data.translate(None, _CONTROLS))
    return controls > CONTROL_SHARE * max(len(sample), 1)


def is_storable(text: str) -> bool:
    """Whether every database takes it: it holds no NUL and no lone surrogate, as a byte that is no UTF-8 becomes."""
    if "\0" in text:
        return False
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def make_storable(text: str) -> str:
    """The text without NULs, and with a question mark for each lone surrogate."""
    return text.encode("utf-8", "replace").decode().replace("\0", "")


def has_many_nuls(data: bytes) -> bool:
    """More than one byte in a hundred, which no 8-bit text has; a stray one is damage."""
    sample = data[:SAMPLE_BYTES]
    return sample.count(0) * 100 > len(sample)


def _decode_utf8(data: bytes) -> str | None:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return _decode_cesu(data) if _ENCODED_SURROGATE.search(data) else None


def _decode_cesu(data: bytes) -> str | None:
    """UTF-8 whose astral characters were written as two surrogates, as Java and old databases do."""
    try:
        halves = data.decode("utf-8", errors="surrogatepass")
    except UnicodeDecodeError:
        return None
    return halves.encode("utf-16-le", errors="surrogatepass").decode("utf-16-le", errors="ignore")


def _escaped_encoding(data: bytes) -> str:
    """The encoding whose escapes stand in ASCII text and make sense there; "" when there are none."""
    for escape, name in _ESCAPES:
        if escape in data and data.isascii() and REPLACEMENT not in data.decode(name, errors="replace"):
            return name
    return ""


def _wide_encoding(data: bytes) -> str | None:
    """UTF-16 without a mark shows as NUL in nearly every other byte of Western text, UTF-32 in three of any four."""
    if len(data) % 2 or b"\0" not in data[:SAMPLE_BYTES]:
        return _wide_script(data)
    sample = data[: SAMPLE_BYTES - SAMPLE_BYTES % 4]
    nuls = [sample[at::4].count(0) * 4 / len(sample) for at in range(4)]
    if len(data) % 4 == 0 and nuls[0] > 0.95 and nuls[1] > 0.9 > nuls[3]:
        return "utf-32-be"
    if len(data) % 4 == 0 and nuls[3] > 0.95 and nuls[2] > 0.9 > nuls[0]:
        return "utf-32-le"
    high, low = (nuls[0] + nuls[2]) / 2, (nuls[1] + nuls[3]) / 2
    if high > 0.6 and low < 0.05:
        return "utf-16-be"
    return "utf-16-le" if low > 0.6 and high < 0.05 else _wide_script(data)


def _wide_script(data: bytes) -> str | None:
    """UTF-16 without a mark in another script: nearly all letters, most of one script, in one order of bytes only."""
    if len(data) % 2 or len(data) < 4 or (_is_utf8(data) and b"\0" not in data):
        return None
    found = [name for name in ("utf-16-le", "utf-16-be") if _reads_as_script(data[:WIDE_SAMPLE_BYTES], name)]
    return found[0] if len(found) == 1 else None


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _reads_as_script(sample: bytes, encoding: str) -> bool:
    try:
        text = sample.decode(encoding)
    except UnicodeDecodeError as error:
        if error.start < len(sample) - 2:
            return False
        text = sample[: error.start].decode(encoding)
    likely = sum(c in "\t\n\r" or unicodedata.category(c)[0] in "LMNPZ" for c in text)
    scripts = Counter(_script(c) for c in text if c.isalpha())
    if likely < LEAST_LETTERS_OF_UTF_16 * len(text) or not scripts:
        return False
    most = scripts.most_common(1)[0][1]
    return most >= LEAST_OF_ONE_SCRIPT * scripts.total() and any(c in " \n、。，" for c in text)


def _script(letter: str) -> str:
    """The first word of a letter's name; Japanese is written in three scripts together."""
    word = unicodedata.name(letter, "?").partition(" ")[0]
    return "CJK" if word in ("HIRAGANA", "KATAKANA") else word


def _decode_legacy(data: bytes, declared: str | None) -> Decoded | None:
    if has_many_nuls(data):
        return None
    if declared and (text := _decode_declared(data, declared)) is not None:
        return Decoded(text, _count_lost(data, text))
    if not (guess := _guess(data[:GUESS_BYTES])):
        return None
    text = _decode_whole(data, guess)
    lost = _count_lost(data, text)
    if lost > MOST_DAMAGED_GUESS * len(text):
        return None
    return Decoded(text, lost, guess, (declared or "").strip().lower())


def _decode_whole(data: bytes, encoding: str) -> str:
    """The text; windows-1252 has five holes, which are filled from Latin-1 as browsers do, and cleaned away later."""
    text = data.decode(encoding, errors="replace")
    if encoding == WESTERN and REPLACEMENT in text:
        return "".join(bytes((byte,)).decode(WESTERN, "ignore") or chr(byte) for byte in data)
    return text


def _decode_declared(data: bytes, declared: str) -> str | None:
    """The text as it is declared, unless that cannot be: nobody writes C1 control characters, or damages on purpose."""
    from embedmill.shared.charsets import larger

    name = declared.strip().strip("\"'").lower()
    if name in ("ascii", "us-ascii", "ansi_x3.4-1968", "646") and not data.isascii():
        return None
    try:
        text = data.decode(larger(_ALIASES.get(name, name)), errors="replace")
    except (LookupError, UnicodeError, ValueError):
        return None
    damaged = text.count(REPLACEMENT) + len(_C1.findall(text))
    return text if damaged <= len(text) * MOST_DAMAGED else None


def _guess(sample: bytes) -> str | None:
    if _is_damaged_utf8(sample):
        return "utf-8"
    from embedmill.shared.charsets import guess_charset

    return guess_charset(sample) or (WESTERN if _is_mostly_ascii(sample) else None)


def _is_mostly_ascii(sample: bytes) -> bool:
    return len(sample.translate(None, _NOT_ASCII)) * 10 >= len(sample) * 7


def _is_damaged_utf8(sample: bytes) -> bool:
    """A few bad bytes, or a sample cut inside a character, do not make UTF-8 another encoding."""
    text = sample.decode("utf-8", errors="replace")
    wide = sum(1 for character in text if character > "\x7f")
    return wide > 0 and text.count(REPLACEMENT) * 10 < wide
