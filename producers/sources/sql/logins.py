"""Owns credentials of databases: where they come from, and that they are in no text that anybody reads."""

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, quote_plus, unquote, urlsplit

from embedmill.shared.errors import SourceError
from embedmill.shared.open_files import warn_of_others
from embedmill.shared.references import ENVIRONMENT

_ENTRY = re.compile(r"\s*(user|username|password)\s*[=:]\s*(.*?)\s*$", re.IGNORECASE)
_IGNORED = ("#", ";", "[")
_HINT = "It holds a password, or lines as user=NAME and password=WORD, or the database's URL with both."
_MASK = "***"


@dataclass(frozen=True, slots=True)
class Login:
    """A name and a password, each empty where it is not known; it never shows the password."""

    user: str = ""
    password: str = field(default="", repr=False)

    @classmethod
    def of(cls, user: str, password: str) -> "Login":
        """The two, as they are after decoding."""
        return cls(user, password)

    def __bool__(self) -> bool:
        return bool(self.user or self.password)

    def over(self, other: "Login") -> "Login":
        """What this one knows, and what only the other does."""
        return Login(self.user or other.user, self.password or other.password)

    def mask(self, text: str) -> str:
        """A text without the password, in whichever spelling it is there."""
        spellings = {self.password, quote(self.password, safe=""), quote_plus(self.password), repr(self.password)[1:-1]}
        for spelling in sorted(filter(None, spellings), key=len, reverse=True):
            text = text.replace(spelling, _MASK)
        return text


NO_LOGIN = Login()


def usual_login(kind: str) -> Login:
    """What the environment says, as for the database's own programs; those of Postgres are asked by its driver."""
    return Login("", os.environ.get("MYSQL_PWD", "")) if kind == "mysql" else NO_LOGIN


def read_login(reference: str) -> Login:
    """What `--credentials` names: `env:NAME`, or a file; raises SourceError, which never quotes what is there."""
    if not reference:
        return NO_LOGIN
    text = _from_environment(reference) if reference.startswith(ENVIRONMENT) else _from_file(Path(reference))
    found = _parse(text)
    if not found:
        raise SourceError(f"no credentials are in {reference}", hint=_HINT)
    return found


def _from_environment(reference: str) -> str:
    name = reference.removeprefix(ENVIRONMENT)
    if name not in os.environ:
        raise SourceError(f"--credentials names the variable {name}, which is not set", hint=_HINT)
    return os.environ[name]


def _from_file(path: Path) -> str:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError(f"cannot read the credentials in {path}: {type(error).__name__}", hint=_HINT) from None
    warn_of_others(path, "source.open_credentials")
    return text


def _parse(text: str) -> Login:
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith(_IGNORED)]
    entries = {found[1].lower(): _unquoted(found[2]) for line in lines if (found := _ENTRY.match(line))}
    if entries:
        return Login(entries.get("user") or entries.get("username", ""), entries.get("password", ""))
    first = lines[0] if lines else ""
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", first):
        return _of_url(first.strip())
    return Login("", first)


def _of_url(url: str) -> Login:
    try:
        parts = urlsplit(url)
        return Login(unquote(parts.username or ""), unquote(parts.password or ""))
    except ValueError:
        return NO_LOGIN


def _unquoted(value: str) -> str:
    return value[1:-1] if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'" else value
