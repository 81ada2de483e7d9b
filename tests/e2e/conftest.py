"""Vendors that more than one file of these tests talks to."""

from collections.abc import Iterator

import pytest

from embedmill.simulators.openai import OpenAISimulator
from embedmill.simulators.serving import SimulatorServer, running


@pytest.fixture
def openai() -> Iterator[SimulatorServer[OpenAISimulator]]:
    with running(OpenAISimulator()) as server:
        yield server
