"""What says who may see a document: its access level and its owner, where they differ from its collection's.

They come with the document (its metadata's `access` and `owner`), from its source, or from its collection, the first
that says anything. A row carries only what its document or source said: what it lacks is the collection's to say, so
that rows of older releases have it too, and a collection's own can change without a row being written.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self
from unicodedata import normalize

from embedmill.shared.access.principals import NAME, Principal, read_level
from embedmill.shared.addresses import digest

if TYPE_CHECKING:
    from embedmill.shared.filtering.conditions import Condition

ACCESS, OWNER = "access", "owner"
"""What they are called in metadata, settings and lists."""
KEPT = {ACCESS: "_access", OWNER: "_owner"}
"""What they are called in a row; documents' own metadata of these names is left out."""
SEALED = "?"
"""In the place of a level or owner that is none: nobody can be given it, so that only who reads everything reads it."""
_MARK = "="
"""Before a kept label: a filter takes no such text for a number or a date."""


@dataclass(frozen=True, slots=True)
class Labels:
    """An access level and an owner; None where nothing is said."""

    access: str | None = None
    owner: str | None = None

    def over(self, others: "Labels") -> "Labels":
        """These, and the others where these say nothing."""
        return Labels(
            self.access if self.access is not None else others.access,
            self.owner if self.owner is not None else others.owner,
        )

    def as_json(self) -> dict[str, str]:
        """What is said, by name."""
        return {name: value for name in KEPT if (value := getattr(self, name)) is not None}

    @classmethod
    def of_origin(cls, origin: Mapping[str, Any]) -> Self:
        """Those that a document was submitted with."""
        return cls(**origin.get("labels", {}))


UNLABELLED = Labels()


def labelled(settings_hash: str, labels: Labels) -> str:
    """What a document's version is of, beside its content: its settings, and its labels where it has any."""
    said = (part for label in sorted(labels.as_json().items()) for part in label)
    return digest("labels", settings_hash, *said) if labels != UNLABELLED else settings_hash


def read_labels(metadata: Mapping[str, Any]) -> Labels:
    """What a document's metadata says; what is no level is one that nobody has, and what is no name is nobody.

    So is what is said twice, and not alike.
    """
    said = [(name.strip().lower(), value) for name, value in metadata.items() if is_label(name) and says(value)]
    access = {read_level(value) or SEALED for name, value in said if name == ACCESS}
    owner = {_read_owner(value) or SEALED for name, value in said if name == OWNER}
    return Labels(_only(access), _only(owner))


def is_label(name: str) -> bool:
    """Whether metadata of this name are a label, however it is written."""
    return name.strip().lower() in KEPT


def says(value: object) -> bool:
    """Whether a label of this value says anything."""
    return value is not None and not (isinstance(value, str) and not value.strip())


def _only(said: set[str]) -> str | None:
    if len(said) > 1:
        return SEALED
    return next(iter(said), None)


def _read_owner(said: object) -> str | None:
    name = said.strip() if isinstance(said, str) else ""
    return name if NAME.fullmatch(name) else None


def kept_with(metadata: Mapping[str, Any], labels: Labels) -> dict[str, Any]:
    """A row's metadata with its labels, and nothing else of their names."""
    given = {name: value for name, value in metadata.items() if normalize("NFC", name) not in KEPT.values()}
    return given | {KEPT[name]: f"{_MARK}{value}" for name, value in labels.as_json().items()}


def split_kept(metadata: Mapping[str, Any]) -> tuple[dict[str, Any], Labels]:
    """A row's metadata as it was given, and its labels."""
    given = dict(metadata)
    held = {name: given.pop(kept, None) for name, kept in KEPT.items()}
    return given, Labels(**{name: value.removeprefix(_MARK) for name, value in held.items() if isinstance(value, str)})


@dataclass(frozen=True, slots=True)
class Reach:
    """What of a collection somebody sees who does not read every level of it.

    `unlabelled`: what no level was said of, too; `unowned`: what no owner was said of.
    """

    name: str
    levels: frozenset[str]
    unlabelled: bool
    unowned: bool

    @property
    def condition(self) -> "Condition":
        """The same, as stores are asked."""
        from embedmill.shared.filtering.conditions import AnyOf, Compare, Exists, IsOneOf, Not

        said = [IsOneOf(KEPT[ACCESS], tuple(f"{_MARK}{level}" for level in sorted(self.levels)))]
        own = [Compare(KEPT[OWNER], "=", f"{_MARK}{self.name}")]
        default = [Not(Exists(KEPT[ACCESS]))] if self.unlabelled else []
        theirs = [Not(Exists(KEPT[OWNER]))] if self.unowned else []
        return AnyOf((*said, *own, *default, *theirs))


def condition_of(reach: Reach | None) -> "Condition | None":
    """What stores are asked; nothing of who sees everything."""
    return None if reach is None else reach.condition


def reach_of(principal: Principal, *, access: str, owner: str) -> Reach | None:
    """What somebody sees of a collection with these defaults; None where that is everything."""
    if principal.levels is None:
        return None
    return Reach(principal.name, principal.levels, access in principal.levels, owner == principal.name)
