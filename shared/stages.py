"""The pipeline as data: each stage with what runs it, when it applies, what it needs and makes, and what it may use.

Stages follow each other in the order of this table. Tasks, queues, pools, retention and the charts of docs/ derive from
it, so that a new stage is a function and an entry. Rows, messages and people call a stage by its name.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from embedmill.shared.collections import CollectionSettings


class Product(StrEnum):
    """What a stage leaves behind for those that follow."""

    CHUNKS = "chunks"
    VERDICTS = "verdicts"
    VECTORS = "vectors"
    ROWS = "rows"


class Resource(StrEnum):
    """What a stage may use beside the database, the blob store and the caches."""

    PARSER = "parser"
    PROVIDER = "provider"
    STORE = "store"


@dataclass(frozen=True, slots=True)
class Stage:
    """One step of a document's way; the names of settings are those of `Settings`, empty where there is none."""

    name: str
    """At most 32 letters; part of a queue's and a task's name."""
    function: str
    """`module:function`, imported by whoever runs it; takes a runtime and a lease, returns an outcome for each item."""
    does: str
    makes: Product | None = None
    needs: tuple[Product, ...] = ()
    uses: frozenset[Resource] = frozenset()
    applies: "Callable[[CollectionSettings], bool]" = lambda _: True
    when: str = "always"
    """`applies`, in words."""
    model_setting: str = ""
    """Names the model whose provider the stage asks."""
    calls_setting: str = ""
    """Says how many calls one slot has out at once."""
    most_slots_setting: str = ""
    """Says how many slots are of use, whatever the provider allows."""
    estimate: str = ""
    """`module:function` of what it will take: of a runtime, a collection's settings and what was measured."""


STAGES = (
    Stage(
        "chunk",
        "embedmill.workers.stages.chunk:chunk",
        "load, parse, normalise, split",
        makes=Product.CHUNKS,
        uses=frozenset({Resource.PARSER}),
        estimate="embedmill.console.services.estimates:estimate_chunks",
    ),
    Stage(
        "validate",
        "embedmill.workers.stages.validate:validate",
        "keep, repair or reject every chunk",
        makes=Product.VERDICTS,
        needs=(Product.CHUNKS,),
        uses=frozenset({Resource.PROVIDER}),
        applies=lambda settings: settings.validator != "off",
        when="unless the validator is `off`",
        model_setting="validator",
        calls_setting="validation_concurrency",
        estimate="embedmill.console.services.estimates:estimate_verdicts",
    ),
    Stage(
        "embed",
        "embedmill.workers.stages.embed:embed",
        "vectors, from the cache or the model",
        makes=Product.VECTORS,
        needs=(Product.CHUNKS,),
        uses=frozenset({Resource.PROVIDER}),
        model_setting="embedding",
        most_slots_setting="embed_max_concurrency",
        estimate="embedmill.console.services.estimates:estimate_vectors",
    ),
    Stage(
        "index",
        "embedmill.workers.stages.index:index",
        "write, confirm, switch, delete the old version",
        makes=Product.ROWS,
        needs=(Product.CHUNKS, Product.VECTORS),
        uses=frozenset({Resource.STORE}),
        estimate="embedmill.console.services.estimates:estimate_rows",
    ),
)


def names() -> tuple[str, ...]:
    """The stages' names, in order."""
    return tuple(stage.name for stage in STAGES)


def find_stage(name: str) -> Stage:
    """The stage of that name; raises KeyError."""
    return {stage.name: stage for stage in STAGES}[name]


def first() -> str:
    """Where a document begins."""
    return STAGES[0].name


def last() -> str:
    """Where a document ends, and where one goes at once of which nothing is left."""
    return STAGES[-1].name


def following(name: str, settings: "CollectionSettings") -> str:
    """The next stage that applies to a collection; the last is followed by itself."""
    later = STAGES[names().index(name) + 1 :]
    return next((stage.name for stage in later if stage.applies(settings)), last())


def maker(product: Product) -> str:
    """The stage that makes a product; raises StopIteration when none does."""
    return next(stage.name for stage in STAGES if stage.makes is product)


def depending_on(product: Product) -> tuple[str, ...]:
    """The stages that make a product or need it."""
    return tuple(stage.name for stage in STAGES if stage.makes is product or product in stage.needs)


def using(resource: Resource) -> tuple[str, ...]:
    """The stages that may use something."""
    return tuple(stage.name for stage in STAGES if resource in stage.uses)


def is_past(name: str, other: str) -> bool:
    """Whether one stage comes after another."""
    return place(name) > place(other)


def place(name: str) -> int:
    """Where in the order a stage comes; one that this release does not have, as after a downgrade, comes last."""
    return names().index(name) if name in names() else len(names())
