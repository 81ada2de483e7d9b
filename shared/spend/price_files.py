"""The files of prices: their rows, read strictly; raises SettingsError for a file that is none."""

import tomllib
from datetime import date
from decimal import Decimal
from functools import cache
from importlib.resources import files
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from embedmill.shared.errors import SettingsError
from embedmill.shared.ledger import Lane

Rate = Decimal | None


class PriceRow(BaseModel):
    """A row as it stands in a file; dollars per million tokens."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    provider: str
    model: str
    operation: str
    lane: Lane = Lane.LIVE
    prompt_above: int = Field(0, ge=0)
    into: Decimal = Field(alias="in", ge=0)
    out: Rate = Field(None, ge=0)
    cache_read: Rate = Field(None, ge=0)
    cache_write: Rate = Field(None, ge=0)
    cache_write_1h: Rate = Field(None, ge=0)
    valid_from: date
    source: str = Field(min_length=1)


class _PriceFile(BaseModel):
    """A price file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    as_of: date
    price: tuple[PriceRow, ...]


@cache
def our_prices(name: str) -> tuple[PriceRow, ...]:
    """The rows of the file of that name that we bring."""
    return _parse(files(__package__).joinpath(name).read_text("utf-8"), name)


def read_prices(path: Path) -> tuple[PriceRow, ...]:
    """The rows of a user's file."""
    return _parse(_read(path), str(path))


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except OSError as error:
        raise _unreadable(path, error.strerror or type(error).__name__) from None
    except UnicodeDecodeError:
        raise _unreadable(path, "it is not UTF-8") from None


def _unreadable(path: Path, why: str) -> SettingsError:
    hint = "Set EMBEDMILL_PRICES to a file of prices (docs/spend.md), or unset it."
    return SettingsError(f"EMBEDMILL_PRICES: {path} cannot be read: {why}", hint=hint)


def _parse(text: str, name: str) -> tuple[PriceRow, ...]:
    try:
        return _PriceFile.model_validate(tomllib.loads(text, parse_float=Decimal)).price
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{name} is not TOML: {error}") from None
    except ValidationError as error:
        problem = error.errors()[0]
        place = ".".join(str(part) for part in problem["loc"])
        raise SettingsError(f"{name}: {place}: {problem['msg']}", hint="docs/spend.md shows a row.") from None
