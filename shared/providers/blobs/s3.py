"""A blob store in a bucket of S3, or of anything that speaks its protocol (AWS_ENDPOINT_URL_S3).

Credentials, region and endpoint are the SDK's business: its own variables and files. An outage is flow control: what
needed the object waits and uses up no attempt. A refusal (rights, bucket, credentials) is for the operator.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from embedmill.shared.buckets.client import BucketFault, BucketFaultKind, connect, errors, fault_of
from embedmill.shared.errors import BlobMissing, FlowControl, StorageFailed
from embedmill.shared.providers.blobs.base import BlobStore
from embedmill.shared.providers.blobs.compression import compress, restore

# How long work waits that met an outage, after the SDK's own attempts.
OUTAGE_SECONDS = 15.0


class S3BlobStore(BlobStore):
    """Objects `prefix/ab/abcd…` of one bucket. Raises BlobMissing, FlowControl, StorageFailed."""

    def __init__(self, bucket: str, *, prefix: str = "", client: Any = None) -> None:
        self._bucket = bucket
        self._prefix = f"{prefix}/" if prefix else ""
        self._client = client or connect("s3", wanted_by="EMBEDMILL_BLOB_URL=s3://…", extra="s3")

    def put(self, data: bytes) -> str:
        """Always written: that mends a damaged object, and makes it young again for the cleaner."""
        object_ = hashlib.sha256(data).hexdigest()
        with _translated("write"):
            self._client.put_object(Bucket=self._bucket, Key=self._key(object_), Body=compress(data))
        return object_

    def get(self, object_: str) -> bytes:
        """Read whole, because only the whole can be checked against the id."""
        with _translated("read", object_=object_):
            answer = self._client.get_object(Bucket=self._bucket, Key=self._key(object_))
            kept: bytes = answer["Body"].read()
        return restore(kept, object_)

    def list_objects(self) -> Iterator[tuple[str, float]]:
        """Page by page; ages are by the server's clock."""
        with _translated("list"):
            pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=self._prefix)
            for page in pages:
                now = _date_of(page)
                for entry in page.get("Contents", ()):
                    name = entry["Key"].rpartition("/")[2]
                    if len(name) == 64:
                        yield name, (now - entry["LastModified"]).total_seconds()

    def delete(self, object_: str) -> None:
        """S3 does not mind when it is gone."""
        with _translated("delete"):
            self._client.delete_object(Bucket=self._bucket, Key=self._key(object_))

    def wipe(self, *, older_than_seconds: float) -> int:
        """In a bucket with versions, what was deleted is there under the id of its version, behind a marker."""
        gone = 0
        with _translated("delete"):
            pages = self._client.get_paginator("list_object_versions").paginate(
                Bucket=self._bucket, Prefix=self._prefix
            )
            for page in pages:
                old = [v for v in page.get("Versions", ()) if not v["IsLatest"]] + page.get("DeleteMarkers", [])
                gone += sum(self._remove(version, _date_of(page), older_than_seconds) for version in old)
        return gone

    def _remove(self, version: Any, now: datetime, older_than_seconds: float) -> bool:
        if (now - version["LastModified"]).total_seconds() < older_than_seconds:
            return False
        self._client.delete_object(Bucket=self._bucket, Key=version["Key"], VersionId=version["VersionId"])
        return True

    def _key(self, object_: str) -> str:
        return f"{self._prefix}{object_[:2]}/{object_}"


@contextmanager
def _translated(verb: str, *, object_: str = "") -> Iterator[None]:
    try:
        yield
    except errors() as error:
        raise _translate(fault_of(error), verb, object_) from None


def _translate(fault: BucketFault, verb: str, object_: str) -> Exception:
    match fault.kind:
        case BucketFaultKind.GONE if object_:
            return BlobMissing(f"stored object {object_[:12]} is not in the bucket")
        case BucketFaultKind.AWAY:
            return _outage(verb, fault.told)
    return StorageFailed(
        f"the bucket refused to {verb}: {fault.told}",
        hint="Check the bucket's name, its region and this process's rights and credentials.",
    )


def _outage(verb: str, cause: str) -> FlowControl:
    return FlowControl(f"S3 could not {verb}: {cause}", reason="circuit", retry_after_seconds=OUTAGE_SECONDS)


def _date_of(answer: Any) -> datetime:
    date = answer["ResponseMetadata"]["HTTPHeaders"].get("date")
    return parsedate_to_datetime(date) if date else datetime.now(UTC)
