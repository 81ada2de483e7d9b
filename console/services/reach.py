"""Which collection a call is about, by what it was given; what a caller does not reach is as good as missing.

A scope is asked before its service: it raises what the service would raise for what is not there, and narrows what was
given to what the caller reaches.
"""

from collections.abc import Callable, MutableMapping
from dataclasses import replace
from typing import Any

from embedmill.shared.collections import read_collection_settings
from embedmill.shared.db import reach
from embedmill.shared.db.collections import Collection, no_collection
from embedmill.shared.db.transitions import no_job
from embedmill.shared.errors import AccessDenied, NotFound, UsageError
from embedmill.shared.privacy.labels import Reach, reach_of
from embedmill.shared.privacy.principals import Principal
from embedmill.shared.runtime import Runtime

Arguments = MutableMapping[str, Any]
Scope = Callable[[Runtime, Principal, Arguments], None]


def installation(_: Runtime, principal: Principal, given: Arguments) -> None:
    """All collections at once, or what is no collection's."""
    del given
    if principal.collections is not None:
        raise AccessDenied("this is about the whole installation")


def every_reached(_: Runtime, principal: Principal, given: Arguments) -> None:
    """As many collections as the caller reaches: the service itself leaves the others out."""
    del principal, given


def in_collection(name: str = "collection") -> Scope:
    """The collection that an argument names; without one, the only one that the caller reaches."""

    def scope(_: Runtime, principal: Principal, given: Arguments) -> None:
        given[name] = _reached(principal, given[name])

    return scope


def new_collection(name: str = "name") -> Scope:
    """The same of a collection that is to be made."""

    def scope(_: Runtime, principal: Principal, given: Arguments) -> None:
        if not principal.reaches(given[name]):
            raise AccessDenied(f"{principal.name} may not make a collection of that name")

    return scope


def in_job(name: str = "job_id") -> Scope:
    """The collection of a job."""

    def scope(runtime: Runtime, principal: Principal, given: Arguments) -> None:
        _require_job(runtime, principal, given[name])

    return scope


def in_letter(name: str = "number") -> Scope:
    """The collection of a dead letter."""

    def scope(runtime: Runtime, principal: Principal, given: Arguments) -> None:
        number = given[name]
        if principal.collections is not None:
            found = runtime.database.query(reach.find_letter_collection, number)
            if found is None or not principal.reaches(found):
                raise NotFound(f"no dead letter {number}", hint="embedmill dlq list --resolved")

    return scope


def in_letters(name: str = "wanted") -> Scope:
    """The collection of a filter of dead letters; messages that nobody could read are no collection's."""

    def scope(runtime: Runtime, principal: Principal, given: Arguments) -> None:
        wanted = given[name]
        if principal.collections is None:
            return
        if given.get("messages"):
            raise AccessDenied("unreadable messages are of the whole installation")
        if wanted is not None:
            given[name] = replace(wanted, collection=_reached(principal, wanted.collection))
            _require_job(runtime, principal, wanted.job)

    return scope


def in_documents(name: str = "query") -> Scope:
    """The collection of a query of documents."""

    def scope(runtime: Runtime, principal: Principal, given: Arguments) -> None:
        query = given[name]
        if principal.collections is not None:
            given[name] = replace(query, collection=_reached(principal, query.collection))
            _require_job(runtime, principal, query.job)

    return scope


def in_result(name: str = "result") -> Scope:
    """The collection in which a query was asked."""

    def scope(runtime: Runtime, principal: Principal, given: Arguments) -> None:
        result = given[name]
        if principal.collections is None and principal.reads_every_level:
            return
        if result == "last":
            raise UsageError("the newest result may be somebody else's", hint="Name the result by its id.")
        found = runtime.database.query(reach.find_result_collection, result)
        if found is None or not principal.reaches(found):
            hint = "A result's id is in the JSON of search and ask; records are forgotten in time."
            raise NotFound(f"no result {result!r} is recorded", hint=hint)

    return scope


def _reached(principal: Principal, collection: Any) -> Any:
    if collection is None:
        return _only(principal)
    if isinstance(collection, str) and not principal.reaches(collection):
        raise no_collection(collection)
    return collection


def _only(principal: Principal) -> str | None:
    match sorted(principal.collections or ()):
        case [] if principal.collections is None:
            return None
        case [only]:
            return only
        case several:
            raise UsageError("which collection?", hint=f"Give --collection: {', '.join(several)}.")


def _require_job(runtime: Runtime, principal: Principal, job_id: int | None) -> None:
    if principal.collections is None or job_id is None:
        return
    found = runtime.database.query(reach.find_job_collection, job_id)
    if found is None or not principal.reaches(found):
        raise no_job(job_id)


def reach_within(principal: Principal, collection: Collection) -> Reach | None:
    """What somebody sees of a collection; None where that is everything."""
    if principal.reads_every_level:
        return None
    settings = read_collection_settings(collection.settings)
    return reach_of(principal, access=settings.access, owner=settings.owner)
