"""What questions are understood by: the collection's terms, where the collection or the query says so."""

from functools import cache

from embedmill.console.services.keeping import Keeping, open_memory
from embedmill.retrieval.stage_settings import StageModel, StageSettings
from embedmill.retrieval.understanding.dividing import Divider
from embedmill.retrieval.understanding.thesaurus import Thesaurus
from embedmill.retrieval.understanding.understanding import NOT_WANTED, Understanding
from embedmill.shared.db.collections import Collection
from embedmill.shared.db.terms import list_terms
from embedmill.shared.metering import Tally
from embedmill.shared.runtime import Runtime
from embedmill.shared.spend.metering import LedgerMeter

MOST_TERMS = 5_000
"""Terms of a collection that queries are expanded by, those of the most documents first."""


NO_MODEL = "no model is set for it"


def open_understanding(
    runtime: Runtime, collection: Collection, stages: StageSettings, tally: Tally, keeping: Keeping | None
) -> Understanding:
    """What the questions of a collection are understood by; models are opened when one is asked."""
    model = stages.decompose
    return Understanding(
        cache(lambda: _thesaurus(runtime, collection.id)) if stages.expands else None,
        None
        if model is None
        else cache(lambda: _open_divider(runtime, collection, model, stages.domain, tally, keeping)),
        "" if model is None else model.name,
        NO_MODEL if stages.decomposes else NOT_WANTED,
    )


def _open_divider(
    runtime: Runtime,
    collection: Collection,
    model: StageModel,
    domain: str,
    tally: Tally,
    keeping: Keeping | None,
) -> Divider:
    """Raises SettingsError and MissingExtra for a model that cannot be had."""
    meter = LedgerMeter(runtime.spender, collection_id=collection.id, tally=tally)
    seconds = runtime.settings.search_seconds
    return Divider(runtime.model(model.name), meter, open_memory(keeping, tally), domain, seconds=seconds)


def _thesaurus(runtime: Runtime, collection_id: int) -> Thesaurus:
    terms = runtime.database.query(lambda connection: list_terms(connection, collection_id, limit=MOST_TERMS))
    return Thesaurus([term["term"], *(found["synonym"] for found in term["synonyms"])] for term in terms)
