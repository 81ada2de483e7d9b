"""Tokens: making one, which is shown this once, listing them, and ending one."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from embedmill.console.rendering import LEFT_OUT
from embedmill.console.services.reach import every_reached
from embedmill.console.services.serving import Trace, serves
from embedmill.shared.access.principals import (
    Principal,
    Right,
    Role,
    read_collections,
    read_levels,
    require_name,
)
from embedmill.shared.access.tokens import make_token
from embedmill.shared.db import tokens
from embedmill.shared.db.tokens import StoredToken
from embedmill.shared.durations import moment
from embedmill.shared.errors import AccessDenied, NotFound, UsageError
from embedmill.shared.runtime import Runtime


@dataclass(frozen=True, slots=True)
class TokenReport:
    """A token; `*` is every collection or level. `token` is its text, which is shown once."""

    id: str
    name: str
    role: Role
    collections: Sequence[str]
    levels: Sequence[str]
    state: str
    created: datetime
    created_by: str
    expires: datetime | None
    revoked: datetime | None
    token: str | None = field(default=None, metadata=LEFT_OUT)


@dataclass(frozen=True, slots=True)
class TokenReports:
    """Tokens, the oldest first."""

    tokens: Sequence[TokenReport]


@dataclass(frozen=True, slots=True)
class RevokedToken:
    """A token that ended."""

    revoked: str


@serves("tokens.create", Right.MANAGE, every_reached, told=("role", "collections", "levels"))
def create_token(
    runtime: Runtime,
    name: str,
    *,
    role: Role = Role.VIEWER,
    collections: Sequence[str] = (),
    levels: Sequence[str] = (),
    seconds: float | None = None,
) -> TokenReport:
    """A token for somebody of that name, for so many seconds; raises UsageError, AccessDenied.

    Nobody gives away more than they have themselves.
    """
    caller = runtime.principal
    principal = Principal(require_name(name), role, read_collections(collections), read_levels(levels))
    _require_within(principal, caller)
    if seconds is not None and seconds <= 0:
        raise UsageError("a token that has expired when it is made is of no use", hint="Write for example 90d.")
    made = make_token()
    stored = runtime.database.transact(tokens.add_token, made, principal, by=caller.name, seconds=seconds)
    return _describe(stored, text=made.text)


def _require_within(principal: Principal, caller: Principal) -> None:
    if caller.collections is None:
        return
    if principal.collections is None or not principal.collections <= caller.collections:
        raise AccessDenied("a token can only be made for collections that you reach yourself")


@serves("tokens.list", Right.MANAGE, every_reached, trace=Trace.NOTHING)
def list_tokens(runtime: Runtime, *, ended: bool = False) -> TokenReports:
    """Tokens that can be used; with `ended`, also those that expired or were revoked."""
    caller = runtime.principal
    found = runtime.database.query(tokens.list_tokens, all_=ended)
    return TokenReports([_describe(stored) for stored in found if _is_seen_by(caller, stored)])


@serves("tokens.revoke", Right.MANAGE, every_reached, told=("id_",))
def revoke_token(runtime: Runtime, id_: str) -> RevokedToken:
    """End a token at once; raises NotFound."""
    caller = runtime.principal
    stored = runtime.database.query(tokens.find_token, id_)
    if stored is None or not _is_seen_by(caller, stored):
        raise _no_token(id_)
    if not runtime.database.transact(tokens.revoke_token, id_, by=caller.name):
        raise UsageError(f"token {id_} was revoked before")
    return RevokedToken(id_)


def _is_seen_by(caller: Principal, stored: StoredToken) -> bool:
    """Whether a token is for nothing but collections that the caller reaches."""
    if caller.collections is None:
        return True
    return stored.collections is not None and caller.collections.issuperset(stored.collections)


def _no_token(id_: str) -> NotFound:
    return NotFound(f"no token {id_!r}", hint="embedmill tokens list")


def _describe(stored: StoredToken, *, text: str | None = None) -> TokenReport:
    return TokenReport(
        id=stored.id,
        name=stored.name,
        role=Role(stored.role),
        collections=list(stored.collections or ("*",)),
        levels=list(stored.levels or ("*",)),
        state=_state(stored),
        created=moment(stored.created_at),
        created_by=stored.created_by,
        expires=None if stored.expires_at is None else moment(stored.expires_at),
        revoked=None if stored.revoked_at is None else moment(stored.revoked_at),
        token=text,
    )


def _state(stored: StoredToken) -> str:
    if stored.revoked_at is not None:
        return "revoked"
    return "expired" if stored.expires_at is not None and moment(stored.expires_at) <= datetime.now(UTC) else "valid"
