"""The validation benchmark: what our calls are billed against one call for each chunk without caching, verdicts equal.

`python -m bench validation [--documents 60]` runs both over the same chunks, against the same simulated Anthropic with
the same scripted verdicts, and prints what it would bill for each. Nothing leaves this machine and nothing is asserted.

How tokens are counted: input tokens count as one each, those written to the prompt cache as 1.25 and those read from it
as 0.1, which is their price relative to input; output tokens count as one each. Dollars are Opus 4.7's prices.
"""

import argparse
import os
import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from unittest.mock import patch

from bench.ingest import SEED, WORDS
from embedmill.shared.asking.question import Request
from embedmill.shared.metering import FreeMeter
from embedmill.shared.providers.models.base import Model, Prompt, PromptBlock
from embedmill.shared.providers.models.table import open_model
from embedmill.simulators.anthropic import AnthropicSimulator
from embedmill.simulators.prompts import ScriptedVerdict as Scripted
from embedmill.simulators.serving import running
from embedmill.workers.chunking import ChunkSettings, build_chunk_set, normalise
from embedmill.workers.stages.chunk import parse_row
from embedmill.workers.validation.answers import read_answer
from embedmill.workers.validation.judging import judge
from embedmill.workers.validation.passages import ChunkPassage, make_passages
from embedmill.workers.validation.verdict import Verdict
from embedmill.workers.validation.wording import pack_passages, word_request

MODEL = "anthropic/claude-opus-4-7"
WRITE_WEIGHT, READ_WEIGHT = 1.25, 0.1
DOLLARS_IN, DOLLARS_OUT = 5.0, 25.0
PARAGRAPHS = (1, 2, 3, 12, 40)
"""Sizes of documents, in turn: from one chunk to several calls."""
REASONING = (
    "It says what it is about and can be understood on its own, apart from a reference to what stands before it."
)


@dataclass(frozen=True, slots=True)
class VendorBill:
    """What the vendor counted."""

    calls: int
    fresh: int
    read: int
    written: int
    out: int

    @property
    def weighted_in(self) -> float:
        """Input tokens at their price weight."""
        return self.fresh + READ_WEIGHT * self.read + WRITE_WEIGHT * self.written

    @property
    def tokens(self) -> float:
        """All tokens, input at its price weight."""
        return self.weighted_in + self.out

    @property
    def dollars(self) -> float:
        """At Opus 4.7's prices."""
        return (self.weighted_in * DOLLARS_IN + self.out * DOLLARS_OUT) / 1e6


def main(arguments: Sequence[str] | None = None) -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description="Validation benchmark.")
    parser.add_argument("--documents", type=int, default=60)
    options = parser.parse_args(arguments)
    for name, value in measure(options.documents):
        print(f"{name:52} {value}")


def measure(documents: int) -> list[tuple[str, str]]:
    """(figure, value) rows."""
    passages = list(make_corpus(documents))
    with served() as (simulator, model):
        naive_verdicts = _one_by_one(model, passages)
        naive = _bill(simulator)
        ours_verdicts: dict[str, Verdict] = {}
        judge(passages, ours_verdicts.update, model=model, meter=FreeMeter(), concurrency=4)
        ours = _bill(simulator)
    equal = sum(_told(naive_verdicts[s.address]) == _told(ours_verdicts[s.address]) for s in passages)
    return [
        ("documents, chunks", f"{documents}, {len(passages)}"),
        ("verdicts that are equal (target all)", f"{equal} of {len(passages)}"),
        ("calls, one by one and ours", f"{naive.calls}, {ours.calls}"),
        ("weighted tokens, one by one and ours", f"{naive.tokens:,.0f}, {ours.tokens:,.0f}"),
        ("  of these output", f"{naive.out:,}, {ours.out:,}"),
        ("fewer tokens billed (target >= 80 %)", f"{100 * (1 - ours.tokens / naive.tokens):.1f} %"),
        ("fewer input tokens billed", f"{100 * (1 - ours.weighted_in / naive.weighted_in):.1f} %"),
        ("dollars, one by one and ours", f"{naive.dollars:.3f}, {ours.dollars:.3f}"),
        ("fewer dollars", f"{100 * (1 - ours.dollars / naive.dollars):.1f} %"),
        ("input read from the prompt cache", f"{100 * ours.read / (ours.read + ours.fresh + ours.written):.1f} %"),
    ]


def make_corpus(documents: int) -> Iterator[ChunkPassage]:
    """The chunks of generated documents of several sizes, the same for the same count."""
    choose = random.Random(SEED)
    for number in range(documents):
        text = "\n\n".join(_paragraph(choose, number) for _ in range(PARAGRAPHS[number % len(PARAGRAPHS)]))
        chunk_set = build_chunk_set(
            normalise(parse_row(text)),
            ChunkSettings.from_target(384),
            title=f"Report {number}",
            media_type="text/plain",
        )
        yield from make_passages(chunk_set, chunk_set.chunks, document=f"d{number}", judge=MODEL)


def _paragraph(choose: random.Random, number: int) -> str:
    return " ".join(f"{' '.join(choose.choices(WORDS, k=14)).capitalize()} {number}." for _ in range(8))


@contextmanager
def served() -> Iterator[tuple[AnthropicSimulator, Model]]:
    """A simulated vendor whose verdicts differ by what a chunk says, and a model that asks it."""
    simulator = AnthropicSimulator()
    simulator.writer.add(Scripted(verdict={"reasoning": REASONING, "score": 5}))
    for score, word in ((1, "Epoch"), (2, "Shock"), (3, "Wing"), (4, "Budget")):
        simulator.writer.add(Scripted(match=f"\n{word}", verdict={"reasoning": REASONING, "score": score}))
    with running(simulator) as server, patch.dict(os.environ, server.environment):
        model = open_model(MODEL)
        yield simulator, model
        model.close()


def _one_by_one(model: Model, passages: Sequence[ChunkPassage]) -> Mapping[str, Verdict]:
    """The same rubric and the same surroundings, but a call for each chunk and nothing cached."""
    found: dict[str, Verdict] = {}
    for passage in passages:
        (request,) = pack_passages([passage])
        answer = model.ask(_uncached(word_request(request)))
        found |= _read(request, answer.text)
    return found


def _read(request: Request[ChunkPassage], text: str) -> dict[str, Verdict]:
    passages = request.by_id
    reading = read_answer(text, {id_: passage.body for id_, passage in passages.items()})
    return {passages[id_].address: verdict for id_, verdict in reading.found.items()}


def _uncached(prompt: Prompt) -> Prompt:
    def plain(blocks: Sequence[PromptBlock]) -> tuple[PromptBlock, ...]:
        return tuple(PromptBlock(block.text) for block in blocks)

    return replace(prompt, system=plain(prompt.system), user=plain(prompt.user))


def _told(verdict: Verdict) -> tuple[int, str]:
    return verdict.score, verdict.missing_context


def _bill(simulator: AnthropicSimulator) -> VendorBill:
    """What was billed since the last look."""
    names = ("requests", "tokens_in", "cache_read", "cache_write_5m", "tokens_out")
    bill = VendorBill(*(simulator.bill.total(name) for name in names))
    simulator.bill.clear()
    return bill
