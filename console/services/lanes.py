"""Prices and lanes of a collection's jobs: what has to be known before anything is submitted."""

from embedmill.console.listening import Listener, Notice
from embedmill.shared import stages
from embedmill.shared.collections import CollectionSettings, read_collection_settings
from embedmill.shared.db.collections import Collection
from embedmill.shared.errors import SettingsError, UnknownPrice
from embedmill.shared.ledger import EMBED, FREE_PROVIDERS, MESSAGE, Lane
from embedmill.shared.providers.names import ModelName
from embedmill.shared.providers.rerankers.table import is_reranker
from embedmill.shared.runtime import Runtime
from embedmill.shared.stages import Product

ENCRYPTED = "the collection is encrypted, and the batch lane keeps what tells texts apart"


def require_prices(runtime: Runtime, settings: CollectionSettings) -> None:
    """Raise UnknownPrice before anything is submitted that could not be paid for."""
    from embedmill.shared.providers.vectorstores.table import find_offer

    if ModelName.parse(settings.embedding).provider not in FREE_PROVIDERS:
        embedder = runtime.embedder(settings.embedding)
        runtime.spender.prices.find(embedder.provider, embedder.model, EMBED)
    validator = ModelName.parse(settings.validator)
    if validator.model and validator.provider not in FREE_PROVIDERS:
        runtime.spender.prices.find(validator.provider, validator.model, MESSAGE)
    if offer := find_offer(runtime.settings.vector_url):
        for operation in offer.operations:
            runtime.spender.prices.find(offer.provider, offer.model, operation)


def costs_money(runtime: Runtime, settings: CollectionSettings) -> bool:
    """Whether anything is paid for the documents of such a collection."""
    from embedmill.shared.providers.vectorstores.table import find_offer

    models = settings.gates or settings.audits
    is_free = ModelName.parse(settings.embedding).provider in FREE_PROVIDERS
    return not is_free or models or find_offer(runtime.settings.vector_url) is not None


def require_stage_price(runtime: Runtime, name: str) -> None:
    """Raise SettingsError for a model of a query's step that no query could pay for."""
    from embedmill.retrieval.grading.reranking import RERANK

    model = ModelName.parse(name)
    if not model.model:
        return  # no model is, as `off`, or what is no name of one and is refused as such
    try:
        runtime.spender.prices.find(model.provider, model.model, RERANK if is_reranker(name) else MESSAGE)
    except UnknownPrice as error:
        raise SettingsError(str(error), hint=error.hint) from None


def find_obstacles(runtime: Runtime, collection: Collection) -> dict[str, str | None]:
    """By what a collection's jobs call models for, why it goes at once even in the batch lane; None where it does not.

    What a model is asked beside the path, as for audits and terms, always goes at once.
    """
    from embedmill.shared.spend.lanes import find_obstacle

    settings = read_collection_settings(collection.settings)
    prices = runtime.spender.prices
    name = ModelName.parse(settings.embedding)
    if settings.encrypt:
        return dict.fromkeys((stages.maker(Product.VECTORS), stages.maker(Product.VERDICTS)), ENCRYPTED)
    found = {stages.maker(Product.VECTORS): find_obstacle(prices, name.provider, name.model, EMBED)}
    if settings.gates:
        judge = ModelName.parse(settings.validator)
        found[stages.maker(Product.VERDICTS)] = find_obstacle(prices, judge.provider, judge.model, MESSAGE)
    return found


def tell_obstacles(runtime: Runtime, collection: Collection, lane: Lane | None, listener: Listener) -> None:
    """Say what a job of the batch lane will not send there."""
    if lane is Lane.BULK:
        for stage, obstacle in find_obstacles(runtime, collection).items():
            if obstacle is not None:
                listener.on_notice(Notice(f"--lane bulk: {stage} goes live: {obstacle}"))
