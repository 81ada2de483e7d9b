"""Obtains verdicts: from the cache, from another worker that is asking at this moment, or from the model."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from embedmill.shared.caches.verdicts import VerdictCache
from embedmill.shared.db.verdicts import Origin
from embedmill.shared.errors import EmbedmillError
from embedmill.shared.presence import is_gone
from embedmill.shared.providers.models.base import Model
from embedmill.shared.providers.models.metering import Meter
from embedmill.shared.runtime import Runtime
from embedmill.workers.validation.calls import verdict_prompt
from embedmill.workers.validation.judging import Judged, judge
from embedmill.workers.validation.subject import Subject
from embedmill.workers.validation.verdict import Verdict, verdict_from_json

# How long chunks stay reserved; a process that dies on this host frees them at once.
HELD_SECONDS = 600.0
LOOK_AGAIN_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Opinion:
    """A verdict, and whether a person has accepted or rejected it."""

    verdict: Verdict
    decision: str | None = None


@dataclass(slots=True)
class Obtained:
    """Opinions and errors by address; `judged` is what the model was asked for here, `cached` came for nothing."""

    opinions: dict[str, Opinion] = field(default_factory=dict)
    errors: dict[str, EmbedmillError] = field(default_factory=dict)
    judged: Judged = field(default_factory=Judged)
    cached: int = 0
    cached_tokens: int = 0


def judge_name(model: Model) -> str:
    """Whom a verdict is from: part of its content address."""
    return name_judge(model.name, model.endpoint)


def name_judge(model: str, endpoint: str) -> str:
    """The same by the model's name and who answers for it, without opening it."""
    return f"{model} {verdict_prompt().hash} {endpoint}".rstrip()


def obtain_verdicts(
    runtime: Runtime, model: Model, subjects: Sequence[Subject], *, meter: Meter, concurrency: int
) -> Obtained:
    """Opinions on all subjects, or errors.

    What another worker asks about is waited for; one's own share comes first, so that two workers never wait for each
    other.
    """
    prompt = verdict_prompt()
    cache = VerdictCache(runtime.database, Origin(model.name, prompt.name, prompt.hash))
    obtained = Obtained()
    known = {subject.address: subject for subject in subjects}
    missing = _take_known(cache, known, obtained)
    obtained.cached = len(obtained.opinions)
    obtained.cached_tokens = sum(known[address].tokens for address in obtained.opinions)
    while missing:
        mine = cache.reserve(list(missing), owner=runtime.owner, seconds=HELD_SECONDS)
        if mine:
            share = [subject for address, subject in missing.items() if address in mine]
            judged = _judge_share(runtime, cache, model, share, meter=meter, concurrency=concurrency)
            _add(obtained, judged)
        else:
            _await_others(runtime, cache, list(missing))
        left = {a: s for a, s in missing.items() if a not in obtained.errors}
        missing = _take_known(cache, left, obtained)
    return obtained


def find_opinions(cache: VerdictCache, addresses: Sequence[str]) -> dict[str, Opinion]:
    """What the cache can give back; what it cannot is dropped there, and is as if it had never been."""
    stored = cache.get_many(addresses)
    read = {address: verdict_from_json(found.text) for address, found in stored.items()}
    damaged = {address: stored[address] for address, verdict in read.items() if verdict is None}
    if damaged:
        cache.drop_damaged(damaged)
    return {a: Opinion(verdict, stored[a].decision) for a, verdict in read.items() if verdict is not None}


def _take_known(cache: VerdictCache, missing: Mapping[str, Subject], obtained: Obtained) -> dict[str, Subject]:
    known = find_opinions(cache, list(missing))
    obtained.opinions |= known
    return {address: subject for address, subject in missing.items() if address not in known}


def _judge_share(
    runtime: Runtime,
    cache: VerdictCache,
    model: Model,
    share: Sequence[Subject],
    *,
    meter: Meter,
    concurrency: int,
) -> Judged:
    def store(verdicts: Mapping[str, Verdict]) -> None:
        cache.put_many({address: verdict.as_json() for address, verdict in verdicts.items()})

    try:
        return judge(share, store, model=model, meter=meter, concurrency=concurrency)
    finally:
        cache.release(runtime.owner)


def _add(obtained: Obtained, judged: Judged) -> None:
    obtained.errors |= judged.errors
    obtained.judged.calls += judged.calls
    obtained.judged.tokens_in += judged.tokens_in
    obtained.judged.tokens_out += judged.tokens_out


def _await_others(runtime: Runtime, cache: VerdictCache, addresses: Sequence[str]) -> None:
    """Wait a moment for whoever holds the addresses; what a dead process held is free."""
    for holder in cache.find_holders(addresses):
        if is_gone(runtime.run_folder, holder):
            cache.release(holder)
    time.sleep(LOOK_AGAIN_SECONDS)
