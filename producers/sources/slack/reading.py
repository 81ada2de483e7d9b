"""One reading of an export: what is new and changed in it, held against what was read from other exports."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from urllib.parse import quote

from embedmill.producers.sources.base import (
    Departed,
    Item,
    Kept,
    Problem,
    ReadContext,
    Remark,
    RemarkKind,
    RowItem,
    SourcePlace,
)
from embedmill.producers.sources.rows import hash_row
from embedmill.producers.sources.seen import SeenKeys
from embedmill.producers.sources.slack.documents import SlackPart, metadata_of, parts_of, text_of_part, title_of
from embedmill.producers.sources.slack.export import NOWHERE, Export, ExportFault, ExportReach
from embedmill.producers.sources.slack.gathering import Gathered, Gathering, day_of, gathering
from embedmill.producers.sources.slack.known import Known, KnownChat, KnownDocument
from embedmill.producers.sources.slack.messages import profile_of
from embedmill.producers.sources.slack.workspace import UNKNOWN, Conversation
from embedmill.shared.paging import batched

PAGE = 200
UNREAD = "a day of its channel could not be read, so that it would lose messages"


@dataclass(slots=True)
class Chat:
    """A conversation of the export, with what is known of it from another."""

    conversation: Conversation
    key: str
    state: str
    known: KnownChat
    is_older: bool
    is_due: bool
    has_faults: bool = False


@dataclass(frozen=True, slots=True)
class WrittenDocument:
    """A document as this export has it."""

    part: SlackPart
    item: RowItem


class ExportReading:
    """The reading of one export."""

    def __init__(self, export: Export, context: ReadContext, uri: str, team: str) -> None:
        self._export = export
        self._context = context
        self._known = Known(context.memory)
        self._uri = uri
        self._base = f"slack://{quote(team, safe='') or '-'}/"
        self._met = SeenKeys()
        self._lost = 0
        self._reach = NOWHERE

    def items(self) -> Iterator[Item]:
        """Documents as far as they have to be read, and what is known to have left."""
        for path, reason in self._export.workspace.faults:
            yield Problem(self._place(path), reason)
        self._reach = self._find_reach()
        self._known.meet_export(self._uri, self._reach)
        chats = {chat.key: chat for chat in self._find_chats()}
        self._take_up_lost(chats)
        yield from self._keep(chats)
        for chat in chats.values():
            if chat.is_due:
                yield from self._read(chat)
        yield from self._find_departed(chats)
        self._context.remarks += self._remarks(chats)

    def _find_reach(self) -> ExportReach:
        """How far the export reaches; nothing is read for that if it is the one that was read last."""
        state = self._export.state()
        if (reach := self._known.reach_of(state)) is None:
            reach = self._export.reach()
            self._known.put_reach(state, reach)
        return reach

    def _find_chats(self) -> Iterator[Chat]:
        for some in batched(self._export.workspace.conversations, PAGE):
            ids = self._known.ids_of([each.folder for each in some if not each.id])
            keys = {each.folder: each.id or ids.get(each.folder) or f"name:{each.folder}" for each in some}
            known = self._known.chats(list(keys.values()))
            for each in some:
                yield self._chat(each, keys[each.folder], known.get(keys[each.folder], KnownChat()))

    def _chat(self, conversation: Conversation, key: str, known: KnownChat) -> Chat:
        is_older = known.reach.last > self._reach.last
        if known.name and (is_older or conversation.kind == UNKNOWN):
            conversation.name = known.name
        state = self._export.state_of(conversation)
        # The same messages in an export that reaches further back may say that others were deleted.
        is_due = state != known.state or self._reach.first < known.reach.first
        return Chat(conversation, key, state, known, is_older, is_due)

    def _take_up_lost(self, chats: Mapping[str, Chat]) -> None:
        """Conversations are read again of which a document is not in the index as it is wanted."""
        for some in batched(self._mine(chats), PAGE):
            settled = self._context.settled([uri for uri, _ in some])
            for uri, document in some:
                if uri not in settled:
                    chats[document.chat].is_due = True

    def _keep(self, chats: Mapping[str, Chat]) -> Iterator[Item]:
        return (Kept(uri) for uri, _ in self._mine(chats))

    def _mine(self, chats: Mapping[str, Chat]) -> Iterator[tuple[str, KnownDocument]]:
        """What was read of conversations that have not changed since, be it from this export or another."""
        if all(chat.is_due for chat in chats.values()):
            return
        for uri, document in self._known.walk():
            chat = chats.get(document.chat)
            is_mine = chat is not None and not chat.is_due and document.reach == chat.known.reach
            if is_mine and not document.is_gone:
                yield uri, document

    def _read(self, chat: Chat) -> Iterator[Item]:
        with gathering(self._export.zone) as gathered:
            yield from self._gather(chat, gathered)
            written = (each for found in gathered.gather() for each in self._write(chat, found, gathered))
            for some in batched(written, PAGE):
                yield from self._settle(chat, some)
        if not chat.has_faults and not chat.is_older:
            known = KnownChat(chat.state, chat.conversation.name, self._reach)
            self._known.put_chat(chat.key, known, folder=chat.conversation.folder)

    def _gather(self, chat: Chat, gathered: Gathering) -> Iterator[Problem]:
        self._export.profiles.clear()
        for file in chat.conversation.days:
            for found in self._export.entries(file):
                if isinstance(found, ExportFault):
                    chat.has_faults = True
                    yield Problem(self._place(found.path), found.reason, found.number)
                else:
                    gathered.add(found)
                    self._export.profiles |= dict(filter(None, [profile_of(found.raw)]))

    def _write(self, chat: Chat, found: Gathered, gathered: Gathering) -> Iterator[WrittenDocument]:
        uri, after = f"{self._base}{quote(chat.key, safe=':')}/{found.key}", ""
        is_headless = found.is_thread and not gathered.has_root(found.key)
        if self._is_cut(found, is_headless=is_headless):
            uri, after = self._find_end(uri)
        for part in parts_of(found, self._export.names, after=after):
            shown = uri if part.number == 1 else f"{uri}/{part.number}"
            yield WrittenDocument(
                part, self._item(chat, part, shown, is_headless=is_headless, is_thread=found.is_thread)
            )

    def _is_cut(self, found: Gathered, *, is_headless: bool) -> bool:
        """Whether a thread or a day may have begun before the export does."""
        if found.is_thread:
            return is_headless and found.key < self._reach.first
        return found.key == day_of(self._reach.first, self._export.zone)

    def _find_end(self, uri: str) -> tuple[str, str]:
        """Where a thread or a day goes on whose begin is known from an export that reached further back.

        What is known of it stays, and what was said after it becomes a document of its own.
        """
        end, after = uri, ""
        while (known := self._known.documents([end]).get(end)) and known.reach.first < self._reach.first:
            self._met.add([_mark(end)], 0)
            after = known.newest
            end = f"{uri}/after/{after}"
        return end, after

    def _item(self, chat: Chat, part: SlackPart, uri: str, *, is_headless: bool, is_thread: bool) -> RowItem:
        names = self._export.names
        title = title_of(chat.conversation, part, names)
        text = text_of_part(part, names, is_headless=is_headless)
        metadata = metadata_of(chat.conversation, part, names, is_thread=is_thread)
        return RowItem(uri, title, text, metadata, hash_row(title, text, metadata), SourcePlace(self._uri))

    def _settle(self, chat: Chat, some: Sequence[WrittenDocument]) -> Iterator[Item]:
        known = self._known.documents([each.item.uri for each in some])
        held = [uri for uri in known if chat.is_older or chat.has_faults]
        settled = self._context.settled(held) if held else frozenset()
        for each in some:
            uri, document = each.item.uri, KnownDocument.of(chat.key, each.part, self._reach)
            self._met.add([_mark(uri)], 0)
            if uri in settled and self._stays(chat, known[uri], document):
                yield Kept(uri, "" if chat.is_older else UNREAD)
            elif chat.is_older and self._was_deleted(chat, known.get(uri), document):
                self._lost += 1
            else:
                self._known.put_document(uri, document)
                yield each.item

    def _stays(self, chat: Chat, known: KnownDocument, found: KnownDocument) -> bool:
        """Whether what is known of a document is better than what was found."""
        return chat.is_older or found.messages < known.messages

    def _was_deleted(self, chat: Chat, known: KnownDocument | None, found: KnownDocument) -> bool:
        """Whether a newer export could have had a document of an older one, and did not."""
        return (known is None or known.is_gone) and chat.known.reach.covers(found.began)

    def _find_departed(self, chats: Mapping[str, Chat]) -> Iterator[Item]:
        absent = ((u, d) for u, d in self._known.walk() if d.chat in chats and self._is_absent(chats[d.chat], u, d))
        for some in batched(absent, PAGE):
            settled = self._context.settled([uri for uri, _ in some])
            for uri, document in some:
                if document.is_gone and uri not in settled:
                    self._known.forget_document(uri)
                else:
                    self._known.put_document(uri, replace(document, is_gone=True))
                    yield Departed(uri)

    def _is_absent(self, chat: Chat, uri: str, document: KnownDocument) -> bool:
        """Whether the export would have a document that its source still had."""
        if chat.is_older or chat.has_faults or document.reach.last > self._reach.last:
            return False
        was_looked_for = chat.is_due or document.is_gone
        return was_looked_for and self._reach.covers(document.began) and self._met.find([_mark(uri)]) is None

    def _remarks(self, chats: Mapping[str, Chat]) -> Iterator[Remark]:
        if any(chat.is_older for chat in chats.values()):
            lost = f"; documents of it that were deleted since, and are left out: {self._lost:,}" if self._lost else ""
            told = f"it is older than an export that was read before: only what that one could not have is new{lost}"
            yield Remark(self._uri, told, RemarkKind.READ)
        unknown = sum(chat.conversation.kind == UNKNOWN for chat in chats.values())
        if unknown:
            told = f"conversations that are in no list of the export, and are called as their folders are: {unknown:,}"
            yield Remark(self._uri, told, RemarkKind.READ)

    def _place(self, path: str) -> str:
        return f"{self._uri}!/{quote(path, safe='/', errors='surrogateescape')}"


def _mark(uri: str) -> bytes:
    return hashlib.blake2b(uri.encode(), digest_size=15).digest()
