"""What questions are understood by: the collection's terms, where the collection or the query says so."""

from functools import cache
from typing import Unpack

from embedmill.console.services.judges import FAST_MODEL, OFF, KeptAnswers
from embedmill.console.services.switches import Switches
from embedmill.retrieval.understanding.dividing import Divider
from embedmill.retrieval.understanding.thesaurus import Thesaurus
from embedmill.retrieval.understanding.understanding import NOT_WANTED, Understanding
from embedmill.shared.collections import read_collection_settings
from embedmill.shared.db.collections import Collection
from embedmill.shared.db.terms import list_terms
from embedmill.shared.metering import Tally
from embedmill.shared.runtime import Runtime
from embedmill.shared.spend.metering import LedgerMeter

MOST_TERMS = 5_000
"""Terms of a collection that queries are expanded by, those of the most documents first."""


NO_MODEL = "no model is set for it"


def open_understanding(
    runtime: Runtime, collection: Collection, tally: Tally, **switches: Unpack[Switches]
) -> Understanding:
    """What the questions of a collection are understood by; models are opened when one is asked."""
    settings = read_collection_settings(collection.settings)
    model = runtime.settings.fast_model or FAST_MODEL
    expands = _says(switches.get("expand"), otherwise=settings.expand)
    is_wanted = _says(switches.get("decompose"), otherwise=settings.decompose)
    divides = is_wanted and model != OFF
    return Understanding(
        cache(lambda: _thesaurus(runtime, collection.id)) if expands else None,
        cache(lambda: _open_divider(runtime, collection, model, settings.domain, tally)) if divides else None,
        model if divides else "",
        NO_MODEL if is_wanted else NOT_WANTED,
    )


def _says(query: bool | None, *, otherwise: bool) -> bool:  # noqa: FBT001 - what a query says, if anything
    return otherwise if query is None else query


def _open_divider(runtime: Runtime, collection: Collection, model: str, domain: str, tally: Tally) -> Divider:
    """Raises SettingsError and MissingExtra for a model that cannot be had."""
    meter = LedgerMeter(runtime.spender, collection_id=collection.id, tally=tally)
    seconds = runtime.settings.search_seconds
    return Divider(runtime.model(model), meter, KeptAnswers(runtime), domain, seconds=seconds)


def _thesaurus(runtime: Runtime, collection_id: int) -> Thesaurus:
    terms = runtime.database.query(lambda connection: list_terms(connection, collection_id, limit=MOST_TERMS))
    return Thesaurus([term["term"], *(found["synonym"] for found in term["synonyms"])] for term in terms)
