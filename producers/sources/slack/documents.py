"""A thread or a day of a conversation as a document: its title, its text, and who took part when."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from embedmill.producers.sources.slack.gathering import Gathered
from embedmill.producers.sources.slack.markup import Names
from embedmill.producers.sources.slack.messages import author_of, text_of
from embedmill.producers.sources.slack.workspace import Conversation

HEADLESS = "(The start of this thread is not in the export.)"
# Beyond it a busy day goes on in another document.
MOST_CHARACTERS = 4_000_000
MOST_PARTICIPANTS = 100
_SHOWN_PEOPLE = 5


@dataclass(frozen=True, slots=True)
class ShownMessage:
    """A message as it is shown; `version` is the stamp of its last change."""

    ts: str
    version: str
    author: str
    text: str


@dataclass(slots=True)
class SlackPart:
    """What becomes one document: all that was said in a thread or on a day, or as much as one may hold."""

    key: str
    number: int
    said: list[ShownMessage] = field(default_factory=list)

    @property
    def first(self) -> str:
        """The stamp of the first message."""
        return self.said[0].ts

    @property
    def newest(self) -> str:
        """The stamp of whatever was said or changed last."""
        return max(message.version for message in self.said)


def parts_of(gathered: Gathered, names: Names, *, after: str = "") -> Iterator[SlackPart]:
    """What was said, a document's worth at a time; only what was said or changed `after` a stamp, if there is one."""
    part, size = SlackPart(gathered.key, 1), 0
    for message in _said(gathered, names):
        if message.version <= after:
            continue
        if part.said and size + len(message.text) > MOST_CHARACTERS:
            yield part
            part, size = SlackPart(gathered.key, part.number + 1), 0
        part.said.append(message)
        size += len(message.text)
    if part.said:
        yield part


def _said(gathered: Gathered, names: Names) -> Iterator[ShownMessage]:
    for ts, version, raw in gathered.messages:
        if text := text_of(raw, names):
            yield ShownMessage(ts, version, author_of(raw, names), text)


def text_of_part(part: SlackPart, names: Names, *, is_headless: bool) -> str:
    """One paragraph a message: `Ada, 09:15: …`, with the day where there are several."""
    moments = [_moment(message.ts, names) for message in part.said]
    several = len({moment.date() for moment in moments}) > 1
    shown = (f"{m.author}, {_when(at, several=several)}: {m.text}" for m, at in zip(part.said, moments, strict=True))
    return "\n\n".join([HEADLESS, *shown] if is_headless else shown)


def _when(moment: datetime, *, several: bool) -> str:
    return f"{_day(moment.date())}, {moment:%H:%M}" if several else f"{moment:%H:%M}"


def title_of(conversation: Conversation, part: SlackPart, names: Names) -> str:
    """`#general, 3–5 May 2026`."""
    began, ended = _moment(part.said[0].ts, names).date(), _moment(part.said[-1].ts, names).date()
    return f"{shown_name(conversation, names)}, {shown_range(began, ended)}"


def shown_name(conversation: Conversation, names: Names) -> str:
    """`#general`, or the people of a direct message."""
    if conversation.members and conversation.kind.endswith("message"):
        people = [names.person(member) for member in conversation.members]
        return _joined(people)
    return f"#{conversation.name or conversation.folder}"


def _joined(people: Sequence[str]) -> str:
    shown = list(people[:_SHOWN_PEOPLE])
    if len(people) > _SHOWN_PEOPLE:
        shown.append(f"{len(people) - _SHOWN_PEOPLE} more")
    return " and ".join(filter(None, (", ".join(shown[:-1]), shown[-1])))


def shown_range(began: date, ended: date) -> str:
    """`3 May 2026`, `3–5 May 2026`, `30 April – 2 May 2026`, or with both years."""
    if began == ended:
        return _day(ended)
    if (began.year, began.month) == (ended.year, ended.month):
        return f"{began.day}–{_day(ended)}"
    if began.year == ended.year:
        return f"{began.day} {_MONTHS[began.month - 1]} – {_day(ended)}"
    return f"{_day(began)} – {_day(ended)}"


def metadata_of(conversation: Conversation, part: SlackPart, names: Names, *, is_thread: bool) -> Mapping[str, Any]:
    """What can be filtered by: the channel, who took part, and when, as ISO 8601 with the zone."""
    participants = list(dict.fromkeys(message.author for message in part.said))
    return {
        "channel": shown_name(conversation, names),
        "channel_id": conversation.id,
        "channel_kind": conversation.kind,
        "participants": participants[:MOST_PARTICIPANTS],
        "messages": len(part.said),
        "started": _moment(part.said[0].ts, names).isoformat(timespec="seconds"),
        "ended": _moment(part.said[-1].ts, names).isoformat(timespec="seconds"),
        **({"thread": part.key} if is_thread else {"day": part.key}),
    }


def _moment(ts: str, names: Names) -> datetime:
    return datetime.fromtimestamp(int(ts.partition(".")[0]), names.zone)


# A locale would call them otherwise.
_MONTHS = "January February March April May June July August September October November December".split()


def _day(day: date) -> str:
    return f"{day.day} {_MONTHS[day.month - 1]} {day.year}"
