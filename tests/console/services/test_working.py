"""Whoever waits for a job is told what keeps it, once."""

from collections.abc import Iterator

import pytest

from embedmill.console.listening import Listener, Notice
from embedmill.console.services import working
from embedmill.shared.db import pools
from embedmill.shared.outcomes import Park
from embedmill.shared.presence import Presence
from embedmill.shared.runtime import Runtime
from embedmill.shared.settings import Settings
from tests.shared.db.tracker import Tracker


@pytest.fixture
def runtime(settings: Settings) -> Iterator[Runtime]:
    with Presence(settings.home_path / "run") as presence_:
        opened = Runtime(settings, process_id=presence_.id)
        yield opened
        opened.close()


def test_whoever_waits_for_long_is_told_why_once(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(working, "NOTICE_SECONDS", 0.0)
    tracker = Tracker(runtime.database)
    claim = tracker.take(["file:///a", "file:///b"])
    parks = (
        Park("budget", 300.0, told="openai answered 402: no credit is left"),
        Park("key", 60.0, told="anthropic answered 401: it does not accept the key; check ANTHROPIC_API_KEY"),
    )
    tracker.settle(claim, {item.id: park for item, park in zip(claim.items, parks, strict=True)})
    told: list[Notice] = []
    waits = working.LongWaits(Listener(told.append))
    for _ in range(3):
        waits.tell_if_due(runtime, tracker.job)
    money, key = told
    assert "waits for money: openai answered 402: no credit is left;" in money.text
    assert "waits for a key: anthropic answered 401" in key.text


def test_whoever_watches_is_told_once_of_each_thing_that_keeps_a_job_from_moving(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(working, "NOTICE_SECONDS", 0.0)
    tracker = Tracker(runtime.database)
    tracker.submit(["file:///a"])
    told: list[Notice] = []
    hindrances = working.Hindrances(runtime, Listener(told.append))
    for _ in range(2):
        hindrances.tell_if_due(tracker.get_job(tracker.job))
    with runtime.database.write() as connection:
        pools.scale_pool(connection, "chunk", 0)
    hindrances.tell_if_due(tracker.get_job(tracker.job))
    unserved, scaled = told
    assert unserved.text == "nobody serves any queue: embedmill workers start"
    assert "embedmill workers scale chunk N" in scaled.text
