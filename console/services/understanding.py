"""What questions are understood by: the collection's terms, where the collection or the query says so."""

from functools import cache

from embedmill.console.services.switches import Switches
from embedmill.retrieval.understanding.thesaurus import Thesaurus
from embedmill.retrieval.understanding.understanding import Understanding
from embedmill.shared.collections import read_collection_settings
from embedmill.shared.db.collections import Collection
from embedmill.shared.db.terms import list_terms
from embedmill.shared.runtime import Runtime

MOST_TERMS = 5_000
"""Terms of a collection that queries are expanded by, those of the most documents first."""


def open_understanding(runtime: Runtime, collection: Collection, switches: Switches) -> Understanding:
    """What the questions of a collection are understood by."""
    settings = read_collection_settings(collection.settings)
    expand = settings.expand if switches.get("expand") is None else switches["expand"]
    return Understanding(cache(lambda: _thesaurus(runtime, collection.id)) if expand else None)


def _thesaurus(runtime: Runtime, collection_id: int) -> Thesaurus:
    terms = runtime.database.query(lambda connection: list_terms(connection, collection_id, limit=MOST_TERMS))
    return Thesaurus([term["term"], *(found["synonym"] for found in term["synonyms"])] for term in terms)
