"""Single flight: two that lack the same pay once, and nobody waits for the dead."""

import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from embedmill.shared.asking.single_flight import SingleFlight
from embedmill.shared.errors import EmbedmillError, ProviderUnavailable


class Shelf:
    """A cache of words with its reservations, for threads."""

    def __init__(self) -> None:
        self.stored: dict[str, str] = {}
        self.holders: dict[str, str] = {}
        self._lock = threading.Lock()

    def put(self, words: dict[str, str]) -> None:
        with self._lock:
            self.stored |= words
            for address in words:
                self.holders.pop(address, None)

    def reserve(self, addresses: Sequence[str], *, owner: str, seconds: float) -> set[str]:
        with self._lock:
            for address in set(addresses) - self.stored.keys():
                self.holders.setdefault(address, owner)
            return {a for a in addresses if a not in self.stored and self.holders.get(a) == owner}

    def find_holders(self, addresses: Sequence[str]) -> set[str]:
        with self._lock:
            return {self.holders[address] for address in addresses if address in self.holders}

    def release(self, owner: str) -> None:
        with self._lock:
            self.holders = {address: holder for address, holder in self.holders.items() if holder != owner}


def test_threads_that_lack_the_same_ask_once_for_each(tmp_path: Path) -> None:
    shelf, asked, start = Shelf(), list[str](), threading.Barrier(2)

    def ask(share: dict[str, str]) -> dict[str, EmbedmillError]:
        asked.extend(share)
        shelf.put(share)
        return {}

    def obtain(name: str, missing: list[str]) -> None:
        start.wait()
        flight = SingleFlight(shelf, name, tmp_path, 60.0)
        assert flight.obtain({a: a for a in missing}, find_known=lambda _: shelf.stored, ask=ask) == {}

    words = [f"word {number}" for number in range(20)]
    threads = [threading.Thread(target=obtain, args=args) for args in (("one", words[:15]), ("two", words[5:]))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(asked) == sorted(words)


def test_what_failed_is_free_for_others_and_is_not_asked_for_again(tmp_path: Path) -> None:
    shelf = Shelf()
    error = ProviderUnavailable("down")
    flight = SingleFlight(shelf, "one", tmp_path, 60.0)
    errors = flight.obtain({"a": "a"}, find_known=lambda _: shelf.stored, ask=lambda share: dict.fromkeys(share, error))
    assert (errors, shelf.holders) == ({"a": error}, {})


def test_a_crash_frees_what_was_reserved(tmp_path: Path) -> None:
    shelf = Shelf()

    def ask(share: dict[str, str]) -> dict[str, EmbedmillError]:
        raise MemoryError

    with pytest.raises(MemoryError):
        SingleFlight(shelf, "one", tmp_path, 60.0).obtain({"a": "a"}, find_known=lambda _: (), ask=ask)
    assert shelf.holders == {}


def test_what_a_dead_process_holds_is_taken_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("embedmill.shared.asking.single_flight.is_gone", lambda _folder, holder: holder == "dead")
    monkeypatch.setattr("embedmill.shared.asking.single_flight.LOOK_AGAIN_SECONDS", 0.0)
    shelf = Shelf()
    shelf.holders = {"a": "dead"}

    def ask(share: dict[str, str]) -> dict[str, EmbedmillError]:
        shelf.put(share)
        return {}

    SingleFlight(shelf, "one", tmp_path, 60.0).obtain({"a": "a"}, find_known=lambda _: shelf.stored, ask=ask)
    assert shelf.stored == {"a": "a"}
