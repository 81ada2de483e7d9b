"""The spender: what a caller meets when budget, limit or circuit say no, and what every end of a call leaves behind."""

from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select

from embedmill.shared.db import budgets, ledger
from embedmill.shared.db.engine import Database
from embedmill.shared.db.schema import budget, usage
from embedmill.shared.errors import (
    BadVector,
    DatabaseAway,
    FlowControl,
    InputRefused,
    KeyRefused,
    ProviderUnavailable,
    UnknownPrice,
)
from embedmill.shared.ledger import BudgetScope, Lane, Tokens, Usage
from embedmill.shared.outcomes import Park
from embedmill.shared.providers.models.table import open_model
from embedmill.shared.spend.call import PaidCall
from embedmill.shared.spend.spender import Spender
from embedmill.shared.states import State
from tests.logs import captured_logs
from tests.shared.db.tracker import Tracker
from tests.shared.spend.conftest import Sleeper

MODEL = ("openai", "text-embedding-3-small", "embed")


def most(tokens: int = 1000, **options: Any) -> Usage:
    return Usage(*MODEL, Tokens(into=tokens), **options)


def limit(database: Database, microusd: int) -> None:
    with database.write() as connection:
        budgets.set_budget(connection, BudgetScope.TOTAL, "", limit_microusd=microusd, limit_tokens=None)


def rows(tracked: Tracker) -> list[tuple[str, int, int]]:
    return [(row["state"], row["tokens_in"], row["cost_microusd"]) for row in tracked.rows(usage)]


def end(call: PaidCall, error: BaseException) -> BaseException:
    return call.fail(error)


def test_a_call_is_in_the_ledger_before_it_is_made_and_settled_after(spenders: Any, tracked: Tracker) -> None:
    whom = {"job_id": tracked.job, "collection_id": tracked.collection.id, "documents": ("d1", "d2")}
    call = spenders().begin(most(1000, inputs=3, **whom))
    assert rows(tracked) == [("reserved", 1000, 20)]
    call.settle(Tokens(into=901), request_id="req_1")
    assert rows(tracked) == [("settled", 901, 19)]
    (row,) = tracked.rows(usage)
    assert (row["documents"], row["inputs"], row["request_id"]) == (["d1", "d2"], 3, "req_1")
    assert row["price"].startswith("openai/text-embedding-3-small embed live")


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (FlowControl("429", reason="rate", retry_after_seconds=1.0), "released"),
        (InputRefused("400"), "released"),
        (ProviderUnavailable("500", may_be_billed=False), "released"),
        (ProviderUnavailable("timed out"), "unsettled"),
        (ZeroDivisionError(), "unsettled"),
        (KeyboardInterrupt(), "unsettled"),
    ],
)
def test_an_error_releases_what_was_certainly_not_billed_and_nothing_else(
    spenders: Any, tracked: Tracker, error: BaseException, state: str
) -> None:
    assert end(spenders().begin(most(1000)), error) is error
    assert rows(tracked) == [(state, 0, 0) if state == "released" else (state, 1000, 20)]


INCREDIBLE = (
    None, Tokens(into=-1_000_000_000), Tokens(into=-1), Tokens(), Tokens(into=5_000), Tokens(into=10**30),
    Tokens(into=1), Tokens(into=61),
    Tokens(into=1000, out=65), Tokens(into=900, cache_write=10, cache_write_1h=11), Tokens(into=900, cache_read=10**9),
)  # fmt: skip


@pytest.mark.parametrize("told", INCREDIBLE)
def test_what_cannot_be_true_counts_as_what_was_reserved(spenders: Any, tracked: Tracker, told: Tokens | None) -> None:
    limit(tracked.database, 100)
    with captured_logs() as logged:
        spenders().begin(most(1000)).settle(told)
    assert rows(tracked) == [("settled", 1000, 20)]
    assert tracked.rows(budget)[0]["used_microusd"] == 20
    (warning,) = [entry for entry in logged if entry["event"] == "usage.not_believed"]
    assert (warning["log_level"], warning["provider"], warning["reserved"]) == ("warning", "openai", 1000)


@pytest.mark.parametrize(
    ("told", "answered", "is_believed"),
    [(30, 30, True), (29, 30, False), (3, 3, True), (2, 3, False), (0, 0, False)],
)
def test_every_text_has_a_token_at_least(
    spenders: Any, tracked: Tracker, told: int, answered: int, *, is_believed: bool
) -> None:
    spenders().begin(replace(most(100), inputs=30)).settle(Tokens(into=told), inputs=answered)
    assert rows(tracked)[0][1] == (told if is_believed else 100)


