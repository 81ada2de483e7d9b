"""Packs subjects into calls and words the calls, so that the provider's prompt cache is hit and no text escapes.

From the front: the rubric, the same for every call; then, when a document takes several calls, what is known about it;
then the chunks. Whatever changes comes after whatever does not.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from embedmill.shared.fence import Fence, make_fence
from embedmill.shared.prompts import PromptText, load_prompt
from embedmill.shared.providers.models.base import Block, Prompt
from embedmill.workers.validation.subject import Subject
from embedmill.workers.validation.verdict import SCHEMA, SCHEMA_NAME

MOST_CHUNKS, MOST_TOKENS = 16, 10_000
"""Of one call: what a model judges with the same care at the end as at the start."""
ANSWER_TOKENS_PER_CHUNK, ANSWER_TOKENS = 320, 200
"""Providers take the most that an answer may have off the rate limit before the call, so it is kept tight."""


@dataclass(frozen=True, slots=True)
class Call:
    """Subjects that are asked about together; `fence` is shared by the calls of one document."""

    subjects: tuple[Subject, ...]
    fence: Fence
    shares_document: bool = False

    @property
    def by_id(self) -> dict[str, Subject]:
        """Subjects by the short ids that the answer uses; a document cannot guess the id of another's chunk."""
        suffix = self.fence.token[:4]
        return {f"c{number}-{suffix}": subject for number, subject in enumerate(self.subjects, 1)}

    def only(self, subjects: Sequence[Subject]) -> "Call":
        """The same call about some of its subjects."""
        return Call(tuple(subjects), self.fence, self.shares_document)


def verdict_prompt() -> PromptText:
    """The rubric."""
    return load_prompt("embedmill.workers.validation", "verdicts")


def pack_calls(subjects: Sequence[Subject]) -> list[Call]:
    """Calls that keep the order of a document's subjects; one that needs several calls has them to itself."""
    calls: list[Call] = []
    shared: list[Subject] = []
    for _, group in groupby(subjects, key=lambda subject: subject.document):
        document = list(group)
        if _fits(document):
            if not _fits([*shared, *document]):
                calls.append(_call(shared))
                shared = []
            shared += document
        else:
            calls += _document_calls(document)
    return [*calls, _call(shared)] if shared else calls


def _fits(subjects: Sequence[Subject]) -> bool:
    return len(subjects) <= MOST_CHUNKS and sum(subject.tokens for subject in subjects) <= MOST_TOKENS


def _call(subjects: Sequence[Subject]) -> Call:
    return Call(tuple(subjects), make_fence(_texts(subjects)))


def _document_calls(document: Sequence[Subject]) -> list[Call]:
    fence = make_fence(_texts(document))
    parts: list[list[Subject]] = [[]]
    for subject in document:
        if parts[-1] and not _fits([*parts[-1], subject]):
            parts.append([])
        parts[-1].append(subject)
    return [Call(tuple(part), fence, shares_document=True) for part in parts]


def _texts(subjects: Sequence[Subject]) -> list[str]:
    return [text for s in subjects for text in (s.title, s.section, s.opening, s.before, s.body)]


def word_call(call: Call, *, complaint: str = "") -> Prompt:
    """The prompt of a call; `complaint` says what was wrong with the answer before."""
    token = f"The fence token of this request is {call.fence.token}."
    ids = f"Give one verdict for each of these ids, in this order: {', '.join(call.by_id)}."
    tail = [ids] if not complaint else [f"An earlier answer could not be used: {complaint}.", ids]
    if call.shares_document:
        # Written to the cache by the first call and read by the others: it has to be the same in all of them.
        known = "\n\n".join([token, _known(call.subjects[0], call.fence, with_opening=True)])
        blocks: tuple[Block, ...] = (Block(known, cached=True), Block("\n\n".join([*_chunks(call), *tail])))
    else:
        blocks = (Block("\n\n".join([token, *_documents(call), *tail])),)
    return Prompt(
        system=(Block(verdict_prompt().text, cached=True),),
        user=blocks,
        schema_name=SCHEMA_NAME,
        schema=SCHEMA,
        max_tokens=(ANSWER_TOKENS + ANSWER_TOKENS_PER_CHUNK * len(call.subjects)) * (2 if complaint else 1),
    )


def _documents(call: Call) -> Iterator[str]:
    for _, group in groupby(call.by_id.items(), key=lambda pair: pair[1].document):
        pairs = list(group)
        # A call that has the first chunk shows how the document begins.
        yield _known(pairs[0][1], call.fence, with_opening=pairs[0][1].ordinal != 0)
        yield from _worded(pairs, call.fence)


def _chunks(call: Call) -> Iterator[str]:
    return _worded(list(call.by_id.items()), call.fence)


def _known(subject: Subject, fence: Fence, *, with_opening: bool) -> str:
    opening = subject.opening if with_opening else ""
    return fence.wrap("document", opening, title=subject.title, part="beginning" if opening else "title only")


def _worded(pairs: Sequence[tuple[str, Subject]], fence: Fence) -> Iterator[str]:
    previous: int | None = None
    for id_, subject in pairs:
        if subject.before and previous != subject.ordinal - 1:
            yield fence.wrap("before", f"… {subject.before}", chunk=id_)
        yield fence.wrap("chunk", subject.body, id=id_, section=subject.section)
        previous = subject.ordinal
