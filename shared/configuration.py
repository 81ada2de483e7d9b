"""Reads the settings: `EMBEDMILL_*` environment variables over `embedmill.toml` over defaults, once.

What is plain to see is read here. Lists, tables and all that is wrong is pydantic's to read and to refuse
(`embedmill.shared.checking`): a command that only asks has ended before pydantic is loaded.
"""

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from embedmill.shared.errors import SettingsError
from embedmill.shared.plain import UNBOUND, UNREAD, Bounds, read_plain
from embedmill.shared.settings import NAMES, Settings

CONFIG_FILE = "embedmill.toml"
PREFIX = "embedmill_"


def load_settings(**overrides: Any) -> Settings:
    """Read the settings once; raises SettingsError with one line per wrong setting."""
    given = _from_file() | _from_environment() | overrides
    values = {name: _read(name, value) for name, value in given.items()}
    if UNREAD in values.values():
        from embedmill.shared.checking import check_settings

        values = check_settings(given)
    return Settings(**values)


def _from_environment() -> dict[str, Any]:
    variables = {name.lower(): text for name, text in os.environ.items()}
    return {name: variables[PREFIX + name] for name in NAMES if PREFIX + name in variables}


def _from_file() -> dict[str, Any]:
    file = Path(CONFIG_FILE).expanduser()
    if not file.is_file():
        return {}
    import tomllib

    try:
        return tomllib.loads(file.read_bytes().decode())
    except ValueError as error:
        raise SettingsError(f"{CONFIG_FILE}: {error}", hint="See docs/configuration.md.") from None


def _read(name: str, value: Any) -> Any:
    kind, bounds = _PLAIN.get(name, (None, UNBOUND))
    return read_plain(kind, value, bounds)


_PLAIN: Mapping[str, tuple[Any, Bounds]] = {
    each.name: (each.type, Bounds.of(each.metadata["bounds"]))
    for each in fields(Settings)
    if not each.metadata["ruled"]
}


def unknown_variables() -> dict[str, str]:
    """`EMBEDMILL_*` variables that mean nothing, most likely typing errors, each with what may be meant as a question.

    For a warning.
    """
    known = {name.upper() for name in NAMES}
    given = {key.removeprefix("EMBEDMILL_") for key in os.environ if key.startswith("EMBEDMILL_")}
    return {f"EMBEDMILL_{name}": _ask_for(name, known) for name in sorted(given - known)}


def _ask_for(name: str, known: Iterable[str]) -> str:
    from embedmill.shared.near_names import find_near

    near = find_near(name, sorted(known))
    return f"did you mean EMBEDMILL_{near[0]}?" if near else ""


def beyond_environment(settings: Settings) -> dict[str, str]:
    """The variables that give another process of ours these settings, as far as it does not read them by itself."""
    read, texts = load_settings(), {}
    for name in NAMES:
        if (value := getattr(settings, name)) != getattr(read, name):
            texts[f"EMBEDMILL_{name.upper()}"] = str(value) if isinstance(value, str | Path) else json.dumps(value)
    return texts
