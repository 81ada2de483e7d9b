"""A bucket as a source: its contract, and what is peculiar to objects."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import unquote

import pytest

from embedmill.producers.sources.base import Source
from embedmill.producers.sources.buckets.source import S3Source
from embedmill.shared.buckets.names import Place
from tests.contracts.sources import Shelf, SourceContract, desk
from tests.producers.sources.test_contract import Folder
from tests.services.buckets import SECRET, Bucket, refusal, running_bucket
from tests.workers.conftest import runtime, tracker

__all__ = ["desk", "runtime", "tracker"]


class Objects(Shelf):
    """Objects of a bucket."""

    odd = (
        *Folder.odd, "a+b", "a%2Bb", "folder/x", "folder//x", "/lead", "..", "../../up", "a/./b", "tab\t", "cr\r",
        "\x01", "\x7f", "\xa0", "am&p", "semi;colon", "<xml>&\"'", "x=1", "a//b", "a/b", "f[1].txt", "k" * 1024,
    )  # fmt: skip
    secrets = (SECRET,)

    def __init__(self, bucket: Bucket) -> None:
        self.bucket = bucket

    def put(self, name: str, text: str) -> None:
        self.bucket.put(name, text)

    def remove(self, name: str) -> None:
        self.bucket.remove(name)

    def open(self) -> Source:
        return S3Source(Place(self.bucket.name, ""))

    def uri(self, name: str) -> str:
        return f"s3://{self.bucket.name}/{name}"

    @contextmanager
    def away(self) -> Iterator[None]:
        with self.bucket.answering(lambda request: refusal(request, 403, "AccessDenied")):
            yield

    @contextmanager
    def spoiled(self, name: str) -> Iterator[None]:
        def deny(request: Any) -> Any:
            is_read = request.method == "GET" and unquote(request.url).endswith(f"/{name}")
            return refusal(request, 403, "AccessDenied") if is_read else None

        with self.bucket.answering(deny):
            yield

    def count_reads(self) -> int:
        return sum("list-type" not in url for url in self.bucket.take_asked("GET"))


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    with running_bucket(monkeypatch) as running:
        yield running


@pytest.fixture
def shelf(bucket: Bucket) -> Shelf:
    return Objects(bucket)


class TestBuckets(SourceContract):
    """A bucket."""
