"""How a bucket is reached beside the SDK's own settings: where it is, who pays, and a customer's key of encryption.

The key itself is kept nowhere: `key` is the name of a file, or `env:NAME` for a variable that holds it.
"""

import base64
import binascii
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from embedmill.shared.buckets.client import connect
from embedmill.shared.errors import SourceError
from embedmill.shared.references import ENVIRONMENT

KEY_BYTES = 32
_PORTS = {"http": 80, "https": 443}
_OF_AMAZON = (".amazonaws.com", ".amazonaws.com.cn")
_HINT = "It holds 32 bytes, or those in base64 (openssl rand -base64 32)."


@dataclass(frozen=True, slots=True)
class Access:
    """`endpoint` is the store's address, "" for Amazon's own; None where nobody noted it, and the SDK knows."""

    endpoint: str | None = None
    requester_pays: bool = False
    key: str = ""

    @classmethod
    def recall(cls, told: Mapping[str, Any]) -> Self:
        """As a source and a document keep it."""
        return cls(told.get("endpoint"), bool(told.get("requester_pays")), told.get("sse_c", ""))

    @property
    def told(self) -> dict[str, Any]:
        """What a document keeps of it, as JSON values: only what is said."""
        said = {"endpoint": self.endpoint, "requester_pays": self.requester_pays, "sse_c": self.key}
        return {name: value for name, value in said.items() if value}

    @property
    def host(self) -> str:
        """The store's name with its port."""
        parts = urlsplit(self.endpoint or "https://s3.amazonaws.com")
        return f"{parts.hostname}:{parts.port or _PORTS.get(parts.scheme, 443)}"

    def connect(self) -> Any:
        """A client for the store; raises MissingExtra, StorageFailed."""
        return connect("s3", wanted_by="reading s3://…", extra="s3", endpoint=self.endpoint or None)

    @property
    def listing(self) -> dict[str, str]:
        """Arguments of a request about the bucket."""
        return {"RequestPayer": "requester"} if self.requester_pays else {}

    @property
    def reading(self) -> dict[str, Any]:
        """Arguments of a request about an object; raises SourceError for a key that is not there."""
        key = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": read_key(self.key)} if self.key else {}
        return {**self.listing, **key}


USUAL = Access()


def without_key(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The same request for an object that is not encrypted with the customer's key."""
    return {name: value for name, value in arguments.items() if not name.startswith("SSECustomer")}


def read_key(reference: str) -> bytes:
    """The customer's key that a file or a variable holds; raises SourceError, which never quotes what is there."""
    data = _from_environment(reference) if reference.startswith(ENVIRONMENT) else _from_file(Path(reference))
    if len(data) != KEY_BYTES:
        try:
            data = base64.b64decode(data.strip(), validate=True)
        except (binascii.Error, ValueError):
            data = b""
    if len(data) != KEY_BYTES:
        raise SourceError(f"{reference} holds no key of 256 bits", hint=_HINT)
    return data


def _from_environment(reference: str) -> bytes:
    name = reference.removeprefix(ENVIRONMENT)
    if name not in os.environ:
        raise SourceError(f"--sse-c names the variable {name}, which is not set", hint=_HINT)
    return os.environ[name].encode("utf-8", "surrogateescape")


def _from_file(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise SourceError(f"cannot read the key in {path}: {type(error).__name__}", hint=_HINT) from None


def endpoint_of(client: Any) -> str:
    """The address of a client's store, "" for Amazon's own."""
    url = str(client.meta.endpoint_url)
    return "" if (urlsplit(url).hostname or "").endswith(_OF_AMAZON) else url.rstrip("/")
