"""What a test does about a service that this machine cannot run: skip with the reason, but fail in CI."""

import os
import socket

import pytest


def require(reason: str | None) -> None:
    """Skip for `reason`; fail instead where CI=true says that every service has to be there. None passes."""
    if reason is None:
        return
    if os.environ.get("CI", "").lower() == "true":
        pytest.fail(f"CI must not leave this out: {reason}")
    pytest.skip(reason)


def free_port() -> int:
    """A loopback port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
