"""What a token is: a name that everybody may see and a secret that is shown once and kept as a hash."""

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass

PREFIX = "emt"
ID_BYTES, SECRET_BYTES = 6, 32
_TOKEN = re.compile(rf"{PREFIX}_(?P<id>[0-9a-f]{{{2 * ID_BYTES}}})_(?P<secret>[A-Za-z0-9_-]{{43}})")


@dataclass(frozen=True, slots=True)
class MadeToken:
    """A new token: `text` is what its owner is given, once."""

    id: str
    text: str

    @property
    def hash(self) -> str:
        """What is kept of it."""
        return hash_token(self.text)


def make_token() -> MadeToken:
    """A token that nobody can guess: 256 bits, so that a plain hash of it cannot be tried out."""
    id_ = secrets.token_hex(ID_BYTES)
    return MadeToken(id_, f"{PREFIX}_{id_}_{secrets.token_urlsafe(SECRET_BYTES)}")


def id_of(text: str) -> str | None:
    """The id in a token; None for what is no token of ours."""
    found = _TOKEN.fullmatch(text)
    return found["id"] if found else None


def hash_token(text: str) -> str:
    """What is kept of a token, 64 hex digits."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def is_token(text: str, kept: str) -> bool:
    """Whether a hash is that of a token; it takes as long whether or not."""
    return hmac.compare_digest(hash_token(text), kept)
