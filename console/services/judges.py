"""Who ranks what a search finds: models, where a setting, the collection or the query says so."""

from embedmill.console.services.keeping import Keeping, open_memory
from embedmill.retrieval.grading.grader import Judges
from embedmill.retrieval.grading.reranking import VendorJudge
from embedmill.retrieval.grading.staged import Judge
from embedmill.retrieval.stage_settings import StageModel, StageSettings
from embedmill.shared.db.collections import Collection
from embedmill.shared.metering import Tally
from embedmill.shared.providers.rerankers.table import is_reranker
from embedmill.shared.runtime import Runtime
from embedmill.shared.spend.metering import LedgerMeter


def open_judges(
    runtime: Runtime, collection: Collection, stages: StageSettings, tally: Tally, keeping: Keeping | None
) -> Judges | None:
    """The models that rank and answer, None where none are wanted; what they say is kept where there is a keeping.

    Raises SettingsError and MissingExtra for those that cannot be had.
    """
    if not stages.ranks:
        return None
    rank, answer = (_open(runtime, collection, model, tally, keeping) for model in (stages.rank, stages.answer))
    sift = _open_sift(runtime, collection, stages.filter, tally, keeping)
    return Judges(sift, rank, answer, stages.domain, stages.weights, stages.depths)


def _open_sift(
    runtime: Runtime, collection: Collection, model: StageModel | None, tally: Tally, keeping: Keeping | None
) -> Judge | VendorJudge | None:
    if model is None or not is_reranker(model.name):
        return _open(runtime, collection, model, tally, keeping)
    meter = LedgerMeter(runtime.spender, collection_id=collection.id, tally=tally)
    return VendorJudge(runtime.reranker(model.name), meter, seconds=runtime.settings.rank_seconds)


def _open(
    runtime: Runtime, collection: Collection, model: StageModel | None, tally: Tally, keeping: Keeping | None
) -> Judge | None:
    if model is None:
        return None
    meter = LedgerMeter(runtime.spender, collection_id=collection.id, tally=tally)
    seconds, memory = runtime.settings.rank_seconds, open_memory(keeping, tally)
    return Judge(runtime.model(model.name), meter, memory, seconds=seconds, stage_seconds=seconds)
