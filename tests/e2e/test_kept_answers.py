"""kill -9 in the middle of many requests: what a provider answered is paid for once, by the provider's own bill."""

import math
from collections.abc import Iterator
from pathlib import Path

import pytest

from embedmill.simulators.anthropic import AnthropicSimulator
from embedmill.simulators.base import Options
from embedmill.simulators.openai import OpenAISimulator
from embedmill.simulators.serving import SimulatorServer, running
from embedmill.workers.validation.wording import MOST_CHUNKS
from tests.chaos.conftest import query
from tests.command import Command, finish
from tests.corpus import text_of
from tests.waiting import wait_until

pytestmark = pytest.mark.timeout(300)  # seconds; each test runs several commands with workers of their own

STRUCK = Path(__file__).parent / "struck"
EMBEDDING, VALIDATOR = "openai/text-embedding-3-small", "anthropic/claude-opus-4-7"
INPUTS = 4


@pytest.fixture
def provider() -> Iterator[SimulatorServer[OpenAISimulator]]:
    with running(OpenAISimulator(Options(latency_seconds=0.02))) as server:
        yield server


@pytest.fixture
def claude() -> Iterator[SimulatorServer[AnthropicSimulator]]:
    with running(AnthropicSimulator(Options(latency_seconds=0.02))) as server:
        yield server


@pytest.fixture
def patient(cli: Command) -> Command:
    """The command with a lease that a busy machine does not lose; who is dead is seen without it."""
    return cli.with_settings(lease_seconds="30")


@pytest.fixture
def strikable(patient: Command) -> Command:
    """The command with one worker, whose requests leave one by one."""
    return patient.with_settings(workers="1", provider_concurrency="1", validation_concurrency="1", terms_sample="0")


def document(folder: Path) -> Path:
    """One document of many chunks: members of a larger batch that met a crash are sent again one by one."""
    path = folder / "document.txt"
    path.write_text(text_of(0, paragraphs=24))
    return path


def strike(command: Command, source: Path, *, at: str, number: int) -> None:
    """Ingest until the point, where everything is killed."""
    mark = command.folder / "struck"
    variables = {"STRIKE_AT": at, "STRIKE_NUMBER": str(number), "STRIKE_MARK": str(mark)}
    struck = command.altered_when_loaded_by(STRUCK, REQUEST_INPUTS=str(INPUTS), **variables)
    ran = finish(struck.start("ingest", source))
    assert (ran.status, mark.exists()) == (-9, True), ran


def small_requests(command: Command) -> Command:
    """The second run, with the requests of the first, which nothing strikes any more."""
    mark = command.folder / "struck"
    variables = {"STRIKE_AT": "nowhere", "STRIKE_NUMBER": "1", "STRIKE_MARK": str(mark)}
    return command.altered_when_loaded_by(STRUCK, REQUEST_INPUTS=str(INPUTS), **variables)


def require_books(command: Command, *, billed: int, column: str = "tokens_in") -> None:
    """The ledger is never shorter than the bill, and longer by unsettled entries only."""
    wait_until(lambda: _sum(command, column, "reserved") == 0, "the entries of the dead are closed")
    settled, unsettled = _sum(command, column, "settled"), _sum(command, column, "unsettled")
    assert settled <= billed <= settled + unsettled


def _sum(command: Command, column: str, state: str) -> int:
    statement = f"SELECT coalesce(sum({column}), 0) FROM usage WHERE state = '{state}'"
    return int(query(command.home / "tracking.db", statement)[0][0])


@pytest.mark.parametrize(
    ("point", "paid_twice"),
    [("vectors arrived", 1), ("vectors stored", 0), pytest.param("vectors settled", 0, marks=pytest.mark.chaos)],
)
def test_after_a_kill_only_requests_whose_vectors_were_not_stored_are_sent_again(
    strikable: Command, provider: SimulatorServer[OpenAISimulator], tmp_path: Path, point: str, paid_twice: int
) -> None:
    command = strikable.with_settings(embedding=EMBEDDING).with_environment(**provider.environment)
    command.json("collections", "create", "default", "--chunk-tokens", 64)
    source = document(tmp_path)
    strike(command, source, at=point, number=3)
    assert provider.simulator.bill.total("requests") == 3
    chunks = small_requests(command).json("ingest", source)["chunks"]
    assert chunks["indexed"] > 6 * INPUTS
    assert provider.simulator.bill.total("requests") == math.ceil(chunks["indexed"] / INPUTS) + paid_twice
    assert provider.simulator.bill.total("inputs") == chunks["indexed"] + INPUTS * paid_twice
    require_books(command, billed=provider.simulator.bill.total("tokens_in"))


@pytest.mark.chaos
def test_a_kill_with_many_requests_out_pays_again_for_no_more_than_those(
    patient: Command, provider: SimulatorServer[OpenAISimulator], tmp_path: Path
) -> None:
    command = patient.with_settings(embedding=EMBEDDING).with_environment(**provider.environment)
    command.json("collections", "create", "default", "--chunk-tokens", 32)
    source = document(tmp_path)
    strike(command, source, at="vectors stored", number=20)
    wait_until(lambda: not provider.simulator._in_flight, "the provider has done what it was asked")
    at_the_kill = provider.simulator.bill.total("requests")
    assert 20 <= at_the_kill <= 28, "twenty are answered, and at most eight are out"
    chunks = small_requests(command).json("ingest", source)["chunks"]
    assert chunks["indexed"] > 30 * INPUTS
    assert provider.simulator.bill.total("requests") == math.ceil(chunks["indexed"] / INPUTS) + at_the_kill - 20
    require_books(command, billed=provider.simulator.bill.total("tokens_in"))


@pytest.mark.parametrize(
    ("point", "paid_twice"),
    [
        pytest.param("verdicts arrived", 1, marks=pytest.mark.chaos),
        ("verdicts stored", 0),
        pytest.param("verdicts settled", 0, marks=pytest.mark.chaos),
    ],
)
def test_after_a_kill_only_calls_whose_verdicts_were_not_stored_are_made_again(
    strikable: Command, claude: SimulatorServer[AnthropicSimulator], tmp_path: Path, point: str, paid_twice: int
) -> None:
    command = strikable.with_settings(validator=VALIDATOR).with_environment(**claude.environment)
    command.json("collections", "create", "default", "--chunk-tokens", 64)
    source = document(tmp_path)
    strike(command, source, at=point, number=2)
    assert claude.simulator.bill.total("requests") == 2
    chunks = command.json("ingest", source)["chunks"]
    assert chunks["indexed"] > 3 * MOST_CHUNKS
    assert claude.simulator.bill.total("requests") == math.ceil(chunks["indexed"] / MOST_CHUNKS) + paid_twice
    require_books(command, billed=claude.simulator.bill.total("tokens_out"), column="tokens_out")
