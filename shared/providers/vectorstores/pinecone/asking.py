"""Owns the requests to one Pinecone index: within a shard's limit, metered, made again where a service stumbles."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from copy import copy
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from embedmill.shared.errors import EmbedmillError, FlowControl
from embedmill.shared.metering import Meter
from embedmill.shared.paging import pages
from embedmill.shared.providers.vectorstores.metering import UNIT, MeteredRequests
from embedmill.shared.providers.vectorstores.pinecone import records, units
from embedmill.shared.providers.vectorstores.pinecone.client import PineconeClient
from embedmill.shared.providers.vectorstores.pinecone.limiter import MOST
from embedmill.shared.states import WaitReason

T = TypeVar("T")
A = TypeVar("A")

FETCH_IDS = units.IDS_PER_FETCH
LIST_IDS = units.IDS_PER_LIST


class Asking:
    """Asks one index on the account of one meter; several requests go out at once from threads of its own."""

    def __init__(self, client: PineconeClient, meter: Meter) -> None:
        self.client = client
        self._meter = meter
        self._threads = ThreadPoolExecutor(int(MOST), thread_name_prefix="pinecone")
        self._query_units: dict[str, int] = {}
        """By namespace: thousandths of a unit that its last query cost; the next may cost as much."""

    def with_meter(self, meter: Meter) -> "Asking":
        """The same, on another account."""
        other = copy(self)
        other._meter = meter  # noqa: SLF001 - it is one of us
        return other

    def close(self) -> None:
        """End the threads and the connection."""
        self._threads.shutdown()
        self.client.close()

    def foresee_query(self, space: str) -> int:
        """The thousandths of a unit that a query of a namespace may cost."""
        return self._query_units.get(space, UNIT)

    def metered(
        self,
        operation: str,
        ids: Iterable[str] = (),
        *,
        documents: Iterable[str] = (),
        milliunits: int = 0,
        number: int = 1,
    ) -> MeteredRequests:
        """Requests about some rows or documents; `milliunits` are what `number` of them cost at most."""
        about = {*documents, *map(records.document_of, ids)}
        return MeteredRequests(
            self._meter, units.OFFER, operation, milliunits=milliunits, number=number, documents=tuple(sorted(about))
        )

    def persist(self, ask: Callable[[], T]) -> T:
        """Ask again what a service that stumbles failed at; each try is metered, and any may be made twice."""
        return self.client.persistence.ask(ask)

    def call(self, requests: MeteredRequests, cost: int, space: str, request: Callable[[Any], Any]) -> None:
        """A request whose answer does not tell what it cost."""
        self.persist(lambda: requests.send(cost, lambda: self.client.call(space, request), lambda _: cost))

    def find(self, requests: MeteredRequests, most: int, space: str, request: Callable[[Any], T]) -> T | None:
        """A request whose answer tells what it cost; None when the service knows no such namespace."""
        return self.persist(
            lambda: requests.send(
                most,
                lambda: self.client.find(space, request),
                lambda answer: units.milliunits_billed(requests.operation, answer, otherwise=most),
            )
        )

    def query(self, requests: MeteredRequests, space: str, **asked: Any) -> Any:
        """The answer to a query; None when the service knows no such namespace."""
        most = self.foresee_query(space)
        answer = self.find(requests, most, space, lambda index: index.query(namespace=space, **asked))
        self._query_units[space] = max(units.milliunits_billed(units.QUERY, answer, otherwise=most), UNIT)
        return answer

    def stats(self, space: str) -> Any:
        return self.persist(lambda: self.client.call(space, lambda index: index.describe_index_stats()))

    def fetch(self, space: str, ids: Sequence[str]) -> dict[str, Any]:
        if not ids:
            return {}
        sizes = [len(page) for page in pages(ids, FETCH_IDS)]
        most = sum(map(units.milliunits_of_fetch, sizes))
        with self.metered(units.FETCH, ids, milliunits=most, number=len(sizes)) as requests:
            return self.fetch_on(requests, space, ids)

    def fetch_on(self, requests: MeteredRequests, space: str, ids: Sequence[str]) -> dict[str, Any]:
        def fetch(page: Sequence[str]) -> dict[str, Any]:
            most = units.milliunits_of_fetch(len(page))
            answer = self.find(requests, most, space, lambda index: index.fetch(ids=list(page), namespace=space))
            found = answer.vectors if answer else {}
            return {id: found[id] for id in page if id in found}

        return {id: record for found in self.all(pages(ids, FETCH_IDS), fetch) for id, record in found.items()}

    def list_documents(self, space: str, documents: Sequence[str]) -> list[str]:
        """The ids of all rows of these documents, in every version."""
        most = UNIT * len(documents)
        with self.metered(units.LIST, documents=documents, milliunits=most, number=len(documents)) as requests:
            found = self.all(documents, lambda document: list(self.each_id(requests, space, f"{document}-")))
        # A document's id may be the beginning of another's.
        return [id for d, ids in zip(documents, found, strict=True) for id in ids if records.document_of(id) == d]

    def each_id(self, requests: MeteredRequests, space: str, prefix: str | None = None) -> Iterator[str]:
        token = None
        while True:
            ask = {"prefix": prefix, "limit": LIST_IDS, "pagination_token": token, "namespace": space}
            page = self.find(requests, UNIT, space, lambda index, ask=ask: index.list_paginated(**ask))  # type: ignore[misc]
            if page is None:
                return
            yield from (item.id for item in page.vectors)
            token = page.pagination.next if page.pagination else None
            if not token:
                return

    def each_that(self, space: str, condition: dict[str, Any]) -> Iterator[Any]:
        """The records that meet a filter."""
        token = None
        most = units.milliunits_of_fetch(FETCH_IDS)
        with self.metered(units.FETCH) as requests:
            while True:
                ask = {"filter": condition, "namespace": space, "limit": FETCH_IDS, "pagination_token": token}
                page = self.find(requests, most, space, lambda index, ask=ask: index.fetch_by_metadata(**ask))  # type: ignore[misc]
                if page is None:
                    return
                yield from page.vectors.values()
                token = page.pagination.next if page.pagination else None
                if not token:
                    return

    def all(self, arguments: Iterable[A], ask: Callable[[A], T]) -> list[T]:
        """Answers in order, asked for at once as far as the shard takes them; one alone is asked from this thread.

        When one fails, those on their way are awaited, so that the meter is told what became of them.
        """
        listed = list(arguments)
        if len(listed) < 2:
            return [ask(argument) for argument in listed]
        futures = [self._threads.submit(ask, argument) for argument in listed]
        _, left = wait(futures, return_when=FIRST_EXCEPTION)
        wait([future for future in left if not future.cancel()])
        for future in futures:
            if not future.cancelled() and (error := future.exception()):
                raise error
        return [future.result() for future in futures]

    def each(self, shards: Sequence[str], ask: Callable[[str], T], *, deadline: float | None) -> "ShardAnswers[T]":
        """The answers of the shards that gave one in time, asked at once; and why the others did not.

        Raises FlowControl when there is no money for them.
        """
        if not shards:
            return ShardAnswers({}, {})
        if deadline is None and len(shards) == 1:
            return _answers({shards[0]: _done(lambda: ask(shards[0]))})
        futures = {shard: self._threads.submit(ask, shard) for shard in shards}
        wait(futures.values(), None if deadline is None else max(deadline - time.monotonic(), 0.0))
        return _answers(futures)


@dataclass(frozen=True, slots=True)
class ShardAnswers(Generic[T]):
    """What shards answered, and why others did not."""

    found: dict[str, T]
    failed: dict[str, str]


def _answers(futures: Mapping[str, Future[T]]) -> ShardAnswers[T]:
    answers: ShardAnswers[T] = ShardAnswers({}, {})
    for shard, future in futures.items():
        if not future.done():
            future.cancel()
            answers.failed[shard] = "it was too late"
        elif isinstance(error := future.exception(), FlowControl) and error.reason == WaitReason.BUDGET:
            raise error
        elif isinstance(error, EmbedmillError):
            answers.failed[shard] = str(error)
        else:
            answers.found[shard] = future.result()
    return answers


def _done(ask: Callable[[], T]) -> Future[T]:
    future: Future[T] = Future()
    try:
        future.set_result(ask())
    except EmbedmillError as error:
        future.set_exception(error)
    return future
