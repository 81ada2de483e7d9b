"""Which shards cannot be read, and which of them are put aside."""

from embedmill.console.services.shards import find_unreadable, set_aside
from embedmill.shared.errors import EmbedmillError, ShardDamaged, StorageFailed
from embedmill.shared.providers.vectorstores.base import VectorStore

FAULTS: dict[str, EmbedmillError] = {
    "damaged": ShardDamaged("no database"),
    "stuck": ShardDamaged("no database, and its folder is read-only"),
    "closed": StorageFailed("permission denied"),
}


class Faulty(VectorStore):
    """Some of its shards are whole."""

    def examine(self, shard: str) -> None:
        if shard in FAULTS:
            raise FAULTS[shard]

    def set_aside(self, shard: str) -> str:
        if shard == "stuck":
            raise StorageFailed("read-only")
        return f"{shard}.damaged-1"


Faulty.__abstractmethods__ = frozenset()


def test_what_is_damaged_is_put_aside_and_what_cannot_be_read_for_another_reason_is_left() -> None:
    store: VectorStore = Faulty()  # type: ignore[abstract]
    unreadable = find_unreadable(store, ["whole", *FAULTS])
    assert unreadable == FAULTS
    assert set_aside(store, unreadable) == {"damaged": "damaged.damaged-1"}
