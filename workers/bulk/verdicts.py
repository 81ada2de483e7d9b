"""Verdicts by the batch lane: several chunks a request, as in calls at once, with the same second chances.

What a first answer left out is asked about once more in a later batch, what was refused as a whole is asked about alone
there, and what cannot be had then is judged by the rules, and recorded so.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import groupby

from embedmill.shared.asking.following import MODEL_REFUSED
from embedmill.shared.asking.question import Request
from embedmill.shared.caches.verdicts import VerdictCache
from embedmill.shared.db.bulk_lane import VERDICT, Entry, Want
from embedmill.shared.db.leases import Item
from embedmill.shared.db.verdicts import Origin
from embedmill.shared.errors import BlobMissing, EmbedmillError, InputRefused, ProviderRefused
from embedmill.shared.fence import Fence
from embedmill.shared.ledger import Tokens
from embedmill.shared.paging import pages
from embedmill.shared.providers.batches.base import Result
from embedmill.shared.providers.models.asking import MESSAGE
from embedmill.shared.providers.models.base import Answer, Model, Stop
from embedmill.shared.providers.models.counting import most_tokens
from embedmill.shared.runtime import Runtime
from embedmill.workers.bulk.question import Draft, Errand, Harvest
from embedmill.workers.bulk.waiting import Held, Question, hold
from embedmill.workers.chunking import ChunkSet, decode_chunk_set
from embedmill.workers.validation.judging import VerdictQuestion
from embedmill.workers.validation.obtaining import find_opinions, judge_name
from embedmill.workers.validation.passages import Passage, make_passages
from embedmill.workers.validation.verdict import Verdict, read_answer, verdict_by_rules
from embedmill.workers.validation.wording import MOST_CHUNKS, pack_passages, verdict_prompt, word_request

PAGE = 500
"""Chunk sets that are read together."""


def hold_subjects(
    runtime: Runtime, model: Model, items: Sequence[Item], subjects: Mapping[int, Sequence[Passage]]
) -> Held:
    """Keep back the documents whose verdicts are to come by the batch lane."""
    cache = _cache(runtime, model)
    question = Question(VERDICT, model.name, model.provider, model.model, MESSAGE)
    held = Held()
    for _, group in groupby(sorted(items, key=lambda item: item.job_id), key=lambda item: item.job_id):
        documents = list(group)

        def list_wants(documents: Sequence[Item] = documents) -> dict[int, list[Want]]:
            return {
                item.id: [
                    Want(subject.address, item.document_id, item.chunks_ref, None, subject.ordinal)
                    for subject in subjects[item.id]
                ]
                for item in documents
            }

        found = hold(
            runtime,
            documents,
            question,
            list_wants=list_wants,
            known=lambda some: find_opinions(cache, some).keys(),
        )
        held.outcomes |= found.outcomes
        held.paid |= found.paid
    return held


def _cache(runtime: Runtime, model: Model) -> VerdictCache:
    prompt = verdict_prompt()
    return VerdictCache(runtime.database, Origin(model.name, prompt.name, prompt.hash))


class SubjectErrand(Errand):
    """What is asked about chunks, and what becomes of the answers."""

    kind = VERDICT
    operation = MESSAGE
    entries_per_request = MOST_CHUNKS

    def __init__(self, runtime: Runtime, target: str) -> None:
        self._runtime = runtime
        self._model = runtime.model(target)
        self._cache = _cache(runtime, self._model)
        self.provider, self.model = self._model.provider, self._model.model
        self.key = self._model.key_hash

    def draft(self, entries: Sequence[Entry]) -> Draft:
        draft = Draft()
        known = find_opinions(self._cache, [entry.address for entry in entries])
        draft.known = [entry.id for entry in entries if entry.address in known]
        asked = [entry for entry in entries if entry.address not in known]
        subjects = self._read_subjects(asked)
        draft.gone = [entry.id for entry in asked if entry.address not in subjects]
        by_address = {entry.address: entry for entry in asked}
        for request in _plan([e for e in asked if e.address in subjects], subjects):
            prompt = word_request(request)
            draft.add(
                [by_address[subject.address] for subject in request.items],
                self._model.parameters(prompt, batch=True),
                most_tokens(self._model, prompt, batch=True),
                token=request.fence.token,
            )
        return draft

    def _read_subjects(self, entries: Sequence[Entry]) -> dict[str, Passage]:
        """Subjects by address; without those that are not what they were asked for as."""
        judge = judge_name(self._model)
        subjects: dict[str, Passage] = {}
        places = sorted({entry.chunks_ref for entry in entries if entry.chunks_ref is not None})
        for part in pages(places, PAGE):
            chunk_sets = self._read_chunk_sets(part)
            for entry in (e for e in entries if e.chunks_ref in chunk_sets):
                subject = _subject(chunk_sets[str(entry.chunks_ref)], entry, judge)
                if subject is not None:
                    subjects[entry.address] = subject
        return subjects

    def _read_chunk_sets(self, references: Sequence[str]) -> dict[str, ChunkSet]:
        chunk_sets = {}
        for reference, data in self._runtime.blobs.get_pack(list(references)).items():
            try:
                if not isinstance(data, BlobMissing):
                    chunk_sets[reference] = decode_chunk_set(data)
            except BlobMissing:
                continue
        return chunk_sets

    def read(self, sent: Mapping[int, Sequence[Entry]], results: Iterator[tuple[int, Result]]) -> Harvest:
        harvest = Harvest()
        subjects = self._read_subjects([entry for entries in sent.values() for entry in entries])
        for number, result in results:
            entries = sent.get(number, ())
            there = [entry for entry in entries if entry.address in subjects]
            # Without its text no answer can be checked; whoever waits is asked what became of it.
            harvest.returned |= {entry.id for entry in entries if entry.address not in subjects}
            at_most = partial(self._at_most, there, subjects) if len(there) == len(entries) else _unknown
            self._read_one(harvest, there, {e.address: subjects[e.address] for e in there}, result, at_most=at_most)
        if harvest.refused >= VerdictQuestion.most_refused and not harvest.succeeded:
            harvest.blame(ProviderRefused(f"{self._model.name} refuses every chunk: {harvest.last_refusal}"))
        else:
            self._keep({address: verdict_by_rules(body, fallback=why) for address, body, why in harvest.left.values()})
        return harvest

    def _read_one(
        self,
        harvest: Harvest,
        entries: Sequence[Entry],
        subjects: Mapping[str, Passage],
        result: Result,
        *,
        at_most: Callable[[], Tokens | None],
    ) -> None:
        if result.body is None:
            if isinstance(result.error, InputRefused):
                harvest.refused += 1
                harvest.last_refusal = str(result.error)
                self._divide(harvest, entries, subjects, "the provider refused the chunk")
            else:
                harvest.note_without_answer(entries, result)
            return
        try:
            answer = self._model.read_batch(result.body)
        except EmbedmillError as error:
            harvest.note_unreadable(entries, error, at_most=at_most())
            return
        harvest.count(answer.tokens, inputs=len(entries), at_most=at_most)
        if answer.stop is Stop.REFUSAL:
            self._divide(harvest, entries, subjects, MODEL_REFUSED)
        elif entries:
            self._store(harvest, entries, subjects, answer)

    def _at_most(self, entries: Sequence[Entry], subjects: Mapping[str, Passage]) -> Tokens | None:
        """What a request was reserved for; None when it is not one of ours."""
        if not entries:
            return None
        complaint = entries[0].complaint or ""
        requests = pack_passages([subjects[entry.address] for entry in entries])
        prompts = (word_request(r.again(r.items, complaint)) for r in requests)
        return sum((most_tokens(self._model, prompt, batch=True) for prompt in prompts), Tokens())

    def _store(
        self, harvest: Harvest, entries: Sequence[Entry], subjects: Mapping[str, Passage], answer: Answer
    ) -> None:
        """Keep the verdicts that were read; what is left over is asked about again, once."""
        fence = Fence(str(entries[0].token))
        by_id = {f"c{(entry.place or 0) + 1}-{fence.token[:4]}": entry for entry in entries}
        bodies = {id_: subjects[entry.address].body for id_, entry in by_id.items()}
        reading = read_answer(answer.text, bodies, repaired=_is_second_chance(entries[0]))
        self._keep({by_id[id_].address: verdict for id_, verdict in reading.found.items()})
        problem = reading.problem or "no verdict was given"
        left = [entry for id_, entry in by_id.items() if id_ not in reading.found]
        harvest.again |= {entry.id: (problem, entry.alone) for entry in left if not _is_second_chance(entry)}
        over = [entry for entry in left if _is_second_chance(entry)]
        self._keep({e.address: verdict_by_rules(subjects[e.address].body, fallback=problem) for e in over})

    def _divide(self, harvest: Harvest, entries: Sequence[Entry], subjects: Mapping[str, Passage], reason: str) -> None:
        """What was refused together is asked about one by one, and what was refused alone is left to the rules."""
        if len(entries) > 1:
            harvest.again |= {entry.id: (reason, True) for entry in entries}
        else:
            harvest.left |= {e.id: (e.address, subjects[e.address].body, reason) for e in entries}

    def _keep(self, verdicts: Mapping[str, Verdict]) -> None:
        if verdicts:
            self._cache.put_many({address: verdict.as_json() for address, verdict in verdicts.items()})


def _unknown() -> None:
    """Of a request whose texts are gone nobody knows any more what it was reserved for."""


def _is_second_chance(entry: Entry) -> bool:
    """Whether a first answer could not be used; that a request was refused is no answer."""
    return entry.complaint not in (None, MODEL_REFUSED, "the provider refused the chunk")


def _plan(entries: Sequence[Entry], subjects: Mapping[str, Passage]) -> Iterator[Request[Passage]]:
    """Calls with what was wrong before; documents are kept together, and what was refused is alone."""
    alone = [entry for entry in entries if entry.alone]
    for entry in alone:
        for request in pack_passages([subjects[entry.address]]):
            yield request.again(request.items, (entry.complaint or "") if _is_second_chance(entry) else "")
    rest = sorted((e for e in entries if not e.alone), key=lambda e: (e.complaint or "", e.document_id, e.ordinal))
    for complaint, group in groupby(rest, key=lambda entry: entry.complaint or ""):
        for request in pack_passages([subjects[entry.address] for entry in group]):
            yield request.again(request.items, complaint)


def _subject(chunk_set: ChunkSet, entry: Entry, judge: str) -> Passage | None:
    if entry.ordinal >= len(chunk_set.chunks):
        return None
    chunk = chunk_set.chunks[entry.ordinal]
    (subject,) = make_passages(chunk_set, [chunk], document=entry.document_id, judge=judge)
    return subject if subject.address == entry.address else None
