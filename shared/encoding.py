"""Owns turning bytes of text into characters: byte order marks, UTF-8, UTF-16 without a mark, then a guess."""

import codecs
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from embedmill.shared.errors import UnsupportedDocument
from embedmill.shared.latin import guess_latin

if TYPE_CHECKING:
    from charset_normalizer import CharsetMatch

BINARY = "it is binary data of no known kind"
COMMON_BONUS = 0.1
CONTROL_SHARE = 0.3
SAMPLE_BYTES = 64 * 1024
REPLACEMENT = "\ufffd"
WESTERN = "cp1252"
GUESS_BYTES = 256 * 1024
GUESS_TOLERANCES = (0.2, 0.5)  # charset-normalizer's own, and one for text with much code in it
PLAUSIBLE_CHARS = 4096

# UTF-32 first: its little-endian mark starts with UTF-16's.
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_COMMON = frozenset(
    {"big5", "cp1250", WESTERN, "cp1251", "cp932", "euc_jp", "euc_kr", "gb18030", "koi8_r", "shift_jis"}
)
_NOT_ASCII = bytes(range(128, 256))
_CONTROL = re.compile("[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")
_ENCODED_SURROGATE = re.compile(rb"\xed[\xa0-\xbf][\x80-\xbf]")


@dataclass(frozen=True, slots=True)
class Decoded:
    """Text, how many characters of it were damaged, and the encoding where nothing but a guess says which it is."""

    text: str
    lost: int = 0
    guess: str = ""

    @property
    def note(self) -> str:
        """What is uncertain about the text, as a note of its document; "" when nothing is."""
        damage = f"damaged characters that could not be read: {self.lost:,}" if self.lost else ""
        guess = f"its encoding was guessed: {show_encoding(self.guess)}" if self.guess else ""
        return "; ".join(filter(None, (guess, damage)))


def decode(data: bytes, *, declared: str | None = None) -> Decoded:
    """The text in `data`; `declared` is the encoding that the document claims, tried after UTF-8.

    UnsupportedDocument when no encoding yields mostly printable text.
    """
    text = decode_unicode(data)
    found = _decode_legacy(data, declared) if text is None else Decoded(text, _count_lost(data, text))
    if found is None or is_mostly_control(found.text):
        raise UnsupportedDocument(BINARY)
    return found


def _count_lost(data: bytes, text: str) -> int:
    """Replacement characters that the author did not write."""
    return max(0, text.count(REPLACEMENT) - data.count(REPLACEMENT.encode()))


def decode_unicode(data: bytes) -> str | None:
    """The text when `data` is beyond doubt in a Unicode encoding, else None."""
    for mark, name in _MARKS:
        if data.startswith(mark):
            return data.decode(name, errors="replace")
    if wide := _wide_encoding(data):
        return data.decode(wide, errors="replace")
    return _decode_utf8(data)


def guess_legacy(sample: bytes) -> str:
    """The encoding of text that is in none of Unicode's, by its beginning; "" for text that is, damaged or not.

    Unlike `decode`, which is about one document, this takes every good character of UTF-8 for a proof of it.
    """
    if sample.isascii() or has_many_nuls(sample):
        return ""
    text = sample.decode("utf-8", errors="replace")
    bad = text.count(REPLACEMENT)
    if sum(1 for character in text if character > "\x7f") >= 2 * bad:
        return ""
    return _guess(sample[:GUESS_BYTES]) or ""


def show_encoding(encoding: str) -> str:
    """An encoding by the name that people know: cp1252 is windows-1252."""
    number = encoding.removeprefix("cp")
    return f"windows-{number}" if encoding.startswith("cp125") else encoding.replace("_", "-")


def is_mostly_control(text: str) -> bool:
    """Whether more than `CONTROL_SHARE` of the beginning are control characters, which text is not made of."""
    sample = text[:SAMPLE_BYTES]
    return len(_CONTROL.findall(sample)) > CONTROL_SHARE * max(len(sample), 1)


def is_storable(text: str) -> bool:
    """Whether every database takes it: it holds no NUL and no lone surrogate, as a byte that is no UTF-8 becomes."""
    return "\0" not in text and text.encode(errors="ignore").decode() == text


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


def _wide_encoding(data: bytes) -> str | None:
    """UTF-16 without a mark shows as NUL in nearly every other byte of Western text."""
    sample = data[:SAMPLE_BYTES]
    half = len(sample) // 2
    if half == 0 or len(data) % 2 or b"\0" not in sample:
        return None
    high, low = sample[0::2].count(0) / half, sample[1::2].count(0) / half
    if high > 0.6 and low < 0.05:
        return "utf-16-be"
    return "utf-16-le" if low > 0.6 and high < 0.05 else None


def _decode_legacy(data: bytes, declared: str | None) -> Decoded | None:
    if has_many_nuls(data):
        return None
    if declared and (text := _decode_declared(data, declared)) is not None:
        return Decoded(text, _count_lost(data, text))
    if not (guess := _guess(data[:GUESS_BYTES])):
        return None
    text = data.decode(guess, errors="replace")
    return Decoded(text, _count_lost(data, text), guess)


def _decode_declared(data: bytes, declared: str) -> str | None:
    try:
        text = data.decode(declared, errors="replace")
    except (LookupError, UnicodeError, ValueError):
        return None
    return text if text.count(REPLACEMENT) <= len(text) // 100 else None


def _guess(sample: bytes) -> str | None:
    if _is_damaged_utf8(sample):
        return "utf-8"
    if latin := guess_latin(sample):
        return latin
    from charset_normalizer import from_bytes

    for tolerance in GUESS_TOLERANCES:
        matches = from_bytes(sample, threshold=tolerance)
        for match in sorted(matches, key=_rank):
            if _is_plausible(str(match)[:PLAUSIBLE_CHARS]):
                return match.encoding
    return WESTERN if _is_mostly_ascii(sample) else None


def _rank(match: "CharsetMatch") -> tuple[float, float]:
    """charset-normalizer's own scores; of two readings nearly as good, the common encoding is the likelier one."""
    return round(match.chaos, 2), -match.coherence - (COMMON_BONUS if match.encoding in _COMMON else 0.0)


def _is_plausible(text: str) -> bool:
    """No language in Latin script writes mostly letters with marks: such a reading is another script misread."""
    letters = sum(1 for character in text if character.isalpha())
    marked = sum(1 for character in text if "\x7f" < character < "\u0250" and character.isalpha())
    return letters > 0 and marked <= letters // 2


def _is_mostly_ascii(sample: bytes) -> bool:
    return len(sample.translate(None, _NOT_ASCII)) * 10 >= len(sample) * 7


def _is_damaged_utf8(sample: bytes) -> bool:
    """A few bad bytes, or a sample cut inside a character, do not make UTF-8 another encoding."""
    text = sample.decode("utf-8", errors="replace")
    wide = sum(1 for character in text if character > "\x7f")
    return wide > 0 and text.count(REPLACEMENT) * 10 < wide
