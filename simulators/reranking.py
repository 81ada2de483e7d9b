"""What the simulated rerankers make of a query and some texts: by the words that they share, as no reranker would."""

import random
from collections.abc import Sequence
from typing import Any

from embedmill.simulators.base import Call, Refused
from embedmill.simulators.judging import opinion

MOST_DOCUMENTS = 1000
UNIT_DOCUMENTS = 100

Scored = list[tuple[int, float]]
"""Place and relevance of each text, the most relevant first."""


def rerank(call: Call, query: Any, documents: Any, top_n: Any) -> Scored:
    """Check a request and answer it; faults spoil the answer as they are ordered."""
    if not isinstance(query, str) or not query.strip():
        raise Refused(400, "invalid request: query must be a string that is not empty")
    if not isinstance(documents, list) or not documents or not all(isinstance(text, str) for text in documents):
        raise Refused(400, "invalid request: list of documents must not be empty")
    if len(documents) > MOST_DOCUMENTS:
        raise Refused(400, f"invalid request: at most {MOST_DOCUMENTS} documents are taken")
    if top_n is not None and (type(top_n) is not int or top_n < 1):
        raise Refused(400, "invalid request: top_n must be at least 1")
    shares = [(place, round(opinion(query, text).share, 6)) for place, text in enumerate(documents)]
    ranked = sorted(shares, key=lambda pair: -pair[1])[:top_n]
    return _spoiled(call, ranked, query)


def units(documents: Sequence[str]) -> int:
    """Search units of a request."""
    return -(-len(documents) // UNIT_DOCUMENTS)


def _spoiled(call: Call, ranked: Scored, query: str) -> Scored:
    if call.fault("nan"):
        return [(ranked[0][0], float("nan")), *ranked[1:]]
    if call.fault("partial"):
        return ranked[: len(ranked) // 2]
    if call.fault("nonsense"):
        draw = random.Random(query)  # noqa: S311 - nothing here is a secret
        places = [draw.choice([*range(len(ranked)), -1, 10**6]) for _ in range(2 * len(ranked))]
        return [(place, draw.choice((0.0, 0.5, 1.0, -3.0, 1e9))) for place in places]
    return ranked
