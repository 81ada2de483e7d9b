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

from embedmill.shared.errors import BlobMissing, FlowControl, MissingExtra, StorageFailed
from embedmill.shared.providers.blobs.base import BlobStore
from embedmill.shared.providers.blobs.compression import compress, restore
from embedmill.shared.providers.codes import shown_code

CONNECT_SECONDS = 5
READ_SECONDS = 30
ATTEMPTS = 5
# How long work waits that met an outage, after the SDK's own attempts.
OUTAGE_SECONDS = 15.0

GONE = frozenset({"NoSuchKey", "404", "NotFound"})
REFUSED = frozenset({400, 401, 403, 404, 405})


class S3BlobStore(BlobStore):
    """Objects `prefix/ab/abcd…` of one bucket. Raises BlobMissing, FlowControl, StorageFailed."""

    def __init__(self, bucket: str, *, prefix: str = "", client: Any = None) -> None:
        self._bucket = bucket
        self._prefix = f"{prefix}/" if prefix else ""
        self._client = client or _connect()

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


def _connect() -> Any:
    try:
        import boto3
        from botocore.config import Config
    except ModuleNotFoundError as error:
        hint = "pip install 'embedmill[s3]'"
        raise MissingExtra(f"EMBEDMILL_BLOB_URL=s3://… needs the package {error.name}: {hint}") from None
    from botocore.exceptions import BotoCoreError

    config = Config(
        connect_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
        retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
        tcp_keepalive=True,
    )
    try:
        return boto3.client("s3", config=config)
    except (BotoCoreError, ValueError) as error:
        raise StorageFailed(f"the S3 client cannot be set up: {error}", hint="Check the AWS_* variables.") from None


@contextmanager
def _translated(verb: str, *, object_: str = "") -> Iterator[None]:
    from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, PartialCredentialsError
    from urllib3.exceptions import HTTPError

    try:
        yield
    except ClientError as error:
        raise _refusal(error, verb, object_) from None
    except (NoCredentialsError, PartialCredentialsError) as error:
        raise StorageFailed(f"S3: {error}", hint="Give this process credentials for the bucket.") from None
    except (BotoCoreError, HTTPError, OSError) as error:
        raise _outage(verb, type(error).__name__) from None


def _refusal(error: Any, verb: str, object_: str) -> Exception:
    code = str(error.response.get("Error", {}).get("Code", ""))
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if object_ and code in GONE:
        return BlobMissing(f"stored object {object_[:12]} is not in the bucket")
    if status in REFUSED and "Timeout" not in code and "Slow" not in code:
        return StorageFailed(
            f"the bucket refused to {verb}: {shown_code(code) or status}",
            hint="Check the bucket's name, its region and this process's rights to it.",
        )
    return _outage(verb, shown_code(code) or str(status))


def _outage(verb: str, cause: str) -> FlowControl:
    return FlowControl(f"S3 could not {verb}: {cause}", reason="circuit", retry_after_seconds=OUTAGE_SECONDS)


def _date_of(answer: Any) -> datetime:
    date = answer["ResponseMetadata"]["HTTPHeaders"].get("date")
    return parsedate_to_datetime(date) if date else datetime.now(UTC)
