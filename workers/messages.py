"""The message of a batch: a version, a stage and ids; no text, no secret, at most 8 KB."""

from dataclasses import dataclass
from typing import Any

from embedmill.shared import stages
from embedmill.shared.errors import EmbedmillError

VERSION = 1
MAX_BYTES = 8 * 1024


class UnreadableMessage(EmbedmillError):
    """A message that this version cannot read; the work it was about is found in the database."""


@dataclass(frozen=True, slots=True)
class BatchMessage:
    """A wake-up for some work in one stage; what may be done about it is decided by the claim, not by the message.

    `alone` asks a worker to run it with nothing else in its process, because one of its documents is suspected of
    killing workers. Workers that do not know the key ignore it.
    """

    stage: str
    work: tuple[int, ...]
    alone: bool = False

    def encode(self) -> dict[str, Any]:
        """The JSON object that travels."""
        body: dict[str, Any] = {"v": VERSION, "stage": str(self.stage), "work": list(self.work)}
        return body | {"alone": True} if self.alone else body


def decode(body: Any) -> BatchMessage:
    """Raise UnreadableMessage for anything but a batch of a known version."""
    match body:
        case {"v": 1, "stage": str(stage), "work": list(work)} if all(type(i) is int for i in work):
            if stage in stages.names():
                return BatchMessage(stage, tuple(work), alone=body.get("alone") is True)
            raise UnreadableMessage(f"unknown stage in a message: {stage[:40]!r}")
        case {"v": version} if version != VERSION:
            raise UnreadableMessage(f"message version {version!r}; this worker reads version {VERSION}")
    raise UnreadableMessage("not a batch message")
