"""Rerankers over simulators of their vendors."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from embedmill.shared.providers.rerankers.base import Reranker
from embedmill.shared.providers.rerankers.table import open_reranker
from embedmill.simulators.serving import SimulatorServer, running
from embedmill.simulators.table import simulator_class

NAMES = (
    "cohere/rerank-v3.5",
    "pinecone/bge-reranker-v2-m3",
    "bedrock/amazon.rerank-v1:0",
    "bedrock/cohere.rerank-v3-5:0",
)


@dataclass(frozen=True, slots=True)
class Served:
    """A reranker and the simulator that it talks to."""

    reranker: Reranker
    server: SimulatorServer[Any]

    @property
    def simulator(self) -> Any:
        return self.server.simulator


@contextmanager
def served(name: str) -> Iterator[Served]:
    """A simulator of the reranker's vendor, with the variables of its SDK set, and the reranker."""
    with running(simulator_class(name.partition("/")[0])()) as server, pytest.MonkeyPatch.context() as patch:
        for variable, value in server.environment.items():
            patch.setenv(variable, value)
        reranker = open_reranker(name)
        yield Served(reranker, server)
        reranker.close()
