"""An S3 for tests: moto's server, with an empty bucket."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tests.services import moto

BUCKET = "embedmill-test"


@dataclass(frozen=True, slots=True)
class Bucket:
    """A bucket on a server; `environment` leads the AWS SDK of a process there."""

    server: moto.Server
    name: str = BUCKET

    @property
    def environment(self) -> dict[str, str]:
        """Variables for another process."""
        return self.server.environment

    @property
    def client(self) -> Any:
        """A client for looking behind the store's back."""
        import boto3

        return boto3.client(
            "s3",
            endpoint_url=self.server.url,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )

    def empty(self) -> None:
        """Make the bucket anew."""
        self.server.wipe()
        self.client.create_bucket(Bucket=self.name)


@contextmanager
def running_bucket() -> Iterator[Bucket]:
    """A server that answers, with a bucket in it."""
    with moto.running_server() as server:
        bucket = Bucket(server)
        bucket.empty()
        yield bucket


why_not = moto.why_not
