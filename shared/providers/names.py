"""What a name of a model in settings says: who serves it, and what it is called there."""

from dataclasses import dataclass
from typing import Self

LOCAL_PROVIDERS = frozenset({"local", "hash", "rules"})
"""Those that compute on this machine, and cost nothing."""


@dataclass(frozen=True, slots=True)
class ModelName:
    """`provider/model`, or the provider alone; a size behind an @ is no part of the model."""

    provider: str
    model: str

    @classmethod
    def parse(cls, name: str) -> Self:
        """The parts of a name as settings have it, as `openai/text-embedding-3-large@1024`."""
        provider, _, model = name.partition("@")[0].partition("/")
        return cls(provider, model)

    @property
    def is_remote(self) -> bool:
        """Whether somebody else's computer answers."""
        return bool(self.model) and self.provider not in LOCAL_PROVIDERS
