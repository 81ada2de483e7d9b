"""Owns what a search gives back: the hits, what was asked, how each step went, and what is missing."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from embedmill.retrieval.steps import Step


@dataclass(frozen=True, slots=True)
class StageScore:
    """What one side said of a hit; `rank` is None where that side did not put the row up by itself."""

    rank: int | None
    score: float


@dataclass(frozen=True, slots=True)
class Hit:
    """One chunk; `score` is the last stage's, comparable only within one result.

    `similarity` is the cosine of chunk and query; None where no query was embedded.
    """

    rank: int
    score: float
    document: str
    uri: str
    chunk: str
    section: str
    start: int
    end: int
    text: str
    title: str
    page: int | None
    stages: Mapping[str, StageScore]
    similarity: float | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """A query as it was given and as it was understood: without signs, its words, and what it was divided into."""

    original: str
    normalised: str
    terms: list[str]
    subqueries: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class SearchResult:
    """The hits, best first, and how the search went.

    `timings` are milliseconds by step. `partial` names the shards that did not answer, `failures` says why. A result is
    `degraded` when these or a step are missing: it is not to be kept, nor to be compared with whole ones.
    """

    hits: list[Hit]
    timings: dict[str, float]
    query: Asked
    steps: list[Step]
    partial: list[str]
    failures: Mapping[str, str]
    degraded: bool
    notes: list[str]

    @property
    def remarks(self) -> list[str]:
        """What somebody who reads the hits has to know of how they were found."""
        without = [f"the step {step.name} was left out: {step.why}" for step in self.steps if step.failed]
        limited = [f"{step.name}: {step.why}" for step in self.steps if step.ran and step.out and step.why]
        missing = [f"without shard {shard}: {why}" for shard, why in self.failures.items()]
        return [*without, *missing, *limited, *self.notes]
