"""Owns words that a line's end cuts, or that lack a sign: the document, or a list of words, says what they are."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import cache, cached_property, reduce

from embedmill.shared.ranked_tokens import read_tokens

HYPHENS = "-\u2010\u00ad\x02\ufffe"
"""What stands at a line's end in a word that goes on; U+FFFE and U+0002 are pdfium's own signs for it."""

UNKNOWN = "\ufffd"
"""What stands for a sign whose meaning the file does not tell."""

_LIGATURES = ("ffi", "ffl", "ff", "fi", "fl")
# U+21B5 is what TeX's `ff` is called in files that macOS made.
_SIGN = re.compile(f"[{UNKNOWN}\u21b5]")
_TORN = re.compile(rf"[^\W\d_]*{_SIGN.pattern}[^\W\d_]+|[^\W\d_]+{_SIGN.pattern}")
_WORD = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*")
_LAST_WORD = re.compile(r"[^\W_]+(?:[-\u2010][^\W_]+)*$")
_FIRST_WORD = re.compile(r"[^\W_]+")
_SHORTEST = 4
_AND = frozenset({"and", "or", "und", "oder", "bzw", "sowie", "och", "eller", "og", "en", "et", "ou"})
"""Words before which a hyphen stands for what two words share: `Ein- und Ausfahrt`."""


class DocumentWords:
    """The words of a document that no line's end cuts, counted without regard to case."""

    def __init__(self, lines: Iterable[str] = (), is_listed: Callable[[str], bool] | None = None) -> None:
        self._lines = lines
        self._is_listed = is_listed or is_in_vocabulary

    @cached_property
    def _seen(self) -> Counter[str]:
        """Counted when a hyphen first asks for it; a half at a line's end is counted as what it looks like."""
        return Counter(_WORD.findall("\n".join(self._lines).casefold().replace("\u2010", "-")))

    def mended(self, text: str) -> str:
        """The text with a ligature for a sign without a meaning where one, and no other, makes a word of it."""
        return _TORN.sub(self._with_ligature, text) if _SIGN.search(text) else text

    def _with_ligature(self, found: "re.Match[str]") -> str:
        wholes = [_SIGN.sub(ligature, found[0]) for ligature in _LIGATURES]
        words = [whole for whole in wholes if self._is_known(whole.casefold())]
        return words[0] if len(words) == 1 else found[0]

    def knows(self, word: str) -> bool:
        """Whether it stands in the document, or in the list, however short it is."""
        folded = word.casefold()
        return self._seen[folded] > 0 or self._is_listed(folded)

    def _is_known(self, word: str) -> bool:
        return len(word) >= _SHORTEST and (self._seen[word] > 0 or self._is_listed(word))

    def join_all(self, lines: Sequence[str]) -> str:
        """Lines as one text."""
        if all(line and line[-1] not in HYPHENS for line in lines):
            return " ".join(lines)
        return reduce(self.join, lines)

    def join(self, line: str, following: str) -> str:
        """Two lines as one text; a hyphen between them goes only on evidence."""
        if not line or line[-1] not in HYPHENS or len(line) < 2 or line[-2].isspace():
            return f"{line} {following}" if line and following else line or following
        line = line[:-1]
        left, right = _LAST_WORD.search(line, line.rfind(" ") + 1), _FIRST_WORD.match(following)
        if left and right and self._is_one_word(left[0], right[0]):
            return line + following
        is_shared = right and right[0] in _AND and following[right.end() :][:1].isspace()
        return f"{line}- {following}" if is_shared else f"{line}-{following}"

    def _is_one_word(self, left: str, right: str) -> bool:
        if right[0].isupper() and not left.isupper():
            return False
        whole, apart = (left + right).casefold(), f"{left}-{right}".casefold()
        if self._seen[whole] or self._seen[apart]:
            return self._seen[whole] >= self._seen[apart]
        part = whole.rpartition("-")[2]
        return self._is_known(part)


def is_in_vocabulary(word: str) -> bool:
    """Whether the tokenizer's vocabulary has it as a whole: some 40,000 frequent words, most of them English."""
    return f" {word}".encode() in _vocabulary()


@cache
def _vocabulary() -> frozenset[bytes]:
    return frozenset(read_tokens())
