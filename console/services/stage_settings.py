"""What the stages of a query go by: what the query says goes over its collection, and that over the settings."""

from typing import Unpack

from embedmill.console.services.switches import Switches
from embedmill.retrieval.grading.staged import Depths, Weights
from embedmill.retrieval.stage_settings import StageModel, StageSettings
from embedmill.shared.collections import OFF, CollectionSettings, read_collection_settings
from embedmill.shared.db.collections import Collection
from embedmill.shared.errors import UsageError
from embedmill.shared.ledger import MOST_USD
from embedmill.shared.providers.rerankers.table import is_reranker
from embedmill.shared.runtime import Runtime
from embedmill.shared.settings import Settings

FAST_MODEL, RANK_MODEL = "anthropic/claude-haiku-5-5", "anthropic/claude-opus-4-7"


def read_stage_settings(runtime: Runtime, collection: Collection, **switches: Unpack[Switches]) -> StageSettings:
    """The settings of the stages for a query of a collection."""
    return settle_stages(runtime, read_collection_settings(collection.settings), **switches)


def settle_stages(runtime: Runtime, own: CollectionSettings, **switches: Unpack[Switches]) -> StageSettings:
    """The same, for a collection that has these settings."""
    general = runtime.settings
    fast = own.fast_model or general.fast_model or FAST_MODEL
    worded = OFF if is_reranker(fast) else fast
    rank = own.rank_model or general.rank_model or RANK_MODEL
    answer = own.answer_model or general.answer_model or rank
    ranks = _says(switches.get("rank"), otherwise=own.rank or (_is_set(general) and not own.unranked))
    normalises = _says(switches.get("normalise"), otherwise=own.normalise)
    decomposes = _says(switches.get("decompose"), otherwise=own.decompose)
    return StageSettings(
        ranks=ranks,
        expands=_says(switches.get("expand"), otherwise=own.expand),
        normalises=normalises,
        decomposes=decomposes,
        filter=_model(runtime, fast) if ranks else None,
        rank=_model(runtime, rank) if ranks else None,
        answer=_model(runtime, answer) if ranks else None,
        normalise=_model(runtime, worded) if normalises else None,
        decompose=_model(runtime, worded) if decomposes else None,
        domain=own.domain,
        weights=Weights(own.similarity_weight, 1 - own.similarity_weight),
        depths=Depths(own.candidates, own.ranked),
        word_weight=general.word_weight,
        max_usd=_first(_checked(switches.get("max_usd")), own.max_usd, general.query_max_usd),
    )


def _is_set(settings: Settings) -> bool:
    """Whether a setting says that models rank."""
    return any(name not in ("", OFF) for name in (settings.fast_model, settings.rank_model))


def _model(runtime: Runtime, name: str) -> StageModel | None:
    return None if name == OFF else StageModel(name, runtime.model_endpoint(name))


def _says(query: bool | None, *, otherwise: bool) -> bool:  # noqa: FBT001 - what a query says, if anything
    return otherwise if query is None else query


def _checked(max_usd: float | None) -> float | None:
    """The bound that a query names; raises UsageError for what is none."""
    if max_usd is not None and not 0 <= max_usd <= MOST_USD:
        raise UsageError(f"max_usd is {max_usd!r}, and not a number from 0 to {MOST_USD}")
    return max_usd


def _first(*sums: float | None) -> float | None:
    """The first that somebody named."""
    return next((usd for usd in sums if usd is not None), None)
