"""`embedmill workers` as operators read it, and what it refuses."""

import pytest

from embedmill.console.cli.app import _run
from embedmill.shared.db import presence
from embedmill.shared.runtime import Runtime


@pytest.fixture(autouse=True)
def worker(runtime: Runtime) -> None:
    """One worker process, which embeds."""
    with runtime.database.write() as connection:
        presence.register_worker(connection, "one", host="elsewhere", pid=1, queues=["embed"])


def told(capsys: pytest.CaptureFixture[str], *arguments: str, status: int = 0) -> str:
    assert _run(["workers", *arguments], debug=False) == status
    return capsys.readouterr().out


def test_workers_are_listed_with_the_pools_that_somebody_changed(capsys: pytest.CaptureFixture[str]) -> None:
    assert "desired" not in told(capsys, "list")
    assert "embed: desired as started -> 3" in told(capsys, "scale", "embed", "3")
    assert "embed: nothing changed" in told(capsys, "scale", "embed", "3")
    assert "chunk: paused False -> True" in told(capsys, "pause", "chunk")
    assert "desired" in told(capsys, "list")
    assert "embed: desired 3 -> as started" in told(capsys, "scale", "embed", "--reset")
    assert "nobody serves this queue now" in told(capsys, "resume", "chunk")


def test_who_waits_for_workers_in_vain_is_told_by_the_status(capsys: pytest.CaptureFixture[str]) -> None:
    assert "embed: desired as started -> 9" in told(capsys, "scale", "embed", "9", "--wait", "0.001", status=1)
    assert "one finishes what it holds and stops" in told(capsys, "drain", "one", "--wait", "0.001", status=1)
    assert "embed: desired 8 -> 0" in told(capsys, "drain", "--queue", "embed")


def test_a_host_without_a_supervisor_is_not_healthy(capsys: pytest.CaptureFixture[str]) -> None:
    assert told(capsys, "health", status=1) == "no supervisor on this host\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ("scale", "parse", "3"),
        ("scale", "embed"),
        ("scale", "embed", "3", "--reset"),
        ("drain",),
        ("drain", "--all", "--queue", "embed"),
        ("start", "--pool", "gevent"),
        ("start", "--queue", "embed=0"),
        ("start", "--queue", "parse"),
        ("start", "--only-chores", "--without-chores"),
    ],
)
def test_what_makes_no_sense_is_a_usage_error(capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]) -> None:
    told(capsys, *arguments, status=2)
