"""Prices: a dated file of ours under one of the user's, and exact costs in micro-dollars, rounded up.

A dollar per million tokens is a micro-dollar per token, so a cost is tokens times price, in decimal arithmetic. What is
billed by units, as a vector store's requests are, has the price of a million of them as `in`.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import ROUND_CEILING, Decimal
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Self

from embedmill.shared.errors import UnknownPrice
from embedmill.shared.ledger import FREE, FREE_PROVIDERS, UNPRICED, Lane, Tokens, Usage
from embedmill.shared.near_names import find_nearest

if TYPE_CHECKING:
    from embedmill.shared.spend.price_files import PriceRow

OUR_FILE = "prices.toml"


@dataclass(frozen=True, slots=True)
class Price:
    """What a call costs: dollars per million tokens by kind; `name` is what the ledger keeps of it."""

    name: str
    into: Decimal = Decimal(0)
    out: Decimal = Decimal(0)
    cache_read: Decimal = Decimal(0)
    cache_write: Decimal = Decimal(0)
    cache_write_1h: Decimal = Decimal(0)

    @property
    def is_free(self) -> bool:
        """Whether the call costs no money, as on this machine; an unpriced one is not free."""
        return self.name == FREE

    def cost(self, tokens: Tokens, *, milliunits: int = 0) -> int | None:
        """Micro-dollars, rounded up; None when the price is not known."""
        if self.name == UNPRICED:
            return None
        short_lived = tokens.cache_write - tokens.cache_write_1h
        exact = (
            tokens.into * self.into
            + tokens.out * self.out
            + tokens.cache_read * self.cache_read
            + short_lived * self.cache_write
            + tokens.cache_write_1h * self.cache_write_1h
            + milliunits * self.into / 1000
        )
        return int(exact.to_integral_value(rounding=ROUND_CEILING))


class _Ours:
    """The rows of our file, as they are gone through."""

    def __iter__(self) -> "Iterator[PriceRow]":
        from embedmill.shared.spend.price_files import our_prices

        return iter(our_prices(OUR_FILE))


_FREE, _UNPRICED = Price(FREE), Price(UNPRICED)
_Key = tuple[str, str, str, Lane]


class Prices:
    """Every known price; where a file has a row that holds for a call, no file after it is asked.

    Our own file is read when a price is asked for that is not nothing: most that is paid on one machine is that.
    """

    def __init__(self, *files: "Iterable[PriceRow]", allow_unpriced: bool = False, where: str = OUR_FILE) -> None:
        self._given = files
        self.allow_unpriced = allow_unpriced
        """Whether a call without a price is let through."""
        self._where = where

    @classmethod
    def load(cls, path: Path | None = None, *, allow_unpriced: bool = False) -> Self:
        """Our prices, and over them those of the file at `path`; raises SettingsError for a file that is none."""
        if path is None:
            return cls(_Ours(), allow_unpriced=allow_unpriced)
        from embedmill.shared.spend.price_files import read_prices

        return cls(read_prices(path), _Ours(), allow_unpriced=allow_unpriced, where=str(path))

    @cached_property
    def _files(self) -> "list[dict[_Key, list[PriceRow]]]":
        found: list[dict[_Key, list[PriceRow]]] = [{} for _ in self._given]
        for rows, by_key in zip(self._given, found, strict=True):
            for row in rows:
                by_key.setdefault((row.provider, row.model, row.operation, row.lane), []).append(row)
        return found

    def find(
        self,
        provider: str,
        model: str,
        operation: str,
        *,
        lane: Lane = Lane.LIVE,
        prompt_tokens: int = 0,
        on: date | None = None,
    ) -> Price:
        """The price of a call of that size on a day (today, UTC); raises UnknownPrice unless it may be unpriced."""
        if provider in FREE_PROVIDERS:
            return _FREE
        day = on or datetime.now(UTC).date()
        for by_key in self._files:
            rows = by_key.get((provider, model, operation, lane), ())
            fitting = [row for row in rows if row.valid_from <= day and _holds(row, prompt_tokens)]
            if fitting:
                return _price(max(fitting, key=lambda row: (row.prompt_above, row.valid_from)))
        if self.allow_unpriced:
            return _UNPRICED
        raise UnknownPrice(
            f"no price for {provider}/{model}, operation {operation!r}, lane {lane}",
            hint=f"{self._ask_for(f'{provider}/{model}', operation)}"
            f"Add a [[price]] with these keys to the file that EMBEDMILL_PRICES names ({self._where} has none), "
            "or set EMBEDMILL_ALLOW_UNPRICED=true; see docs/spend.md.",
        )

    def _ask_for(self, name: str, operation: str) -> str:
        """Whether the name is right, where no price of any day or lane has it: its nearest with such a price."""
        keys = {key for by_key in self._files for key in by_key}
        known = sorted({f"{provider}/{model}" for provider, model, does, _ in keys if does == operation})
        if name in known or not known:
            return ""
        return f"Is the name right? The nearest with a price: {', '.join(find_nearest(name, known))}. If it is: "

    def price_of(self, usage: Usage) -> Price:
        """The price of a call, or of as many as a batch has, by the size of one of them; raises UnknownPrice."""
        return self.find(
            usage.provider,
            usage.model,
            usage.operation,
            lane=usage.lane,
            prompt_tokens=-(-usage.tokens.prompt // max(usage.calls, 1)),
        )


def _holds(row: "PriceRow", prompt_tokens: int) -> bool:
    return not row.prompt_above or prompt_tokens > row.prompt_above


def _price(row: "PriceRow") -> Price:
    """A kind of token that a row leaves out is billed as input, which is never too little for what is cached."""
    into = row.into
    write = into if row.cache_write is None else row.cache_write
    return Price(
        name=f"{row.provider}/{row.model} {row.operation} {row.lane} >{row.prompt_above} from {row.valid_from}",
        into=into,
        out=into if row.out is None else row.out,
        cache_read=into if row.cache_read is None else row.cache_read,
        cache_write=write,
        cache_write_1h=write if row.cache_write_1h is None else row.cache_write_1h,
    )
