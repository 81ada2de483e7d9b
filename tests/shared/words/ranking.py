"""Ranks a few texts for a query as every store does, without a store."""

from collections import Counter
from collections.abc import Mapping

from embedmill.shared.words.cutting import count_terms
from embedmill.shared.words.queries import parse_query, weigh
from embedmill.shared.words.weighing import WordCounts, score


def rank(query: str, texts: Mapping[str, str]) -> list[str]:
    """The names of the texts that hold any word of the query, best first."""
    rows = {name: count_terms(text=text) for name, text in texts.items()}
    holding = Counter(term for row in rows.values() for term in row.terms.tolist())
    counted = WordCounts(len(rows), sum(row.length for row in rows.values()), holding)
    wording = weigh(parse_query(query).as_held(counted), counted)
    scores = {name: score(row, wording) for name, row in rows.items()}
    return sorted((name for name in rows if scores[name]), key=lambda name: (-scores[name], name))
