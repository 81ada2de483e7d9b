"""Writes records of who did what, before an answer is given and before and after anything is changed.

What is said in a query is written as a keyed hash: whoever has the audit alone cannot try out what it may have been,
and nothing has to be erased from it. Documents go by their ids, which are hashes too.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from embedmill.shared.access.principals import Principal
from embedmill.shared.audit.chain import ChainKey
from embedmill.shared.db.audit import INSTALLATION, add_record, list_heads
from embedmill.shared.db.engine import Database
from embedmill.shared.errors import AuditUnwritten, EmbedmillError, KeyUnavailable, MissingExtra, SettingsError
from embedmill.shared.sqlite_files import are_read_as_they_stand

if TYPE_CHECKING:
    from embedmill.shared.privacy.keys import Keys

PURPOSE, QUERIES, SCORES, NAMES = "audit", "audit query", "audit scores", "audit name"
HASH_DIGITS = 32
FILE = "audit.begun"
"""In the home: where the audit stood when it was first written from there (`beginning.py`)."""
Mode = Literal["on", "strict", "off"]


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """What happened: the action, its target, what came of it, and numbers; nothing that was said or found.

    `details` are what else there is to know, such as what a setting was before and is now.
    """

    action: str
    outcome: str
    target: str = ""
    counts: Mapping[str, int] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)


class Trail:
    """The records of one installation, as one process writes them."""

    def __init__(self, database: Database, keys: "Keys", *, mode: Mode, home: Path) -> None:
        self._database = database
        self._home = home
        self._is_begun = False
        self._keys = keys
        self._mode = mode
        self._made: dict[str, ChainKey] = {}

    @property
    def is_kept(self) -> bool:
        """Whether anything is recorded."""
        return self._mode != "off"

    def write(self, chain: str, principal: Principal, entry: AuditEntry) -> int | None:
        """Add a record to a collection's chain, or to the installation's; returns its place. Raises AuditUnwritten.

        The owner of a home that is read as it stands leaves no record, unless the audit is strict.
        """
        if not self.is_kept:
            return None
        if are_read_as_they_stand() and not principal.token and self._mode != "strict":
            return None
        try:
            for each in (INSTALLATION, chain):
                self.key(each)
            return self._add(chain, _fields(principal, entry))
        except (KeyUnavailable, SettingsError, MissingExtra):
            raise  # they stop the action too, and say what to set
        except EmbedmillError as error:
            raise AuditUnwritten(f"{error}; so no record of it could be written", hint=error.hint) from None

    def _add(self, chain: str, fields: dict[str, Any]) -> int:
        seq = self._database.transact(add_record, chain, fields, self.key)
        self._note_beginning()
        return seq

    def _note_beginning(self) -> None:
        """The first time that this home is written from."""
        if not self._is_begun and not (self._home / FILE).exists():
            from embedmill.shared.audit.beginning import note_beginning

            head = next(head for head in self._database.query(list_heads) if head.chain == INSTALLATION)
            note_beginning(self._home / FILE, head, self._keys, at=datetime.now(UTC).isoformat())
        self._is_begun = True

    def key(self, chain: str) -> ChainKey:
        """What the hashes of a chain are made with."""
        if chain not in self._made:
            self._made[chain] = ChainKey(self._keys.derive(PURPOSE, chain), self._keys.key_id)
        return self._made[chain]

    def hash_query(self, text: str) -> str:
        """What is written in the place of a query; the same text has the same, however it is spaced."""
        return self._keys.mac(QUERIES, " ".join(text.split())).hex()[:HASH_DIGITS]

    def hash_name(self, name: str) -> str:
        """What is written in the place of a URI, a path or a person's name."""
        return self._keys.mac(NAMES, name).hex()[:HASH_DIGITS]

    def hash_scores(self, scored: Sequence[tuple[str, float]]) -> str:
        """What is written in the place of hits and their scores, by which a result can be recognised."""
        told = "\n".join(f"{name} {score:.6f}" for name, score in scored)
        return self._keys.mac(SCORES, told).hex()[:HASH_DIGITS]


def _fields(principal: Principal, entry: AuditEntry) -> dict[str, Any]:
    said = {
        "principal": principal.name,
        "role": str(principal.role),
        "token": principal.token,
        "address": principal.address,
        "action": entry.action,
        "outcome": entry.outcome,
        "target": entry.target,
        "counts": dict(entry.counts),
    }
    return {name: value for name, value in said.items() if value} | dict(entry.details)
