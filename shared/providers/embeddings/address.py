"""Content addresses of embeddings: where the vector of a text is kept, so that no text is paid for twice."""

from shared.addresses import digest


def content_address(model: str, dimensions: int, input_type: str, text: str) -> bytes:
    """32-byte SHA-256 over the length-framed parts; a symmetric model's caller passes `document` for queries too."""
    return bytes.fromhex(digest("embedding", model, str(dimensions), input_type, text, length=64))
