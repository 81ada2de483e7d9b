"""What a model would be asked is forecast by wording the calls; the provider then counts the same."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from embedmill.shared import fence
from embedmill.shared.db.samples import Counts
from embedmill.shared.spend.estimates import ValidationLoad
from embedmill.simulators.anthropic import AnthropicSimulator
from embedmill.workers.chunking import ChunkSet, ChunkSettings, build_chunk_set, normalise
from embedmill.workers.runtime import WorkerRuntime
from embedmill.workers.stages.chunk import parse_row
from embedmill.workers.validation.forecast import AskingPolicy, Forecast, add_rubric, ask_alone
from embedmill.workers.validation.passages import make_passages
from tests.corpus import text_of
from tests.shared.db.tracker import Tracker
from tests.workers.test_too_long import run_all


def chunk_sets(count: int, *, paragraphs: int = 6) -> list[ChunkSet]:
    settings = ChunkSettings.from_target(384, overlap=32)
    texts = [text_of(number, paragraphs=paragraphs) for number in range(count)]
    return [build_chunk_set(normalise(parse_row(t)), settings, title="", media_type="text/plain") for t in texts]


def forecast(policy: AskingPolicy, sets: list[ChunkSet]) -> ValidationLoad:
    made = Forecast(policy)
    for number, chunk_set in enumerate(sets):
        made.add(chunk_set, f"d{number}")
    return made.finish()


def test_a_gate_asks_about_every_chunk_and_sixteen_at_a_time() -> None:
    sets = chunk_sets(12)
    chunks = sum(len(chunk_set.chunks) for chunk_set in sets)
    made = forecast(AskingPolicy(audits=False), sets)
    assert made.chunks == chunks
    assert chunks / 16 <= made.calls <= chunks / 16 + 2


@pytest.mark.parametrize(
    ("before", "share"),
    [(Counts(), None), (Counts(100, 100, 0), 0.10), (Counts(100, 100, 20), 0.50)],
)
def test_an_audit_asks_about_the_first_hundred_and_then_a_share(before: Counts, share: float | None) -> None:
    sets = chunk_sets(150)
    chunks = sum(len(chunk_set.chunks) for chunk_set in sets)
    made = forecast(AskingPolicy(audits=True, chunks=before), sets)
    expected = 100 + 0.1 * (chunks - 100) if share is None else share * chunks
    assert made.chunks == pytest.approx(expected, rel=0.25)


def test_a_text_that_comes_twice_or_has_a_verdict_is_asked_about_once_or_not_at_all() -> None:
    sets = chunk_sets(6)
    chunks = sum(len(chunk_set.chunks) for chunk_set in sets)
    assert forecast(AskingPolicy(audits=False), [*sets, *sets]).chunks == chunks
    assert forecast(AskingPolicy(audits=False, find_known=lambda addresses: addresses), sets).calls == 0


@pytest.mark.parametrize("paragraphs", [1, 6, 60])
def test_documents_counted_apart_come_to_what_they_come_to_together(paragraphs: int) -> None:
    sets = chunk_sets(48, paragraphs=paragraphs)
    together, apart = forecast(AskingPolicy(audits=False), sets), ValidationLoad()
    for number, chunk_set in enumerate(sets):
        apart += ask_alone(make_passages(chunk_set, chunk_set.chunks, document=f"d{number}", judge=""))
    apart = add_rubric(apart)
    assert apart.chunks == together.chunks
    assert apart.calls == pytest.approx(together.calls, rel=0.2)
    assert apart.tokens.prompt == pytest.approx(together.tokens.prompt, rel=0.15)


def test_terms_are_asked_for_once_a_sampled_document() -> None:
    sets = chunk_sets(30, paragraphs=1)
    without = forecast(AskingPolicy(audits=True), sets)
    made = forecast(AskingPolicy(audits=True, terms_share=0.05), sets)
    assert 20 <= made.calls - without.calls < 30


@pytest.fixture
def one_fence(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every request has the same fence token: random ones are more tokens or fewer, and stand around every chunk."""
    monkeypatch.setattr(fence, "secrets", SimpleNamespace(token_hex=lambda _bytes: "3f9c1a7be5028d6417"))


@pytest.mark.usefixtures("one_fence")
def test_the_provider_counts_what_was_forecast(
    runtime: WorkerRuntime, gated: Tracker, simulated: AnthropicSimulator, tmp_path: Path
) -> None:
    folder = tmp_path / "documents"
    folder.mkdir()
    for number in range(5):
        (folder / f"{number}.txt").write_text(text_of(number))
    (folder / "long.txt").write_text(text_of(9, paragraphs=50))
    made = Forecast(AskingPolicy(audits=False))
    settings = ChunkSettings.from_target(384, overlap=32)
    for path in sorted(folder.iterdir()):
        text = normalise(parse_row(path.read_text()))
        made.add(build_chunk_set(text, settings, title="", media_type="text/plain"), path.name)
    asked = made.finish()
    run_all(runtime, gated, folder)
    bill = simulated.bill
    assert asked.calls == bill.total("requests")
    assert asked.tokens.into == pytest.approx(bill.total("tokens_in"), rel=0.02)
    assert asked.tokens.cache_read == pytest.approx(bill.total("cache_read"), rel=0.02)
    assert asked.tokens.cache_write == pytest.approx(bill.total("cache_write_5m"), rel=0.02)
