"""Paid embedders against simulated providers: what is sent, what fails alone, and what the meter hears."""

import asyncio
import threading
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pytest

from embedmill.shared.errors import (
    BadVector,
    EmbedmillError,
    FlowControl,
    InputRefused,
    InputTooLong,
    KeyRefused,
    ProviderRefused,
    ProviderUnavailable,
    SettingsError,
    StorageFailed,
    may_be_billed,
)
from embedmill.shared.ledger import NO_TOKENS, Usage
from embedmill.shared.providers import answer_bounds
from embedmill.shared.providers.embeddings.asking import VectorQuestion
from embedmill.shared.providers.embeddings.base import INEXACT_MARGIN
from embedmill.shared.providers.embeddings.openai import OpenAIEmbedder
from embedmill.shared.providers.embeddings.remote import RemoteEmbedder
from embedmill.simulators.base import Call, Options, Simulator
from embedmill.simulators.faults import Fault
from embedmill.simulators.openai import OpenAISimulator
from embedmill.simulators.serving import SimulatorServer, running
from tests.shared.providers.books import Books, Noted
from tests.shared.providers.embeddings.simulated import Servers, open_remote

SMALL = "openai/text-embedding-3-small@64"
VENDORS = {
    "openai": SMALL,
    "cohere": "cohere/embed-v4.0@256",
    "bedrock": "bedrock/amazon.titan-embed-text-v2:0@256",
    "bedrock-cohere": "bedrock/cohere.embed-v4:0@256",
}


@pytest.fixture
def openai(servers: Servers) -> Iterator[RemoteEmbedder]:
    embedder = open_remote(SMALL)
    yield embedder
    embedder.close()


@pytest.fixture(params=list(VENDORS))
def vendor(request: pytest.FixtureRequest, servers: Servers) -> Iterator[RemoteEmbedder]:
    embedder = open_remote(VENDORS[request.param])
    yield embedder
    embedder.close()


def simulator_of(embedder: RemoteEmbedder, servers: Servers) -> Simulator:
    return servers[embedder.provider].simulator


