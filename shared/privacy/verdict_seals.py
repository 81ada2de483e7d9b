"""How an encrypted collection's verdicts are kept: who gave them stays open to read, what they say does not."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson

from embedmill.shared.db.reviews import Doubt
from embedmill.shared.errors import SealBroken
from embedmill.shared.privacy.vault import Vault, is_sealed_json

KIND, DOUBTS = "verdict", "doubts"


@dataclass(frozen=True, slots=True)
class VerdictSeals:
    """The seals of one collection's verdicts."""

    vault: Vault
    collection_id: int

    def seal(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """A verdict's body as it is stored."""
        return {**self.vault.seal_json(self.collection_id, KIND, body), "source": body["source"]}

    def open(self, text: str) -> str:
        """A verdict's JSON, of what is stored."""
        return open_verdict(self.vault, text)


def open_verdict(vault: Vault, text: str) -> str:
    """A verdict's JSON, of what is stored of any collection's; what is damaged stays as it is."""
    try:
        body = orjson.loads(text)
        if not isinstance(body, dict) or not is_sealed_json(body):
            return text
        return orjson.dumps(vault.open_json(KIND, body)).decode()
    except (ValueError, SealBroken):
        return text


def seal_doubt(vault: Vault, doubt: Doubt) -> Doubt:
    """An entry of the review queue as it is stored: its doubts may say what stands in the text."""
    return replace(doubt, doubts=seal_doubts(vault, doubt.collection_id, doubt.doubts))


def seal_doubts(vault: Vault, collection_id: int, doubts: Sequence[str]) -> tuple[str, ...]:
    """The doubts of an entry as they are stored."""
    if not vault.is_encrypted(collection_id):
        return tuple(doubts)
    return (vault.seal_text(collection_id, DOUBTS, orjson.dumps(list(doubts)).decode()),)


def open_doubts(vault: Vault, doubts: Sequence[str]) -> Sequence[str]:
    """The doubts of an entry as it is stored."""
    if len(doubts) != 1 or (opened := vault.open_text(DOUBTS, doubts[0])) == doubts[0]:
        return doubts
    found: Sequence[str] = orjson.loads(opened)
    return found
