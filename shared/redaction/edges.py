"""Where a value may begin and end: not within a word, another number or an amount."""

_WITHOUT_BLANKS = "\u0e00"
"""From here on are scripts in which no blank parts a number from a word."""
BLANK = frozenset({"", " ", "\n"})
"""What parts words, and the end of a text."""


def is_word(character: str) -> bool:
    """A letter or digit that goes on with a word or number; of scripts without blanks, none does.

    An underscore parts what a file's name is made of: `call_+1-714-719-5847_2.wav`.
    """
    return character < _WITHOUT_BLANKS and character.isalnum()


def opens_at(text: str, start: int) -> bool:
    """Whether a value may begin here: it is no end of a word, of another number, or of an amount."""
    if not start:
        return True
    before = text[start - 1]
    if before in BLANK:
        return True
    if is_word(before) or before in "$€£¥@":
        return False
    further = text[start - 2 : start - 1] if start > 1 else ""
    if before == "-":
        return not (further and is_word(further))
    return not (before in ".:" and further.isdigit())


def closes_at(text: str, end: int) -> bool:
    """Whether a value may end here."""
    after = text[end : end + 1]
    if after in BLANK:
        return True
    further = text[end + 1 : end + 2]
    if is_word(after):
        return after in "xX" and further.isdigit()
    if after == "@":
        return False
    if after == "-":
        return not (further and is_word(further))
    return not (after == "." and further.isdigit())