def test_a_provider_that_counts_a_little_otherwise_is_believed(spenders: Any, tracked: Tracker) -> None:
    spenders().begin(most(1000)).settle(Tokens(into=1900))
    assert rows(tracked) == [("settled", 1900, 38)]


def test_a_call_of_which_nobody_said_how_it_ended_goes_on_counting_as_spent(spenders: Any, tracked: Tracker) -> None:
    spenders().begin(most(1000)).leave()
    assert rows(tracked) == [("unsettled", 1000, 20)]


def test_a_call_over_a_budget_parks_until_it_is_woken(spenders: Any, tracked: Tracker) -> None:
    limit(tracked.database, 19)
    with pytest.raises(FlowControl) as caught:
        spenders().begin(most(1000))
    assert caught.value.reason == "budget" and caught.value.is_woken
    assert rows(tracked) == []


def test_a_call_over_a_budget_gives_its_turn_back(spenders: Any, tracked: Tracker) -> None:
    spender = spenders(limits={"openai": {"tpm": 10_000}})
    limit(tracked.database, 0)
    with pytest.raises(FlowControl, match="budget"):
        spender.begin(most(1300))
    limit(tracked.database, 1_000_000)
    spender.begin(most(1300)).settle(Tokens(into=1300))
    assert rows(tracked) == [("settled", 1300, 26)]


def test_a_model_without_a_price_is_not_called_unless_that_is_allowed(spenders: Any, tracked: Tracker) -> None:
    unknown = Usage("openai", "unheard-of", "embed", Tokens(into=5))
    with pytest.raises(UnknownPrice):
        spenders().begin(unknown)
    spenders(allow_unpriced=True).begin(unknown).settle(Tokens(into=5))
    (row,) = tracked.rows(usage)
    assert (row["price"], row["cost_microusd"], row["tokens_in"]) == ("unpriced", None, 5)


def test_models_on_this_machine_need_no_budget_and_leave_one_row(spenders: Any, tracked: Tracker) -> None:
    limit(tracked.database, 0)
    spenders().begin(Usage("hash", "hash", "embed", Tokens(into=5))).settle(Tokens(into=5))
    assert rows(tracked) == [("settled", 5, 0)]
    assert tracked.rows(budget)[0]["used_tokens"] == 0


def test_what_the_batch_lane_saves_is_in_its_row(spenders: Any, tracked: Tracker) -> None:
    spenders().begin(most(1000, lane=Lane.BULK)).settle(Tokens(into=1000))
    (row,) = tracked.rows(usage)
    assert (row["cost_microusd"], row["lane_saved_microusd"]) == (10, 10)


def test_a_short_wait_for_a_limit_is_waited_and_a_long_one_parks(spenders: Any, tracked: Tracker) -> None:
    sleeper = Sleeper()
    spender = spenders(sleep=sleeper, limits={"openai": {"tpm": 60_000}})
    spender.begin(most(9_000)).settle(Tokens(into=9_000))
    with pytest.raises(FlowControl) as caught:
        spender.begin(most(8_000))
    assert caught.value.reason == "rate" and not sleeper.slept
    assert 5 < caught.value.retry_after_seconds < 15
    with pytest.raises(FlowControl, match="used up"):
        spender.begin(most(500))
    assert 1 < sum(sleeper.slept) <= 2.0 + 0.1


def test_retry_after_holds_back_every_process_and_costs_nothing(spenders: Any, tracked: Tracker) -> None:
    first, second = spenders(), spenders()
    call, other = first.begin(most()), first.begin(most())
    error = FlowControl("429", reason="rate", retry_after_seconds=30.0)
    assert end(call, error) is error
    assert end(other, error) is error
    with pytest.raises(FlowControl) as caught:
        second.begin(most())
    assert 25 < caught.value.retry_after_seconds <= 30.5
    assert first.concurrency(*MODEL[:2]).allowed == 1
    assert rows(tracked) == [("released", 0, 0)] * 2


def test_another_key_has_an_allowance_of_its_own(spenders: Any) -> None:
    spender = spenders()
    end(spender.begin(most(key="a")), FlowControl("429", reason="rate", retry_after_seconds=30.0))
    with pytest.raises(FlowControl):
        spender.begin(most(key="a"))
    assert spender.begin(most(key="b")).row is not None


def test_limits_are_learned_from_the_headers_of_an_answer(spenders: Any) -> None:
    first, second = spenders(), spenders()
    headers = {"x-ratelimit-limit-tokens": "60000", "x-ratelimit-remaining-tokens": "0"}
    first.begin(most(1000)).settle(Tokens(into=1000), headers=headers)
    with pytest.raises(FlowControl, match="limit"):
        second.begin(most(6000))


