"""What every blob store promises. A module that tests one brings the fixtures `store`, `damage` and `kept`."""

import hashlib
from collections.abc import Callable

import pytest

from embedmill.shared.errors import BlobMissing
from embedmill.shared.providers.blobs.base import BlobStore, parse_reference
from embedmill.shared.providers.blobs.compression import MARK, compress

TEXT = b"a text of some length"
LONG = b" ".join(b"sentence number %d says little" % number for number in range(200))
Damage = Callable[[str, bytes], None]
"""What is kept of an object is replaced."""
Kept = Callable[[str], bytes]
"""What is kept of an object."""


class BlobStoreContract:
    """Whole objects or none, checked when read, mended when written again."""

    def test_an_object_comes_back_and_equal_bytes_are_one_object(self, store: BlobStore) -> None:
        assert store.put(b"text") == store.put(b"text")
        assert store.get(store.put(b"text")) == b"text"
        assert len(list(store.list_objects())) == 1

    def test_an_empty_object_is_one_too(self, store: BlobStore) -> None:
        assert store.get(store.put(b"")) == b""

    def test_what_is_shorter_compressed_is_kept_so_and_has_the_same_id(self, store: BlobStore, kept: Kept) -> None:
        object_ = store.put(LONG)
        assert object_ == hashlib.sha256(LONG).hexdigest()
        assert len(kept(object_)) < len(LONG) / 2
        assert store.get(object_) == LONG

    @pytest.mark.parametrize("data", [LONG, compress(LONG), MARK], ids=["plain", "as if compressed", "a mark"])
    def test_an_object_that_is_kept_as_it_is_goes_on_being_read(
        self, store: BlobStore, damage: Damage, data: bytes
    ) -> None:
        object_ = store.put(data)
        damage(object_, data)
        assert store.get(object_) == data

    @pytest.mark.parametrize("place", [0, 5, 20, -1])
    def test_damage_of_what_is_compressed_is_found_and_mended(
        self, store: BlobStore, damage: Damage, kept: Kept, place: int
    ) -> None:
        object_ = store.put(LONG)
        spoiled = bytearray(kept(object_))
        spoiled[place] ^= 0xFF
        damage(object_, bytes(spoiled))
        with pytest.raises(BlobMissing, match="damaged"):
            store.get(object_)
        assert store.get(store.put(LONG)) == LONG

    def test_damage_is_found(self, store: BlobStore, damage: Damage) -> None:
        object_ = store.put(TEXT)
        damage(object_, b"a text of same length")
        with pytest.raises(BlobMissing, match="damaged"):
            store.get(object_)

    @pytest.mark.parametrize("left", [b"", b"a text", b"a text of same length"], ids=["emptied", "cut", "flipped"])
    def test_an_object_that_was_damaged_is_mended_by_storing_it_again(
        self, store: BlobStore, damage: Damage, left: bytes
    ) -> None:
        object_ = store.put(TEXT)
        damage(object_, left)
        assert store.put(TEXT) == object_
        assert store.get(object_) == TEXT

    def test_ages_are_seconds_since_an_object_was_stored(self, store: BlobStore) -> None:
        object_ = store.put(b"text")
        ((listed, age),) = store.list_objects()
        assert listed == object_
        assert -5 < age < 600

    def test_what_is_gone_is_missing_and_deleting_it_again_is_no_error(self, store: BlobStore) -> None:
        object_ = store.put(b"text")
        store.delete(object_)
        store.delete(object_)
        assert list(store.list_objects()) == []
        with pytest.raises(BlobMissing):
            store.get(object_)

    def test_a_pack_is_one_object_and_every_part_has_a_reference(self, store: BlobStore) -> None:
        parts = [b"one", b"", b"three"]
        references = store.put_pack(parts)
        assert len(list(store.list_objects())) == 1
        assert store.get_pack(references) == dict(zip(references, parts, strict=True))
        assert store.put_pack([]) == []

    def test_a_damaged_pack_is_missing_for_each_of_its_parts_and_for_no_other(
        self, store: BlobStore, damage: Damage
    ) -> None:
        damaged, whole = store.put_pack([b"one", b"two"]), store.put_pack([b"three"])
        damage(parse_reference(damaged[0]).object, b"xxx")
        found = store.get_pack([*damaged, *whole])
        assert [isinstance(found[reference], BlobMissing) for reference in damaged] == [True, True]
        assert found[whole[0]] == b"three"

    @pytest.mark.parametrize("reference", ["", "abc", "abc:1", "abc:x:2", "a:1:2:3"])
    def test_a_malformed_reference_is_missing(self, store: BlobStore, reference: str) -> None:
        assert isinstance(store.get_pack([reference])[reference], BlobMissing)

    def test_many_objects_are_all_listed(self, store: BlobStore) -> None:
        stored = {store.put(str(number).encode()) for number in range(30)}
        assert {object_ for object_, _ in store.list_objects()} == stored

    def test_to_wipe_what_is_no_object_leaves_objects(self, store: BlobStore) -> None:
        kept, gone = store.put(b"kept"), store.put(b"gone")
        store.delete(gone)
        store.wipe(older_than_seconds=0.0)
        assert [name for name, _ in store.list_objects()] == [kept]
        assert store.get_stored([f"{kept}:0:4"]) == {f"{kept}:0:4": b"kept"}
