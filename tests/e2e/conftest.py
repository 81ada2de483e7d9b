"""Vendors that more than one file of these tests talks to."""

from collections.abc import Iterator

import pytest

from shared.simulators.openai import OpenAISimulator
from shared.simulators.serving import Running, running


@pytest.fixture
def openai() -> Iterator[Running[OpenAISimulator]]:
    with running(OpenAISimulator()) as server:
        yield server
