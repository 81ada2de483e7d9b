"""No private address is connected to, however it is written and whoever leads there."""

import pytest

from embedmill.producers.sources.web.client import Client, Failure, FailureKind, WebAnswer
from embedmill.producers.sources.web.guard import AddressRefused, Allowed, Deadline, GuardedBackend, is_public
from tests.services.site import Site

PUBLIC = ["93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946", "::ffff:93.184.216.34", "64:ff9b::5db8:d822"]
PRIVATE = """
    127.0.0.1 10.0.0.1 172.16.5.4 192.168.1.1 169.254.169.254 100.64.0.1 0.0.0.0 255.255.255.255 224.0.0.1 240.0.0.1
    192.0.2.1 192.88.99.1 198.18.0.1 :: ::1 fe80::1 fc00::1 fec0::1 ff02::1 2001:db8::1 ::ffff:127.0.0.1 ::127.0.0.1
    64:ff9b::7f00:1 64:ff9b:1::7f00:1 2002:7f00:1:: 2001:0:7f00:1::1 2001:0:5db8:d822:0:0:80ff:fffe
""".split()


@pytest.mark.parametrize("address", PUBLIC)
def test_addresses_of_the_internet_are_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("address", PRIVATE)
def test_private_addresses_are_not_nor_what_stands_for_them(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    "host", "127.0.0.1 localhost 2130706433 0x7f.1 127.1 0 [::1] [::ffff:127.0.0.1] 0177.0.0.1".split()
)
def test_however_a_private_address_is_written_nobody_there_is_asked(site: Site, host: str) -> None:
    answer = Client("test").ask(f"http://{host}:{site.port}/", wants=lambda _head: True)
    assert isinstance(answer, Failure)
    assert answer.kind is FailureKind.REFUSED
    assert "private" in answer.reason
    assert "EMBEDMILL_ALLOW_PRIVATE_ADDRESSES" in answer.reason
    assert not site.asked


def test_a_name_with_one_private_address_among_others_is_refused() -> None:
    backend = GuardedBackend(Allowed(), Deadline(), resolver=lambda *_: ["93.184.216.34", "10.0.0.1"])
    with pytest.raises(AddressRefused, match=r"10\.0\.0\.1"):
        backend.checked("docs.example", 443)


def test_what_was_checked_is_connected_to_whatever_the_name_leads_to_by_then(site: Site) -> None:
    looked_up: list[str] = []

    def resolve(host: str, _port: int) -> list[str]:
        looked_up.append(host)
        return ["127.0.0.1"] if len(looked_up) == 1 else ["10.9.9.9"]

    site.at("/", "<p>here")
    with Client("test", Allowed.parse("docs.example"), resolver=resolve) as client:
        assert isinstance(client.ask(f"http://docs.example:{site.port}/", wants=lambda _head: True), WebAnswer)
    assert looked_up == ["docs.example"]


@pytest.mark.parametrize(
    ("setting", "host", "port", "allowed"),
    [
        ("", "wiki.corp", 80, False),
        ("0", "wiki.corp", 80, False),
        ("1", "wiki.corp", 80, True),
        ("wiki.corp", "WIKI.corp", 8080, True),
        ("wiki.corp", "other.corp", 80, False),
        ("wiki.corp:8080, 10.0.0.5", "wiki.corp", 8080, True),
        ("wiki.corp:8080, 10.0.0.5", "wiki.corp", 80, False),
        ("wiki.corp:8080, 10.0.0.5", "10.0.0.5", 443, True),
        ("[fd00::1]:80", "fd00::1", 80, True),
    ],
)
def test_private_places_are_allowed_all_or_by_name(setting: str, host: str, port: int, *, allowed: bool) -> None:
    assert Allowed.parse(setting).includes(host, port) is allowed


def test_a_place_that_is_allowed_does_not_allow_another(site: Site) -> None:
    client = Client("test", Allowed.parse(f"127.0.0.1:{site.port + 1}"))
    answer = client.ask(site.url, wants=lambda _head: True)
    assert isinstance(answer, Failure)
    assert answer.kind is FailureKind.REFUSED


def test_no_proxy_of_the_environment_goes_round_the_guard(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, site.url)
    client = Client("test", resolver=lambda *_: ["10.0.0.1"])
    answer = client.ask("http://docs.example/", wants=lambda _head: True)
    assert isinstance(answer, Failure)
    assert not site.asked
