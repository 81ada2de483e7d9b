"""Simulators for the tests of paid embedders: started once, pointed at by the vendors' own variables for one test."""

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
    """All of them; nobody is pointed at them yet."""
    with ExitStack() as stack:
        yield {name: stack.enter_context(running(simulator())) for name, simulator in VENDORS.items()}


def point_at(servers: Servers, patch: pytest.MonkeyPatch) -> None:
    """Set the variables of each."""
    for server in servers.values():
        for variable, value in server.environment.items():
            patch.setenv(variable, value)


def open_remote(name: str) -> RemoteEmbedder:
    """A paid embedder with a client of its own."""
    embedder = open_embedder(name, cache_dir=Path("unused"))
    assert isinstance(embedder, RemoteEmbedder)
    return embedder
