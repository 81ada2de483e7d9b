"""Obtains verdicts: from the cache, from another worker that is asking at this moment, or from the model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from embedmill.shared.asking.single_flight import SingleFlight
from embedmill.shared.db.verdict_cache import VerdictCache
from embedmill.shared.db.verdicts import VerdictOrigin
from embedmill.shared.errors import EmbedmillError
from embedmill.shared.metering import Meter
from embedmill.shared.privacy.verdict_seals import VerdictSeals
from embedmill.shared.providers.models.base import Model
from embedmill.shared.runtime import Runtime
from embedmill.workers.validation.judging import Store, judge
from embedmill.workers.validation.passages import ChunkPassage
from embedmill.workers.validation.verdict import Verdict
from embedmill.workers.validation.wording import verdict_prompt

# How long chunks stay reserved; a process that dies on this host frees them at once.
RESERVED_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class Opinion:
    """A verdict, and whether a person has accepted or rejected it."""

    verdict: Verdict
    decision: str | None = None


@dataclass(slots=True)
class Obtained:
    """Opinions and errors by address; `cached` came for nothing."""

    opinions: dict[str, Opinion] = field(default_factory=dict)
    errors: dict[str, EmbedmillError] = field(default_factory=dict)
    cached: int = 0
    cached_tokens: int = 0


def judge_name(model: Model) -> str:
    """Whom a verdict is from: part of its content address."""
    return name_judge(model.name, model.endpoint)


def own_judge(runtime: Runtime, collection_id: int, judge: str) -> str:
    """The same for an encrypted collection, which has verdicts of its own: nobody tells texts by their addresses."""
    return runtime.vault.hash_of(collection_id, "judge", judge)


def name_judge(model: str, endpoint: str) -> str:
    """The same by the model's name and who answers for it, without opening it."""
    return f"{model} {verdict_prompt().hash} {endpoint}".rstrip()


def verdict_cache(runtime: Runtime, model: Model, collection_id: int | None = None) -> VerdictCache:
    """The cache for verdicts of a model by the present rubric, for a collection; for any that is not encrypted."""
    prompt = verdict_prompt()
    origin = VerdictOrigin(model.name, prompt.name, prompt.hash)
    if collection_id is None or not runtime.vault.is_encrypted(collection_id):
        return VerdictCache(runtime.database, origin)
    return VerdictCache(runtime.database, origin, VerdictSeals(runtime.vault, collection_id))


def store_verdicts(cache: VerdictCache) -> Store:
    """Stores verdicts in the cache."""

    def store(verdicts: Mapping[str, Verdict]) -> None:
        cache.put_many({address: verdict.as_json() for address, verdict in verdicts.items()})

    return store


def obtain_verdicts(
    runtime: Runtime,
    cache: VerdictCache,
    model: Model,
    passages: Sequence[ChunkPassage],
    *,
    meter: Meter,
    concurrency: int,
) -> Obtained:
    """Opinions on all passages, or errors; what another worker asks about is waited for."""
    flight = SingleFlight(cache, runtime.owner, runtime.run_folder, RESERVED_SECONDS)
    obtained = Obtained()
    known = {passage.address: passage for passage in passages}
    missing = _take_known(cache, known, obtained)
    obtained.cached = len(obtained.opinions)
    obtained.cached_tokens = sum(known[address].tokens for address in obtained.opinions)

    def ask(share: dict[str, ChunkPassage]) -> dict[str, EmbedmillError]:
        return judge(list(share.values()), store_verdicts(cache), model=model, meter=meter, concurrency=concurrency)

    while missing:
        obtained.errors |= flight.obtain(missing, find_known=lambda some: find_opinions(cache, some), ask=ask)
        left = {address: passage for address, passage in missing.items() if address not in obtained.errors}
        missing = _take_known(cache, left, obtained)
    return obtained


def find_opinions(cache: VerdictCache, addresses: Sequence[str]) -> dict[str, Opinion]:
    """What the cache can give back; what it cannot is dropped there, and is as if it had never been."""
    from embedmill.workers.validation.answers import verdict_from_json

    stored = cache.get_many(addresses)
    read = {address: verdict_from_json(found.text) for address, found in stored.items()}
    damaged = {address: stored[address] for address, verdict in read.items() if verdict is None}
    if damaged:
        cache.drop_damaged(damaged)
    return {a: Opinion(verdict, stored[a].decision) for a, verdict in read.items() if verdict is not None}


def _take_known(
    cache: VerdictCache, missing: Mapping[str, ChunkPassage], obtained: Obtained
) -> dict[str, ChunkPassage]:
    known = find_opinions(cache, list(missing))
    obtained.opinions |= known
    return {address: passage for address, passage in missing.items() if address not in known}
