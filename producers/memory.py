"""A source's memory in the tracking database."""

from collections.abc import Iterator, Sequence

from embedmill.producers.sources.memory import Memory, Value
from embedmill.shared.db import source_memory
from embedmill.shared.db.engine import Database
from embedmill.shared.paging import walk
from embedmill.shared.privacy.document_seals import open_memory
from embedmill.shared.privacy.vault import Vault


class StoredMemory(Memory):
    """What one source kept; a scan writes its changes with the batches that they belong to."""

    is_kept = True

    def __init__(self, database: Database, source_id: int, vault: Vault) -> None:
        super().__init__()
        self._vault = vault
        self._database = database
        self._source_id = source_id

    def _place(self, key: str) -> str:
        return source_memory.address_of(key)

    def _find(self, keys: Sequence[str]) -> dict[str, Value]:
        if not keys:
            return {}
        found = self._database.query(lambda c: source_memory.find_memory(c, self._source_id, keys))
        return {key: open_memory(self._vault, value) for key, value in found.items()}

    def _list(self, after: str) -> Iterator[tuple[str, Value]]:
        def find(last: str) -> list[tuple[str, Value]]:
            found = self._database.query(lambda c: source_memory.list_memory(c, self._source_id, after=last or after))
            return [*found]

        for page in walk(find, key=lambda entry: entry[0]):
            yield from ((key, open_memory(self._vault, value)) for key, value in page)
