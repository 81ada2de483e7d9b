"""A model that takes shorter texts than it says: what is too long is cut, and nothing else changes."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from embedmill.shared.tokenizer import count_tokens
from embedmill.simulators.base import Options
from embedmill.simulators.openai import OpenAISimulator
from embedmill.simulators.serving import SimulatorServer, running
from tests.command import Command
from tests.corpus import text_of

SHORT, MOST = "The quokka is a small marsupial of Rottnest Island.", 340


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "documents"
    folder.mkdir()
    for number in range(4):
        (folder / f"short-{number}.txt").write_text(f"{SHORT} {number}")
    (folder / "mixed.txt").write_text(text_of(2, paragraphs=7))
    return folder


def served(cli: Command, provider: SimulatorServer[OpenAISimulator]) -> Command:
    settings = {"embedding": "openai/text-embedding-3-small@64"}
    return cli.with_settings(**settings).with_environment(**provider.environment)


@pytest.fixture
def narrow() -> Iterator[SimulatorServer[OpenAISimulator]]:
    with running(OpenAISimulator(Options(max_input_tokens=MOST))) as provider:
        yield provider


def test_a_chunk_that_is_too_long_is_cut_and_the_others_are_paid_once_and_keep_their_ids(
    cli: Command, narrow: SimulatorServer[OpenAISimulator], folder: Path
) -> None:
    command = served(cli, narrow)
    report = command.json("ingest", folder)
    assert (report["documents"]["completed"], report["documents"]["dead"]) == (5, 0)
    assert report["chunks"]["split"] > 0
    assert report["chunks"]["expected"] == report["chunks"]["indexed"] == narrow.simulator.bill.total("inputs")
    rows = command.export()
    assert len(rows) == report["chunks"]["indexed"]
    assert max(count_tokens(row["text"]) for row in rows.values()) <= MOST
    assert report["spend"]["tokens_in"] == narrow.simulator.bill.total("tokens_in")
    words = {word for row in rows.values() if row["uri"].endswith("mixed.txt") for word in row["text"].split()}
    assert words == set((folder / "mixed.txt").read_text().split())
    assert command.json("verify")["ok"]
    with running(OpenAISimulator()) as wide:
        usual = served(cli.with_settings(home=str(cli.folder / "wide")), wide)
        assert usual.json("ingest", folder)["chunks"]["split"] == 0
        fitting = {row["chunk"] for row in usual.export().values() if count_tokens(row["text"]) <= MOST}
    assert fitting and fitting <= {row["chunk"] for row in rows.values()}
    assert command.json("ingest", folder)["documents"]["unchanged"] == 5


@pytest.mark.chaos
def test_what_cannot_be_cut_any_further_is_a_dead_letter_that_says_so(cli: Command, folder: Path) -> None:
    with running(OpenAISimulator(Options(max_input_tokens=5))) as provider:
        ran = served(cli, provider).run("ingest", folder, "--json")
        assert ran.status == 3
        letters = served(cli, provider).json("dlq", "list")["dead_letters"]
    assert {letter["error_class"] for letter in letters} == {"InputTooLong"}
    assert all("cannot be cut any further" in letter["error"] for letter in letters)
    assert all(letter["attempts"] == 1 for letter in letters)


def test_chunks_are_fitted_to_a_model_that_takes_short_texts(cli: Command) -> None:
    narrow = cli.with_settings(embedding="cohere/embed-english-v3.0")
    made = narrow.json("collections", "create", "fitted")["settings"]
    assert 300 < made["chunk_tokens"] < 384
    ran = narrow.run("collections", "create", "refused", "--chunk-tokens", "500", "--json")
    assert ran.status == 2
    assert f"at most {made['chunk_tokens']}" in ran.json["error"]
    updated = narrow.run("collections", "update", "fitted", "--chunk-tokens", "500", "--json")
    assert updated.status == 2
