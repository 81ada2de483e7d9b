"""Keeps what models answered about queries, and whole results, so that the same question costs nothing again."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress

from embedmill.console.services.turns import take_turn
from embedmill.retrieval.grading.staged import AnswerMemory, NoMemory, Prompted
from embedmill.retrieval.keeping import Shelf, Worth
from embedmill.retrieval.sealing import seal, unseal
from embedmill.retrieval.stage_settings import StageSettings
from embedmill.shared.addresses import digest
from embedmill.shared.db.collection_changes import count_changes
from embedmill.shared.db.collections import Collection, get_reading_order
from embedmill.shared.db.engine import Connection
from embedmill.shared.db.kept_answers import GRADE, PLAN, AnswerOrigin, KeptAnswer, find_kept, forget_beyond, store_kept
from embedmill.shared.errors import EmbedmillError
from embedmill.shared.ledger import MESSAGE, Usage
from embedmill.shared.logs import get_logger
from embedmill.shared.metering import Tally
from embedmill.shared.providers.names import ModelName
from embedmill.shared.runtime import Runtime
from embedmill.shared.spend.metering import LedgerMeter
from embedmill.shared.words.cutting import VERSION

log = get_logger()

KIND_OF = {"filter": GRADE, "rank": GRADE}
"""What answers are kept as, by the purpose of their question; those that are not here are about the question itself."""
MEBIBYTE = 1024 * 1024
FORGOTTEN_AT_ONCE = 500
EVERYTHING = ""
"""What an owner of everything may read."""


class Keeping:
    """What is kept of the queries of one collection. What goes wrong with it costs a call, and never an answer."""

    def __init__(self, runtime: Runtime, collection: Collection, tally: Tally) -> None:
        self._runtime = runtime
        self.scope = runtime.principal.scope
        """What a caller may read: nobody is given what was kept for others who may read something else."""
        self._keep_seconds = runtime.settings.answer_keep_seconds
        self._meter = LedgerMeter(runtime.spender, collection_id=collection.id, tally=tally)

    def find(self, kind: str, addresses: Sequence[str]) -> Mapping[str, KeptAnswer]:
        """Those that are known and not too old."""
        if not addresses or kind not in self._keep_seconds:
            return {}
        age = self._keep_seconds[kind]
        try:
            return self._runtime.database.query(lambda connection: find_kept(connection, addresses, younger_than=age))
        except EmbedmillError as error:
            log.warning("answers.not_found", error=str(error))
            return {}

    def store(self, answers: Mapping[str, KeptAnswer], origin: AnswerOrigin) -> None:
        """Keep answers, in the room that there is."""
        if not answers or origin.kind not in self._keep_seconds:
            return

        def store(connection: Connection) -> None:
            store_kept(connection, answers, origin)
            forget_beyond(connection, self._most_bytes, limit=FORGOTTEN_AT_ONCE)

        try:
            with self._runtime.database.impatient():
                self._runtime.database.transact(store)
        except EmbedmillError as error:
            log.info("answers.not_kept", error=str(error))

    @contextmanager
    def alone(self, kind: str, address: str) -> Iterator[bool]:
        """While it is made here it is made nowhere else; whether somebody was waited for who made it."""
        if kind not in self._keep_seconds:
            yield False
            return
        with take_turn(self._runtime, address) as waited:
            yield waited

    def note(self, found: Sequence[KeptAnswer], model: str, purpose: str) -> None:
        """Write down what a model did not have to be asked again."""
        if not found:
            return
        name = ModelName.parse(model)
        usage = Usage(name.provider, name.model, MESSAGE, inputs=0, purpose=purpose)
        tokens, microusd = sum(kept.tokens for kept in found), sum(kept.microusd for kept in found)
        with suppress(EmbedmillError), self._runtime.database.impatient():
            self._meter.record_free(usage, cached=len(found), cached_tokens=tokens, saved_microusd=microusd)

    @property
    def _most_bytes(self) -> int:
        return self._runtime.settings.cache_answer_max_mb * MEBIBYTE


class KeptAnswers:
    """A memory of what models answered: grades of passages, and what a question was made into."""

    def __init__(self, keeping: Keeping, tally: Tally) -> None:
        self._keeping = keeping
        self._tally = tally
        self._before = (0, 0)

    def recall(self, addresses: Sequence[str], asked: Prompted) -> Mapping[str, str]:
        """Those that are known, as JSON."""
        places = {self._place(address): address for address in addresses}
        found = self._keeping.find(KIND_OF.get(asked.purpose, PLAN), list(places))
        opened: dict[str, str] = {}
        for place, kept in found.items():
            with suppress(ValueError):
                opened[places[place]] = unseal(kept.content, asked.asked.question).decode()
        self._keeping.note([found[self._place(address)] for address in opened], asked.model.name, asked.purpose)
        self._before = self._paid
        return opened

    def keep(self, answers: Mapping[str, str], asked: Prompted) -> None:
        """Keep them sealed, each with its share of what was paid since it was not recalled."""
        shares = [(now - before) // max(len(answers), 1) for now, before in zip(self._paid, self._before, strict=True)]
        sealed = {
            self._place(address): KeptAnswer(seal(text.encode("utf-8", "replace"), asked.asked.question), *shares)
            for address, text in answers.items()
        }
        origin = AnswerOrigin(KIND_OF.get(asked.purpose, PLAN), asked.model.name, asked.prompt.hash)
        self._keeping.store(sealed, origin)

    def _place(self, address: str) -> str:
        """Where an answer is kept for callers who may read the same."""
        scope = self._keeping.scope
        return digest(address, *map(str, scope)) if scope else address

    @property
    def _paid(self) -> tuple[int, int]:
        """Tokens and micro-dollars so far."""
        return self._tally.tokens_in + self._tally.tokens_out, self._tally.microusd


class ResultShelf:
    """Whole results and answers of one collection, as long as it stays as it is."""

    def __init__(self, runtime: Runtime, collection: Collection, stages: StageSettings, keeping: Keeping) -> None:
        self._runtime = runtime
        self._collection = collection
        self._stages = stages
        self._keeping = keeping
        self._changes = 0

    def rests_on(self) -> Sequence[object]:
        """What readers see of the collection and by which vectors and words it is found, and what a caller may read."""
        found = self._collection

        def look(connection: Connection) -> tuple[int, Sequence[str]]:
            return count_changes(connection, found.id), get_reading_order(connection, found.id).shards

        self._changes, shards = self._runtime.database.query(look)
        vectors = (found.index_version, found.model, self._runtime.fingerprint(found))
        return (found.id, self._changes, *shards, *vectors, VERSION, *(self._keeping.scope or (EVERYTHING,)))

    def find(self, kind: str, address: str, question: str) -> bytes | None:
        """What is kept there."""
        kept = self._keeping.find(kind, [address]).get(address)
        if kept is None:
            return None
        with suppress(ValueError):
            content = unseal(kept.content, question)
            self._keeping.note([kept], self._stages.models[-1].name, kind)
            return content
        return None

    def alone(self, kind: str, address: str) -> AbstractContextManager[bool]:
        """While it is made here it is made nowhere else; whether somebody was waited for who made it."""
        return self._keeping.alone(kind, address)

    def put(self, kind: str, address: str, question: str, content: bytes, worth: Worth) -> None:
        """Keep it under the changes that were looked at last."""
        kept = KeptAnswer(seal(content, question), worth.tokens, worth.microusd)
        origin = AnswerOrigin(kind, self._stages.models[-1].name, "", self._collection.id, self._changes)
        self._keeping.store({address: kept}, origin)


def open_memory(keeping: Keeping | None, tally: Tally) -> AnswerMemory:
    """A memory of what models answered; without a keeping, one that forgets."""
    return NoMemory() if keeping is None else KeptAnswers(keeping, tally)


def open_shelf(
    runtime: Runtime, collection: Collection, stages: StageSettings, keeping: Keeping | None
) -> Shelf | None:
    """Where results are kept; nowhere where no model takes part, as they cost next to nothing."""
    return ResultShelf(runtime, collection, stages, keeping) if keeping is not None and stages.models else None
