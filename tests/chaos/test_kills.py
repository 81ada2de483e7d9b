"""kill -9 of everything at every boundary, then the same command again: the outcome is that of a run without faults."""

import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.conftest import DOCUMENTS, Outcome, measure, require_whole
from tests.chaos.watching import Watch, seen
from tests.command import Command, finish, kill_group
from tests.corpus import text_of, write_corpus

MOMENTS: dict[str, Callable[[Watch], object]] = {
    "the job is recorded and nothing is scanned": lambda w: w.count("SELECT count(*) FROM job"),
    "work is recorded and none is sent": lambda w: w.work("state = 'pending'"),
    "the first batch is claimed": lambda w: w.work("state = 'running' AND stage = 'chunk'"),
    "the first document reaches validate": lambda w: w.work("stage = 'validate'"),
    "a batch is being validated": lambda w: w.work("state = 'running' AND stage = 'validate'"),
    "the first document reaches embed": lambda w: w.work("stage = 'embed'"),
    "a batch is being embedded": lambda w: w.work("state = 'running' AND stage = 'embed'"),
    "texts are cached and none is stored": lambda w: w.cached and not w.stored,
    "the first document reaches index": lambda w: w.work("stage = 'index'"),
    "a batch is being indexed": lambda w: w.work("state = 'running' AND stage = 'index'"),
    "vectors are stored and no version is active": lambda w: w.stored and not w.visible,
    "versions are active and their work is not settled": lambda w: w.visible > w.work("state = 'completed'"),
    "half the documents are completed": lambda w: w.work("state = 'completed'") >= DOCUMENTS / 2,
    "all but a few documents are completed": lambda w: w.work("state = 'completed'") >= DOCUMENTS - 10,
}
TRIES = 5
LEAST = 3
# One moment of each stage is struck in every run of the suite; `make chaos` strikes them all.
STRUCK = frozenset(list(MOMENTS)[1:-1:4])


def _marks(name: str) -> list[pytest.MarkDecorator]:
    return [] if name in STRUCK else [pytest.mark.chaos]


def kill_at(command: Command, corpus: Path, moment: Callable[[Watch], object]) -> Command | None:
    """Ingest and kill everything at a moment; None when it passed unseen."""
    process = command.start("ingest", corpus, "--json")
    with Watch(command.home) as watch:
        if not seen(process, lambda: moment(watch)):
            finish(process)
            return None
    kill_group(process)
    finish(process)
    return command


@pytest.mark.parametrize(
    "moment", [pytest.param(moment, id=name, marks=_marks(name)) for name, moment in MOMENTS.items()]
)
def test_a_killed_ingest_is_taken_up_by_running_it_again(
    command: Command, corpus: Path, faultless: Outcome, moment: Callable[[Watch], object]
) -> None:
    homes = (command.with_settings(home=str(command.folder / f"home-{n}")) for n in range(TRIES))
    killed = next((home for home in homes if kill_at(home, corpus, moment)), None)
    if killed is None:
        pytest.skip(f"the moment passed unseen {TRIES} times")
    require_whole(killed, faultless, killed.json("ingest", corpus))


def storm(command: Command, corpus: Path, *, kills: int, seed: int) -> int:
    """Kill an ingest again and again at random times, also while it takes up what was left; returns the kills."""
    chance = random.Random(seed)
    struck = 0
    # The last stage waits for some of them, or a quick machine is done before the first.
    command.json("workers", "pause", "index")
    while struck < kills:
        if struck == LEAST:
            command.json("workers", "resume", "index")
        process = command.start("ingest", corpus, "--json")
        deadline = time.monotonic() + chance.uniform(0.3, 1.6)
        while process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.005)
        if process.poll() is not None:
            finish(process)
            return struck
        kill_group(process)
        finish(process)
        struck += 1
    return struck


@pytest.mark.chaos
def test_a_short_storm_of_kills_changes_nothing(command: Command, corpus: Path, faultless: Outcome) -> None:
    assert storm(command, corpus, kills=6, seed=1) >= LEAST
    require_whole(command, faultless, command.json("ingest", corpus))


@pytest.mark.chaos
@pytest.mark.timeout(900)
def test_thirty_kills_change_nothing(command: Command, tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "large", 800)
    reference = command.with_settings(home=str(tmp_path / "reference"))
    reference.json("ingest", corpus)
    assert storm(command, corpus, kills=30, seed=11) > LEAST
    require_whole(command, measure(reference), command.json("ingest", corpus), documents=800)


def test_a_killed_replacement_leaves_one_whole_version_of_each_document(command: Command, tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "edited", 60)
    command.json("ingest", corpus)
    for path in corpus.iterdir():
        path.write_text(text_of(int(path.stem), edition=2))
    process = command.start("ingest", corpus, "--json")
    with Watch(command.home) as watch:
        seen(process, lambda: watch.count("SELECT count(*) FROM document WHERE active_generation = 2") >= 20)
    kill_group(process)
    finish(process)
    report = command.json("ingest", corpus)
    assert report["documents"]["completed"] + report["documents"]["unchanged"] == 60
    exported = command.export()
    assert {row["text"].count("edition 1") for row in exported.values()} == {0}
    assert command.json("verify")["ok"]
    fresh = command.with_settings(home=str(tmp_path / "fresh"))
    fresh.json("ingest", corpus)
    assert pieces(exported) == pieces(fresh.export())


def pieces(exported: dict[str, dict[str, Any]]) -> list[tuple[str, str, str]]:
    """Every row by what it says; its id tells also how often its document was written."""
    return sorted((row["uri"], row["chunk"], row["text"]) for row in exported.values())


def test_a_kill_during_removal_leaves_nothing_behind(command: Command, tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "shrinking", 60)
    command.json("ingest", corpus)
    for number in range(0, 60, 2):
        (corpus / f"{number:04}.txt").unlink()
    process = command.start("ingest", corpus, "--allow-deletes", "--json")
    with Watch(command.home) as watch:
        seen(process, lambda: watch.work("deletes") and watch.visible < 60)
    kill_group(process)
    finish(process)
    command.json("ingest", corpus, "--allow-deletes")
    left = {Path(row["uri"]).stem for row in command.export().values()}
    assert left == {f"{number:04}" for number in range(1, 60, 2)}
    assert command.json("verify")["ok"]
