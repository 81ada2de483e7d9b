"""One server for the tests of a process."""

from collections.abc import Iterator

import pytest

from tests.services import site as sites
from tests.services.site import Site


@pytest.fixture(scope="session")
def server() -> Iterator[Site]:
    with sites.running() as site:
        yield site


@pytest.fixture
def site(server: Site) -> Site:
    server.reset()
    return server
