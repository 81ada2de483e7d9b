"""Slack's markup in plain words: mentions, channels, groups, links, dates, emoji, and its three escapes."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo
from functools import lru_cache

from embedmill.shared.redaction.link_tokens import without_tokens

_ANGLED = re.compile(r"<([^<>\n]{1,8000})>")
_CODE = re.compile(r"(```.*?```|`[^`\n]+`)", re.DOTALL)
_EMOJI = re.compile(r":([a-z0-9_+'-]{1,100}):(?::skin-tone-[2-6]:)?")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_SAID_BY_THEMSELVES = ("mailto:", "tel:")
_FLAG = re.compile(r"flag-([a-z])([a-z])")
_FIRST_FLAG = 0x1F1E6
# Slack's own names; with `_` for `-`, and without `large_`, the rest is as in the standard's list.
_RENAMED = {"simple_smile": "slightly_smiling_face"}


@dataclass(frozen=True, slots=True)
class Names:
    """What ids in a text are called; whoever has no name is called by the id."""

    person: Callable[[str], str]
    channels: Mapping[str, str]
    zone: tzinfo


def plain(text: str, names: Names) -> str:
    """A message's text as its readers saw it, without tokens that open files."""
    shown = _ANGLED.sub(lambda found: _resolved(found[1], names) or found[0], text)
    return without_tokens(unescaped(with_emoji(shown)))


def unescaped(text: str) -> str:
    """Slack escapes these three signs, and no others."""
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def with_emoji(text: str) -> str:
    """The signs of emoji in the place of their names, but in code; names that a workspace made up stay."""
    if ":" not in text:
        return text
    parts = _CODE.split(text)
    parts[::2] = [_EMOJI.sub(lambda found: emoji_of(found[1]) or found[0], part) for part in parts[::2]]
    return "".join(parts)


@lru_cache(4096)
def emoji_of(name: str) -> str:
    """The sign of an emoji by Slack's name for it, empty for one that is no standard's."""
    import emoji

    if flag := _FLAG.fullmatch(name):
        return "".join(chr(_FIRST_FLAG + ord(letter) - ord("a")) for letter in flag.groups())
    known = _RENAMED.get(name, name)
    for spelling in dict.fromkeys((known, known.replace("-", "_"), known.removeprefix("large_"))):
        named = f":{spelling}:"
        if (sign := emoji.emojize(named, language="alias")) != named:
            return sign
    return ""


def shown_moment(seconds: float, zone: tzinfo) -> str:
    """`3 May 2026 09:15`, of seconds since 1970; empty for what is no time."""
    try:
        moment = datetime.fromtimestamp(seconds, zone)
    except (OverflowError, ValueError, OSError):
        return ""
    return f"{moment.day} {moment:%B %Y %H:%M}"


def _resolved(inside: str, names: Names) -> str:
    """What stands for `<…>`; empty where that is no markup."""
    target, _, label = inside.partition("|")
    id_ = target[1:]
    match target[:1]:
        case "@":
            found = names.person(id_)
            return f"@{label if label and found == id_ else found}"
        case "#":
            return f"#{names.channels.get(id_) or label or id_}"
        case "!":
            return _special(id_, label, names)
    return _link(target, label)


def _special(target: str, label: str, names: Names) -> str:
    word, _, rest = target.partition("^")
    if word == "date":
        return label or _date(rest.partition("^")[0], names.zone) or target
    if word == "subteam":
        return f"@{(label or rest).removeprefix('@')}"
    return label if label.startswith("@") else f"@{label or word}"


def _date(seconds: str, zone: tzinfo) -> str:
    return shown_moment(float(seconds), zone) if seconds.isdecimal() else ""


def _link(target: str, label: str) -> str:
    if not _SCHEME.match(target):
        return ""
    for scheme in _SAID_BY_THEMSELVES:
        if target.startswith(scheme):
            return label or target.removeprefix(scheme)
    is_repeated = not label or label == target or target.partition("://")[2].rstrip("/") == label.rstrip("/")
    return target if is_repeated else f"{label} ({target})"
