"""Owns what a search gives back: the hits, what was asked, how each step went, and what is missing."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from embedmill.retrieval.explaining import Explanation
from embedmill.retrieval.neighbours import Context
from embedmill.retrieval.passages import Quote
from embedmill.retrieval.relevance import Relevance
from embedmill.retrieval.steps import Step

UNPRICED = "{} paid calls have no known price, so what they cost is not in the dollars (docs/spend.md)"
LEFT_OUT = {"left_out": True}
"""Of a field that is published only where it is not None."""


@dataclass(frozen=True, slots=True)
class StageScore:
    """What one side said of a hit; `rank` is None where that side did not put the row up by itself."""

    rank: int | None
    score: float


@dataclass(frozen=True, slots=True)
class Copy:
    """A chunk that says nearly the same as a hit, and nothing else of what the query names."""

    document: str
    uri: str
    chunk: str


@dataclass(frozen=True, slots=True)
class Part:
    """A chunk of a document, by its place."""

    chunk: str
    section: str
    page: int | None
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Hit:
    """One chunk; `score` is the last stage's, comparable only within one result.

    `start` and `end` are where its body stands in the document's text. Where that holds rows of a table and not what
    heads it, `head` says where the head stands, and `text` is the head, a line feed, and the body. `page` is the first
    of `pages`.

    `similarity` says how near it is to the query by itself, from 0 to 1: it means the same in every result, and is
    None where nothing is known of what the model's cosines say. `model_score` is from 1 to 5, None where no model
    judged the hit; `quote` are words of the text that bear it, with offsets into the document's text. `copies` are
    near-copies that it stands for, as far as was looked. `more_of_document` are chunks that the limit of each
    document left out, told with the document's first hit.
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
    model_score: int | None = None
    quote: Quote | None = None
    copies: list[Copy] = field(default_factory=list)
    copy_count: int = 0
    more_of_document: list[Part] | None = field(default=None, metadata=LEFT_OUT)
    context: Context | None = field(default=None, metadata=LEFT_OUT)
    pages: tuple[int, int] | None = None
    head: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Understood:
    """A query as it was given and as it was understood: its words, and what it was divided into.

    `normalised` is how its collection would word it, where a model has said so, and else the query without signs.
    `expanded` are other names that were looked for beside its words.
    """

    original: str
    normalised: str
    terms: list[str]
    subqueries: list[str] = field(default_factory=list)
    expanded: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class SearchResult:
    """The hits, best first, and how the search went.

    `timings` are milliseconds by step. `partial` names the shards that did not answer, `failures` says why. A result is
    `degraded` when these or a step are missing: it is not to be kept, nor to be compared with whole ones.

    `relevance` says how near the best of the first hits is to the query, by what `judged_by` names; None where that
    cannot be told. `next` is where the next page begins, for `after`; None on the last.

    `faults` counts quotes of models that the texts do not hold, by kind. By its `id` readers say what they think of a
    hit; None where no record is kept. It was `cached` where it is shown again as it was found before. It is `unsettled`
    where documents went on changing versions while it was looked for, and where an older index of words answered.
    `explanation` is told where it was asked for.
    """

    hits: list[Hit]
    timings: dict[str, float]
    query: Understood
    steps: list[Step]
    partial: list[str]
    failures: Mapping[str, str]
    degraded: bool
    notes: list[str]
    relevance: Relevance | None = None
    judged_by: str = ""
    next: str | None = None
    faults: Mapping[str, int] = field(default_factory=dict)
    id: str | None = None
    cached: bool = False
    unsettled: bool | None = field(default=None, metadata=LEFT_OUT)
    explanation: Explanation | None = field(default=None, metadata=LEFT_OUT)

    @property
    def new_faults(self) -> Mapping[str, int]:
        """The faults of this time."""
        return {} if self.cached else self.faults

    @property
    def remarks(self) -> list[str]:
        """What somebody who reads the hits has to know of how they were found."""
        ran, others = [step for step in self.steps if step.ran], [step for step in self.steps if not step.ran]
        without = [f"the step {step.name} was left out: {step.why}" for step in others if step.failed]
        limited = [f"{step.name}: {step.why}" for step in ran if step.why and (step.out or step.failed)]
        unpriced = [
            f"{step.name}: {UNPRICED.format(step.unpriced_calls)}" for step in self.steps if step.unpriced_calls
        ]
        missing = [f"without shard {shard}: {why}" for shard, why in self.failures.items()]
        return [*without, *missing, *limited, *unpriced, *self.notes]
