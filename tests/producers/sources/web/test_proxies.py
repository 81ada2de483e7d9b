"""Proxies of the environment: what they are asked for is what was checked, and private addresses stay refused."""

from collections.abc import Iterator

import pytest

from embedmill.producers.sources.web.client import Client, Failure, FailureKind, WebAnswer
from embedmill.producers.sources.web.guard import Allowed, NameLeadsNowhere
from embedmill.producers.sources.web.proxies import Proxy
from tests.services.site import Site
from tests.services.tunnel import Tunnels, running_tunnels

PUBLIC = "93.184.216.34"


@pytest.fixture
def proxy(site: Site, monkeypatch: pytest.MonkeyPatch) -> Iterator[Tunnels]:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    with running_tunnels(site.port) as tunnels:
        monkeypatch.setenv("http_proxy", tunnels.url.replace("//", "//me:pl%40nted@"))
        site.at("/", "<p>here")
        yield tunnels


def ask(client: Client, address: str) -> WebAnswer | Failure:
    with client:
        return client.ask(address, wants=lambda _head: True)


def test_a_proxy_is_asked_for_the_address_that_was_checked_and_the_host_for_its_name(
    proxy: Tunnels, site: Site
) -> None:
    answer = ask(Client("test", resolver=lambda *_: [PUBLIC]), "http://docs.example/")
    assert isinstance(answer, WebAnswer)
    assert b"<p>here" in answer.body
    (head,) = proxy.asked
    assert head.startswith(f"CONNECT {PUBLIC}:80 HTTP/1.1\r\n")
    assert "Proxy-Authorization: Basic bWU6cGxAbnRlZA==" in head
    assert [each.host for each in site.asked] == ["docs.example"]
    assert "proxy-authorization" not in site.asked[0].headers


@pytest.mark.parametrize("address", ["http://intern.corp/", "http://0x7f.1/", "http://2130706433/", "http://[::1]/"])
@pytest.mark.parametrize("resolves", [False, True])
def test_private_addresses_are_refused_before_the_proxy_is_asked(
    proxy: Tunnels, address: str, *, resolves: bool
) -> None:
    answer = ask(Client("test", resolver=lambda *_: ["10.0.0.1"], proxy_resolves=resolves), address)
    assert isinstance(answer, Failure)
    assert answer.kind is FailureKind.REFUSED
    assert not proxy.asked


@pytest.mark.parametrize("resolves", [False, True])
def test_a_name_that_nobody_here_knows_is_given_to_a_proxy_that_is_trusted_with_it(
    proxy: Tunnels, *, resolves: bool
) -> None:
    def resolve(*_: object) -> list[str]:
        raise NameLeadsNowhere

    answer = ask(Client("test", resolver=resolve, proxy_resolves=resolves), "http://docs.example/")
    assert isinstance(answer, WebAnswer) == resolves
    assert [head.split()[1] for head in proxy.asked] == ["docs.example:80"] * resolves


def test_what_is_allowed_in_the_network_and_what_no_proxy_names_is_reached_without_it(
    proxy: Tunnels, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert isinstance(ask(Client("test", Allowed.parse("127.0.0.1")), site.url), WebAnswer)
    monkeypatch.setenv("no_proxy", "docs.example")
    there = f"http://docs.example:{site.port}/"
    client = Client("test", Allowed.parse("docs.example"), resolver=lambda *_: ["127.0.0.1"])
    assert isinstance(ask(client, there), WebAnswer)
    assert not proxy.asked


def test_a_proxy_that_refuses_is_said_without_its_login(proxy: Tunnels) -> None:
    proxy.status = 407
    answer = ask(Client("test", resolver=lambda *_: [PUBLIC]), "http://docs.example/")
    assert isinstance(answer, Failure)
    assert answer.reason == "the proxy does not lead there: it answers 407"


def test_a_proxy_shows_no_login_and_one_of_another_kind_is_refused(
    proxy: Tunnels, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "nted" not in repr(Proxy.of_environment("http"))
    assert "bWU6" not in repr(Proxy.of_environment("http"))
    monkeypatch.setenv("http_proxy", "socks5://127.0.0.1:1080")
    answer = ask(Client("test", resolver=lambda *_: [PUBLIC]), "http://docs.example/")
    assert isinstance(answer, Failure)
    assert "socks5://" in answer.reason
