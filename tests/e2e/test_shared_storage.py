"""What hosts share: blobs in a bucket and the cache on Postgres, with nothing of either in the home folder."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.command import Command
from tests.corpus import write_corpus
from tests.services import postgres, s3
from tests.services.needed import require
from tests.services.postgres import Server
from tests.services.s3 import Bucket


@pytest.fixture(scope="module")
def bucket() -> Iterator[Bucket]:
    require(s3.why_not())
    with s3.running_bucket() as bucket:
        yield bucket


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    require(postgres.why_not())
    with postgres.running_database() as server:
        yield server


def test_documents_and_rows_are_ingested_from_a_home_that_holds_neither_blobs_nor_cache(
    cli: Command, bucket: Bucket, server: Server, tmp_path: Path
) -> None:
    shared = cli.with_settings(database_url=server.url, blob_url=f"s3://{bucket.name}/mill").with_environment(
        **bucket.environment
    )
    corpus = write_corpus(tmp_path / "corpus", 12)
    rows = tmp_path / "rows.jsonl"
    rows.write_text("".join(f'{{"id": "row-{n}", "text": "The row number {n} says something."}}\n' for n in range(12)))
    report = shared.json("ingest", corpus, rows)
    assert (report["documents"]["completed"], report["documents"]["dead"]) == (24, 0)
    assert report["chunks"]["embedded"] == report["chunks"]["indexed"]
    assert shared.json("verify")["ok"]
    assert not (shared.home / "blobs").exists()
    assert not (shared.home / "cache.db").exists()
    again = shared.json("ingest", rows, "--collection", "another")
    assert (again["documents"]["completed"], again["chunks"]["embedded"]) == (12, 0)
    assert all(check["ok"] for check in shared.json("doctor")["checks"])