def point_at(server: SimulatorServer[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    for variable, value in server.environment.items():
        monkeypatch.setenv(variable, value)


def test_the_providers_count_is_in_the_books_and_on_its_bill(vendor: RemoteEmbedder, servers: Servers) -> None:
    books = Books()
    texts = [f"text {number} of some length" for number in range(250)]
    result = vendor.embed_many(texts, meter=books)
    assert result.errors == {}
    bill = simulator_of(vendor, servers).bill
    settled = sum((end.tokens or NO_TOKENS for end in books.settled), NO_TOKENS)
    assert settled.total == bill.total("tokens_in") > 0
    assert result.answers == len(books.reserved) == bill.total("requests") == -(-250 // min(vendor.max_inputs, 250))
    assert sum(usage.inputs for usage in books.reserved) == 250
    assert {(usage.provider, usage.model, usage.operation) for usage in books.reserved} == {
        (vendor.provider, vendor.model, "embed")
    }
    assert all(end.request_id for end in books.settled)
    reserved = sum(usage.tokens.into for usage in books.reserved)
    margin = 1.0 if vendor.counts_exactly else INEXACT_MARGIN
    assert reserved == pytest.approx(margin * bill.total("tokens_in"), abs=len(books.reserved))
    assert books.threads == {threading.get_ident()}


def test_of_an_answer_without_end_no_more_is_read_than_an_answer_may_have(
    vendor: RemoteEmbedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answer_bounds, "MOST_BYTES", 300)
    (error,) = vendor.embed_many(["a text"]).errors.values()
    assert type(error) is ProviderUnavailable
    assert error.may_be_billed
    assert "sent more than 0 MB for one answer, and no more of it was read" in str(error)


@pytest.mark.parametrize(
    "told",
    [None, -1_000_000_000, -1, 0.5, float("nan"), 2**80, 10**400, "many", [], {}],
    ids=lambda told: str(told)[:9],
)
def test_nonsense_in_the_place_of_a_count_is_no_count_and_the_vectors_are_kept(
    vendor: RemoteEmbedder, servers: Servers, told: Any
) -> None:
    simulator_of(vendor, servers).faults.add(Fault(kind="usage", usage=told))
    books = Books()
    result = vendor.embed_many(["a text"], meter=books)
    assert result.errors == {} and result.vectors.any()
    assert [end.tokens for end in books.settled] == [None]


@pytest.mark.parametrize(
    "places",
    [[0, 0, 0], [2, 1, 1], [0, 1], [0, 1, 2, 2], [0, 1, -1], [1, 2, 3], [0, 1, "2"], [False, True, 2], [0.0, 1, 2]],
    ids=str,
)
def test_an_answer_that_does_not_name_every_text_once_is_not_believed(
    openai: RemoteEmbedder, places: list[Any]
) -> None:
    assert isinstance(openai, OpenAIEmbedder)
    data = [{"index": place, "embedding": [1.0] * openai.dimensions} for place in places]
    with pytest.raises(ProviderUnavailable, match="unreadable") as raised:
        openai.read_batch({"data": data}, count=3)
    assert raised.value.may_be_billed


def test_vectors_of_an_answer_may_come_in_any_order(openai: RemoteEmbedder) -> None:
    assert isinstance(openai, OpenAIEmbedder)
    rows = np.eye(3, openai.dimensions)
    data = [{"index": place, "embedding": rows[place].tolist()} for place in (2, 0, 1)]
    assert np.array_equal(openai.read_batch({"data": data}, count=3).vectors, rows)


def test_queries_and_documents_are_told_apart(vendor: RemoteEmbedder, servers: Servers) -> None:
    vendor.embed_many(["text"], input_type="document")
    vendor.embed_many(["text"], input_type="query")
    sent = [body.get("input_type") for body in simulator_of(vendor, servers).bodies]
    assert sent == ([None, None] if vendor.symmetric else ["search_document", "search_query"])


def test_a_text_that_comes_back_as_the_code_of_an_error_goes_nowhere(vendor: RemoteEmbedder, servers: Servers) -> None:
    text = "The merger with Acme is confidential"
    simulator_of(vendor, servers).faults.add(Fault(kind="status", status=400, code=text, times=None))
    (error,) = vendor.embed_many([text]).errors.values()
    assert "400" in str(error)
    assert "merger" not in str(error)


@pytest.mark.parametrize("place", [0, 137, 299])
def test_one_poisonous_text_fails_alone_and_its_neighbours_are_paid_once(
    openai: RemoteEmbedder, servers: Servers, place: int
) -> None:
    servers["openai"].simulator.faults.add(Fault(kind="status", status=400, match="POISON", times=None))
    texts = [f"text number {number}" for number in range(300)]
    texts[place] = "the POISON pill"
    books = Books()
    result = openai.embed_many(texts, meter=books)
    assert {at: type(error) for at, error in result.errors.items()} == {place: InputRefused}
    assert not result.vectors[place].any()
    assert np.abs(np.linalg.norm(np.delete(result.vectors, place, axis=0), axis=1) - 1).max() < 1e-5
    bill = servers["openai"].simulator.bill
    assert bill.total("inputs") == 299
    assert bill.total("tokens_in") == sum(openai.count_tokens(texts)) - openai.count_tokens([texts[place]])[0]
    assert len(books.reserved) <= 20
    assert not any(may_be_billed(error) for error in books.failed)


def test_several_poisons_are_all_found(vendor: RemoteEmbedder, servers: Servers) -> None:
    simulator_of(vendor, servers).faults.add(Fault(kind="status", status=400, match="POISON", times=None))
    texts = [f"POISON {n}" if n in (3, 4, 77, 140) else f"text {n}" for n in range(150)]
    result = vendor.embed_many(texts)
    assert sorted(result.errors) == [3, 4, 77, 140]
    assert simulator_of(vendor, servers).bill.total("inputs") == 146


def test_a_provider_that_refuses_every_text_is_not_asked_for_each(openai: RemoteEmbedder, servers: Servers) -> None:
    servers["openai"].simulator.faults.add(Fault(kind="status", status=400, times=None))
    books = Books()
    result = openai.embed_many([f"text {number}" for number in range(1000)], meter=books)
    assert len(result.errors) == 1000
    assert isinstance(result.errors[999], ProviderRefused)
    assert len(books.reserved) <= 2 * VectorQuestion.most_refused + 10, (
        "ten halvings to the first text, two requests for each more"
    )


@pytest.mark.parametrize(
    ("fault", "kind", "billed"),
    [
        (Fault(kind="status", status=401, times=None), KeyRefused, False),
        (Fault(kind="status", status=403, times=None), ProviderRefused, False),
        (Fault(kind="status", status=402, times=None), FlowControl, False),
        (Fault(kind="status", status=413, times=None), InputTooLong, False),
        (Fault(kind="status", status=429, headers={"retry-after": "9"}, times=None), FlowControl, False),
        (Fault(kind="status", status=429, times=None), FlowControl, False),
        (Fault(kind="status", status=500, times=None), ProviderUnavailable, False),
        (Fault(kind="status", status=503, times=None), ProviderUnavailable, False),
        (Fault(kind="status", status=529, times=None), FlowControl, False),
        (Fault(kind="status", status=307, headers={"location": "/elsewhere"}, times=None), ProviderUnavailable, False),
        (Fault(kind="cut", times=None), ProviderUnavailable, True),
        (Fault(kind="cut_body", times=None), ProviderUnavailable, True),
        (Fault(kind="malformed", times=None), ProviderUnavailable, True),
        (Fault(kind="truncated", times=None), ProviderUnavailable, True),
    ],
    ids=lambda value: f"{value.kind}-{value.status}" if isinstance(value, Fault) else "",
)
def test_every_fault_is_one_of_our_errors_at_once(
    vendor: RemoteEmbedder, servers: Servers, fault: Fault, kind: type[EmbedmillError], *, billed: bool
) -> None:
    simulator_of(vendor, servers).faults.add(fault)
    books = Books()
    result = vendor.embed_many(["a secret text"], meter=books)
    assert type(result.errors[0]) is kind
    assert "secret" not in str(result.errors[0])
    tries = 2 if kind is ProviderUnavailable and not billed else 1
    assert [may_be_billed(error) for error in books.failed] == [billed] * tries
    assert len(simulator_of(vendor, servers).exchanges) == tries, "the SDK's own retries are off"
    if isinstance(result.errors[0], FlowControl) and fault.headers:
        assert result.errors[0].retry_after_seconds == 9


@pytest.mark.parametrize("kind", ["null", "nan", "dimensions"])
def test_a_spoiled_vector_is_its_texts_error_and_the_others_are_kept(
    vendor: RemoteEmbedder, servers: Servers, kind: Any
) -> None:
    simulator_of(vendor, servers).faults.add(Fault(kind=kind, match="SPOILED"))
    result = vendor.embed_many(["one", "two SPOILED", "three"])
    assert {place: type(error) for place, error in result.errors.items()} == {1: BadVector}
    assert result.errors[1].retryable, "the next answer may be sound"
    assert np.linalg.norm(result.vectors, axis=1) == pytest.approx([1, 0, 1], abs=1e-5)


@pytest.mark.parametrize("number", [1e39, 10**400], ids=["1e39", "10**400"])
def test_a_number_beyond_32_bits_spoils_its_vector_alone(openai: RemoteEmbedder, number: float) -> None:
    rows = openai.rows([[number] * openai.dimensions, [0.5] * openai.dimensions])
    assert np.isfinite(rows).all(axis=1).tolist() == [False, True]


def test_an_empty_text_is_zeros_and_is_not_sent(vendor: RemoteEmbedder, servers: Servers) -> None:
    result = vendor.embed_many(["", "text", ""])
    assert result.errors == {}
    assert [row.any() for row in result.vectors] == [False, True, False]
    assert simulator_of(vendor, servers).bill.total("inputs") == 1


def test_no_credit_is_a_budget_and_not_a_rate(openai: RemoteEmbedder, servers: Servers) -> None:
    fault = Fault(kind="status", status=429, code="insufficient_quota", headers={"retry-after": "1"})
    servers["openai"].simulator.faults.add(fault)
    (error,) = openai.embed_many(["text"]).errors.values()
    assert isinstance(error, FlowControl)
    assert error.reason == "budget"


def test_flow_control_stops_the_rest_and_keeps_what_is_there(vendor: RemoteEmbedder, servers: Servers) -> None:
    vendor.max_inputs = min(vendor.max_inputs, 10)
    vendor.concurrency = 2
    simulator_of(vendor, servers).faults.add(Fault(kind="status", status=429, after=3, times=None))
    result = vendor.embed_many([f"text {number}" for number in range(20 * vendor.max_inputs)])
    assert {type(error) for error in result.errors.values()} == {FlowControl}
    assert result.vectors.any(axis=1).sum() == 3 * vendor.max_inputs
    assert len(simulator_of(vendor, servers).exchanges) <= 5


def test_a_request_that_fails_once_is_made_again_in_halves_and_costs_nobody_anything(
    openai: RemoteEmbedder, servers: Servers
) -> None:
    openai.max_inputs, openai.concurrency = 10, 2
    servers["openai"].simulator.faults.add(Fault(kind="status", status=500, after=1))
    assert openai.embed_many([f"text {number}" for number in range(100)]).errors == {}
    assert servers["openai"].simulator.bill.total("inputs") == 100


@pytest.mark.parametrize("concurrency", [1, 8])
def test_a_text_at_which_the_provider_fails_each_time_keeps_nobody_waiting(
    openai: RemoteEmbedder, servers: Servers, concurrency: int
) -> None:
    openai.concurrency = concurrency
    servers["openai"].simulator.faults.add(Fault(kind="status", status=500, match="text 17 ", times=None))
    result = openai.embed_many([f"text {number} of many" for number in range(64)])
    assert {place: type(error) for place, error in result.errors.items()} == {17: ProviderUnavailable}
    assert servers["openai"].simulator.bill.total("inputs") == 63


def test_a_provider_that_fails_for_everybody_is_left_alone_and_what_was_not_sent_has_not_failed(
    openai: RemoteEmbedder, servers: Servers
) -> None:
    openai.max_inputs, openai.concurrency = 10, 2
    servers["openai"].simulator.faults.add(Fault(kind="status", status=500, times=None))
    errors = openai.embed_many([f"text {number}" for number in range(200)]).errors
    assert len(errors) == 200
    assert len(servers["openai"].simulator.exchanges) <= 6
    failed = sum(isinstance(error, ProviderUnavailable) for error in errors.values())
    assert 50 <= failed <= 60
    assert all(isinstance(error, ProviderUnavailable | FlowControl) for error in errors.values())


def test_a_budget_that_ends_keeps_later_requests_back(openai: RemoteEmbedder, servers: Servers) -> None:
    openai.max_inputs = 10
    result = openai.embed_many([f"text {number}" for number in range(100)], meter=Books(calls=4))
    assert len(result.errors) == 60
    assert {getattr(error, "reason", None) for error in result.errors.values()} == {"budget"}
    assert servers["openai"].simulator.bill.total("requests") == 4


class Purse(Books):
    """A meter that has money for so many texts."""

    def __init__(self, texts: int) -> None:
        super().__init__()
        self.left = texts

    def reserve(self, usage: Usage) -> Noted:
        if usage.inputs > self.left:
            raise FlowControl("the budget is used up", reason="budget", retry_after_seconds=60)
        self.left -= usage.inputs
        return super().reserve(usage)


def test_a_request_is_cut_to_fit_what_is_left_of_a_budget(openai: RemoteEmbedder, servers: Servers) -> None:
    purse = Purse(40)
    result = openai.embed_many([f"text {number}" for number in range(100)], meter=purse)
    assert sorted(result.errors) == list(range(40, 100))
    assert {type(error) for error in result.errors.values()} == {FlowControl}
    assert servers["openai"].simulator.bill.total("inputs") == 40
    assert len(purse.reserved) <= 6
    assert sorted(openai.embed_many(["a", "b"], meter=Purse(0)).errors) == [0, 1]


@pytest.mark.parametrize("concurrency", [8, 1])
def test_an_answer_that_does_not_come_is_given_up_in_time(monkeypatch: pytest.MonkeyPatch, concurrency: int) -> None:
    books = Books()
    with running(OpenAISimulator(Options())) as server:
        point_at(server, monkeypatch)
        embedder = open_remote(SMALL)
        embedder.embed_many(["the first request loads the SDK"])
        server.simulator.faults.add(Fault(kind="slow", seconds=60))
        embedder.seconds_per_request, embedder.concurrency = 0.3, concurrency
        result = embedder.embed_many(["text"], meter=books)
        embedder.close()
        assert len(server.simulator.exchanges) == 1, "the second was not waited for"
    assert isinstance(result.errors[0], ProviderUnavailable)
    assert [may_be_billed(error) for error in books.failed] == [True]


def test_a_request_above_the_accounts_minute_is_split_until_it_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    with running(OpenAISimulator(Options(tokens_per_minute=5000))) as server:
        point_at(server, monkeypatch)
        embedder = open_remote(SMALL)
        embedder.concurrency = 2
        result = embedder.embed_many(["word " * 99] * 120)
        embedder.close()
    assert {type(error) for error in result.errors.values()} == {FlowControl}
    assert 20 <= result.vectors.any(axis=1).sum() <= 51


class Gathering(OpenAISimulator):
    """Answers nobody before eight ask at once."""

    def __init__(self) -> None:
        super().__init__()
        self._met = asyncio.Event()

    async def _take_turn(self, call: Call, started: float) -> None:
        if self._in_flight == 8:
            self._met.set()
        await self._met.wait()


def test_requests_are_in_flight_together(monkeypatch: pytest.MonkeyPatch) -> None:
    with running(Gathering()) as server:
        point_at(server, monkeypatch)
        embedder = open_remote(SMALL)
        embedder.max_inputs = 5
        result = embedder.embed_many([f"text {number}" for number in range(80)])
        embedder.close()
    assert result.errors == {}
    assert max(exchange.in_flight for exchange in server.simulator.exchanges) == embedder.concurrency == 8
    assert len(server.simulator.exchanges) == 16


class Store:
    """Keeps vectors by position, and notes how many calls were settled when it got them."""

    def __init__(self, books: Books, *, refuses: int = 0) -> None:
        self.kept: dict[int, Any] = {}
        self.settled_before: list[int] = []
        self._books = books
        self._refusals = refuses

    def keep(self, vectors: Mapping[int, Any]) -> None:
        self.settled_before.append(len(self._books.settled))
        if self._refusals:
            self._refusals -= 1
            raise StorageFailed("the disk is full")
        self.kept |= vectors


def test_the_vectors_of_each_answer_are_kept_before_its_call_is_settled(
    openai: RemoteEmbedder, servers: Servers
) -> None:
    openai.max_inputs = 5
    servers["openai"].simulator.faults.add(Fault(kind="nan", match="SPOILED"))
    books = Books()
    store = Store(books)
    texts = ["", "a SPOILED text", *(f"text {number}" for number in range(24))]
    result = openai.embed_many(texts, meter=books, keep=store.keep)
    assert store.settled_before == [*range(5), 5], "one by one, and what need not be sent in the end"
    assert store.kept.keys() == set(range(26)) - {1}
    assert all(np.array_equal(store.kept[place], result.vectors[place]) for place in store.kept)
    assert result.errors.keys() == {1}


def test_a_store_that_fails_ends_the_sending_loses_no_account_and_is_tried_once_more(
    openai: RemoteEmbedder, servers: Servers
) -> None:
    openai.max_inputs, openai.concurrency = 5, 2
    books = Books()
    store = Store(books, refuses=1)
    with pytest.raises(StorageFailed):
        openai.embed_many([f"text {number}" for number in range(100)], meter=books, keep=store.keep)
    sent = servers["openai"].simulator.bill.total("requests")
    assert sent == len(books.reserved) == len(books.settled) <= 3
    assert len(store.kept) == 5 * sent, "what was paid for is there"


def test_a_missing_key_or_region_is_named(servers: Servers, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("OPENAI_API_KEY", "CO_API_KEY", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    for name, variable in (
        (SMALL, "OPENAI_API_KEY"),
        ("cohere/embed-v4.0", "CO_API_KEY"),
        ("bedrock/cohere.embed-v4:0", "AWS_DEFAULT_REGION"),
    ):
        embedder = open_remote(name)
        (error,) = embedder.embed_many(["text"]).errors.values()
        embedder.close()
        assert isinstance(error, KeyRefused)
        assert variable in str(error)
    assert not any(server.simulator.exchanges for server in servers.values())


@pytest.mark.parametrize("key", ["sk-abc\n", "sk-abc ", "sk-\u00e4bc"], ids=["line-break", "space", "umlaut"])
def test_a_key_that_no_request_can_carry_is_refused_before_one_is_made(
    servers: Servers, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    for variable in ("OPENAI_API_KEY", "CO_API_KEY", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(variable, key)
    for name in VENDORS.values():
        embedder = open_remote(name)
        (error,) = embedder.embed_many(["text"]).errors.values()
        embedder.close()
        assert isinstance(error, KeyRefused)
        assert key.strip() not in str(error)
    assert not any(server.simulator.exchanges for server in servers.values())


def test_keys_are_told_apart_by_their_hash(monkeypatch: pytest.MonkeyPatch, servers: Servers) -> None:
    for name, variable in ((VENDORS["openai"], "OPENAI_API_KEY"), (VENDORS["cohere"], "CO_API_KEY")):
        hashes = set()
        for key in ("one", "two"):
            monkeypatch.setenv(variable, key)
            embedder = open_remote(name)
            hashes.add(embedder.key_hash)
            embedder.close()
        assert len(hashes) == 2
        assert not hashes & {"", "one", "two"}


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("UnrecognizedClientException", KeyRefused),
        ("InvalidSignatureException", KeyRefused),
        ("ExpiredTokenException", KeyRefused),
        ("AccessDeniedException", ProviderRefused),
    ],
)
def test_what_aws_says_of_a_key_is_told_from_what_it_says_of_a_models_access(
    servers: Servers, code: str, kind: type[EmbedmillError]
) -> None:
    servers["bedrock"].simulator.faults.add(Fault(kind="status", status=403, code=code, times=None))
    embedder = open_remote(VENDORS["bedrock"])
    (error,) = embedder.embed_many(["text"]).errors.values()
    embedder.close()
    assert type(error) is kind


def test_an_account_that_is_not_there_is_a_missing_key(servers: Servers, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(variable)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    for profile in ("", "nobody"):
        if profile:
            monkeypatch.setenv("AWS_PROFILE", profile)
        embedder = open_remote(VENDORS["bedrock"])
        (error,) = embedder.embed_many(["text"]).errors.values()
        embedder.close()
        assert isinstance(error, KeyRefused)
        assert "AWS_ACCESS_KEY_ID" in str(error)
        assert embedder.key_hash == ""


def test_nobody_at_the_address_costs_nothing(monkeypatch: pytest.MonkeyPatch, servers: Servers) -> None:
    for variable in ("OPENAI_BASE_URL", "CO_API_URL", "AWS_ENDPOINT_URL_BEDROCK_RUNTIME"):
        monkeypatch.setenv(variable, "http://127.0.0.1:9")
    for name in VENDORS.values():
        embedder, books = open_remote(name), Books()
        (error,) = embedder.embed_many(["text"], meter=books).errors.values()
        embedder.close()
        assert isinstance(error, ProviderUnavailable)
        assert [may_be_billed(error) for error in books.failed] == [False, False]


def test_sizes_that_a_model_has_not_are_refused() -> None:
    for name, told in (
        ("openai/text-embedding-3-large@3073", "1 to 3072"),
        ("cohere/embed-v4.0@100", "256, 512, 1024, 1536"),
        ("cohere/embed-english-v3.0@512", "1024 only"),
        ("local@128", "256 only"),
        ("openai/text-embedding-3-small@big", "a number"),
    ):
        with pytest.raises(SettingsError, match=told):
            open_remote(name)


def test_the_size_is_part_of_the_name(openai: RemoteEmbedder) -> None:
    assert (openai.name, openai.model, openai.dimensions) == (SMALL, "text-embedding-3-small", 64)
