"""Packs passages into requests and words these, so that the provider's prompt cache is hit and no text escapes.

From the front: the rubric, the same for every request; then, when a document takes several, what is known about it;
then the chunks. Whatever changes comes after whatever does not.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from embedmill.shared.asking.packing import ItemSize, Room, pack_in_order
from embedmill.shared.asking.question import Request
from embedmill.shared.fence import Fence, make_fence
from embedmill.shared.prompts import PromptText, load_prompt
from embedmill.shared.providers.models.base import Prompt, PromptBlock
from embedmill.workers.validation.passages import ChunkPassage
from embedmill.workers.validation.verdict import SCHEMA, SCHEMA_NAME

MOST_CHUNKS, MOST_TOKENS = 16, 10_000
"""Of one request: what a model judges with the same care at the end as at the start."""
ANSWER_TOKENS_PER_CHUNK, ANSWER_TOKENS = 320, 200
"""Providers take the most that an answer may have off the rate limit before the call, so it is kept tight."""

ROOM = Room(MOST_CHUNKS, MOST_TOKENS)


def verdict_prompt() -> PromptText:
    """The rubric."""
    return load_prompt("embedmill.workers.validation", "verdicts")


def pack_passages(passages: Sequence[ChunkPassage]) -> list[Request[ChunkPassage]]:
    """Requests that keep the order of a document's passages; one that needs several requests has them to itself."""
    requests: list[Request[ChunkPassage]] = []
    shared: list[ChunkPassage] = []
    for _, group in groupby(passages, key=lambda passage: passage.document):
        document = list(group)
        if _fits(document):
            if not _fits([*shared, *document]):
                requests.append(_request(shared))
                shared = []
            shared += document
        else:
            requests += _document_requests(document)
    return [*requests, _request(shared)] if shared else requests


def _fits(passages: Sequence[ChunkPassage]) -> bool:
    return ROOM.holds(_sizes(passages))


def _sizes(passages: Iterable[ChunkPassage]) -> list[ItemSize]:
    return [ItemSize(passage.tokens) for passage in passages]


def _request(passages: Sequence[ChunkPassage]) -> Request[ChunkPassage]:
    return Request(tuple(passages), make_fence(_texts(passages)))


def _document_requests(document: Sequence[ChunkPassage]) -> list[Request[ChunkPassage]]:
    fence = make_fence(_texts(document))
    plan = pack_in_order(_sizes(document), ROOM)
    return [Request(tuple(document[place] for place in places), fence, shares_start=True) for places in plan]


def _texts(passages: Sequence[ChunkPassage]) -> list[str]:
    return [text for p in passages for text in (p.title, p.section, p.opening, p.before, p.body)]


def word_request(request: Request[ChunkPassage]) -> Prompt:
    """The prompt of a request."""
    fence, complaint = request.fence, request.complaint
    token = f"The fence token of this request is {fence.token}."
    ids = f"Give one verdict for each of these ids, in this order: {', '.join(request.by_id)}."
    tail = [ids] if not complaint else [f"An earlier answer could not be used: {complaint}.", ids]
    if request.shares_start:
        # Written to the cache by the first request and read by the others: it has to be the same in all of them.
        known = "\n\n".join([token, _known(request.items[0], fence, with_opening=True)])
        blocks: tuple[PromptBlock, ...] = (
            PromptBlock(known, cached=True),
            PromptBlock("\n\n".join([*_chunks(request), *tail])),
        )
    else:
        blocks = (PromptBlock("\n\n".join([token, *_documents(request), *tail])),)
    return Prompt(
        system=(PromptBlock(verdict_prompt().text, cached=True),),
        user=blocks,
        schema_name=SCHEMA_NAME,
        schema=SCHEMA,
        max_tokens=(ANSWER_TOKENS + ANSWER_TOKENS_PER_CHUNK * len(request.items)) * (2 if complaint else 1),
    )


def _documents(request: Request[ChunkPassage]) -> Iterator[str]:
    for _, group in groupby(request.by_id.items(), key=lambda pair: pair[1].document):
        pairs = list(group)
        # A request that has the first chunk shows how the document begins.
        yield _known(pairs[0][1], request.fence, with_opening=pairs[0][1].ordinal != 0)
        yield from _worded(pairs, request.fence)


def _chunks(request: Request[ChunkPassage]) -> Iterator[str]:
    return _worded(list(request.by_id.items()), request.fence)


def _known(passage: ChunkPassage, fence: Fence, *, with_opening: bool) -> str:
    opening = passage.opening if with_opening else ""
    return fence.wrap("document", opening, title=passage.title, part="beginning" if opening else "title only")


def _worded(pairs: Sequence[tuple[str, ChunkPassage]], fence: Fence) -> Iterator[str]:
    previous: int | None = None
    for id_, passage in pairs:
        if passage.before and (passage.headed or previous != passage.ordinal - 1):
            yield fence.wrap("before", f"… {passage.before}", chunk=id_)
        yield fence.wrap("chunk", passage.body, id=id_, section=passage.section)
        previous = passage.ordinal
