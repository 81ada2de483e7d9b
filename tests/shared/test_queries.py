"""Vectors of queries: of several who ask the same at the same moment one pays, and nobody waits longer than allowed."""

import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from embedmill.shared.asking import single_flight
from embedmill.shared.caches.file import FileCache
from embedmill.shared.db.opening import open_database
from embedmill.shared.errors import ProviderUnavailable, StorageFailed
from embedmill.shared.presence import Presence
from embedmill.shared.providers.embeddings.base import InputType
from embedmill.shared.providers.embeddings.hash import HashEmbedder
from embedmill.shared.queries import RememberedQueries
from embedmill.shared.settings import Settings
from embedmill.shared.spend.metering import LedgerMeter
from embedmill.shared.spend.spender import Spender
from tests.migrated import place_migrated

TEXT = "copper lantern"


class Vendor(HashEmbedder):
    """A model that costs money: it counts what it is asked, and does something else meanwhile."""

    provider, model, is_instant = "openai", "text-embedding-3-small", False

    def __init__(self, meanwhile: Callable[[], object] = lambda: None) -> None:
        super().__init__()
        self.asked: list[str] = []
        self.meanwhile = meanwhile

    def embed_batch(self, texts: Sequence[str], *, input_type: InputType = "document") -> NDArray[np.float32]:
        self.asked += texts
        self.meanwhile()
        return super().embed_batch(texts, input_type=input_type)


class WaitedFor(FileCache):
    """A cache that tells when somebody waits for others."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.has_waited = threading.Event()

    def find_holders(self, addresses: Sequence[bytes]) -> set[str]:
        self.has_waited.set()
        return super().find_holders(addresses)


class Away(FileCache):
    """A cache that answers nothing."""

    def fetch_many(self, addresses: Sequence[bytes]) -> dict[bytes, bytes]:
        raise StorageFailed("away")


@pytest.fixture
def meter(settings: Settings) -> Iterator[LedgerMeter]:
    place_migrated(settings.home_path / "tracking.db")
    database = open_database(settings.database)
    spender = Spender(database, settings, owner="a process")
    yield LedgerMeter(spender)
    spender.close()
    database.close()


@pytest.fixture
def asker(meter: LedgerMeter, tmp_path: Path) -> Iterator[Callable[..., RememberedQueries]]:
    with Presence(tmp_path / "run") as present:

        def make(vendor: Vendor, cache: FileCache | None = None, *, seconds: float = 60.0) -> RememberedQueries:
            kept = cache or FileCache(tmp_path / "cache.db")
            return RememberedQueries(
                vendor, kept, meter, seconds=seconds, process_id=present.id, run_folder=tmp_path / "run"
            )

        yield make


def test_a_query_that_two_ask_at_the_same_moment_is_paid_once(
    asker: Callable[..., RememberedQueries], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(single_flight, "LOOK_AGAIN_SECONDS", 0.001)
    waiting, found = WaitedFor(tmp_path / "cache.db"), list[NDArray[np.float32]]()
    other = Vendor()
    second = threading.Thread(target=lambda: found.append(asker(other, waiting).embed_batch([TEXT])))

    def come_meanwhile() -> None:
        second.start()
        assert waiting.has_waited.wait(30)

    first = Vendor(come_meanwhile)
    made = asker(first).embed_batch([TEXT])
    second.join()
    assert (first.asked, other.asked) == ([TEXT], [])
    assert np.array_equal(made, found[0])


def test_where_the_first_fails_whoever_waited_asks(
    asker: Callable[..., RememberedQueries], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(single_flight, "LOOK_AGAIN_SECONDS", 0.001)
    waiting, other = WaitedFor(tmp_path / "cache.db"), Vendor()
    second = threading.Thread(target=lambda: asker(other, waiting).embed_batch([TEXT]))

    def fail_while_it_is_waited_for() -> None:
        second.start()
        assert waiting.has_waited.wait(30)
        raise ProviderUnavailable("down")

    with pytest.raises(ProviderUnavailable, match="down"):
        asker(Vendor(fail_while_it_is_waited_for)).embed_batch([TEXT])
    second.join()
    assert other.asked == [TEXT]


def test_others_are_waited_for_as_long_as_the_model_is(asker: Callable[..., RememberedQueries], tmp_path: Path) -> None:
    vendor, cache = Vendor(), FileCache(tmp_path / "cache.db")
    cache.reserve([vendor.address(TEXT, input_type="query")], owner="another-host", seconds=600)
    with pytest.raises(ProviderUnavailable, match=r"openai did not answer within 0\.01 s"):
        asker(vendor, seconds=0.01).embed_batch([TEXT], input_type="query")
    assert not vendor.asked


def test_without_its_cache_the_model_is_asked(asker: Callable[..., RememberedQueries], tmp_path: Path) -> None:
    vendor = Vendor()
    queries = asker(vendor, Away(tmp_path / "cache.db"))
    for _ in range(2):
        queries.embed_batch([TEXT])
    assert vendor.asked == [TEXT, TEXT]
