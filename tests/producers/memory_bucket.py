"""A bucket in memory that answers as the SDK's client does: listing by pages, reads on a condition."""

import io
from hashlib import md5
from types import SimpleNamespace
from typing import Any

from botocore.exceptions import ClientError
from botocore.response import StreamingBody

PAGE = 2


class MemoryBucket:
    """Objects by key: bytes and an ETag, which may differ for the same bytes."""

    def __init__(self) -> None:
        self.objects: dict[str, tuple[bytes, str]] = {}
        self.meta = SimpleNamespace(endpoint_url="memory:")

    def put(self, key: str, data: bytes, *, parts: int = 1) -> None:
        """As uploaded in so many parts."""
        etag = md5(data, usedforsecurity=False).hexdigest()
        self.objects[key] = (data, etag if parts == 1 else f"{etag}-{parts}")

    def list_objects_v2(self, *, Prefix: str, ContinuationToken: str = "", **_: Any) -> dict[str, Any]:  # noqa: N803
        keys = sorted(key for key in self.objects if key.startswith(Prefix) and key > ContinuationToken)
        some, more = keys[:PAGE], keys[PAGE:]
        entries = [{"Key": k, "Size": len(self.objects[k][0]), "ETag": f'"{self.objects[k][1]}"'} for k in some]
        token = {"NextContinuationToken": some[-1]} if more else {}
        return {"Contents": entries, "IsTruncated": bool(more), **token}

    def get_object(self, *, Key: str, IfMatch: str = "", **_: Any) -> dict[str, Any]:  # noqa: N803
        if Key not in self.objects:
            raise _error("NoSuchKey", 404)
        data, etag = self.objects[Key]
        if IfMatch and IfMatch.strip('"') != etag:
            raise _error("PreconditionFailed", 412)
        body = StreamingBody(io.BytesIO(data), len(data))
        return {"Body": body, "ContentLength": len(data), "ETag": f'"{etag}"'}


def _error(code: str, status: int) -> ClientError:
    return ClientError({"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}, "operation")
