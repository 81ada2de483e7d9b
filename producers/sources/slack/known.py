"""What is remembered of a workspace from export to export."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from embedmill.producers.sources.memory import Memory
from embedmill.producers.sources.slack.documents import SlackPart
from embedmill.producers.sources.slack.export import NOWHERE, ExportReach

_WHOLE = "export"
_NEWEST = "newest"
_CHAT = "chat/"
_FOLDER = "folder/"


@dataclass(frozen=True, slots=True)
class KnownDocument:
    """A document: its conversation, its first and its newest stamp, and the export that it was last read from."""

    chat: str
    began: str
    newest: str
    messages: int
    reach: ExportReach
    is_gone: bool = False

    @classmethod
    def of(cls, chat: str, part: SlackPart, reach: ExportReach) -> "KnownDocument":
        """What is to be remembered of a document that was read."""
        return cls(chat, part.first, part.newest, len(part.said), reach)


@dataclass(frozen=True, slots=True)
class KnownChat:
    """A conversation: the state in which it was read, its name then, and the newest export that had it."""

    state: str = ""
    name: str = ""
    reach: ExportReach = NOWHERE


class Known:
    """The memory of a source, by what it is of."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    def reach_of(self, state: str) -> ExportReach | None:
        """How far the export reaches that is in this state, if it was the last that was read."""
        found = self._memory.get_many([_WHOLE]).get(_WHOLE)
        return ExportReach(*found["reach"]) if found is not None and found["state"] == state else None

    def put_reach(self, state: str, reach: ExportReach) -> None:
        """Remember that."""
        self._memory.put_many({_WHOLE: {"state": state, "reach": _pair(reach)}})

    def meet_export(self, uri: str, reach: ExportReach) -> None:
        """Remember where an export is, unless it is older than another."""
        found = self._memory.get_many([_NEWEST]).get(_NEWEST)
        if found is None or found["last"] <= reach.last:
            self._memory.put_many({_NEWEST: {"uri": uri, "last": reach.last}})

    def newest_export(self) -> str | None:
        """Where the newest export is, or was when it was read."""
        found = self._memory.get_many([_NEWEST]).get(_NEWEST)
        return str(found["uri"]) if found else None

    def ids_of(self, folders: Sequence[str]) -> dict[str, str]:
        """The ids of conversations by their folders, of those that a list once had."""
        found = self._memory.get_many([_FOLDER + folder for folder in folders])
        return {key.removeprefix(_FOLDER): str(value["id"]) for key, value in found.items()}

    def chats(self, keys: Sequence[str]) -> dict[str, KnownChat]:
        """Conversations by their keys."""
        found = self._memory.get_many([_CHAT + key for key in keys])
        return {
            key.removeprefix(_CHAT): KnownChat(value["state"], value["name"], ExportReach(*value["reach"]))
            for key, value in found.items()
        }

    def put_chat(self, key: str, chat: KnownChat, *, folder: str) -> None:
        """Remember a conversation that was read to its end."""
        told = {"state": chat.state, "name": chat.name, "reach": _pair(chat.reach)}
        self._memory.put_many({_CHAT + key: told, _FOLDER + folder: {"id": key}})

    def documents(self, uris: Sequence[str]) -> dict[str, KnownDocument]:
        """Documents by their URIs."""
        return {uri: _document(value) for uri, value in self._memory.get_many(uris).items()}

    def put_document(self, uri: str, document: KnownDocument) -> None:
        """Remember a document."""
        told = {
            "chat": document.chat,
            "began": document.began,
            "newest": document.newest,
            "messages": document.messages,
            "reach": _pair(document.reach),
        }
        self._memory.put_many({uri: told | ({"gone": True} if document.is_gone else {})})

    def forget_document(self, uri: str) -> None:
        """Remember nothing of a document that has left."""
        self._memory.forget([uri])

    def walk(self) -> Iterator[tuple[str, KnownDocument]]:
        """Every document with its URI."""
        return ((key, _document(value)) for key, value in self._memory.walk() if "began" in value)


def _document(value: Mapping[str, Any]) -> KnownDocument:
    reach = ExportReach(*value["reach"])
    return KnownDocument(
        value["chat"], value["began"], value["newest"], value["messages"], reach, is_gone=bool(value.get("gone"))
    )


def _pair(reach: ExportReach) -> list[str]:
    return [reach.first, reach.last]
