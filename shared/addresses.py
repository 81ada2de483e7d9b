"""Content addresses: the hashes by which documents, versions and settings are recognised on every machine."""

import hashlib


def digest(*parts: str | bytes, length: int = 32) -> str:
    """Hex of `length` characters over length-framed parts, so that ('ab', 'c') and ('a', 'bc') differ."""
    hasher = hashlib.sha256()
    for part in parts:
        data = part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part
        hasher.update(len(data).to_bytes(8, "big"))
        hasher.update(data)
    return hasher.hexdigest()[:length]


def document_id(collection: str, uri: str) -> str:
    """A document's id: the same for the same collection name and URI everywhere."""
    return digest("document", collection, uri)


def version_id(content_hash: str, settings_hash: str) -> str:
    """A document version: what was ingested and how."""
    return digest("version", content_hash, settings_hash, length=16)
