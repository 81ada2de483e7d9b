"""For tests of providers."""

import pytest

from tests import cheaper


@pytest.fixture(scope="session", autouse=True)
def shared_service_models() -> None:
    """Vendors' descriptions of their services are read once."""
    cheaper.share_service_models()
