"""Owns the keeping of whole results: asked again, a question costs nothing until anything that it rests on changes.

A result that had to do without something is never kept; neither is one that is not whole, or that cost nothing. Asked
by several at once, it is made by one of them.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from pydantic import TypeAdapter

from embedmill.retrieval.steps import Step
from embedmill.shared.addresses import digest

T = TypeVar("T")
FORM = "1"
"""To be raised when what is kept of the same questions begins to mean something else."""


@dataclass(frozen=True, slots=True)
class Worth:
    """What had to be paid for an answer."""

    tokens: int = 0
    microusd: int = 0


NOTHING = Worth()


class Shelf(Protocol):
    """Where results are kept for a time; what goes wrong there reaches nobody who asks."""

    def rests_on(self) -> Sequence[object]:
        """All that answers depend on beside the question and the stages, as it is now."""

    def find(self, kind: str, address: str, question: str) -> bytes | None:
        """What is kept there; it counts as saved."""

    def alone(self, kind: str, address: str) -> AbstractContextManager[bool]:
        """While a result is made nobody else makes the same; whether somebody was waited for who did."""

    def put(self, kind: str, address: str, question: str, content: bytes, worth: Worth) -> None:
        """Keep it."""


@dataclass(frozen=True, slots=True)
class ResultKind(Generic[T]):
    """A kind of result: by which name it is kept, what tells whether it may be, and how it looks when it was."""

    name: str
    adapter: Callable[[], TypeAdapter[T]]
    """How it is written; made when it is needed, as that takes a while."""
    steps_of: Callable[[T], Sequence[Step]]
    is_whole: Callable[[T], bool]
    as_kept: Callable[[T, float], T]
    """The result again, which was found in so many milliseconds."""


def kept_or_made(
    shelf: Shelf | None, kind: ResultKind[T], asked: Sequence[object], question: str, make: Callable[[], T]
) -> T:
    """What is kept of a question, `asked` being with what; or what is made of it now, which is kept where it is whole.

    What it rests on is looked at first: a change that comes meanwhile leaves a result under an address of before. Where
    others make the same at this moment, they are waited for.
    """
    if shelf is None:
        return make()
    began = time.perf_counter()
    address = digest(kind.name, FORM, question, *map(repr, (*asked, *shelf.rests_on())))
    if (found := _find(shelf, kind, address, question, began)) is not None:
        return found
    with shelf.alone(kind.name, address) as others_did:
        if others_did and (found := _find(shelf, kind, address, question, began)) is not None:
            return found
        made = make()
        if (worth := _worth(kind.steps_of(made))) != NOTHING and kind.is_whole(made):
            # A text with half of a pair in it is no JSON.
            with suppress(ValueError):
                shelf.put(kind.name, address, question, kind.adapter().dump_json(made), worth)
    return made


def _find(shelf: Shelf, kind: ResultKind[T], address: str, question: str, began: float) -> T | None:
    """What is kept there, as it is shown again."""
    if (content := shelf.find(kind.name, address, question)) is None:
        return None
    with suppress(ValueError):
        found = kind.adapter().validate_json(content)
        return kind.as_kept(found, round(1000 * (time.perf_counter() - began), 3))
    return None


def as_kept(steps: Sequence[Step]) -> list[Step]:
    """The steps of a result that is shown again."""
    return [step.as_kept() for step in steps]


def _worth(steps: Sequence[Step]) -> Worth:
    """What was paid for it, with what older answers had cost of which it was made."""
    return Worth(
        sum(step.tokens + step.saved_tokens for step in steps),
        round(1_000_000 * sum(step.usd + step.saved_usd for step in steps)),
    )
