"""What an evaluation asks of a collection: queries that are judged, by the documents that the collection has."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from embedmill.console.services.judgements import Judgement
from embedmill.console.services.naming import Named, resolve
from embedmill.retrieval.evaluation.measures import Grades
from embedmill.shared.errors import SourceError
from embedmill.shared.runtime import Runtime

SHOWN = 10
"""So many ids are named in a warning."""


@dataclass(frozen=True, slots=True)
class UnknownDocument:
    """A document that is judged and not in the collection; `line` is the first of the judgements that names it."""

    document: str
    line: int


@dataclass(frozen=True, slots=True)
class JudgedTask:
    """The queries to ask of a collection, with grades by document id; and what there is no sense in asking."""

    collection: str
    queries: Mapping[str, str]
    grades: Grades
    unjudged: Sequence[str]
    without_relevant: Sequence[str]
    unasked: Sequence[str]
    unknown_documents: Sequence[UnknownDocument]

    def warn(self) -> Iterator[str]:
        """What queries and judgements name and there is not."""
        if self.unasked:
            yield f"judged and not asked: {_list(self.unasked)}"
        if self.unjudged:
            yield f"asked and not judged, so left out: {_list(self.unjudged)}"
        if self.without_relevant:
            yield f"without a relevant document, so left out: {_list(self.without_relevant)}"
        if self.unknown_documents:
            named = [f"{unknown.document} (line {unknown.line})" for unknown in self.unknown_documents]
            yield f"judged and not in {self.collection}, so never found: {_list(named)}"


def prepare(runtime: Runtime, asked: Mapping[str, str], judged: Sequence[Judgement], collection: str) -> JudgedTask:
    """The task in a collection; raises NotFound, and SourceError where queries, judgements and documents don't meet."""
    known = resolve(runtime, {judgement.document for judgement in judged}, collection)
    unknown = _unknown(judged, known, collection)
    grades = _grades(judged, asked, known)
    if not grades:
        raise SourceError("no query is judged", hint="Queries and judgements have to have the same ids.")
    relevant = {query: found for query, found in grades.items() if max(found.values()) > 0}
    if not relevant:
        raise SourceError("no document is judged relevant to a query: there is nothing to measure")
    return JudgedTask(
        collection,
        queries={query: text for query, text in asked.items() if query in relevant},
        grades=relevant,
        unjudged=[query for query in asked if query not in grades],
        without_relevant=[query for query in grades if query not in relevant],
        unasked=list(dict.fromkeys(judgement.query for judgement in judged if judgement.query not in asked)),
        unknown_documents=unknown,
    )


def _grades(judged: Iterable[Judgement], asked: Mapping[str, str], known: Named) -> dict[str, dict[str, int]]:
    """Grades of the queries that are asked; a document that the collection lacks goes by the name that it was given."""
    grades: dict[str, dict[str, int]] = {}
    for judgement in judged:
        if judgement.query in asked:
            document = known.ids.get(judgement.document, judgement.document)
            of_query = grades.setdefault(judgement.query, {})
            of_query[document] = max(judgement.relevance, of_query.get(document, 0))
    return grades


def _unknown(judged: Sequence[Judgement], known: Named, collection: str) -> list[UnknownDocument]:
    """The documents that are not there, each once; raises SourceError for a name of several, and if all are unknown."""
    first = {judgement.document: judgement.line for judgement in reversed(judged)}
    for document, line in sorted(first.items(), key=lambda item: item[1]):
        if document in known.ambiguous:
            message = f"line {line} of the judgements: more than one document is called {document!r}"
            raise SourceError(message, hint="Give the whole URI, or the document's id.")
    unknown = [UnknownDocument(document, line) for document, line in first.items() if document not in known.ids]
    if not known.ids:
        hint = "Name documents by id, by URI, by the id of a row or by file: embedmill documents list"
        raise SourceError(f"no judged document is in {collection}, {unknown[-1].document!r} for one", hint=hint)
    return sorted(unknown, key=lambda found: found.line)


def _list(names: Sequence[str]) -> str:
    rest = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + rest
