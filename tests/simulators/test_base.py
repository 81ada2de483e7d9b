"""The chassis of the simulators: faults on order, limits, bill, latency and clock, over real connections."""

import json
import threading
import time
from collections.abc import Iterator, Sequence

import httpx2
import pytest

from embedmill.simulators.base import Call, Handler, Options, Refused, SimulatedReply, Simulator
from embedmill.simulators.clock import Clock
from embedmill.simulators.limits import Quota
from embedmill.simulators.serving import SimulatorServer, running
from tests.waiting import wait_until


class Echo(Simulator):
    """Answers with what it was sent, at a token a character."""

    name = "echo"
    url_variable, key_variable = "ECHO_URL", "ECHO_KEY"

    def routes(self) -> Sequence[tuple[str, str, Handler]]:
        return (("POST", "/echo/{name}", self._echo),)

    def error(self, refused: Refused) -> SimulatedReply:
        return SimulatedReply({"error": refused.message, "code": refused.code}, refused.status, refused.headers)

    def _echo(self, call: Call) -> SimulatedReply:
        tokens = len(call.body["text"])
        if exceeded := self.limiter.take(call.params["name"], {"requests": 1, "tokens": tokens}):
            raise Refused(429, "slow down", headers={"retry-after": f"{exceeded.retry_after_seconds:.3f}"})
        self.bill.charge(call.params["name"], "echo", tokens_in=tokens)
        return SimulatedReply({"text": call.body["text"], "name": call.params["name"]})


Server = SimulatorServer[Echo]


@pytest.fixture
def echo() -> Iterator[Server]:
    with running(Echo()) as server:
        yield server


@pytest.fixture
def client() -> Iterator[httpx2.Client]:
    with httpx2.Client(headers={"authorization": "Bearer any"}) as opened:
        yield opened


def ask(client: httpx2.Client, server: Server, text: str = "hello", name: str = "a") -> httpx2.Response:
    return client.post(f"{server.url}/echo/{name}", json={"text": text})


def order(client: httpx2.Client, server: Server, *faults: dict[str, object]) -> None:
    assert client.post(f"{server.url}/_sim/faults", json=list(faults)).status_code == 200


def test_an_answer_is_billed_by_model_and_operation(client: httpx2.Client, echo: Server) -> None:
    assert ask(client, echo).json() == {"text": "hello", "name": "a"}
    ask(client, echo, "hi", name="b")
    bill = client.get(f"{echo.url}/_sim/bill").json()
    assert bill["lines"] == [
        {"model": "a", "operation": "echo", "requests": 1, "tokens_in": 5},
        {"model": "b", "operation": "echo", "requests": 1, "tokens_in": 2},
    ]
    assert bill["totals"] == {"requests": 2, "tokens_in": 7}
    client.delete(f"{echo.url}/_sim/bill")
    assert client.get(f"{echo.url}/_sim/bill").json()["totals"] == {}


def test_a_caller_without_a_key_is_refused(echo: Server) -> None:
    assert httpx2.post(f"{echo.url}/echo/a", json={"text": "x"}).status_code == 401


def test_a_status_is_answered_as_often_as_it_was_ordered_and_not_billed(client: httpx2.Client, echo: Server) -> None:
    fault = {"kind": "status", "status": 429, "headers": {"retry-after": "7"}, "times": 2, "code": "why"}
    order(client, echo, fault)
    refused = [ask(client, echo) for _ in range(2)]
    assert [(r.status_code, r.headers["retry-after"], r.json()["code"]) for r in refused] == [(429, "7", "why")] * 2
    assert ask(client, echo).status_code == 200
    assert echo.simulator.bill.total("requests") == 1


def test_a_fault_may_wait_for_a_text_and_stay_for_ever(client: httpx2.Client, echo: Server) -> None:
    order(client, echo, {"kind": "status", "status": 400, "match": 'a "poison" ☠', "times": None})
    texts = ["clean", 'a "poison" ☠', "clean", '.. a "poison" ☠ ..']
    assert [ask(client, echo, text).status_code for text in texts] == [200, 400, 200, 400]


