"""Settings as pydantic reads and refuses them: lists and tables, and whatever is not plain to see."""

import json
from collections.abc import Mapping
from dataclasses import MISSING, fields
from typing import Any

from pydantic import ConfigDict, Field, PositiveInt, ValidationError, create_model, field_validator

from embedmill.shared.errors import SettingsError
from embedmill.shared.settings import REDIS_SCHEMES, LimitName, Settings
from embedmill.shared.wording import reword

HINT = "See docs/configuration.md."
CLOSER = {"limits": dict[str, dict[LimitName, PositiveInt]]}
"""Kinds that say more than the settings themselves."""


def check_settings(given: Mapping[str, Any]) -> dict[str, Any]:
    """The values of what was given; raises SettingsError with one line per wrong setting."""
    try:
        checked = _MODEL(**{name: _parsed(name, value) for name, value in given.items()})
    except ValidationError as error:
        lines = (f"{_place(e['loc'])} {reword(e['msg'])}" for e in error.errors())
        raise SettingsError("; ".join(lines), hint=HINT) from None
    return {name: getattr(checked, name) for name in given}


def _parsed(name: str, value: Any) -> Any:
    """What is a list or a table is JSON in a variable."""
    if name not in _FROM_JSON or not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        raise SettingsError(f"EMBEDMILL_{name.upper()} is no JSON", hint=HINT) from None


def _place(path: tuple[int | str, ...]) -> str:
    """A setting, and the place within it: `EMBEDMILL_LIMITS openai.rpm`."""
    name, *inner = (str(part) for part in path if part != "[key]")
    return " ".join(filter(None, (f"EMBEDMILL_{name.upper()}", ".".join(inner))))


def _as_text(given: Any) -> Any:
    return "1" if given is True else "" if given is False else given


def _is_redis(url: str) -> str:
    if url and not url.startswith(REDIS_SCHEMES):
        raise ValueError(f"only Redis is taken: {', '.join(REDIS_SCHEMES)}")
    return url


_FROM_JSON = {each.name for each in fields(Settings) if getattr(each.type, "__origin__", None) in (dict, tuple)}
_DEFINITIONS: dict[str, Any] = {
    each.name: (
        CLOSER.get(each.name, each.type),
        Field({} if each.default is MISSING else each.default, **each.metadata["bounds"]),
    )
    for each in fields(Settings)
}
_MODEL: Any = create_model(
    "Settings",
    __config__=ConfigDict(extra="forbid"),
    __validators__={
        "as_text": field_validator("allow_private_addresses", mode="before")(_as_text),
        "is_redis": field_validator("limits_url")(_is_redis),
    },
    **_DEFINITIONS,
)