def test_an_outage_opens_the_circuit_for_everybody_and_the_call_that_found_out_waits_too(
    spenders: Any, tracked: Tracker
) -> None:
    first, second = spenders(circuit_seconds=60.0), spenders(circuit_seconds=60.0)
    down = ProviderUnavailable("500", may_be_billed=False)
    for spender in (first, second, first, second):
        assert end(spender.begin(most()), down) is down
    told = end(second.begin(most()), down)
    assert isinstance(told, FlowControl) and told.reason == "circuit"
    assert told.failure is down, "its own request failed; what is not let through has none"
    with pytest.raises(FlowControl, match="left alone") as kept_back:
        first.begin(most())
    assert kept_back.value.failure is None
    assert {state for state, *_ in rows(tracked)} == {"released"}


def test_an_answer_about_a_text_shows_that_the_provider_is_up(spenders: Any) -> None:
    spender = spenders()
    for _ in range(4):
        end(spender.begin(most()), ProviderUnavailable("500", may_be_billed=False))
        end(spender.begin(most()), InputRefused("400"))
    assert spender.begin(most()).row is not None, "never most of them"


def test_a_retry_after_of_hours_is_the_rest_of_the_circuit_that_it_opens(spenders: Any) -> None:
    spender = spenders(circuit_failures=2)
    busy = FlowControl("503", reason="circuit", retry_after_seconds=7200.0)
    assert end(spender.begin(most()), busy) is busy
    told = end(spender.begin(most()), busy)
    assert isinstance(told, FlowControl) and told.retry_after_seconds == 7200.0 and told.failure is None


def test_a_rate_limit_of_hours_is_kept_as_told(spenders: Any) -> None:
    end(spenders().begin(most()), FlowControl("429", reason="rate", retry_after_seconds=7200.0))
    with pytest.raises(FlowControl) as caught:
        spenders().begin(most())
    assert 7100 < caught.value.retry_after_seconds <= 7200.5


def test_a_circuit_that_closes_wakes_what_waited_for_it(spenders: Any, tracked: Tracker) -> None:
    claim = tracked.take(["file:///a"])
    tracked.settle(claim, Park("circuit", 300.0))
    spender = spenders(circuit_seconds=0.01, circuit_failures=3)
    down = ProviderUnavailable("500", may_be_billed=False)
    for _ in range(3):
        end(spender.begin(most()), down)
    probe = wait_for_probe(spender)
    assert tracked.states() == [State.WAITING]
    probe.settle(Tokens(into=1))
    assert tracked.states() == [State.PENDING]


def wait_for_probe(spender: Spender) -> PaidCall:
    from tests.waiting import wait_until

    found: list[PaidCall] = []

    def ask() -> bool:
        try:
            found.append(spender.begin(most()))
        except FlowControl:
            return False
        return True

    wait_until(ask, "the circuit is half open")
    return found[0]


def test_a_probe_that_is_not_sent_leaves_its_turn_to_another(spenders: Any, tracked: Tracker) -> None:
    spender = spenders(circuit_seconds=0.01, circuit_failures=3)
    for _ in range(3):
        end(spender.begin(most()), ProviderUnavailable("500", may_be_billed=False))
    wait_for_probe(spender).release()
    wait_for_probe(spender)
    limit(tracked.database, 0)
    other = spenders(circuit_seconds=0.01, circuit_failures=3)
    with pytest.raises(FlowControl, match="left alone"):
        other.begin(most())


def test_a_batch_is_settled_by_another_process_than_began_it(spenders: Any, tracked: Tracker) -> None:
    batch = most(1000, lane=Lane.BULK)
    row = spenders().begin(batch).row
    assert row is not None
    with tracked.database.write() as connection:
        assert ledger.abandon(connection, owners=["process 0"], older_than_seconds=0) == 0
    spenders().resume(row, batch).settle(Tokens(into=800))
    assert rows(tracked) == [("settled", 800, 8)]


def test_what_was_paid_for_is_kept_when_the_limits_cannot_be_told(spenders: Any, tracked: Tracker) -> None:
    spender = spenders()
    call = spender.begin(most(1000))
    spender.state.update = unreachable
    call.settle(Tokens(into=900))
    assert rows(tracked) == [("settled", 900, 18)]


def unreachable(*_: Any) -> Any:
    raise FlowControl("gone", reason="rate", retry_after_seconds=5.0)


