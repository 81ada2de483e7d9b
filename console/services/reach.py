"""Which collection a call is about, by what it was given; what a caller does not reach is as good as missing.

A scope is asked before its service: it raises what the service would raise for what is not there, and narrows what was
given to what the caller reaches.
"""

from collections.abc import Callable, MutableMapping
from dataclasses import replace
from typing import Any

from embedmill.console.usual import DEFAULT, USUAL
from embedmill.shared.access.labels import Reach, reach_of
from embedmill.shared.access.principals import Principal
from embedmill.shared.collections import read_collection_settings
from embedmill.shared.db import reach
from embedmill.shared.db.collections import Collection, list_collections, no_collection
from embedmill.shared.db.engine import Connection
from embedmill.shared.db.transitions import no_job
from embedmill.shared.errors import AccessDenied, NotFound, UsageError
from embedmill.shared.runtime import Runtime

Arguments = MutableMapping[str, Any]
Scope = Callable[[Runtime, Principal, Arguments], str | None]


def installation(_: Runtime, principal: Principal, given: Arguments) -> str | None:
    """All collections at once, or what is no collection's."""
    del given
    if principal.collections is not None:
        raise AccessDenied("this is about the whole installation")
    return None


def every_reached(_: Runtime, principal: Principal, given: Arguments) -> str | None:
    """As many collections as the caller reaches: the service itself leaves the others out."""
    del principal, given
    return None


def in_collection(name: str = "collection") -> Scope:
    """The collection that an argument names; without one, the only one that the caller reaches."""

    def scope(_: Runtime, principal: Principal, given: Arguments) -> str | None:
        found = given[name] = _reached(principal, given[name])
        return found if isinstance(found, str) else None

    return scope


def new_collection(name: str = "name") -> Scope:
    """The same of a collection that is to be made."""

    def scope(_: Runtime, principal: Principal, given: Arguments) -> str | None:
        if not principal.reaches(given[name]):
            raise AccessDenied(f"{principal.name} may not make a collection of that name")
        return None

    return scope


def in_job(name: str = "job_id") -> Scope:
    """The collection of a job."""

    def scope(runtime: Runtime, principal: Principal, given: Arguments) -> str | None:
        return _require_job(runtime, principal, given[name])

    return scope


def in_letter(name: str = "number") -> Scope:
    """The collection of a dead letter."""

    def scope(runtime: Runtime, principal: Principal, given: Arguments) -> str | None:
        number = given[name]
        found = runtime.database.query(reach.find_letter_collection, number)
        if principal.collections is not None and (found is None or not principal.reaches(found)):
            raise NotFound(f"no dead letter {number}", hint="embedmill dlq list --resolved")
        return found

    return scope


def in_letters(name: str = "wanted") -> Scope:
    """The collection of a filter of dead letters; messages that nobody could read are no collection's."""

    def scope(runtime: Runtime, principal: Principal, given: Arguments) -> str | None:
        wanted = given[name]
        if principal.collections is None:
            return _collection_of(wanted)
        if given.get("messages"):
            raise AccessDenied("unreadable messages are of the whole installation")
        if wanted is not None:
            given[name] = replace(wanted, collection=_reached(principal, wanted.collection))
            _require_job(runtime, principal, wanted.job)
        return _collection_of(given[name])

    return scope


def in_documents(name: str = "query") -> Scope:
    """The collection of a query of documents."""

    def scope(runtime: Runtime, principal: Principal, given: Arguments) -> str | None:
        query = given[name]
        if principal.collections is not None:
            given[name] = replace(query, collection=_reached(principal, query.collection))
            _require_job(runtime, principal, query.job)
        found: str | None = given[name].collection
        return found

    return scope


def in_result(name: str = "result") -> Scope:
    """The collection in which a query was asked."""

    def scope(runtime: Runtime, principal: Principal, given: Arguments) -> str | None:
        result = given[name]
        # This process may have asked it a moment ago.
        runtime.query_log.flush()
        whole = principal.collections is None and principal.reads_every_level
        if whole:
            return runtime.database.query(reach.find_result_collection, result)
        if result == "last":
            raise UsageError(
                "the newest result may be somebody else's",
                hint="Name it by the `id` in the JSON of search and ask (--json).",
            )
        found = runtime.database.query(reach.find_result_collection, result)
        if found is None or not principal.reaches(found):
            hint = "A result's id is in the JSON of search and ask; records are forgotten in time."
            raise NotFound(f"no result {result!r} is recorded", hint=hint)
        return found

    return scope


def _collection_of(wanted: Any) -> str | None:
    return None if wanted is None else wanted.collection


def _reached(principal: Principal, collection: Any) -> Any:
    if collection == USUAL:
        collection = DEFAULT if principal.reaches(DEFAULT) else None
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


def _require_job(runtime: Runtime, principal: Principal, job_id: int | None) -> str | None:
    if job_id is None:
        return None
    found = runtime.database.query(reach.find_job_collection, job_id)
    if principal.collections is not None and (found is None or not principal.reaches(found)):
        raise no_job(job_id)
    return found


def reaches_of(principal: Principal, connection: Connection) -> dict[int, Reach] | None:
    """What somebody sees of each collection that they reach, by its id; None where that is everything."""
    if principal.reads_every_level:
        return None
    reached = [collection for collection in list_collections(connection) if principal.reaches(collection.name)]
    each = {collection.id: reach_within(principal, collection) for collection in reached}
    return {id_: reach for id_, reach in each.items() if reach is not None}


def reach_within(principal: Principal, collection: Collection) -> Reach | None:
    """What somebody sees of a collection; None where that is everything."""
    if principal.reads_every_level:
        return None
    settings = read_collection_settings(collection.settings)
    return reach_of(principal, access=settings.access, owner=settings.owner)
