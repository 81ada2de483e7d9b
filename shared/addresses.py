"""Content addresses: the hashes by which documents, versions and settings are recognised on every machine."""

import hashlib
from collections.abc import Iterable, Iterator


def digest(*parts: str | bytes, length: int = 32) -> str:
    """Hex of `length` characters over length-framed parts, so that ('ab', 'c') and ('a', 'bc') differ."""
    return hashlib.sha256(b"".join(map(_framed, parts))).hexdigest()[:length]


def digests(*parts: str | bytes, lasts: Iterable[str], length: int = 32) -> Iterator[str]:
    """The digest of `parts` and one last part, for each of `lasts`."""
    common = hashlib.sha256()
    for part in parts:
        common.update(_framed(part))
    for last in lasts:
        hasher = common.copy()
        hasher.update(_framed(last))
        yield hasher.hexdigest()[:length]


def _framed(part: str | bytes) -> bytes:
    data = part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part
    return len(data).to_bytes(8, "big") + data


def document_id(collection: str, uri: str) -> str:
    """A document's id: the same for the same collection name and URI everywhere."""
    return digest("document", collection, uri)


def version_id(content_hash: str, settings_hash: str) -> str:
    """A document version: what was ingested and how."""
    return digest("version", content_hash, settings_hash, length=16)
