"""One message of an export: what kind of thing it is, who wrote it, and what it says."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from embedmill.producers.sources.slack.blocks import mappings, once, text_of_blocks, texts_of_attachments
from embedmill.producers.sources.slack.markup import Names, plain
from embedmill.producers.sources.slack.objects import without_half_pairs
from embedmill.producers.sources.slack.workspace import name_of, one_line
from embedmill.shared.redaction.link_tokens import without_tokens

# What says that something happened in the channel and nothing else; a broadcast of old stood beside its reply.
NOT_SAID = frozenset(
    "channel_join channel_leave channel_archive channel_unarchive group_join group_leave group_archive "
    "group_unarchive bot_add bot_remove pinned_item unpinned_item reminder_add reply_broadcast ekm_access_denied "
    "channel_convert_to_private channel_posting_permissions bot_enable bot_disable".split()
)
DELETED = "message_deleted"
CHANGED = "message_changed"
TOMBSTONE = "tombstone"

_TS = re.compile(r"(\d{1,12})\.(\d{1,6})")
Raw = Mapping[str, Any]


def stamp_of(value: object) -> str:
    """A `ts` by which messages are sorted as texts; empty for what is none."""
    found = _TS.fullmatch(value) if isinstance(value, str) else None
    return f"{found[1]:0>10}.{found[2]:0<6}" if found else ""


@dataclass(frozen=True, slots=True)
class SlackMessage:
    """A message as it is kept: `thread` is its root's stamp, `version` the stamp of its last change."""

    ts: str
    thread: str
    is_root: bool
    version: str
    is_deleted: bool
    raw: Raw


def entry_of(message: Raw) -> SlackMessage | None:
    """A line of a day's file; None for what no message is, or what has no `ts` that can be read."""
    if message.get("subtype") == CHANGED and isinstance(message.get("message"), dict):
        message = message["message"]
    if message.get("subtype") == DELETED:
        return _deleted(stamp_of(message.get("deleted_ts")), stamp_of(message.get("ts")))
    ts = stamp_of(message.get("ts"))
    if not ts:
        return None
    thread = stamp_of(message.get("thread_ts"))
    edited = message.get("edited")
    return SlackMessage(
        ts=ts,
        thread=thread,
        is_root=thread == ts and _has_replies(message),
        version=max(ts, stamp_of(edited.get("ts")) if isinstance(edited, dict) else ""),
        is_deleted=message.get("subtype") == TOMBSTONE,
        raw=message,
    )


def _deleted(ts: str, when: str) -> SlackMessage | None:
    return SlackMessage(ts, "", is_root=False, version=max(ts, when), is_deleted=True, raw={}) if ts else None


def _has_replies(message: Raw) -> bool:
    count = message.get("reply_count")
    return bool(message.get("replies")) or (isinstance(count, int) and count > 0)


def says_something(message: Raw) -> bool:
    """Whether it is more than a note that something has happened in the channel."""
    return message.get("subtype") not in NOT_SAID


def author_of(message: Raw, names: Names) -> str:
    """Who wrote it, by the name that others see: a person, else the bot, else the id."""
    user = _string(message.get("user"))
    if user and (found := names.person(user)) != user:
        return found
    bot = message.get("bot_profile")
    told = (message.get("username"), bot.get("name") if isinstance(bot, dict) else None, user, message.get("bot_id"))
    return next((name for each in told if (name := one_line(each))), "somebody")


def profile_of(message: Raw) -> tuple[str, str] | None:
    """(id, name) of an author as the message itself has it: people of other companies are in no list."""
    profile, user = message.get("user_profile"), _string(message.get("user"))
    name = name_of(profile) if isinstance(profile, dict) else ""
    return (user, name) if user and name else None


def text_of(message: Raw, names: Names) -> str:
    """What it says, each thing once, with the names and links of its files; empty for nothing."""
    texts = [text for text in _texts(message) if text.strip()]
    said = plain(without_half_pairs(texts[0].strip() if len(texts) == 1 else once(texts)), names)
    files = [line for file in mappings(message.get("files")) if (line := _describe_file(file))]
    return "\n".join(filter(None, (said, *files)))


def _texts(message: Raw) -> Iterator[str]:
    text, blocks = _string(message.get("text")), message.get("blocks")
    yield text
    if not (text.strip() and _only_repeats(blocks)):
        yield text_of_blocks(blocks)
    yield from texts_of_attachments(message.get("attachments"))


def _only_repeats(blocks: object) -> bool:
    """Whether blocks are what people write, of which `text` says the same in markup."""
    return all(block.get("type") == "rich_text" for block in mappings(blocks))


def _describe_file(file: Mapping[str, Any]) -> str:
    name, title = one_line(file.get("name")), one_line(file.get("title"))
    shown = ", ".join(dict.fromkeys(filter(None, (title, name))))
    if not shown or file.get("mode") in ("tombstone", "hidden_by_limit"):
        return ""
    link = next((url for key in ("permalink", "url_private") if (url := _string(file.get(key)))), "")
    return without_tokens(f"File: {shown} ({link})" if link else f"File: {shown}")


def _string(value: object) -> str:
    return value if isinstance(value, str) else ""
