"""One store for the tests of this folder, and an empty bucket in it for each."""

from collections.abc import Iterator

import pytest

from tests.services.buckets import Bucket, emptied, running_store


@pytest.fixture(scope="package")
def store() -> Iterator[Bucket]:
    with running_store() as running:
        yield running


@pytest.fixture
def bucket(store: Bucket) -> Bucket:
    return emptied(store)