def test_a_fault_may_let_some_pass_first(client: httpx2.Client, echo: Server) -> None:
    order(client, echo, {"kind": "status", "status": 503, "after": 2})
    assert [ask(client, echo).status_code for _ in range(4)] == [200, 200, 503, 200]


def test_chance_is_repeatable_from_the_seed(client: httpx2.Client) -> None:
    seen = []
    for _ in range(2):
        with running(Echo(Options(seed=7))) as server:
            order(client, server, {"kind": "status", "probability": 0.5, "times": None})
            seen.append([ask(client, server).status_code for _ in range(20)])
    assert seen[0] == seen[1]
    assert {200, 500} == set(seen[0])


def test_a_connection_is_cut_before_the_answer_unbilled_and_in_its_middle_billed(
    client: httpx2.Client, echo: Server
) -> None:
    order(client, echo, {"kind": "cut"})
    with pytest.raises(httpx2.TransportError):
        ask(client, echo)
    assert echo.simulator.bill.total("requests") == 0
    order(client, echo, {"kind": "cut_body"})
    with pytest.raises(httpx2.RemoteProtocolError, match="without sending complete"):
        ask(client, echo)
    assert echo.simulator.bill.total("requests") == 1
    assert ask(client, echo).status_code == 200


def test_a_spoiled_answer_is_billed_all_the_same(client: httpx2.Client, echo: Server) -> None:
    order(client, echo, {"kind": "malformed"}, {"kind": "truncated"})
    for _ in range(2):
        answer = ask(client, echo)
        assert answer.status_code == 200
        with pytest.raises(json.JSONDecodeError):
            answer.json()
    assert echo.simulator.bill.total("tokens_in") == 10


def test_slowness_combines_with_other_faults(client: httpx2.Client, echo: Server) -> None:
    order(client, echo, {"kind": "slow", "seconds": 0.3}, {"kind": "status", "status": 500})
    started = time.monotonic()
    assert ask(client, echo).status_code == 500
    assert time.monotonic() - started >= 0.3


def test_an_unknown_fault_is_refused_with_its_reason(client: httpx2.Client, echo: Server) -> None:
    answer = client.post(f"{echo.url}/_sim/faults", json=[{"kind": "earthquake"}])
    assert answer.status_code == 422
    assert answer.json()["error"][0]["loc"] == [0, "kind"]
    assert client.get(f"{echo.url}/_sim/faults").json() == []


def test_allowances_refill_with_the_clock(client: httpx2.Client) -> None:
    with running(Echo(Options(tokens_per_minute=600))) as server:
        assert ask(client, server, "x" * 600).status_code == 200
        refused = ask(client, server, "x" * 100)
        assert refused.status_code == 429
        assert float(refused.headers["retry-after"]) == pytest.approx(10, abs=0.5)
        assert ask(client, server, "x" * 600, name="another").status_code == 200
        client.post(f"{server.url}/_sim/clock", json={"advance_seconds": 10})
        assert ask(client, server, "x" * 100).status_code == 200
        assert ask(client, server, "x" * 100).status_code == 429


def test_latency_is_the_least_time_of_an_answer_and_requests_overlap(client: httpx2.Client) -> None:
    with running(Echo(Options(latency_seconds=0.3))) as server:

        def met() -> bool:
            threads = [threading.Thread(target=ask, args=(client, server)) for _ in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            return max(exchange.in_flight for exchange in server.simulator.exchanges) == 4

        wait_until(met, "all four are answered at once")
        requests = client.get(f"{server.url}/_sim/requests").json()
    assert all(request["seconds"] >= 0.3 for request in requests)


def test_a_bucket_of_six_seconds_refuses_what_a_minutes_would_grant() -> None:
    clock = Clock()
    quota = Quota({"tokens": 600}, clock=clock, bucket_seconds=6.0)
    refused = quota.take("m", {"tokens": 61})
    assert refused is not None
    assert quota.take("m", {"tokens": 60}) is None
    assert quota.take("m", {"tokens": 30}) is not None
    clock.advance(3.0)
    assert quota.levels("m")["tokens"].reset_seconds == pytest.approx(3.0, abs=0.1)
    assert quota.take("m", {"tokens": 30}) is None
