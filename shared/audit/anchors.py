"""Anchors: signed statements of where chains end, kept elsewhere, so that what was before cannot be rewritten unseen.

An anchor is an object of its own, written once: a bucket with Object Lock keeps it from those who have the database.
What came after the last anchor can still be lost unseen by whoever has the database and its older heads: the time
between anchors is the window of doubt.
"""

import base64
import os
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import orjson

from embedmill.shared.audit.chain import RecordFault, RecordFaultKind
from embedmill.shared.buckets.client import connect, errors, fault_of
from embedmill.shared.db.audit import ChainHead
from embedmill.shared.errors import SettingsError, StorageFailed
from embedmill.shared.privacy.keys import Keys

FOLDER = "anchors"
FORM = 1


@dataclass(frozen=True, slots=True)
class Anchor:
    """Where every chain ended at a time: its last record and the hash of that."""

    name: str
    at: str
    chains: Mapping[str, tuple[int, str]]


class AnchorPlace(ABC):
    """Where anchors are kept, by names that sort by time."""

    @abstractmethod
    def put(self, name: str, content: bytes) -> None:
        """Keep an anchor; one that is there is never written again. Raises StorageFailed."""

    @abstractmethod
    def read_all(self) -> Iterator[tuple[str, bytes]]:
        """All of them with their names, the oldest first."""


@dataclass(frozen=True, slots=True)
class AnchorFolder(AnchorPlace):
    """A folder of this machine."""

    path: Path

    def put(self, name: str, content: bytes) -> None:
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(self.path / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o400)
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
        except OSError as error:
            raise StorageFailed(f"no anchor can be written to {self.path}: {error.strerror}") from None

    def read_all(self) -> Iterator[tuple[str, bytes]]:
        for file in sorted(self.path.glob("*.json")):
            yield file.name, file.read_bytes()


class AnchorBucket(AnchorPlace):
    """A bucket of S3; credentials, region and endpoint are the SDK's business."""

    def __init__(self, bucket: str, prefix: str) -> None:
        self._bucket, self._prefix = bucket, f"{prefix}/" if prefix else ""
        self._client = connect("s3", wanted_by="EMBEDMILL_AUDIT_ANCHORS=s3://…", extra="s3")

    def put(self, name: str, content: bytes) -> None:
        with self._translated("written to"):
            self._client.put_object(Bucket=self._bucket, Key=self._prefix + name, Body=content, IfNoneMatch="*")

    def read_all(self) -> Iterator[tuple[str, bytes]]:
        with self._translated("read from"):
            pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=self._prefix)
            for entry in (entry for page in pages for entry in page.get("Contents", ())):
                if entry["Key"].endswith(".json"):
                    found = self._client.get_object(Bucket=self._bucket, Key=entry["Key"])
                    yield entry["Key"].rpartition("/")[2], found["Body"].read()

    @contextmanager
    def _translated(self, done: str) -> Iterator[None]:
        try:
            yield
        except errors() as error:
            told = fault_of(error).told
            raise StorageFailed(f"no anchor can be {done} s3://{self._bucket}: {told}") from None


def open_place(url: str, *, home: Path) -> AnchorPlace:
    """Where anchors are kept; raises SettingsError, MissingExtra."""
    parts = urlsplit(url)
    match parts.scheme:
        case "":
            if not url:
                return AnchorFolder(home / FOLDER)
        case "file":
            return AnchorFolder(Path(unquote(parts.path)))
        case "s3" if parts.netloc:
            return AnchorBucket(parts.netloc, parts.path.strip("/"))
    raise SettingsError("EMBEDMILL_AUDIT_ANCHORS is no file:// or s3:// URL")


def make_anchor(heads: Sequence[ChainHead], keys: Keys, *, now: datetime) -> tuple[str, bytes]:
    """The name and the content of an anchor of these heads, signed."""
    at = now.astimezone(UTC).isoformat(timespec="microseconds")
    said = {"v": FORM, "at": at, "key": keys.key_id, "chains": {head.chain: [head.seq, head.mac] for head in heads}}
    signature = base64.b64encode(keys.sign(_canonical(said))).decode()
    name = f"{now.astimezone(UTC):%Y%m%dT%H%M%S.%fZ}.json"
    return name, orjson.dumps({**said, "signature": signature})


def read_anchor(name: str, content: bytes, keys: Keys) -> Anchor | None:
    """An anchor of this installation; None for what is none, or is not as it was written."""
    try:
        said = orjson.loads(content)
        signature = base64.b64decode(said.pop("signature"))
        if not keys.verify(_canonical(said), signature):
            return None
        return Anchor(name, said["at"], {chain: (int(seq), str(mac)) for chain, (seq, mac) in said["chains"].items()})
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError, AttributeError):
        return None


def check_anchor(anchor: Anchor, chain: str, head: ChainHead | None, mac: str | None) -> RecordFault | None:
    """What an anchor says against a chain; `mac` is the hash of the record that it names, None where that is gone."""
    seq, expected = anchor.chains[chain]
    if head is not None and seq <= head.floor:
        return None
    if mac is None:
        return RecordFault(
            chain, seq, RecordFaultKind.TRUNCATED, f"record {seq} was there at {anchor.at} (anchor {anchor.name})"
        )
    if mac != expected:
        return RecordFault(chain, seq, RecordFaultKind.CHANGED, f"it was another at {anchor.at} (anchor {anchor.name})")
    return None


def _canonical(said: Mapping[str, Any]) -> bytes:
    return orjson.dumps(said, option=orjson.OPT_SORT_KEYS)
