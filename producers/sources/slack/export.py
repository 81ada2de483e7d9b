"""One export that is being read: what is in it, how far it reaches, and the states that tell what has changed."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

from embedmill.producers.sources.slack.files import ExportFile, ExportFiles
from embedmill.producers.sources.slack.markup import Names
from embedmill.producers.sources.slack.messages import SlackMessage, entry_of
from embedmill.producers.sources.slack.objects import read_objects
from embedmill.producers.sources.slack.workspace import Conversation, Workspace, most_common, read_workspace
from embedmill.shared.addresses import digest
from embedmill.shared.errors import DocumentError
from embedmill.shared.files import describe_os_error

# Of what is rendered otherwise in a later release every conversation is read again.
RENDERING = "1"
_LOOKED_AT = 200


@dataclass(frozen=True, slots=True)
class ExportFault:
    """Something of an export that could not be read: its path, and the number of the message if it is one."""

    path: str
    reason: str
    number: int | None = None


@dataclass(frozen=True, slots=True)
class ExportReach:
    """The stamps of the first and the last message of an export: whatever its dates were, they lie within them."""

    first: str = ""
    last: str = ""

    def covers(self, ts: str) -> bool:
        """Whether a message of that stamp would be in it."""
        return self.first <= ts <= self.last


NOWHERE = ExportReach()


@dataclass(slots=True)
class Export:
    """An open export."""

    files: ExportFiles
    workspace: Workspace
    zone: ZoneInfo
    profiles: dict[str, str] = field(default_factory=dict)
    """Names that messages of the conversation in hand have of people whom no list has."""

    @classmethod
    def read(cls, files: ExportFiles, zone: ZoneInfo) -> "Export":
        """The lists of an export; raises DocumentError, OSError."""
        return cls(files, read_workspace(files), zone)

    @property
    def names(self) -> Names:
        """What ids are called."""
        return Names(self._person, self.workspace.channels, self.zone)

    def _person(self, id_: str) -> str:
        return self.workspace.people.get(id_) or self.profiles.get(id_) or _KNOWN.get(id_, id_)

    def state(self) -> str:
        """Changes with anything that is in it."""
        lists = (f"{file.path}={file.state}" for file in self.workspace.lists)
        return digest("slack", RENDERING, *lists, *map(self.state_of, self.workspace.conversations))

    def state_of(self, conversation: Conversation) -> str:
        """Changes with a conversation, and with the names in it."""
        told = conversation.id, conversation.name, conversation.kind, *conversation.members
        lists = (f"{file.path}={file.state}" for file in self.workspace.lists)
        days = (f"{file.path}={file.state}" for file in conversation.days)
        return digest("slack", RENDERING, *told, "", *lists, "", *days)

    def reach(self) -> ExportReach:
        """How far it reaches; only its first and its last day are read for that."""
        days = sorted({file.path[-15:] for each in self.workspace.conversations for file in each.days})
        stamps = [entry.ts for day in dict.fromkeys((*days[:1], *days[-1:])) for entry in self._entries_of_day(day)]
        return ExportReach(min(stamps, default=""), max(stamps, default=""))

    def _entries_of_day(self, day: str) -> Iterator[SlackMessage]:
        for conversation in self.workspace.conversations:
            for file in conversation.days:
                if file.path.endswith(day):
                    yield from (found for found in self.entries(file) if isinstance(found, SlackMessage))

    def entries(self, file: ExportFile) -> Iterator[SlackMessage | ExportFault]:
        """The messages of a day's file, and what could not be read of it."""
        try:
            with self.files.open(file) as stream:
                for number, found in enumerate(read_objects(stream), 1):
                    entry = entry_of(found) if isinstance(found, dict) else None
                    yield entry or ExportFault(file.path, "a message without a ts that can be read", number)
        except DocumentError as error:
            yield ExportFault(file.path, str(error))
        except OSError as error:
            yield ExportFault(file.path, describe_os_error(error))

    def team(self) -> str:
        """The workspace's id: from the list of people, else from some messages; empty where neither has it."""
        return self.workspace.id or most_common(Counter(_team(raw) for raw in islice(self._some(), _LOOKED_AT)))

    def _some(self) -> Iterator[Mapping[str, Any]]:
        for conversation in self.workspace.conversations:
            for file in conversation.days[-1:]:
                yield from (found.raw for found in self.entries(file) if isinstance(found, SlackMessage))


_KNOWN = {"USLACKBOT": "Slackbot", "USLACK": "Slack"}


def _team(raw: Mapping[str, Any]) -> str:
    team = raw.get("team") or raw.get("user_team")
    return team if isinstance(team, str) else ""
