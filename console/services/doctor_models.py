"""What `doctor` tries of models: each that collections or queries use, with its key, its price and its limits."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from embedmill.shared.errors import EmbedmillError, SettingsError, UnknownPrice
from embedmill.shared.providers.endpoints import (
    EMBEDDINGS,
    MODELS,
    RERANKERS,
    describe_endpoint,
    find_variable,
    is_vendor_endpoint,
)
from embedmill.shared.runtime import Runtime

if TYPE_CHECKING:
    from embedmill.shared.collections import CollectionSettings

SHOWN_USERS = 3


def probe_embedders(runtime: Runtime) -> str:
    """Of new collections and of those that there are: a sentence is embedded, so that the key is tried."""
    from embedmill.shared.spend.metering import LedgerMeter, metered

    _open_shared(runtime)

    def try_one(name: str) -> str:
        embedder = runtime.embedder(name)
        with _naming(EMBEDDINGS, embedder):
            metered(embedder, LedgerMeter(runtime.spender)).embed_batch(["a sentence to embed"], input_type="document")
        return f"{embedder.model}, {embedder.dimensions} dimensions{_where(embedder.endpoint)}"

    return _try_each(_find_users(runtime, "embedding"), try_one)


def probe_validators(runtime: Runtime) -> str:
    """Of new collections and of those that there are; a model's key is tried without a call that costs something."""
    from embedmill.shared.providers.models.table import is_model

    _usual(runtime)  # raises SettingsError for a name that is none, and for a policy
    models = {name: users for name, users in _find_users(runtime, "validator").items() if is_model(name)}
    if not models:
        return f"{runtime.settings.validator}; no model is asked"
    _open_shared(runtime)

    def try_one(name: str) -> str:
        model = runtime.model(name)
        with _naming(MODELS, model):
            return f"{model.check()}{_where(model.endpoint)}"

    return _try_each(models, try_one)


def probe_query_models(runtime: Runtime) -> str:
    """The models that take part in queries, by the settings and by those of collections, tried for nothing."""
    from embedmill.console.services.lanes import require_stage_price
    from embedmill.console.services.stage_settings import settle_stages
    from embedmill.shared.providers.rerankers.table import is_reranker

    users: dict[str, list[str]] = {}
    for user, own in _list_settings(runtime):
        for name in dict.fromkeys(model.name for model in settle_stages(runtime, own).models):
            users.setdefault(name, []).append(user)
    if users:
        _open_shared(runtime)

    def try_one(name: str) -> str:
        require_stage_price(runtime, name)
        model = runtime.reranker(name) if is_reranker(name) else runtime.model(name)
        with _naming(RERANKERS if is_reranker(name) else MODELS, model):
            return f"{model.check()}{_where(model.endpoint)}"

    return _try_each(users, try_one) or "no model takes part in them"


def probe_prices(runtime: Runtime) -> str:
    """Whether the files of prices can be read, and whether what is paid for has one."""
    from embedmill.console.services.lanes import require_prices

    prices = runtime.spender.prices  # raises SettingsError for a file that is none
    lacking: dict[str, list[str]] = {}
    hint = ""
    for user, own in _list_settings(runtime):
        try:
            require_prices(runtime, own)
        except UnknownPrice as error:
            lacking.setdefault(str(error), []).append(user)
            hint = error.hint
        except EmbedmillError:
            continue  # the check of the models names it
    if lacking:
        raise EmbedmillError("; ".join(f"{text}, for {_several(users)}" for text, users in lacking.items()), hint=hint)
    warning = "; warning: a call without a price is let through" if prices.allow_unpriced else ""
    return f"known for all that is paid for{warning}"


def _open_shared(runtime: Runtime) -> None:
    """What every call needs, so that its fault is told as one: raises SettingsError for prices, and what limits do.

    Keys that were refused are asked about anew: what was known of them may have been mended at the vendor.
    """
    _ = runtime.spender.prices
    probe_limits(runtime)
    runtime.spender.keys.end_rests()


