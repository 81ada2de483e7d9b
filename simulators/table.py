"""The table of simulators: the names of `embedmill simulate`, and the class behind each, imported when it is opened."""

import importlib.util
from pkgutil import resolve_name
from typing import TYPE_CHECKING

from embedmill.shared.errors import MissingExtra, SettingsError

if TYPE_CHECKING:
    from embedmill.simulators.base import Simulator

SIMULATORS = {
    "openai": "embedmill.simulators.openai:OpenAISimulator",
    "anthropic": "embedmill.simulators.anthropic:AnthropicSimulator",
    "cohere": "embedmill.simulators.cohere:CohereSimulator",
    "bedrock": "embedmill.simulators.bedrock:BedrockSimulator",
    "pinecone": "embedmill.simulators.pinecone:PineconeSimulator",
}
NEEDED = ("starlette", "uvicorn")


def simulator_class(name: str) -> "type[Simulator]":
    """The class called `name`; raises SettingsError for an unknown name, MissingExtra for packages not installed."""
    if name not in SIMULATORS:
        raise SettingsError(f"no simulator {name!r}; there are: {', '.join(SIMULATORS)}")
    if not all(importlib.util.find_spec(package) for package in NEEDED):
        raise MissingExtra("simulate needs the extra: pip install 'embedmill[simulate]'")
    found: type[Simulator] = resolve_name(SIMULATORS[name])
    return found
