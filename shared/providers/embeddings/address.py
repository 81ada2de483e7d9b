"""Content addresses of embeddings: where the vector of a text is kept, so that no text is paid for twice."""

import hashlib


def content_address(model: str, dimensions: int, input_type: str, text: str) -> bytes:
    """32-byte SHA-256 over the length-framed parts; a symmetric model's caller passes `document` for queries too."""
    hasher = hashlib.sha256()
    for part in ("embedding", model, str(dimensions), input_type, text):
        data = part.encode("utf-8", "surrogatepass")
        hasher.update(len(data).to_bytes(8, "big"))
        hasher.update(data)
    return hasher.digest()
