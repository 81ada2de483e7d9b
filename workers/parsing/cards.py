"""Owns calendars (iCalendar) and contact cards (vCard): an entry under its name, with a line for each thing it says."""

import re
from binascii import Error
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from quopri import decodestring

from embedmill.workers.parsing.draft import Draft, clean

_FOLD = re.compile(r"\n[ \t]")
_LINE = re.compile(r'(?:[\w-]+\.)?([A-Za-z][\w-]*)((?:;(?:[^:;"\n]|"[^"\n]*")*)*):(.*)')
_PARAMETER = re.compile(r';([\w-]+)(?:=("[^"]*"|[^;"]*))?')
_PART = re.compile(r"(?<!\\);")
_ESCAPED = re.compile(r"\\(.)")
_TIME = re.compile(r"(\d{4})-?(\d\d)-?(\d\d)(?:T(\d\d):?(\d\d):?\d\d(Z?))?")

_ENTRIES = frozenset(("VEVENT", "VTODO", "VJOURNAL", "VCARD"))
_APART = frozenset(("VALARM", "VTIMEZONE", "VFREEBUSY", "STANDARD", "DAYLIGHT"))
"""What stands within others, or says nothing to people."""
_NAMES = ("SUMMARY", "FN")
_LABELS = {
    "ADR": "Address", "ATTENDEE": "Attendee", "BDAY": "Birthday", "CATEGORIES": "Categories", "COMMENT": "Comment",
    "DTEND": "End", "DTSTART": "Start", "DUE": "Due", "EMAIL": "E-mail", "LOCATION": "Location", "NICKNAME": "Nickname",
    "NOTE": "Note", "ORG": "Organization", "ORGANIZER": "Organizer", "ROLE": "Role", "RRULE": "Repeats",
    "STATUS": "Status", "TEL": "Phone", "TITLE": "Title", "URL": "URL",
}  # fmt: skip
_TEXT = "DESCRIPTION"
_PEOPLE = frozenset(("ATTENDEE", "ORGANIZER"))
_PICTURES = frozenset(("PHOTO", "LOGO", "SOUND", "KEY", "ATTACH"))
_KINDS = frozenset("home work cell voice fax pager main other".split())


@dataclass(frozen=True, slots=True)
class _Property:
    name: str
    parameters: dict[str, str]
    value: str


def read(data: bytes, draft: Draft) -> None:
    """Each entry is a part of its own, as the entries of a feed are."""
    read_cards(draft.decode(data), draft, level=1)


def read_cards(text: str, draft: Draft, *, level: int) -> None:
    """`level` is that of the entries' headings. What says no entry is kept as it is."""
    text = clean(text)
    found = list(_entries(text))
    if not found:
        draft.paragraph(text)
    for entry in found:
        draft.part()
        _read_entry(entry, draft, level=level)


def _entries(text: str) -> Iterator[list[_Property]]:
    entry: list[_Property] | None = None
    apart = 0
    for found in _properties(text):
        kind = found.value.strip().upper()
        if found.name == "BEGIN" and (kind in _APART or apart):
            apart += 1
        elif found.name == "END" and apart:
            apart -= 1
        elif found.name == "BEGIN" and kind in _ENTRIES:
            entry = []
        elif found.name == "END" and entry is not None:
            yield entry
            entry = None
        elif entry is not None and not apart:
            entry.append(found)
    if entry:
        yield entry


def _properties(text: str) -> Iterator[_Property]:
    lines = iter(_FOLD.sub("", text).split("\n"))
    for line in lines:
        match = _LINE.fullmatch(line)
        if not match:
            continue
        parameters = {name.upper(): value.strip('"') for name, value in _PARAMETER.findall(match[2])}
        value = match[3]
        if "QUOTED-PRINTABLE" in {parameters.get("ENCODING", "").upper(), *map(str.upper, parameters)}:
            while value.endswith("="):
                value = value[:-1] + next(lines, "")
            value = _unquoted(value, parameters.get("CHARSET", "utf-8"))
        yield _Property(match[1].upper(), parameters, value)


def _unquoted(value: str, charset: str) -> str:
    try:
        return decodestring(value.encode()).decode(charset, "replace")
    except (LookupError, Error):
        return value


def _read_entry(entry: Sequence[_Property], draft: Draft, *, level: int) -> None:
    names = [_plain(found.value) for found in entry if found.name in _NAMES]
    named = names or [" ".join(_parts(found.value)) for found in entry if found.name == "N"]
    draft.heading(named[0] if named else "", level=level)
    lines: list[str] = []
    for found in entry:
        if found.name in _PICTURES and not _is_address(found):
            draft.note("pictures and files in it left out")
        elif found.name in _LABELS and (told := _told(found)):
            lines.append(f"{_LABELS[found.name]}: {told}")
    draft.paragraph("\n".join(lines))
    for found in entry:
        if found.name == _TEXT:
            draft.paragraph(_plain(found.value))


def _is_address(found: _Property) -> bool:
    return found.value.startswith(("http:", "https:"))


def _told(found: _Property) -> str:
    if found.name in _PEOPLE:
        address = found.value.partition(":")[2] or found.value
        name = found.parameters.get("CN", "")
        return f"{name} <{address}>" if name and name != address else address
    if time := _TIME.fullmatch(found.value.strip()):
        return _at(time, found.parameters.get("TZID", ""))
    text = ", ".join(_parts(found.value)) if found.name in {"ADR", "ORG"} else _plain(found.value)
    kinds = [kind for kind in found.parameters.get("TYPE", "").lower().split(",") if kind in _KINDS]
    return f"{text} ({', '.join(kinds)})" if kinds and text else text


def _at(time: "re.Match[str]", zone: str) -> str:
    year, month, day, hour, minute, is_utc = time.groups()
    date = f"{year}-{month}-{day}"
    return " ".join(filter(None, (date, f"{hour}:{minute}", "UTC" if is_utc else zone))) if hour else date


def _parts(value: str) -> list[str]:
    return [part for each in _PART.split(value) if (part := _plain(each))]


def _plain(value: str) -> str:
    return _ESCAPED.sub(lambda found: "\n" if found[1] in "nN" else found[1], value).strip()
