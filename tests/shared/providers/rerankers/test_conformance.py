"""Every reranker answers, accounts and fails in the same way, whoever serves it."""

from collections.abc import Iterator

import pytest

from embedmill.shared.errors import (
    EmbedmillError,
    FlowControl,
    InputRefused,
    KeyRefused,
    ProviderRefused,
    ProviderUnavailable,
    SettingsError,
)
from embedmill.shared.providers import answer_bounds
from embedmill.shared.providers.rerankers.table import is_reranker, open_reranker
from embedmill.simulators.faults import Fault, Kind
from tests.shared.providers.rerankers.simulated import NAMES, Served, served

SECRET = "the text of a document that must not leak"
QUERY = "why is stack three flooded"
TEXTS = [
    "The canteen opens at noon.",
    "Stack three is flooded because of a drain.",
    "Stack three has shelves. 🦆 Wände",
]


@pytest.fixture(scope="module", params=NAMES)
def shared_reranker(request: pytest.FixtureRequest) -> Iterator[Served]:
    with served(request.param) as opened:
        yield opened


@pytest.fixture
def reranker(shared_reranker: Served) -> Served:
    simulator = shared_reranker.simulator
    for kept in (simulator.faults, simulator.bill, simulator.exchanges):
        kept.clear()
    return shared_reranker


def test_every_text_has_a_relevance_by_its_place(reranker: Served) -> None:
    found = reranker.reranker.rerank(QUERY, TEXTS)
    assert sorted(found.relevance) == [0, 1, 2]
    assert found.relevance[1] > found.relevance[2] > found.relevance[0] >= 0
    assert found.flaws == {}


def test_what_is_billed_is_told_or_known(reranker: Served) -> None:
    found = reranker.reranker.rerank(QUERY, TEXTS)
    assert found.units in (1, None)
    assert reranker.simulator.bill.total("search_units") == 1


def test_many_texts_are_one_request(reranker: Served) -> None:
    found = reranker.reranker.rerank(QUERY, [f"text number {number}" for number in range(60)])
    assert len(found.relevance) == 60
    assert len(reranker.simulator.exchanges) == 1


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, InputRefused),
        (401, KeyRefused),
        (403, ProviderRefused),
        (404, ProviderRefused),
        (429, FlowControl),
        (500, ProviderUnavailable),
        (503, ProviderUnavailable),
    ],
)
def test_an_error_is_ours_and_tells_no_text(reranker: Served, status: int, error: type[EmbedmillError]) -> None:
    reranker.simulator.faults.add(Fault(kind="status", status=status, message=SECRET))
    with pytest.raises(error) as caught:
        reranker.reranker.rerank(SECRET, [SECRET])
    assert SECRET not in str(caught.value)
    assert len(reranker.simulator.exchanges) == 1, "one call, and retries are left to the caller"


def test_a_rate_limit_says_how_long_to_wait(reranker: Served) -> None:
    reranker.simulator.faults.add(Fault(kind="status", status=429, headers={"retry-after": "7"}))
    with pytest.raises(FlowControl) as caught:
        reranker.reranker.rerank(QUERY, TEXTS)
    assert (caught.value.reason, caught.value.retry_after_seconds) == ("rate", 7)


@pytest.mark.parametrize("kind", ["cut", "cut_body", "malformed", "truncated"])
def test_an_answer_that_is_none_may_have_been_billed(reranker: Served, kind: Kind) -> None:
    reranker.simulator.faults.add(Fault(kind=kind))
    with pytest.raises(ProviderUnavailable) as caught:
        reranker.reranker.rerank(QUERY, TEXTS)
    assert caught.value.may_be_billed


def test_of_an_answer_without_end_no_more_is_read_than_an_answer_may_have(
    reranker: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answer_bounds, "MOST_BYTES", 10)
    with pytest.raises(ProviderUnavailable, match="sent more than 0 MB for one answer"):
        reranker.reranker.rerank(QUERY, TEXTS)


def test_a_number_that_is_none_is_left_out(reranker: Served) -> None:
    reranker.simulator.faults.add(Fault(kind="nan"))
    try:
        found = reranker.reranker.rerank(QUERY, TEXTS)
    except ProviderUnavailable:
        return  # an SDK that does not read such an answer at all
    assert (sorted(found.relevance), found.flaws) == ([0, 2], {"out_of_range": 1})


def test_places_and_numbers_that_cannot_be_are_left_out(reranker: Served) -> None:
    reranker.simulator.faults.add(Fault(kind="nonsense"))
    found = reranker.reranker.rerank(QUERY, TEXTS)
    assert found.relevance.keys() <= {0, 1, 2}
    assert all(0 <= relevance <= 1 for relevance in found.relevance.values())
    assert found.flaws


def test_what_a_half_answer_says_counts(reranker: Served) -> None:
    reranker.simulator.faults.add(Fault(kind="partial"))
    assert sorted(reranker.reranker.rerank(QUERY, TEXTS).relevance) == [1]


@pytest.mark.parametrize("name", ["cohere/rerank-v9.9", "bedrock/amazon.rerank-v9:0"])
def test_a_model_that_there_is_not_is_the_users_to_mend(name: str) -> None:
    with served(name) as found, pytest.raises(ProviderRefused):
        found.reranker.rerank(QUERY, TEXTS)


@pytest.mark.parametrize("variable", ["CO_API_KEY", "PINECONE_API_KEY"])
def test_without_a_key_nothing_is_asked(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    name = {"CO_API_KEY": NAMES[0], "PINECONE_API_KEY": NAMES[1]}[variable]
    with served(name) as found:
        monkeypatch.delenv(variable)
        with pytest.raises(KeyRefused):
            open_reranker(name).rerank(QUERY, TEXTS)
        assert len(found.simulator.exchanges) == 0


def test_only_rerankers_have_their_names() -> None:
    assert not any(map(is_reranker, ("anthropic/claude-haiku-5-5", "cohere/embed-v4.0", "", "openai/rerank-1")))
    with pytest.raises(SettingsError, match="there are"):
        open_reranker("openai/rerank-1")
