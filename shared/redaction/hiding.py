"""What has to be kept as it came until a worker has redacted it: sealed, whether its collection is encrypted or not.

A file is found by its own name, and a page that was fetched is parsed later. Neither stands anywhere in clear.
"""

import base64
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

import orjson

from embedmill.shared.errors import BlobMissing

if TYPE_CHECKING:
    from embedmill.shared.sealing.derivation import KeySource
    from embedmill.shared.sealing.envelope import DataKey

PURPOSE = "redaction"
HIDDEN = "hidden"
"""In an origin: what of a document's place is told to nobody but whoever reads it there."""
_MAGIC = b"\xe7ER1"


class Hider:
    """Seals with a key of the installation's. Raises KeyUnavailable, and SealBroken for what was changed."""

    def __init__(self, keys: "Callable[[], KeySource]") -> None:
        self._keys = keys

    @cached_property
    def _key(self) -> "DataKey":
        from embedmill.shared.sealing.envelope import DataKey

        keys = self._keys()
        return DataKey(keys.key_id, keys.derive(PURPOSE))

    def hide(self, data: bytes) -> bytes:
        """The bytes, sealed."""
        from embedmill.shared.sealing.envelope import seal

        return _MAGIC + seal(self._key, PURPOSE.encode(), data)

    def show(self, data: bytes) -> bytes:
        """What was hidden; what is not is itself."""
        if not data.startswith(_MAGIC):
            return data
        from embedmill.shared.sealing.envelope import unseal

        return unseal(self._key, PURPOSE.encode(), data[len(_MAGIC) :])

    def hide_place(self, uri: str, told: Mapping[str, Any]) -> str:
        """Where a document is, and what else its reader is told, as its origin may say it."""
        return base64.b64encode(self.hide(orjson.dumps([uri, told]))).decode()

    def show_place(self, uri: str, origin: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
        """The URI and origin of a document as its source named it."""
        if HIDDEN not in origin:
            return uri, origin
        try:
            shown, told = orjson.loads(self.show(base64.b64decode(origin[HIDDEN])))
        except ValueError:
            raise BlobMissing("where the document is cannot be read") from None
        return shown, {**origin, **{name: value for name, value in told.items() if value}}
