"""Who ranks what a search finds: models, where a setting, the collection or the query says so."""

from collections.abc import Mapping, Sequence
from typing import Any

from embedmill.retrieval.grading.grader import Judges
from embedmill.retrieval.grading.staged import Judge, Prompted
from embedmill.shared.collections import read_collection_settings
from embedmill.shared.db.collections import Collection
from embedmill.shared.db.verdict_cache import VerdictCache
from embedmill.shared.db.verdicts import VerdictOrigin
from embedmill.shared.metering import Tally
from embedmill.shared.runtime import Runtime
from embedmill.shared.spend.metering import LedgerMeter

FAST_MODEL, RANK_MODEL = "anthropic/claude-haiku-5-5", "anthropic/claude-opus-4-7"
OFF = "off"


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


def is_ranked(runtime: Runtime, collection: Collection, *, asked: bool | None) -> bool:
    """Whether models rank a search: what the query says, else what the collection or a setting does."""
    settings = runtime.settings
    by_setting = any(name not in ("", OFF) for name in (settings.fast_model, settings.rank_model))
    return asked if asked is not None else read_collection_settings(collection.settings).rank or by_setting


def open_judges(runtime: Runtime, collection: Collection, tally: Tally) -> Judges:
    """The models that rank; raises SettingsError and MissingExtra for those that cannot be had."""
    settings = runtime.settings
    sift = _open(runtime, collection, settings.fast_model or FAST_MODEL, tally)
    rank = _open(runtime, collection, settings.rank_model or RANK_MODEL, tally)
    return Judges(sift, rank, read_collection_settings(collection.settings).domain)


def _open(runtime: Runtime, collection: Collection, name: str, tally: Tally) -> Judge | None:
    if name == OFF:
        return None
    meter = LedgerMeter(runtime.spender, collection_id=collection.id, tally=tally)
    seconds = runtime.settings.rank_seconds
    return Judge(runtime.model(name), meter, KeptAnswers(runtime), seconds=seconds, stage_seconds=seconds)
