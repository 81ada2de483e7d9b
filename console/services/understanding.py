"""What questions are understood by: the collection's terms, and models where the collection or the query says so."""

from collections.abc import Sequence
from functools import cache

from embedmill.console.services.keeping import Keeping, open_memory
from embedmill.console.services.reach import reach_within
from embedmill.retrieval.expansion.thesaurus import Thesaurus
from embedmill.retrieval.stage_settings import StageModel, StageSettings
from embedmill.retrieval.understanding.asking import Adviser
from embedmill.retrieval.understanding.understanding import NOT_WANTED, Advised, Understanding
from embedmill.retrieval.understanding.vocabulary import Vocabulary
from embedmill.shared.access.labels import Reach
from embedmill.shared.db.collection_changes import count_changes
from embedmill.shared.db.collections import Collection
from embedmill.shared.db.engine import Connection
from embedmill.shared.db.terms import list_terms
from embedmill.shared.metering import Tally
from embedmill.shared.runtime import Runtime
from embedmill.shared.spend.metering import LedgerMeter

MOST_TERMS = 5_000
"""Terms of a collection that queries are understood by, those of the most documents first."""
NO_MODEL = "no model is set for it"


def open_understanding(
    runtime: Runtime, collection: Collection, stages: StageSettings, tally: Tally, keeping: Keeping | None
) -> Understanding:
    """What the questions of a collection are understood by; models are opened when one is asked."""
    groups = cache(lambda: _find_terms(runtime, collection))

    def advised(model: StageModel | None, *, wanted: bool) -> Advised:
        if model is None:
            return Advised(why=NO_MODEL if wanted else NOT_WANTED)
        return Advised(cache(lambda: _open(runtime, collection, model, stages, tally, keeping)), model.name)

    return Understanding(
        cache(lambda: Thesaurus(groups())) if stages.expands else None,
        advised(stages.decompose, wanted=stages.decomposes),
        advised(stages.normalise, wanted=stages.normalises),
        cache(lambda: Vocabulary(groups(), stages.domain)),
    )


def _open(
    runtime: Runtime,
    collection: Collection,
    model: StageModel,
    stages: StageSettings,
    tally: Tally,
    keeping: Keeping | None,
) -> Adviser:
    """Raises SettingsError and MissingExtra for a model that cannot be had."""
    meter = LedgerMeter(runtime.spender, collection_id=collection.id, tally=tally)
    seconds = runtime.settings.search_seconds
    return Adviser(runtime.model(model.name), meter, open_memory(keeping, tally), stages.domain, seconds=seconds)


def _find_terms(runtime: Runtime, collection: Collection) -> Sequence[Sequence[str]]:
    """Each term with its synonyms, read again when the collection has changed.

    Whoever reads some levels only has those of the documents that they see, read each time.
    """
    reach = reach_within(runtime.principal, collection)
    if reach is not None:
        return runtime.database.query(_list_groups, collection.id, reach)

    def find(connection: Connection) -> tuple[int, Sequence[Sequence[str]]]:
        changes = count_changes(connection, collection.id)
        known = runtime.terms.get(collection.id)
        return known if known and known[0] == changes else (changes, _list_groups(connection, collection.id))

    runtime.terms[collection.id] = found = runtime.database.query(find)
    return found[1]


def _list_groups(connection: Connection, collection_id: int, reach: Reach | None = None) -> Sequence[Sequence[str]]:
    terms = list_terms(connection, collection_id, limit=MOST_TERMS, reach=reach)
    return [[term["term"], *(found["synonym"] for found in term["synonyms"])] for term in terms]
