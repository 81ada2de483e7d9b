"""Owns the reading of an answer that holds a list of items by id: strict with each item, and thrifty with the whole.

An answer that is cut off keeps the items before the cut; one with prose around it is read all the same. Ids that were
not asked for are left out, and so are those of which it says two different things.
"""

from collections.abc import Callable, Collection, Hashable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Generic, TypeVar

from pydantic_core import from_json

FoundT = TypeVar("FoundT", bound=Hashable)


class Flaw(StrEnum):
    """What can be wrong with an answer, worded so that it may be sent back."""

    NO_LIST = "the answer was no JSON object with a list of {name}"
    CUT_OFF = "the answer was cut off"
    MALFORMED = "a member of {name} did not follow the schema"
    FOREIGN = "a member of {name} had an id that was not asked for"
    REPEATED = "an id was answered twice"
    CONTRADICTED = "an id was answered twice, and differently"


@dataclass(frozen=True, slots=True)
class ReadList(Generic[FoundT]):
    """What a list says, by id; the ids of which it says nothing usable; and how often each flaw was met."""

    found: Mapping[str, FoundT]
    left: Collection[str] = ()
    flaws: Mapping[Flaw, int] = field(default_factory=dict)

    def complaint(self, name: str) -> str:
        """What was wrong, in words; empty where nothing was."""
        flaws = [flaw.format(name=name) for flaw in self.flaws]
        return "; ".join([*flaws, f"{len(self.left)} had no usable answer"] if self.left else flaws)


def read_list(
    text: str, name: str, ids: Collection[str], read: Callable[[Any], tuple[str, FoundT] | None]
) -> ReadList[FoundT]:
    """Read `{name: [...]}`; `read` gives an item's id and meaning, None for one that does not follow the schema."""
    try:
        items, whole = read_items(text, name)
    except ValueError:
        return ReadList({}, list(ids), {Flaw.NO_LIST: 1})
    flaws: dict[Flaw, int] = {} if whole else {Flaw.CUT_OFF: 1}
    found: dict[str, FoundT] = {}
    disputed: set[str] = set()
    for item in items:
        meant = read(item)
        if flaw := _flaw(meant, ids, found):
            flaws[flaw] = flaws.get(flaw, 0) + 1
        if flaw is Flaw.CONTRADICTED and meant:
            disputed.add(meant[0])
        elif flaw is None and meant:
            found[meant[0]] = meant[1]
    kept = {id: meaning for id, meaning in found.items() if id not in disputed}
    left = [id for id in ids if id not in kept]
    return ReadList(kept, left, flaws)


def _flaw(meant: tuple[str, FoundT] | None, ids: Collection[str], found: Mapping[str, FoundT]) -> Flaw | None:
    if meant is None:
        return Flaw.MALFORMED
    id, meaning = meant
    if id not in ids:
        return Flaw.FOREIGN
    if id in found:
        return Flaw.REPEATED if found[id] == meaning else Flaw.CONTRADICTED
    return None


def read_items(text: str, name: str) -> tuple[list[Any], bool]:
    """The list, and whether the answer was whole; of one that is cut off, the items before the cut, and half of one.

    Raises ValueError where there is no such list.
    """
    start = max(text.find("{"), 0)
    try:
        answer, whole = from_json(_bytes(text[start : text.rfind("}") + 1 or None])), True
    except ValueError:
        answer, whole = from_json(_bytes(text[start:]), allow_partial=True), False
    if isinstance(answer, dict) and isinstance(items := answer.get(name), list):
        return items, whole
    raise ValueError(f"no list of {name}")


def read_object(text: str) -> Mapping[str, Any]:
    """The object in an answer, with prose around it or without; raises ValueError where there is none."""
    answer = from_json(_bytes(text[max(text.find("{"), 0) : text.rfind("}") + 1 or None]))
    if isinstance(answer, dict):
        return answer
    raise ValueError("the answer was no JSON object")


def read_whole_items(text: str, name: str) -> list[Any]:
    """The items of a list that is still being written, as far as each is whole; none where the last is not."""
    begun = text[max(text.find("{"), 0) : text.rfind("}") + 1]
    try:
        answer = from_json(_bytes(f"{begun}]}}"))
    except ValueError:
        return []
    items = answer.get(name) if isinstance(answer, dict) else None
    return items if isinstance(items, list) else []


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "replace")
