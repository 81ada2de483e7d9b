"""What of a document is sealed in the tracking database, and as what: its title, notes, metadata and content's hash."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from embedmill.shared.db.sealed import NOTES, TITLE
from embedmill.shared.db.tombstones import NO_CONTENT
from embedmill.shared.privacy.vault import Vault

METADATA, CONTENT, MEMORY = "metadata", "content", "memory"


@dataclass(frozen=True, slots=True)
class DocumentSeals:
    """The seals of one collection's documents; everything stays as it is where that is not encrypted."""

    vault: Vault
    collection_id: int

    def title(self, title: str) -> str:
        """A title as it is stored."""
        return self.vault.seal_text(self.collection_id, TITLE, title)

    def notes(self, notes: str | None) -> str | None:
        """Notes as they are stored."""
        return None if notes is None else self.vault.seal_text(self.collection_id, NOTES, notes)

    def origin(self, origin: Mapping[str, Any]) -> dict[str, Any]:
        """An origin, of which the metadata are the document's own."""
        metadata = origin.get(METADATA)
        sealed = {METADATA: self.vault.seal_json(self.collection_id, METADATA, metadata)} if metadata else {}
        return {**origin, **sealed}

    def memory(self, changes: Mapping[str, Mapping[str, Any] | None]) -> dict[str, Mapping[str, Any] | None]:
        """What a source keeps: what it saw of documents."""
        return {
            key: value and self.vault.seal_json(self.collection_id, MEMORY, value) for key, value in changes.items()
        }

    def content_hash(self, content_hash: str) -> str:
        """A content's hash, against which nobody can try contents; that of no content says nothing."""
        if content_hash in ("", NO_CONTENT):
            return content_hash
        return self.vault.hash_of(self.collection_id, CONTENT, content_hash)


def open_memory(vault: Vault, value: Mapping[str, Any]) -> dict[str, Any]:
    """What a source kept, as it is stored."""
    return dict(vault.open_json(MEMORY, value))


def open_metadata(vault: Vault, origin: Mapping[str, Any]) -> Mapping[str, Any]:
    """The metadata of an origin as it is stored."""
    return vault.open_json(METADATA, origin.get(METADATA) or {})
