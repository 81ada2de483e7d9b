"""Fixtures for everybody: a home folder of one's own, settings that make waiting short, and the real command."""

import gc
import os
import signal
import threading
from collections.abc import Generator, Iterator
from pathlib import Path

import hypothesis
import pytest
from _pytest.runner import runtestprotocol

from embedmill.shared.configuration import load_settings
from embedmill.shared.settings import Settings
from tests import cheaper, together
from tests.command import Command
from tests.migrated import place_migrated
from tests.services import mariadb, moto, postgres

SMALL = {
    "EMBEDMILL_EMBEDDING": "hash",
    # Longer than a busy machine lets a worker stand still; who is dead is seen without it.
    "EMBEDMILL_LEASE_SECONDS": "6",
    "EMBEDMILL_RETRY_BASE_SECONDS": "0.05",
    "EMBEDMILL_RETRY_MAX_SECONDS": "0.2",
    "EMBEDMILL_WORKERS": "1",
}


# Where bytecode is not kept, each of a thousand processes would compile the same modules again.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# A shell has its background jobs ignore these, and what they start inherits that; commands under test must hear them.
if threading.current_thread() is threading.main_thread():
    for number, handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGQUIT, signal.SIG_DFL)):
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, handler)


# No example fails because the machine is slow, and a run sees those of the run before. `make chaos-walks` looks at many
# more of them, and at others each time.
MORE_EXAMPLES = os.environ.get("TEST_EXAMPLES")
hypothesis.settings.register_profile(
    "suite",
    max_examples=int(MORE_EXAMPLES or 16),
    derandomize=MORE_EXAMPLES is None,
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("suite")


def pytest_configure(config: pytest.Config) -> None:
    """The first process of a run makes the folder that they share."""
    cheaper.share_compiled_statements()
    cheaper.keep_sessions()
    if not is_helper(config):
        cheaper.write_to_memory()
        together.begin()
        cheaper.trust_one_authority(together.folder() / "authority.pem")


QUICK_SECONDS = 0.1


def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
    """Who runs tests for another process tells it how they went, and of their fixtures only what is worth a line.

    To tell of each test three times is a hundredth of what ten thousand of them cost.
    """
    if not is_helper(item.config):
        return None
    hooks = item.ihook
    hooks.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    for report in runtestprotocol(item, log=False, nextitem=nextitem):
        if report.when == "call" or not report.passed or report.sections or report.duration > QUICK_SECONDS:
            hooks.pytest_runtest_logreport(report=report)
    hooks.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What is loaded stays: looking through all of it again and again is a tenth of what tests cost."""
    gc.disable()
    found = yield
    gc.freeze()
    gc.set_threshold(50_000)
    gc.enable()
    return found


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop what tests of this process shared, and remove what those of all did."""
    postgres.stop_shared()
    mariadb.stop_shared()
    moto.stop_shared()
    if not is_helper(config):
        together.end()


def is_helper(config: pytest.Config) -> bool:
    """Whether this process runs tests for another one (pytest-xdist)."""
    return hasattr(config, "workerinput")


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Bytes name no test: gzip writes the time into them, and the processes of a run would collect different tests."""
    return argname if isinstance(val, bytes) and not val.isascii() else None


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of whoever runs the tests reaches them."""
    for name in [name for name in os.environ if name.startswith("EMBEDMILL_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home folder, in the environment with the small settings."""
    folder = tmp_path / "home"
    for name, value in SMALL.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("EMBEDMILL_HOME", str(folder))
    return folder


@pytest.fixture
def settings(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The small settings, as a process in that environment reads them."""
    monkeypatch.chdir(tmp_path)
    return load_settings()


@pytest.fixture
def cli(tmp_path: Path, clean_environment: None) -> Iterator[Command]:
    """The real command in a home folder of its own, where nothing was done yet."""
    place_migrated(tmp_path / "home" / "tracking.db")
    command = Command({**os.environ, **SMALL, "EMBEDMILL_HOME": str(tmp_path / "home")}, tmp_path)
    yield command
    command.close()
