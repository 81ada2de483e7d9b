"""Fences untrusted text in a prompt: a tag whose random name the text cannot hold, so that it cannot end its fence."""

import secrets
from collections.abc import Iterable
from dataclasses import dataclass

TOKEN_BYTES = 6
"""Drawn for each request, and not before its texts were written: nobody can guess it in one attempt."""


@dataclass(frozen=True, slots=True)
class Fence:
    """One request's tag; `token` occurs in none of the texts that it was made for."""

    token: str

    def wrap(self, kind: str, text: str, **attributes: str) -> str:
        """`text` as it is, between a line that opens the fence and one that closes it.

        Attribute values may come from documents too; they are quoted and kept on one line, and empty ones left out.
        """
        told = "".join(f" {name}={_quoted(value)}" for name, value in attributes.items() if value)
        return f"<{kind}-{self.token}{told}>\n{text}\n</{kind}-{self.token}>"


NO_FENCE = Fence("")
"""Of requests that no model reads as words."""


def make_fence(texts: Iterable[str]) -> Fence:
    """A fence around these texts; a token that one of them holds by chance is drawn again."""
    joined = "\n".join(texts).lower()
    while True:
        token = secrets.token_hex(TOKEN_BYTES)
        if token not in joined:
            return Fence(token)


def _quoted(value: str) -> str:
    # It brings urllib and http, which a worker without a model has no use for.
    from xml.sax.saxutils import quoteattr

    return quoteattr(" ".join(value.split()))
