"""The offline token counter: cl100k_base counts, exact for OpenAI's models and a fair estimate for the others."""

from collections.abc import Callable, Sequence
from functools import cache

ENCODING = "cl100k_base"


def count_tokens(text: str) -> int:
    """Tokens of `text`; markers such as <|endoftext|> count as the plain text that they are in a document."""
    return count_many((text,))[0]


def count_many(texts: Sequence[str]) -> list[int]:
    """Tokens of each text, in order. A lone surrogate counts like a question mark; nothing raises."""
    count = _counter()
    try:
        return [count(text) for text in texts]
    except TypeError:  # the tokenizer takes UTF-8, in which a lone surrogate has no form
        return [count(text.encode("utf-8", "replace").decode()) for text in texts]


@cache
def _counter() -> Callable[[str], int]:
    # Loading the ranks takes 0.2 s, which a command that counts nothing should not pay.
    import quicktok

    counter: Callable[[str], int] = quicktok.get_encoding(ENCODING).count
    return counter
