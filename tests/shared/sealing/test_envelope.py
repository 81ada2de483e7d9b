"""Sealed bytes: they open for the place and key that they were sealed for, and for nothing else."""

import pytest

from embedmill.shared.errors import SealBroken
from embedmill.shared.sealing.derivation import framed
from embedmill.shared.sealing.envelope import OVERHEAD_BYTES, DataKey, is_sealed, key_id_of, seal, unseal

KEY = DataKey("00112233445566ff", b"\x05" * 32)
PLACE = framed("docs", "blob", "abc")


def test_what_is_sealed_opens_at_its_place() -> None:
    sealed = seal(KEY, PLACE, b"a contract")
    assert unseal(KEY, PLACE, sealed) == b"a contract"
    assert is_sealed(sealed)
    assert not is_sealed(b"a contract")
    assert key_id_of(sealed) == KEY.id
    assert len(sealed) == len(b"a contract") + OVERHEAD_BYTES


def test_the_same_text_is_sealed_otherwise_each_time() -> None:
    assert seal(KEY, PLACE, b"same") != seal(KEY, PLACE, b"same")


def test_what_was_moved_changed_or_sealed_under_another_key_does_not_open() -> None:
    sealed = seal(KEY, PLACE, b"a contract")
    for key, place, data in (
        (KEY, framed("docs", "bloba", "bc"), sealed),
        (DataKey(KEY.id, b"\x06" * 32), PLACE, sealed),
        (KEY, PLACE, sealed[:-1] + bytes([sealed[-1] ^ 1])),
        (KEY, PLACE, sealed[:6] + b"\x00" + sealed[7:]),
    ):
        with pytest.raises(SealBroken):
            unseal(key, place, data)


def test_a_form_of_a_later_release_is_refused() -> None:
    sealed = seal(KEY, PLACE, b"text")
    with pytest.raises(SealBroken, match="does not know"):
        key_id_of(sealed[:3] + b"\x02" + sealed[4:])
    with pytest.raises(SealBroken, match="cut off"):
        key_id_of(sealed[:20])
