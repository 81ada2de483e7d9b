"""Owns the settings of a query's stages: one value, under whose digest answers can be kept."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field

from embedmill.retrieval.grading.staged import Depths, Weights
from embedmill.shared.addresses import digest
from embedmill.shared.prompts import load_prompt

PROMPTS = {
    "filter": ("embedmill.retrieval.grading", "sift"),
    "rank": ("embedmill.retrieval.grading", "rank"),
    "answer": ("embedmill.retrieval.answering", "answer"),
    "normalise": ("embedmill.retrieval.understanding", "normalise"),
    "decompose": ("embedmill.retrieval.understanding", "divide"),
}
"""Where the instructions of each step lie that asks a model."""


@dataclass(frozen=True, slots=True)
class StageModel:
    """A model by its settings name, and who answers for it where that is not the vendor."""

    name: str
    endpoint: str = ""


@dataclass(frozen=True, slots=True)
class StageSettings:
    """What the stages of a query go by: the model of each, None where it asks none, and what the models say counts.

    `ranks`, `normalises` and `decomposes` are whether models were wanted at all. `max_usd` is the most that a query may
    cost, None for no limit: it decides what is done, and nothing of what comes out where all of that was done.
    """

    ranks: bool = False
    expands: bool = False
    normalises: bool = False
    decomposes: bool = False
    filter: StageModel | None = None
    rank: StageModel | None = None
    answer: StageModel | None = None
    normalise: StageModel | None = None
    decompose: StageModel | None = None
    domain: str = ""
    weights: Weights = field(default_factory=Weights)
    depths: Depths = field(default_factory=Depths)
    word_weight: float | None = None
    max_usd: float | None = None

    @property
    def models(self) -> list[StageModel]:
        """Those that take part, in the order of their steps."""
        steps = (self.normalise, self.decompose, self.filter, self.rank, self.answer)
        return [model for model in steps if model is not None]

    @property
    def digest(self) -> str:
        """The hash of all in it that an answer depends on, with the prompts of the steps that ask models."""
        values = {name: value for name, value in asdict(self).items() if name != "max_usd"}
        return digest("stages", json.dumps(values, sort_keys=True), *self._prompts())

    def _prompts(self) -> Iterator[str]:
        for step, place in PROMPTS.items():
            if getattr(self, step) is not None:
                yield load_prompt(*place).hash
