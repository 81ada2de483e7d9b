"""Content addresses of embeddings: where the vector of a text is kept, so that no text is paid for twice."""

import hashlib
from functools import cache
from typing import TYPE_CHECKING

from embedmill.shared.addresses import digest

if TYPE_CHECKING:
    from hashlib import _Hash


def content_address(model: str, dimensions: int, input_type: str, text: str, *, endpoint: str = "") -> bytes:
    """32-byte SHA-256 over model, dimensions, input type, text and who answers, in a framing that no two sets share.

    Without an `endpoint` it is the vendor, or this machine.

    Queries have addresses of their own, also where a model embeds them as it does documents: they are kept for another
    time.
    """
    hasher = _prefix(model, dimensions, input_type, endpoint).copy()
    hasher.update(text.encode("utf-8", "surrogatepass"))
    return hasher.digest()


@cache
def _prefix(model: str, dimensions: int, input_type: str, endpoint: str) -> "_Hash":
    """The hash of everything before the text, of fixed length, so that the text needs no length of its own."""
    whose = (endpoint,) if endpoint else ()
    return hashlib.sha256(digest("embedding", model, str(dimensions), input_type, *whose, length=64).encode())
