"""What a store is given of a collection's keys, so that it seals its files itself."""

from collections.abc import Callable
from dataclasses import dataclass

from embedmill.shared.errors import SealBroken
from embedmill.shared.sealing.derivation import framed
from embedmill.shared.sealing.envelope import DataKey, is_sealed, key_id_of, seal, unseal


@dataclass(frozen=True, slots=True)
class KeyRing:
    """`current` is the key for what is written, None for a collection that is not encrypted; `find` one by its id."""

    current: Callable[[], DataKey | None]
    find: Callable[[str], DataKey | None]

    def seal(self, kind: str, name: str, data: bytes) -> bytes:
        """The bytes of a file as they are to be written."""
        key = self.current()
        return data if key is None else seal(key, framed(kind, name), data)

    def open(self, kind: str, name: str, data: bytes) -> bytes:
        """The bytes that were given to `seal`; raises SealBroken, KeyUnavailable."""
        if not is_sealed(data):
            return data
        key = self.find(key_id_of(data))
        if key is None:
            raise SealBroken(f"{name} is encrypted under key {key_id_of(data)}, which this installation does not have")
        return unseal(key, framed(kind, name), data)


PLAIN = KeyRing(lambda: None, lambda _: None)
"""Of a store whose files are open to read."""
