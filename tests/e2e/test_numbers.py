"""One number for one thing: what several commands say of the same run is the same, key by key."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from embedmill.simulators.openai import OpenAISimulator
from embedmill.simulators.serving import running
from tests.command import Command
from tests.corpus import write_corpus

ENDS = ("completed", "unchanged", "skipped", "dead", "cancelled")
# What only one of them says, or what a look at another moment changes.
OF_SHOW = {"waiting", "bulk", "rate", "seconds_left", "hindrances", "circuits", "queues_without_consumer"}


@pytest.fixture
def paid(cli: Command) -> Iterator[Command]:
    with running(OpenAISimulator()) as server:
        settings = {"embedding": "openai/text-embedding-3-small"}
        yield cli.with_settings(**settings).with_environment(**server.environment)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = write_corpus(tmp_path / "documents", 6)
    (folder / "empty.txt").write_text("")
    (folder / "broken.pdf").write_bytes(b"%PDF-1.7\nnothing of the kind")
    return folder


def test_what_commands_share_is_one_number(paid: Command, folder: Path) -> None:
    estimate = paid.json("estimate", folder)
    ran = paid.run("ingest", folder, "--name", "nightly", "--json")
    ingest = ran.json
    job = ingest["job"]
    shown, (listed,) = paid.json("jobs", "show", job), paid.json("jobs", "list")["jobs"]
    watched = paid.run("jobs", "watch", job, "--json")

    assert (ran.status, watched.status) == (3, 3), "a dead letter ends both alike"
    assert watched.json == ingest
    assert {key: value for key, value in shown.items() if key not in OF_SHOW} == ingest
    assert {key: ingest[key] for key in listed} == listed
    assert (listed["id"], listed["name"], listed["state"]) == (job, "nightly", "completed")

    documents = ingest["documents"]
    assert documents["total"] == sum(documents[end] for end in ENDS) == estimate["documents"]
    require_equal_spend(paid, ingest, estimate)
    require_equal_counts(paid, ingest)


def require_equal_spend(paid: Command, ingest: dict[str, Any], estimate: dict[str, Any]) -> None:
    """The ledger, the job and both estimates."""
    (by_job,) = paid.json("spend", "--by", "job")["rows"]
    assert {key: by_job[key] for key in ingest["spend"]} == ingest["spend"]
    assert by_job["estimate"] == ingest["estimate"]
    assert by_job["reserved_usd"] == by_job["unsettled"]["usd"] == 0
    kept = ingest["estimate"]
    assert kept["basis"] == estimate["basis"] == "exact"
    assert kept["tokens"] == estimate["stages"]["embed"]["tokens"] == ingest["spend"]["tokens_in"]
    assert kept["usd"] == estimate["total"]["live"]["usd"] == pytest.approx(ingest["spend"]["usd"], abs=2e-6)


def require_equal_counts(paid: Command, ingest: dict[str, Any]) -> None:
    """The collection, its store and its job."""
    collection = paid.json("collections", "show", "default")
    (found,) = paid.json("verify")["collections"]
    assert (found["documents"], found["chunks"]) == (collection["documents"], collection["chunks"])
    assert found["chunks"] == found["vectors"] == ingest["chunks"]["indexed"]
    again = paid.json("estimate", ingest["sources"][0].removeprefix("file://"))
    assert again["unchanged"] == collection["documents"]


def test_people_see_one_end_of_a_job_from_ingest_and_from_watch(paid: Command, folder: Path) -> None:
    ingested = paid.run("ingest", folder)
    watched = paid.run("jobs", "watch", 1)
    assert watched.status == ingested.status == 3
    assert watched.stdout == ingested.stdout
    assert "estimated beforehand: $0.0" in watched.stdout and "counted" in watched.stdout
