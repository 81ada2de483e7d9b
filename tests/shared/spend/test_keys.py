"""Refused keys: who is held back, who is not, and what lets them go on."""

from collections.abc import Iterator
from typing import Any

import pytest
import redis

from embedmill.shared.db.schema import flow_state, usage
from embedmill.shared.errors import FlowControl, InputRefused, KeyRefused, ProviderUnavailable
from embedmill.shared.ledger import Tokens, Usage
from embedmill.shared.outcomes import Park
from embedmill.shared.settings import Settings
from embedmill.shared.spend.spender import Spender
from embedmill.shared.states import State
from tests.logs import captured_logs
from tests.shared.db.tracker import Tracker
from tests.shared.flow.conftest import redis_url

__all__ = ["redis_url"]

REFUSAL = "openai answered 401: it does not accept the key; check OPENAI_API_KEY"


@pytest.fixture(params=["database", "redis"])
def processes(
    request: pytest.FixtureRequest, settings: Settings, tracked: Tracker
) -> Iterator[tuple[Spender, Spender]]:
    """Two processes of one fleet, by what they tell each other through."""
    if request.param == "redis":
        url = request.getfixturevalue("redis_url")
        with redis.Redis.from_url(url) as client:
            client.flushall()
        settings = settings.model_copy(update={"limits_url": url})
    first, second = (Spender(tracked.database, settings, owner=f"process {n}") for n in range(2))
    yield first, second
    first.close()
    second.close()


def most(key: str = "a", **options: Any) -> Usage:
    return Usage("openai", "text-embedding-3-small", "embed", Tokens(into=1000), key=key, **options)


def refuse(spender: Spender, key: str = "a") -> None:
    error = KeyRefused(REFUSAL)
    assert spender.begin(most(key)).fail(error) is error


def held_back(spender: Spender, key: str = "a") -> KeyRefused:
    with pytest.raises(KeyRefused) as caught:
        spender.begin(most(key))
    return caught.value


def test_one_refusal_holds_back_everybody_with_that_key_and_nobody_with_another(
    processes: tuple[Spender, Spender], tracked: Tracker
) -> None:
    first, second = processes
    refuse(first)
    for spender in (first, second):
        told = held_back(spender)
        assert str(told) == REFUSAL
        assert 0 < told.retry_after_seconds <= 60
    for spender in (first, second):
        spender.begin(most("b")).settle(Tokens(into=1))
    assert {row["state"] for row in tracked.rows(usage)} == {"released", "settled"}
    held_back(second)


def test_what_holds_a_key_back_holds_no_other_provider(processes: tuple[Spender, Spender]) -> None:
    first, _ = processes
    refuse(first)
    other = Usage("cohere", "embed-v4.0", "embed", Tokens(into=1), key="a")
    assert first.begin(other).row is not None


def test_a_missing_key_is_each_processs_own(processes: tuple[Spender, Spender], tracked: Tracker) -> None:
    first, second = processes
    refuse(first, key="")
    held_back(first, key="")
    assert second.begin(most("")).row is not None
    assert not [row for row in tracked.rows(flow_state) if row["key"] == "keys"]


def test_a_probe_is_one_call_and_the_others_wait_for_what_it_says(processes: tuple[Spender, Spender]) -> None:
    first, second = processes
    refuse(first)
    first.keys.try_anew()
    probe = first.begin(most())
    with pytest.raises(FlowControl) as caught:
        second.begin(most())
    assert (caught.value.reason, caught.value.retry_after_seconds) == ("circuit", 2.0)
    probe.fail(KeyRefused(REFUSAL))
    held_back(second)


def test_a_key_that_is_accepted_wakes_what_waited_for_one(processes: tuple[Spender, Spender], tracked: Tracker) -> None:
    first, second = processes
    refuse(first)
    first.keys.try_anew()
    claim = tracked.take(["file:///a", "file:///b"])
    tracked.settle(claim, {item.id: Park(r, 60.0) for item, r in zip(claim.items, ("key", "circuit"), strict=True)})
    probe = second.begin(most())
    assert set(tracked.states()) == {State.WAITING}
    probe.settle(Tokens(into=1))
    assert sorted(tracked.states()) == [State.PENDING, State.WAITING]
    assert first.begin(most()).row is not None


@pytest.mark.parametrize(
    "error",
    [
        InputRefused("400"),
        FlowControl("429", reason="rate", retry_after_seconds=0.01),
        FlowControl("402", reason="budget", retry_after_seconds=1.0),
    ],
    ids=["400", "429", "402"],
)
def test_whoever_refuses_something_else_has_accepted_the_key(
    processes: tuple[Spender, Spender], error: Exception
) -> None:
    first, second = processes
    refuse(first)
    first.keys.try_anew()
    first.begin(most()).fail(error)
    assert second.keys.use("openai", "a", operation="embed").require() == "closed"


@pytest.mark.parametrize("end", ["fail", "release"])
def test_a_probe_that_learned_nothing_leaves_its_turn_to_another(processes: tuple[Spender, Spender], end: str) -> None:
    first, second = processes
    refuse(first)
    first.keys.try_anew()
    probe = first.begin(most())
    if end == "fail":
        probe.fail(ProviderUnavailable("500", may_be_billed=False))
    else:
        probe.release()
    assert second.begin(most()).row is not None


def test_whoever_starts_tries_every_key_anew_and_wakes_what_waits(
    processes: tuple[Spender, Spender], tracked: Tracker
) -> None:
    first, second = processes
    refuse(first)
    claim = tracked.take(["file:///a"])
    tracked.settle(claim, Park("key", 60.0))
    assert second.keys.try_anew() == 1
    assert tracked.states() == [State.PENDING]
    assert second.begin(most()).row is not None


def test_an_opening_is_logged_once_and_names_the_provider(processes: tuple[Spender, Spender]) -> None:
    first, second = processes
    calls = [first.begin(most()), first.begin(most()), second.begin(most())]
    with captured_logs() as logs:
        for call in calls:
            call.fail(KeyRefused(REFUSAL))
        first.keys.try_anew()
        first.begin(most()).fail(KeyRefused(REFUSAL))
    (entry,) = [entry for entry in logs if entry["event"] == "key.refused"]
    assert (entry["provider"], entry["error"]) == ("openai", REFUSAL)


def test_a_block_with_a_key_tells_the_others_how_it_went(processes: tuple[Spender, Spender]) -> None:
    first, second = processes
    with pytest.raises(KeyRefused), first.keys.using("openai", "a", operation="embed"):
        raise KeyRefused(REFUSAL)
    held_back(second)
    second.keys.try_anew()
    with first.keys.using("openai", "a", operation="embed"):
        pass
    assert second.begin(most()).row is not None
