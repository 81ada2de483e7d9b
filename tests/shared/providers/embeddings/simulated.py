"""Simulators for the tests of paid embedders: started once, pointed at by the vendors' own variables."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from embedmill.shared.providers.embeddings.remote import RemoteEmbedder
from embedmill.shared.providers.embeddings.table import open_embedder
from embedmill.simulators.base import Simulator
from embedmill.simulators.bedrock import BedrockSimulator
from embedmill.simulators.cohere import CohereSimulator
from embedmill.simulators.openai import OpenAISimulator
from embedmill.simulators.serving import SimulatorServer, running

VENDORS: dict[str, type[Simulator]] = {
    "openai": OpenAISimulator,
    "cohere": CohereSimulator,
    "bedrock": BedrockSimulator,
}
Servers = dict[str, SimulatorServer[Simulator]]


@contextmanager
def vendors() -> Iterator[Servers]:
    """All of them, with the variables of each set."""
    with ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        servers: Servers = {}
        for name, simulator in VENDORS.items():
            servers[name] = stack.enter_context(running(simulator()))
            for variable, value in servers[name].environment.items():
                patch.setenv(variable, value)
        yield servers


def open_remote(name: str) -> RemoteEmbedder:
    """A paid embedder with a client of its own."""
    embedder = open_embedder(name, cache_dir=Path("unused"))
    assert isinstance(embedder, RemoteEmbedder)
    return embedder
