"""Which limits hold for a model: the user's over the packaged ones over what the provider's headers said."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cache
from importlib.resources import files
from typing import Any

DIMENSIONS = {"rpm": "requests", "tpm": "tokens", "otpm": "output", "ipm": "inputs"}


@dataclass(frozen=True, slots=True)
class ProviderLimits:
    """Units a minute by dimension (`requests`, `tokens`, `output`, `inputs`), shared by all models of a pool."""

    pool: str
    fixed: Mapping[str, int] = field(default_factory=dict)
    """What the user set."""
    usual: Mapping[str, int] = field(default_factory=dict)
    """What was published."""

    def with_learned(self, learned: Mapping[str, int]) -> dict[str, int]:
        """All of them: what the provider said over what was published, and the user over both."""
        return {**self.usual, **learned, **self.fixed}


def find_limits(provider: str, model: str, settings: Mapping[str, Mapping[Any, int]]) -> ProviderLimits:
    """The limits of a model; `settings` is EMBEDMILL_LIMITS, in which a model goes over its provider."""
    row = next((r for r in _packaged() if r["provider"] == provider and fnmatchcase(model, r["model"])), {})
    set_ = {**settings.get(provider, {}), **settings.get(f"{provider}/{model}", {})}
    return ProviderLimits(row.get("pool", model), _dimensions(set_), _dimensions(row))


def _dimensions(row: Mapping[Any, Any]) -> dict[str, int]:
    return {dimension: row[name] for name, dimension in DIMENSIONS.items() if row.get(name)}


@cache
def _packaged() -> tuple[Mapping[str, Any], ...]:
    text = files(__package__).joinpath("limits.toml").read_text("utf-8")
    return tuple(tomllib.loads(text)["limit"])
