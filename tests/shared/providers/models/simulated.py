"""Models over simulators of their vendors."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from embedmill.shared.providers.models.base import Model, Prompt, PromptBlock
from embedmill.shared.providers.models.table import open_model
from embedmill.simulators.anthropic import AnthropicSimulator
from embedmill.simulators.base import Simulator
from embedmill.simulators.openai import OpenAISimulator
from embedmill.simulators.serving import SimulatorServer, running

NAMES = ("anthropic/claude-opus-4-7", "bedrock/anthropic.claude-opus-4-7", "openai/gpt-5-mini")
SCHEMA = {
    "type": "object",
    "properties": {"reasoning": {"type": "string"}, "score": {"type": "integer", "enum": [5, 4, 3, 2, 1]}},
    "required": ["reasoning", "score"],
    "additionalProperties": False,
}


@dataclass(frozen=True, slots=True)
class Served:
    """A model and the simulator that it talks to."""

    model: Model
    server: SimulatorServer[Any]

    @property
    def simulator(self) -> Any:
        return self.server.simulator


@contextmanager
def served(name: str) -> Iterator[Served]:
    """A simulator of the model's vendor, with the variables of its SDK set, and the model."""
    provider = name.partition("/")[0]
    simulator: Simulator = OpenAISimulator() if provider == "openai" else AnthropicSimulator()
    with running(simulator) as server, pytest.MonkeyPatch.context() as patch:
        environment = server.environment
        if provider == "bedrock":
            patch.delenv("AWS_BEARER_TOKEN_BEDROCK", raising=False)
            environment |= {
                "AWS_ACCESS_KEY_ID": "simulated",
                "AWS_SECRET_ACCESS_KEY": "simulated",
                "AWS_REGION": "us-east-1",
            }
        for variable, value in environment.items():
            patch.setenv(variable, value)
        model = open_model(name)
        yield Served(model, server)
        model.close()


def question(text: str = "Judge this.", *, system: str = "You judge.", max_tokens: int = 200) -> Prompt:
    """A prompt whose answer has a score."""
    return Prompt((PromptBlock(system, cached=True),), (PromptBlock(text),), "opinion", SCHEMA, max_tokens)
