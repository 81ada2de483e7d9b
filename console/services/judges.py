"""Who ranks what a search finds: models, where a setting, the collection or the query says so."""

from collections.abc import Mapping, Sequence
from typing import Any

from embedmill.retrieval.grading.grader import Judges
from embedmill.retrieval.grading.staged import Judge, Prompted
from embedmill.retrieval.stage_settings import StageModel, StageSettings
from embedmill.shared.db.collections import Collection
from embedmill.shared.db.verdict_cache import VerdictCache
from embedmill.shared.db.verdicts import VerdictOrigin
from embedmill.shared.metering import Tally
from embedmill.shared.runtime import Runtime
from embedmill.shared.spend.metering import LedgerMeter


class KeptAnswers:
    """What models answered, in the tracking database, beside the verdicts on chunks."""

    def __init__(self, runtime: Runtime) -> None:
        self._database = runtime.database

    def recall(self, addresses: Sequence[str]) -> Mapping[str, str]:
        """Those that are known, as they were stored."""
        return {address: found.text for address, found in VerdictCache(self._database).get_many(addresses).items()}

    def keep(self, answers: Mapping[str, Mapping[str, Any]], question: Prompted) -> None:
        """Keep them, with the model and the prompt that they are from."""
        if answers:
            origin = VerdictOrigin(question.model.name, question.prompt.name, question.prompt.hash)
            stored = {address: {"source": "model", **answer} for address, answer in answers.items()}
            VerdictCache(self._database, origin).put_many(stored)


def open_judges(runtime: Runtime, collection: Collection, stages: StageSettings, tally: Tally) -> Judges | None:
    """The models that rank and answer, None where none are wanted.

    Raises SettingsError and MissingExtra for those that cannot be had.
    """
    if not stages.ranks:
        return None
    sift, rank, answer = (
        _open(runtime, collection, model, tally) for model in (stages.filter, stages.rank, stages.answer)
    )
    return Judges(sift, rank, answer, stages.domain, stages.weights, stages.depths)


def _open(runtime: Runtime, collection: Collection, model: StageModel | None, tally: Tally) -> Judge | None:
    if model is None:
        return None
    meter = LedgerMeter(runtime.spender, collection_id=collection.id, tally=tally)
    seconds = runtime.settings.rank_seconds
    return Judge(runtime.model(model.name), meter, KeptAnswers(runtime), seconds=seconds, stage_seconds=seconds)
