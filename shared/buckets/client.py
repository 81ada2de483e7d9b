"""The SDK's client for buckets, and what its errors mean.

Credentials, region and endpoint (AWS_ENDPOINT_URL, AWS_ENDPOINT_URL_S3) are the SDK's business: its own variables and
files.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from embedmill.shared.errors import MissingExtra, StorageFailed
from embedmill.shared.vendor_codes import shown_code

CONNECT_SECONDS = 5
READ_SECONDS = 30
ATTEMPTS = 5
# Connections at a time; more threads than that wait for one.
POOL = 16

_GONE = frozenset({"NoSuchKey", "NoSuchVersion", "404", "NotFound"})
# With a redirect a store says that the bucket is elsewhere: in another region, or at another endpoint.
_REFUSED = frozenset({301, 302, 303, 307, 308, 400, 401, 403, 404, 405})


class BucketFaultKind(StrEnum):
    """What an error means for whoever asked."""

    GONE = "gone"
    CHANGED = "changed"
    ARCHIVED = "archived"
    REFUSED = "refused"
    AWAY = "away"


@dataclass(frozen=True, slots=True)
class BucketFault:
    """An error of the SDK: what it means, and in words that may be shown."""

    kind: BucketFaultKind
    told: str


def connect(service: str, *, wanted_by: str, extra: str, endpoint: str | None = None) -> Any:
    """A client, which threads may share, for the SDK's endpoint or another; raises MissingExtra, StorageFailed."""
    try:
        import boto3
        from botocore.config import Config
    except ModuleNotFoundError as error:
        hint = f"pip install 'embedmill[{extra}]'"
        raise MissingExtra(f"{wanted_by} needs the package {error.name}: {hint}") from None
    from botocore.exceptions import BotoCoreError

    config = Config(
        connect_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
        retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
        max_pool_connections=POOL,
        tcp_keepalive=True,
    )
    try:
        return boto3.client(service, config=config, endpoint_url=endpoint)
    except (BotoCoreError, ValueError) as error:
        told = f"the client for {service.upper()} cannot be set up: {error}"
        raise StorageFailed(told, hint="Check the AWS_* variables.") from None


def errors() -> tuple[type[Exception], ...]:
    """What the SDK raises."""
    from botocore.exceptions import BotoCoreError, ClientError
    from botocore.parsers import ResponseParserError
    from urllib3.exceptions import HTTPError

    return (BotoCoreError, ClientError, ResponseParserError, HTTPError, OSError)


def fault_of(error: Exception) -> BucketFault:
    """What one of them means."""
    from botocore.exceptions import ClientError, NoCredentialsError, ParamValidationError, PartialCredentialsError
    from botocore.parsers import ResponseParserError

    if isinstance(error, ClientError):
        return _answered(error.response)
    if isinstance(error, NoCredentialsError | PartialCredentialsError):
        return BucketFault(BucketFaultKind.REFUSED, str(error))
    if isinstance(error, ParamValidationError):
        return BucketFault(BucketFaultKind.REFUSED, "it is no name of a bucket or object")
    if isinstance(error, ResponseParserError):
        return BucketFault(BucketFaultKind.REFUSED, "what answers does not speak as S3 does")
    return BucketFault(BucketFaultKind.AWAY, type(error).__name__)


def _answered(response: Any) -> BucketFault:
    code = str(response.get("Error", {}).get("Code", ""))
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    told = shown_code(code) or str(status)
    if code in _GONE:
        return BucketFault(BucketFaultKind.GONE, told)
    if status == 412:
        return BucketFault(BucketFaultKind.CHANGED, told)
    if code == "InvalidObjectState":
        return BucketFault(BucketFaultKind.ARCHIVED, told)
    if status in _REFUSED and "Timeout" not in code and "Slow" not in code:
        return BucketFault(BucketFaultKind.REFUSED, told)
    return BucketFault(BucketFaultKind.AWAY, told)
