"""Documents for the stages, and what the stages make of them."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from embedmill.shared.db.leases import Lease
from embedmill.shared.outcomes import Outcome
from embedmill.shared.providers.vectorstores.rows import VectorRow
from embedmill.simulators.anthropic import AnthropicSimulator
from embedmill.workers.runtime import WorkerRuntime
from embedmill.workers.stages.chunk import chunk
from embedmill.workers.stages.embed import embed
from embedmill.workers.stages.index import index
from embedmill.workers.stages.validate import validate
from tests.shared.db.tracker import Tracker

STAGES = {"chunk": chunk, "validate": validate, "embed": embed, "index": index}

PLAIN = "The crane on quay four lifts forty tonnes. It is inspected every spring by the harbour office."
LEFTOVER = "Everything in this part was reported lost and nothing more is known about it at all."
VAGUE = "It must be shut down before the cover is opened. Page 12 of 40. Wait until the lamp is dark."


def write(folder: Path, texts: Mapping[str, str]) -> list[str]:
    """A file for each text; returns their URIs."""
    folder.mkdir(exist_ok=True)
    for name, text in texts.items():
        (folder / f"{name}.txt").write_text(text)
    return [(folder / f"{name}.txt").as_uri() for name in texts]


def to_validate(runtime: WorkerRuntime, tracker: Tracker, uris: Sequence[str]) -> Lease:
    """Claim documents for the validate stage."""
    claim = tracker.take(uris)
    (sent,) = tracker.settle(claim, chunk(runtime, claim)).values()
    return tracker.claim(sent, "validate")


def finish(runtime: WorkerRuntime, tracker: Tracker, claim: Lease) -> Mapping[int, Outcome]:
    """Run a claim's stage and those after it; returns the outcomes of the last that was run."""
    while True:
        outcomes = STAGES[claim.stage](runtime, claim)
        sent = tracker.settle(claim, outcomes)
        if not sent:
            return outcomes
        ((stage, ids),) = sent.items()
        claim = tracker.claim(ids, stage)


def indexed(runtime: WorkerRuntime) -> dict[str, VectorRow]:
    """What the store holds, by the name of the file."""
    rows = runtime.store(runtime.collection(1)).list_rows("v1-000", with_vectors=True)
    return {Path(row.uri).stem: row for row in rows}


def tokens(simulator: AnthropicSimulator) -> int:
    """Everything that is on the bill."""
    return sum(simulator.bill.total(kind) for kind in ("tokens_in", "cache_read", "cache_write_5m", "tokens_out"))
