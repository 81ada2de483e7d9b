"""What an export's lists say: the workspace, its people, its conversations; each list may be missing or broken."""

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from embedmill.producers.sources.slack.files import ExportFile, ExportFiles
from embedmill.producers.sources.slack.objects import read_objects, without_half_pairs
from embedmill.shared.errors import DocumentError
from embedmill.shared.files import describe_os_error

UNKNOWN = "unknown"
KINDS = {
    "channels.json": "channel",
    "groups.json": "private channel",
    "dms.json": "direct message",
    "mpims.json": "group message",
}
USERS = ("users.json", "org_users.json")
LISTS = frozenset((*KINDS, *USERS))

_DAY = re.compile(r"\d{4}-\d\d-\d\d\.json")
_ID = re.compile(r"[CDG][A-Z0-9]{6,20}")
_OF_A_PROGRAM = "__MACOSX"


@dataclass(slots=True)
class Conversation:
    """A channel or a chat: its files by day, the oldest first; `id` is empty where no list has it."""

    folder: str
    id: str = ""
    name: str = ""
    kind: str = UNKNOWN
    members: Sequence[str] = ()
    days: list[ExportFile] = field(default_factory=list)


@dataclass(slots=True)
class Workspace:
    """One export as its lists describe it; `faults` are (path, reason) of lists that could not be read."""

    teams: Counter[str] = field(default_factory=Counter)
    people: dict[str, str] = field(default_factory=dict)
    channels: dict[str, str] = field(default_factory=dict)
    """The names of channels by their ids."""
    conversations: list[Conversation] = field(default_factory=list)
    lists: list[ExportFile] = field(default_factory=list)
    faults: list[tuple[str, str]] = field(default_factory=list)

    @property
    def id(self) -> str:
        """The team or enterprise that most people are of: some channels are shared with other companies."""
        return most_common(self.teams)


def most_common(teams: Counter[str]) -> str:
    """The one that is named most often, empty for none."""
    named = {team: count for team, count in teams.items() if team}
    return max(sorted(named), key=named.__getitem__, default="")


def read_workspace(files: ExportFiles) -> Workspace:
    """What there is in an export; raises what listing its files does."""
    paths = [file for file in files.list() if _OF_A_PROGRAM not in file.path.split("/")]
    root = _root_of(paths)
    within = {file.path.removeprefix(root): file for file in paths if file.path.startswith(root)}
    found = Workspace(conversations=_conversations(within))
    found.lists = [within[name] for name in sorted(LISTS & within.keys())]
    for name in USERS:
        _read_list(files, within.get(name), found, _add_person)
    by_folder = _by_folder(found.conversations)
    for name, kind in KINDS.items():
        _read_list(files, within.get(name), found, _adder_of(kind, by_folder))
    return found


def _root_of(files: Iterable[ExportFile]) -> str:
    """The folder in an archive that the export is in, with its slash: whoever unpacks and packs again adds one."""
    roots = {_around(file.path) for file in files if file.path.rpartition("/")[2] in LISTS}
    if not roots:
        roots = {_around(_around(file.path).rstrip("/")) for file in files if _DAY.fullmatch(_name(file.path))}
    return min(roots, key=lambda root: (root.count("/"), root), default="")


def _around(path: str) -> str:
    folder, slash, _ = path.rpartition("/")
    return folder + slash


def _name(path: str) -> str:
    return path.rpartition("/")[2]


def _conversations(files: Mapping[str, ExportFile]) -> list[Conversation]:
    """The folders with days in them; two that only write their name otherwise in Unicode are one."""
    found: dict[str, Conversation] = {}
    for path, file in sorted(files.items()):
        folder, _, name = path.partition("/")
        if _DAY.fullmatch(name):
            key = unicodedata.normalize("NFC", without_half_pairs(folder))
            found.setdefault(key, Conversation(key, key if _ID.fullmatch(key) else "", key)).days.append(file)
    return list(found.values())


def _by_folder(conversations: Iterable[Conversation]) -> dict[str, Conversation]:
    return {conversation.folder: conversation for conversation in conversations}


Adder = Callable[[Workspace, Mapping[str, Any]], None]


def _read_list(files: ExportFiles, file: ExportFile | None, found: Workspace, add: Adder) -> None:
    if file is None:
        return
    try:
        for entry in _objects(files, file):
            add(found, entry)
    except DocumentError as error:
        found.faults.append((file.path, str(error)))
    except OSError as error:
        found.faults.append((file.path, describe_os_error(error)))


def _objects(files: ExportFiles, file: ExportFile) -> Iterator[Mapping[str, Any]]:
    with files.open(file) as stream:
        yield from (entry for entry in read_objects(stream) if isinstance(entry, dict))


def _add_person(found: Workspace, entry: Mapping[str, Any]) -> None:
    enterprise = entry.get("enterprise_user")
    found.teams[
        one_line(enterprise.get("enterprise_id") if isinstance(enterprise, dict) else entry.get("team_id"))
    ] += 1
    if id_ := one_line(entry.get("id")):
        found.people[id_] = name_of(entry) or id_


def name_of(entry: Mapping[str, Any]) -> str:
    """What others see of a person: the name on display, else the full one, else the account's."""
    profile = entry.get("profile")
    shown = profile if isinstance(profile, dict) else entry
    names = (shown.get("display_name"), shown.get("real_name"), entry.get("real_name"), entry.get("name"))
    return next((name for each in names if (name := one_line(each))), "")


def _adder_of(kind: str, by_folder: Mapping[str, Conversation]) -> Adder:
    def add(found: Workspace, entry: Mapping[str, Any]) -> None:
        id_, name = one_line(entry.get("id")), one_line(entry.get("name"))
        if id_ and name:
            found.channels[id_] = name
        folder = unicodedata.normalize("NFC", name)
        conversation = by_folder.get(folder) or by_folder.get(id_)
        if conversation is not None and conversation.kind == UNKNOWN:
            conversation.id, conversation.name, conversation.kind = id_ or conversation.id, name, kind
            members = entry.get("members")
            conversation.members = [one_line(each) for each in members] if isinstance(members, list) else ()

    return add


def one_line(value: object) -> str:
    """A name on one line; empty for what is none."""
    return " ".join(without_half_pairs(value).split()) if isinstance(value, str) else ""
