"""Prices: the packaged file is sound, a user's file goes over it, costs are exact, and nothing unknown is free."""

import tomllib
from datetime import date
from decimal import Decimal
from fractions import Fraction
from importlib.resources import files
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedmill.shared.errors import SettingsError, UnknownPrice
from embedmill.shared.ledger import FREE_PROVIDERS, Lane, Tokens
from embedmill.shared.spend.prices import Prices

ROW = """
[[price]]
provider = "openai"
model = "{model}"
operation = "embed"
in = {price}
valid_from = {day}
source = "a contract"
"""


def written(path: Path, *rows: str) -> Path:
    path.write_text("as_of = 2026-11-01\n" + "".join(rows))
    return path


def packaged() -> list[dict[str, object]]:
    text = files("embedmill.shared.spend").joinpath("prices.toml").read_text("utf-8")
    found: list[dict[str, object]] = tomllib.loads(text, parse_float=Decimal)["price"]
    return found


def test_every_packaged_price_can_be_found_and_names_its_source() -> None:
    prices = Prices.load()
    for row in packaged():
        found = prices.find(
            str(row["provider"]),
            str(row["model"]),
            str(row["operation"]),
            lane=Lane(str(row["lane"])),
            prompt_tokens=int(str(row.get("prompt_above", 0))) + 1,
        )
        assert found.into == Decimal(str(row["in"])) > 0
        assert row["source"]


def test_no_packaged_price_is_there_twice() -> None:
    keys = [
        tuple(row.get(k) for k in ("provider", "model", "operation", "lane", "prompt_above", "valid_from"))
        for row in packaged()
    ]
    assert len(keys) == len(set(keys))


def test_the_batch_lane_costs_half_of_the_live_lane() -> None:
    prices = Prices.load()
    tokens = Tokens(into=1_000_000, out=1_000_000, cache_read=1_000_000, cache_write=1_000_000)
    for row in packaged():
        if row["lane"] == "bulk":
            key = str(row["provider"]), str(row["model"]), str(row["operation"])
            live, bulk = prices.find(*key), prices.find(*key, lane=Lane.BULK)
            assert live.cost(tokens) == 2 * (bulk.cost(tokens) or 0)


def test_opus_costs_what_its_page_says() -> None:
    price = Prices.load().find("anthropic", "claude-opus-4-7", "message")
    tokens = Tokens(into=1000, out=200, cache_read=4096, cache_write=100, cache_write_1h=40)
    assert price.cost(tokens) == 5 * 1000 + 25 * 200 + 2048 + 60 * Decimal("6.25") + 40 * 10


def test_a_larger_prompt_may_cost_more_a_token() -> None:
    prices = Prices.load()
    small = prices.find("anthropic", "claude-haiku-5-5", "message", prompt_tokens=100_000)
    large = prices.find("anthropic", "claude-haiku-5-5", "message", prompt_tokens=100_001)
    assert large.into == 5 * small.into


@given(st.integers(0, 10**9))
def test_a_cost_is_the_exact_product_rounded_up_to_a_micro_dollar(tokens: int) -> None:
    cost = Prices.load().find("openai", "text-embedding-3-large", "embed").cost(Tokens(into=tokens))
    exact = Fraction(13, 100) * tokens
    assert cost is not None
    assert exact <= cost < exact + 1


@pytest.mark.parametrize("day", ["2020-01-01", "2026-11-25"])
def test_a_users_row_goes_over_ours_whatever_its_date_is(tmp_path: Path, day: str) -> None:
    path = written(
        tmp_path / "prices.toml",
        ROW.format(model="text-embedding-3-small", price="0.5", day=day),
        ROW.format(model="house-model", price="1", day="2020-01-01"),
    )
    prices = Prices.load(path)
    assert prices.find("openai", "text-embedding-3-small", "embed").into == Decimal("0.5")
    assert prices.find("openai", "house-model", "embed").into == 1
    assert prices.find("openai", "text-embedding-3-large", "embed").into == Decimal("0.13")


def test_ours_holds_until_the_day_of_a_users_row_has_come_and_no_band_of_ours_after_it(tmp_path: Path) -> None:
    row = ROW.format(model="claude-haiku-5-5", price="7", day="2027-01-01").replace("embed", "message")
    prices = Prices.load(written(tmp_path / "prices.toml", row.replace("openai", "anthropic")))
    haiku = "anthropic", "claude-haiku-5-5", "message"
    assert prices.find(*haiku, on=date(2026, 12, 31)).into == Decimal("0.10")
    assert prices.find(*haiku, on=date(2027, 1, 1)).into == 7
    assert prices.find(*haiku, on=date(2027, 1, 1), prompt_tokens=200_000).into == 7


def test_a_price_holds_from_its_day_on(tmp_path: Path) -> None:
    path = written(
        tmp_path / "prices.toml",
        ROW.format(model="m", price="2", day="2026-01-01"),
        ROW.format(model="m", price="3", day="2026-06-01"),
    )
    prices = Prices.load(path)
    assert prices.find("openai", "m", "embed", on=date(2026, 5, 31)).into == 2
    assert prices.find("openai", "m", "embed", on=date(2026, 6, 1)).into == 3
    with pytest.raises(UnknownPrice):
        prices.find("openai", "m", "embed", on=date(2025, 12, 31))


def test_an_unknown_price_is_an_error_that_says_which_and_where() -> None:
    with pytest.raises(UnknownPrice, match="openai/text-embedding-9") as caught:
        Prices.load().find("openai", "text-embedding-9", "embed")
    assert "EMBEDMILL_PRICES" in caught.value.hint


def test_what_may_be_unpriced_has_no_cost_rather_than_none_to_pay() -> None:
    price = Prices.load(allow_unpriced=True).find("openai", "text-embedding-9", "embed")
    assert price.cost(Tokens(into=5)) is None
    assert not price.is_free


@pytest.mark.parametrize("provider", sorted(FREE_PROVIDERS))
def test_models_on_this_machine_are_free(provider: str) -> None:
    price = Prices.load().find(provider, "any", "embed")
    assert price.is_free
    assert price.cost(Tokens(into=10**9)) == 0


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("as_of = ", "not TOML"),
        ('as_of = 2026-01-01\n[[price]]\nprovider = "x"', "price.0"),
        (f"as_of = 2026-01-01{ROW.format(model='m', price='-1', day='2026-01-01')}", "price.0.in"),
        (f"as_of = 2026-01-01{ROW.format(model='m', price='1', day='2026-01-01')}colour = 1", "colour"),
    ],
)
def test_a_file_that_is_no_price_file_is_refused_with_the_place(tmp_path: Path, text: str, names: str) -> None:
    path = tmp_path / "prices.toml"
    path.write_text(text)
    with pytest.raises(SettingsError, match=names):
        Prices.load(path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read"):
        Prices.load(tmp_path / "none.toml")