def test_what_the_cache_knows_needs_no_price(spenders: Any, tracked: Tracker) -> None:
    unknown = Usage("openai", "unheard-of", "embed", Tokens(), inputs=0)
    spenders().record_free(unknown, cached=3, cached_tokens=900)
    spenders().record_free(most(0, inputs=0), cached=3, cached_tokens=900)
    assert [(row["cached"], row["cache_saved_microusd"]) for row in tracked.rows(usage)] == [(3, 0), (3, 18)]


@pytest.mark.parametrize(("thought", "sent", "cost"), [(120_000, 90_000, 9_000), (90_000, 110_000, 55_000)])
def test_a_call_is_priced_by_the_band_of_what_was_really_sent(
    spenders: Any, tracked: Tracker, thought: int, sent: int, cost: int
) -> None:
    spenders().begin(Usage("anthropic", "claude-haiku-5-5", "message", Tokens(into=thought))).settle(Tokens(sent))
    assert rows(tracked) == [("settled", sent, cost)]


@pytest.mark.parametrize(
    "error",
    [
        KeyRefused("no such key"),
        FlowControl("429", reason="rate", retry_after_seconds=3600.0),
        FlowControl("529", reason="circuit", retry_after_seconds=3600.0),
    ],
    ids=lambda error: error.reason,
)
def test_what_is_learned_at_a_simulator_says_nothing_of_the_vendor(spenders: Any, error: FlowControl) -> None:
    spender = spenders()
    there, vendor = most(key="same", endpoint="http://127.0.0.1:1/v1"), most(key="same")
    for _ in range(20):
        with suppress(FlowControl):
            spender.begin(there).fail(error)
    with pytest.raises(FlowControl):
        spender.begin(there)
    spender.begin(vendor).release()


def ask_opus(spender: Spender, used: Tokens | None) -> Any:
    """A call of 1,000 tokens, 600 of which the provider is asked to keep; returns the row before its answer."""
    asked = Tokens(into=400, out=100, cache_write=600)
    call = spender.begin(Usage("anthropic", "claude-opus-4-7", "message", asked))
    (row,) = spender.database.query(lambda c: c.execute(select(usage)).mappings().all())
    call.settle(used, request_id="req_1")
    return row


def test_a_reservation_covers_a_prompt_cache_that_has_to_be_written(spenders: Any, tracked: Tracker) -> None:
    before = ask_opus(spenders(), Tokens(into=400, out=100, cache_write=600))
    assert before["cost_microusd"] == 400 * 5 + 600 * 6.25 + 100 * 25
    assert tracked.rows(usage)[0]["cost_microusd"] == before["cost_microusd"]


def test_an_answer_without_usage_costs_what_was_reserved_and_not_nothing(spenders: Any, tracked: Tracker) -> None:
    before = ask_opus(spenders(), None)
    (row,) = tracked.rows(usage)
    assert (row["state"], row["cost_microusd"]) == ("settled", before["cost_microusd"])


def test_limits_are_counted_apart_for_each_key(
    spenders: Any, tracked: Tracker, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashes = set()
    for key in ("one", "another", "one"):
        monkeypatch.setenv("ANTHROPIC_API_KEY", key)
        monkeypatch.setenv("OPENAI_API_KEY", key)
        hashes |= {open_model(name).key_hash for name in ("anthropic/claude-opus-4-7", "openai/gpt-5-mini")}
    assert len(hashes) == 2
    assert not any("one" in found for found in hashes)
    spender = spenders(limits={"anthropic": {"rpm": 1}})
    asked = Usage("anthropic", "claude-opus-4-7", "message", Tokens(1))
    for found in hashes:
        spender.begin(replace(asked, key=found)).settle(Tokens(1))
    with pytest.raises(FlowControl):
        spender.begin(replace(asked, key=hashes.pop()))


@pytest.mark.parametrize("error", [DatabaseAway("gone"), BadVector("odd"), KeyError("unforeseen"), KeyboardInterrupt()])
def test_a_call_that_ends_by_a_fault_of_our_own_goes_on_counting_as_spent(
    spenders: Any, tracked: Tracker, error: BaseException
) -> None:
    assert end(spenders().begin(most(1000)), error) is error
    assert rows(tracked) == [("unsettled", 1000, 20)]


def test_calls_of_one_price_are_told_apart_by_what_they_are_for(spenders: Any, tracked: Tracker) -> None:
    for purpose in ("rank", "decompose", ""):
        haiku = Usage("anthropic", "claude-haiku-5-5", "message", Tokens(into=1_000), purpose=purpose)
        spenders().begin(haiku).settle(Tokens(900))
    booked = [(row["operation"], row["cost_microusd"]) for row in tracked.rows(usage)]
    assert booked == [("rank", 90), ("decompose", 90), ("message", 90)]