def probe_limits(runtime: Runtime) -> str:
    """Whether processes can tell each other of providers' limits, refused keys and circuits."""
    from embedmill.shared.spend.keys import KEYS
    from embedmill.shared.spend.shared_state import is_in_redis

    runtime.spender.state.peek(KEYS)
    unknown = [f"; warning: EMBEDMILL_LIMITS names nobody that is asked: {name}" for name in _find_unlimited(runtime)]
    return f"shared in {'Redis' if is_in_redis(runtime.settings) else 'the database'}{''.join(unknown)}"


def _find_unlimited(runtime: Runtime) -> Iterator[str]:
    """The names in EMBEDMILL_LIMITS of which there is no provider: they limit nothing."""
    from embedmill.shared.near_names import did_you_mean
    from embedmill.shared.providers.embeddings.table import EMBEDDERS
    from embedmill.shared.providers.models.table import MODELS

    known = sorted({name.partition("/")[0] for name in (*EMBEDDERS, *MODELS)})
    for name in runtime.settings.limits:
        if name.partition("/")[0] not in known:
            yield f"{name}{did_you_mean(name.partition('/')[0], known)}"


def _list_settings(runtime: Runtime) -> Iterator[tuple[str, "CollectionSettings"]]:
    """Those of new collections and of those that there are, each with its name for people."""
    from embedmill.shared.collections import read_collection_settings
    from embedmill.shared.db import collections

    yield "new collections", _usual(runtime)
    for found in runtime.database.query(collections.list_collections):
        yield f"collection {found.name}", read_collection_settings(found.settings)


def _usual(runtime: Runtime) -> "CollectionSettings":
    from embedmill.producers.submission import usual_settings

    return usual_settings(runtime.settings)


def _where(endpoint: str) -> str:
    """Who answers, where that is not the vendor: a simulator's verdicts and vectors are no vendor's."""
    return "" if is_vendor_endpoint(endpoint) else f", of {describe_endpoint(endpoint)}"


class _Asked(Protocol):
    """Whoever is asked for a provider."""

    @property
    def provider(self) -> str:
        """Its name."""

    @property
    def endpoint(self) -> str:
        """Where it is asked; empty for the vendor."""


@contextmanager
def _naming(family: str, asked: _Asked) -> Iterator[None]:
    """What goes wrong elsewhere than at the vendor says where, and by which variable it was asked there."""
    try:
        yield
    except SettingsError:
        raise  # nobody was asked
    except EmbedmillError as error:
        if is_vendor_endpoint(asked.endpoint):
            raise
        variable = find_variable(family, asked.provider)
        hint = f"{variable} says where: start what answers there, correct it, or unset it." if variable else ""
        raise EmbedmillError(f"{error}{_where(asked.endpoint)}", hint=error.hint or hint) from None


def _find_users(runtime: Runtime, setting: str) -> dict[str, list[str]]:
    """By the name of a model, who uses it: new collections, and those that there are."""
    users: dict[str, list[str]] = {}
    for user, own in _list_settings(runtime):
        users.setdefault(str(getattr(own, setting)), []).append(user)
    return users


def _several(users: Sequence[str]) -> str:
    """The first of them, and how many more there are."""
    more = f" and {len(users) - SHOWN_USERS} more" if len(users) > SHOWN_USERS else ""
    return f"{', '.join(users[:SHOWN_USERS])}{more}"


def _try_each(users: Mapping[str, Sequence[str]], try_one: Callable[[str], str]) -> str:
    """What every model says; raises EmbedmillError with all that is wrong, and who has to do without."""
    told, wrong = [], []
    for name, using in users.items():
        try:
            told.append(try_one(name))
        except EmbedmillError as error:
            wrong.append((f"{name}, of {_several(using)}: {error}", error.hint))
    if wrong:
        hints = dict.fromkeys(hint for _, hint in wrong if hint)
        raise EmbedmillError("; ".join(text for text, _ in wrong), hint=" ".join(hints))
    return "; ".join(told)
