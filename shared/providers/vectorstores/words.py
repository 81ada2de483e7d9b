"""Owns the words of a text, for stores whose own idea of a word differs from the embedded one's."""

import unicodedata

from embedmill.shared.providers.vectorstores.embedded.lexical import MAX_TERMS, STOP_WORDS, WORD


def words_of(text: str) -> str:
    """The words of a text in small letters, without accents, separated by blanks."""
    folded = text.lower()
    if not folded.isascii():
        folded = "".join(c for c in unicodedata.normalize("NFKD", folded) if not unicodedata.combining(c))
    return " ".join(WORD.findall(folded))


def query_words(text: str) -> str:
    """The words of a query; stop words only count when there is nothing else. Empty without words."""
    words = dict.fromkeys(words_of(text).split())
    terms = [word for word in words if word not in STOP_WORDS] or list(words)
    return " ".join(terms[:MAX_TERMS])
