"""What a name of a model in settings says: who serves it, and what it is called there."""

from dataclasses import dataclass
from typing import Self

from embedmill.shared.ledger import FREE_PROVIDERS


@dataclass(frozen=True, slots=True)
class ModelName:
    """`provider/model`, or the provider alone, whose model has no name of its own."""

    provider: str
    model: str

    @classmethod
    def parse(cls, name: str) -> Self:
        """The parts of a name as settings have it; a number of dimensions behind an @ is no part of the model."""
        provider, _, model = name.partition("@")[0].partition("/")
        return cls(provider, model)

    @property
    def is_remote(self) -> bool:
        """Whether somebody else's computer answers."""
        return bool(self.model) and self.provider not in FREE_PROVIDERS
