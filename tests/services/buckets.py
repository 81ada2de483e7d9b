"""Buckets in this process: moto in the place of the wire, and before it a hook that answers as a store in trouble."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

KEY_ID, SECRET = "AKIAPLANTEDKEYID0001", "plantedSecretOfThisTest/0123456789abcdef"
BUCKET = "embedmill-test"
Answer = Callable[[Any], Any]
"""An answer in the place of the store's to a prepared request, or None."""


@dataclass
class Bucket:
    """A bucket; `answers` are asked about every request before the store is, and `asked` are those that came."""

    client: Any
    name: str = BUCKET
    answers: list[Answer] = field(default_factory=list)
    asked: list[tuple[str, str]] = field(default_factory=list)

    def put(self, key: str, data: str | bytes, **more: Any) -> Any:
        return self.client.put_object(Bucket=self.name, Key=key, Body=data, **more)

    def remove(self, key: str) -> None:
        self.client.delete_object(Bucket=self.name, Key=key)

    def client_of_now(self) -> Any:
        """Another client, of whose requests the hook is told."""
        import boto3

        return boto3.client("s3")

    @contextmanager
    def answering(self, answer: Answer) -> Iterator[None]:
        """The store in trouble."""
        self.answers.append(answer)
        yield
        self.answers.remove(answer)

    def take_asked(self, method: str) -> list[str]:
        """The addresses that were asked for by a method since this was last asked for any."""
        found = [url for asked, url in self.asked if asked == method]
        self.asked.clear()
        return found

    def _before_send(self, request: Any, **_: Any) -> Any:
        self.asked.append((request.method, request.url))
        found = (answer(request) for answer in self.answers)
        return next((answer for answer in found if answer is not None), None)


@contextmanager
def running_bucket(patch: Any) -> Iterator[Bucket]:
    """An empty bucket, and credentials that must not be kept anywhere."""
    import boto3
    from moto import mock_aws

    for name, value in (
        ("AWS_ACCESS_KEY_ID", KEY_ID),
        ("AWS_SECRET_ACCESS_KEY", SECRET),
        ("AWS_DEFAULT_REGION", "us-east-1"),
        ("AWS_EC2_METADATA_DISABLED", "true"),
    ):
        patch.setenv(name, value)
    with mock_aws():
        boto3.setup_default_session()
        bucket = Bucket(boto3.client("s3"))
        bucket.client.create_bucket(Bucket=BUCKET)
        boto3.DEFAULT_SESSION.events.register_first("before-send.s3.*", bucket._before_send)
        yield bucket
    boto3.DEFAULT_SESSION = None


def refusal(request: Any, status: int, code: str) -> Any:
    """An error as S3 words it."""
    from botocore.awsrequest import AWSResponse

    body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>no</Message></Error>".encode()
    return AWSResponse(request.url, status, {"Content-Type": "application/xml"}, _Raw(body))


def short(request: Any, data: bytes) -> Any:
    """An object whose body ends before it has come."""
    from botocore.awsrequest import AWSResponse

    headers = {"Content-Length": str(len(data)), "ETag": '"e"', "Content-Type": "text/plain"}
    return AWSResponse(request.url, 200, headers, _Raw(data[: len(data) // 2]))


class _Raw:
    """A body as urllib3 has it, which may be shorter than it is said to be."""

    def __init__(self, data: bytes) -> None:
        self._left = data

    def read(self, amount: int | None = None, **_: Any) -> bytes:
        data, self._left = (self._left, b"") if amount is None else (self._left[:amount], self._left[amount:])
        return data

    def stream(self, **_: Any) -> Iterator[bytes]:
        if data := self.read():
            yield data

    def close(self) -> None:
        pass
