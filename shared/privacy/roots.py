"""Root keys: what wraps an installation's other keys, from a file, an environment variable or AWS KMS.

A root is recognised by its id, a hash, so a wrong one is told before anything is tried with it.
"""

import base64
import binascii
import hashlib
import os
import re
import secrets
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Protocol
from urllib.parse import unquote, urlsplit

from embedmill.shared.errors import KeyUnavailable, SettingsError, StorageFailed
from embedmill.shared.sealing.derivation import KEY_BYTES, derive_key
from embedmill.shared.sealing.envelope import DataKey, seal, unseal

LEAST_BYTES = 32
FILE_MODE = 0o600
_UNNAMED: int = getattr(os, "O_TMPFILE", os.O_RDONLY)
"""Of a folder: makes a file in it without a name. Elsewhere a folder cannot be written."""
FORMS = "32 bytes: as they are, as 64 hex digits, or in base64"
_HEX = re.compile(rb"[0-9a-fA-F]{64}")


class Root(Protocol):
    """A root key. `id` is 16 hex digits; `name` is how settings name it, and no secret."""

    @property
    def id(self) -> str:
        """What it is recognised by."""

    @property
    def name(self) -> str:
        """Where it is, in words for people."""

    def wrap(self, material: bytes, purpose: bytes) -> bytes:
        """A key, encrypted so that only this root opens it, and only for the same purpose."""

    def unwrap(self, wrapped: bytes, purpose: bytes) -> bytes:
        """The key; raises KeyUnavailable."""


class LocalRoot:
    """A root key whose bytes this process has."""

    def __init__(self, material: bytes, *, name: str) -> None:
        self._material = material
        self.name = name
        self.id = derive_key(material, "root id").hex()[:16]

    def wrap(self, material: bytes, purpose: bytes) -> bytes:
        return seal(self._wrapping, purpose, material)

    def unwrap(self, wrapped: bytes, purpose: bytes) -> bytes:
        return unseal(self._wrapping, purpose, wrapped)

    def derive(self, purpose: bytes) -> bytes:
        """A key that need not be wrapped, because this root gives it again."""
        return derive_key(self._material, "secret", purpose)

    @property
    def _wrapping(self) -> DataKey:
        return DataKey(self.id, derive_key(self._material, "wrap"))


def open_root(url: str) -> Root:
    """The root key that a setting names; raises SettingsError for a form that means nothing, KeyUnavailable."""
    scheme, _, rest = url.partition("://")
    match scheme:
        case "file" if rest:
            return LocalRoot(
                _read_file(Path(unquote(urlsplit(url).netloc + urlsplit(url).path)).expanduser()), name=url
            )
        case "env" if rest:
            return LocalRoot(_read_variable(rest), name=url)
        case "kms" if rest:
            from embedmill.shared.privacy.kms import KmsRoot

            return KmsRoot(rest)
    raise SettingsError("a key is named file://PATH, env://NAME or kms://KEY-ID", hint="See docs/encryption.md.")


def make_key_file(path: Path) -> bytes:
    """A new key in a file of its own that only its owner reads; the one that is there, where another came first."""
    try:
        _place(path, secrets.token_bytes(KEY_BYTES).hex().encode() + b"\n")
    except OSError as error:
        raise StorageFailed(f"the key file {path} cannot be made: {error.strerror}") from None
    return _read_file(path)


def find_key_file(path: Path) -> bytes | None:
    """The key in a file; None where there is no file."""
    return _read_file(path) if path.exists() else None


def _place(path: Path, data: bytes) -> None:
    """Have a whole file under a name, unless something has it."""
    with suppress(FileExistsError):
        try:
            _link_unnamed(path, data)
        except FileExistsError:
            raise
        except OSError:
            _link_staged(path, data)


def _link_unnamed(path: Path, data: bytes) -> None:
    """The file has no name before: a process that is killed meanwhile leaves no copy of a key."""
    unnamed = os.open(path.parent, _UNNAMED | os.O_WRONLY, FILE_MODE)
    with os.fdopen(unnamed, "wb") as stream:
        _write_whole(stream, data)
        # With a folder's descriptor, which a whole path has no use for, it is the call that follows the link.
        os.link(f"/proc/self/fd/{unnamed}", path, src_dir_fd=unnamed)


def _link_staged(path: Path, data: bytes) -> None:
    """Where the system has no files without names."""
    staged = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(staged, os.O_CREAT | os.O_EXCL | os.O_WRONLY, FILE_MODE), "wb") as stream:
        _write_whole(stream, data)
    try:
        os.link(staged, path)
    finally:
        staged.unlink()


def _write_whole(stream: BinaryIO, data: bytes) -> None:
    stream.write(data)
    stream.flush()
    os.fsync(stream.fileno())


def _read_file(path: Path) -> bytes:
    try:
        return _parse(path.read_bytes(), f"the key file {path}")
    except OSError as error:
        raise KeyUnavailable(f"the key file {path} cannot be read: {error.strerror}") from None


def _read_variable(name: str) -> bytes:
    if not (value := os.environ.get(name, "")):
        raise KeyUnavailable(f"the environment variable {name}, which EMBEDMILL_KEY names, is not set")
    return _parse(value.encode("utf-8", "surrogateescape"), f"the environment variable {name}")


def _parse(data: bytes, where: str) -> bytes:
    if len(data) == KEY_BYTES:
        return data
    text = data.strip()
    if _HEX.fullmatch(text):
        return bytes.fromhex(text.decode())
    with suppress(binascii.Error):
        if len(found := base64.b64decode(text.translate(bytes.maketrans(b"-_", b"+/")), validate=True)) == KEY_BYTES:
            return found
    if len(text) >= LEAST_BYTES:
        return hashlib.sha256(b"embedmill key text" + text).digest()
    raise KeyUnavailable(f"{where} holds no key: it has to be {FORMS}")
