"""Finds who calls: by a token that was issued here, or by one that an identity file names."""

import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from embedmill.shared.access.principals import Principal, Role, read_collections, read_levels, require_name
from embedmill.shared.access.tokens import id_of, is_token
from embedmill.shared.db.engine import Database
from embedmill.shared.db.tokens import find_valid_token
from embedmill.shared.errors import SettingsError, TokenRefused, UsageError
from embedmill.shared.open_files import warn_of_others


class Identity(BaseModel):
    """A principal of an identity file; `token_sha256` is the hash of the token that it goes by."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    role: Role
    token_sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    collections: list[str] = Field(default_factory=list)
    levels: list[str] = Field(default_factory=list)
    expires: datetime | date | None = None

    @property
    def principal(self) -> Principal:
        """Whom it describes."""
        return Principal(
            require_name(self.name), self.role, read_collections(self.collections), read_levels(self.levels)
        )

    def has_expired(self, now: datetime) -> bool:
        """Whether its time is over; a day ends when it ends in UTC."""
        match self.expires:
            case datetime() as moment:
                return now >= (moment if moment.tzinfo else moment.replace(tzinfo=UTC))
            case date() as day:
                return now.date() > day
        return False


class IdentityFile(BaseModel):
    """The whole file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    principal: list[Identity] = Field(default_factory=list)


def identify(database: Database, token: str, *, file: Path | None, address: str = "local") -> Principal:
    """Whoever has a token; raises TokenRefused, SettingsError."""
    found = _find_issued(database, token) or (_find_in_file(file, token) if file else None)
    if found is None:
        raise TokenRefused("the token names nobody: it is unknown, has expired or was revoked")
    return replace(found, address=address)


def _find_issued(database: Database, token: str) -> Principal | None:
    id_ = id_of(token)
    stored = database.query(find_valid_token, id_) if id_ else None
    return stored.principal if stored is not None and is_token(token, stored.hash) else None


def _find_in_file(file: Path, token: str) -> Principal | None:
    now = datetime.now(UTC)
    known = read_identities(file)
    held = [each for each in known if is_token(token, each.token_sha256) and not each.has_expired(now)]
    return held[0].principal if held else None


def _require_apart(known: Sequence[tuple[Principal, str]]) -> None:
    tokens = [token for _, token in known]
    if twice := sorted({principal.name for principal, token in known if tokens.count(token) > 1}):
        raise UsageError(f"{', '.join(twice)} has the token of another principal")


def read_identities(file: Path) -> Iterable[Identity]:
    """The principals of a file; raises SettingsError, which says nothing of what stands in it."""
    try:
        found = IdentityFile(**tomllib.loads(file.read_text(encoding="utf-8"))).principal
        _require_apart([(each.principal, each.token_sha256) for each in found])
    except OSError as error:
        raise SettingsError(f"EMBEDMILL_IDENTITY_FILE cannot be read: {error.strerror}") from None
    except (ValidationError, UsageError, ValueError) as error:
        places = (
            ", ".join(sorted({".".join(map(str, e["loc"])) for e in error.errors()}))
            if isinstance(error, ValidationError)
            else str(error)
        )
        raise SettingsError(f"EMBEDMILL_IDENTITY_FILE is not as docs/access.md has it: {places}") from None
    warn_of_others(file, "identities.open_file")
    return found
