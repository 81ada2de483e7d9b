"""How an object is called, and what tells one state of it from another.

A key is used as it is, never as a path and never decoded: `s3://bucket/` and the key is the document's URI, whatever is
in the key. Where two stores have a bucket of one name, the second is in its documents' URIs: `s3://HOST:PORT/bucket/`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

from embedmill.shared.errors import UsageError

SCHEME = "s3://"
_BY_TIME = "at "
# No bucket's name has a colon, but for the Amazon Resource Names of access points, which have several.
_HOST = re.compile(r"[^:/@]+:\d+|\[[0-9A-Fa-f:]+\]:\d+")


@dataclass(frozen=True, slots=True)
class BucketPlace:
    """A bucket, and a key in it or the beginning of keys; `host` where the store is part of the name."""

    bucket: str
    key: str
    host: str = ""

    @classmethod
    def parse(cls, uri: str) -> Self:
        """Raise UsageError for what names no bucket."""
        host, (bucket, _, key) = "", uri[len(SCHEME) :].partition("/")
        if _HOST.fullmatch(bucket):
            host, (bucket, _, key) = bucket, key.partition("/")
        if not bucket:
            raise UsageError(f"{uri!a} names no bucket", hint="Write s3://bucket/prefix.")
        if "@" in bucket:
            # It is kept, and shown: no bucket's name has such a sign, and a password before a host does.
            told = "an s3:// address holds a user or a password, which is not used"
            raise UsageError(told, hint="Give credentials as the AWS SDK takes them: AWS_PROFILE, AWS_ACCESS_KEY_ID.")
        return cls(bucket, key, host)

    def at(self, key: str) -> "BucketPlace":
        """Another key of the bucket."""
        return replace(self, key=key)

    @property
    def uri(self) -> str:
        """The place as a text."""
        return f"{SCHEME}{self.host and self.host + '/'}{self.bucket}/{self.key}"


@dataclass(frozen=True, slots=True)
class ObjectState:
    """What a listing says of an object's content: its ETag, which means nothing by itself, and its size in bytes.

    A version's id and the time of writing are not of it: the same bytes written again are no change.
    """

    etag: str
    size: int

    @classmethod
    def of(cls, entry: Mapping[str, Any]) -> Self:
        """Of an entry of a listing, or of the answer to a read; some stores leave out the quotes of an ETag."""
        size = entry["Size"] if "Size" in entry else entry.get("ContentLength", 0)
        etag = entry.get("ETag") or f"{_BY_TIME}{entry.get('LastModified')}"
        return cls(str(etag).strip('"'), int(str(size)))

    @property
    def condition(self) -> dict[str, str]:
        """The arguments of a read that is to be of this state, where the store has ETags."""
        return {} if self.etag.startswith(_BY_TIME) else {"IfMatch": f'"{self.etag}"'}

    @classmethod
    def read(cls, text: str) -> Self:
        """Of the text that a document keeps."""
        size, _, etag = text.partition(" ")
        return cls(etag, int(size))

    def __str__(self) -> str:
        return f"{self.size} {self.etag}"
