"""Buckets in this process: moto in the place of the wire, and before it a hook that answers as a store in trouble."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from embedmill.shared.buckets import access, client

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
    # What is tested asks by this one, of whose requests the hook is told.
    made: Any = None

    def put(self, key: str, data: str | bytes, **more: Any) -> Any:
        return self.client.put_object(Bucket=self.name, Key=key, Body=data, **more)

    def place(self, key: str, text: str) -> None:
        """What is put there by somebody else: without a request, which takes a hundred times as long."""
        from moto.core.models import DEFAULT_ACCOUNT_ID
        from moto.s3.models import s3_backends

        s3_backends[DEFAULT_ACCOUNT_ID]["aws"].put_object(self.name, key, text.encode())

    def remove(self, key: str) -> None:
        self.client.delete_object(Bucket=self.name, Key=key)

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
def running_store() -> Iterator[Bucket]:
    """A store for the tests of a folder: a session of the SDK is dear. Nothing may keep its credentials."""
    import boto3
    import pytest
    from moto import mock_aws

    with pytest.MonkeyPatch.context() as patch, mock_aws():
        for name, value in (
            ("AWS_ACCESS_KEY_ID", KEY_ID),
            ("AWS_SECRET_ACCESS_KEY", SECRET),
            ("AWS_DEFAULT_REGION", "us-east-1"),
            ("AWS_EC2_METADATA_DISABLED", "true"),
        ):
            patch.setenv(name, value)
        boto3.setup_default_session()
        bucket = Bucket(boto3.client("s3"))
        boto3.DEFAULT_SESSION.events.register_first("before-send.s3.*", bucket._before_send)
        # One client for all that is tested, that asks once: making one takes longer than a request.
        patch.setattr(client, "ATTEMPTS", 1)
        made = client.connect("s3", wanted_by="tests", extra="s3")
        for module in (client, access):
            patch.setattr(module, "connect", lambda *_, **__: made)
        bucket.made = made
        yield bucket
    boto3.DEFAULT_SESSION = None


def emptied(store: Bucket) -> Bucket:
    """The store with an empty bucket and nothing else."""
    from moto.moto_api._internal.models import moto_api_backend

    moto_api_backend.reset()
    store.answers.clear()
    store.asked.clear()
    store.client.create_bucket(Bucket=store.name)
    return store


def refusal(request: Any, status: int, code: str) -> Any:
    """An error as S3 words it."""
    from botocore.awsrequest import AWSResponse

    body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>no</Message></Error>".encode()
    return AWSResponse(request.url, status, {"Content-Type": "application/xml"}, _Raw(body))


def told(request: Any, body: str, status: int = 200) -> Any:
    """Anything that something answers, as a proxy does in the place of the store."""
    from botocore.awsrequest import AWSResponse

    return AWSResponse(request.url, status, {"Content-Type": "application/xml"}, _Raw(body.encode()))


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
