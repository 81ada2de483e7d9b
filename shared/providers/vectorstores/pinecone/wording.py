"""Owns the words of a row as a sparse vector, and a query's words as one that finds candidates for its exact scores.

A weight of a stored term is what it adds to the score of its row where a row of PIVOT words is the mean. It depends on
the chunk alone. What the collection's own mean changes about the order is made up for by a depth of candidates, which
are scored anew from their texts.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from embedmill.shared.providers.vectorstores.rows import Selection
from embedmill.shared.words.counts import TermCounts
from embedmill.shared.words.weighing import impacts

PIVOT = 120.0
"""Words of a row of the length that chunks usually have."""
MAX_TERMS = 1_000
"""Values that a sparse vector may have. A row with more keeps those that add most; its score counts them all."""
BYTES_PER_TERM = 9
"""As the vendor counts storage."""
FORCE = 10.0
"""So many times all that the words can add: what is required comes first, and what is excluded last."""

Sparse = dict[str, list[Any]]


def sparse_of(counted: TermCounts) -> Sparse | None:
    """The sparse vector of a row; None for one without words, which a service would refuse."""
    if not len(counted.terms):
        return None
    weights = impacts(counted.counts, counted.length, PIVOT).astype(np.float32)
    kept = np.sort(np.argsort(-weights, kind="stable")[:MAX_TERMS])
    return {"indices": counted.terms[kept].tolist(), "values": [float(f"{weight:.6g}") for weight in weights[kept]]}


def asked_for(weights: Mapping[int, float], selection: Selection) -> Sparse | None:
    """The words of a query, with force for what its rows have to hold and against what they may not."""
    force = FORCE * (sum(weights.values()) or 1.0)
    asked = dict(weights)
    for terms in selection.required:
        asked |= {term: asked.get(term, 0.0) + force for term in terms}
    asked |= dict.fromkeys(selection.excluded, -force)
    if not asked:
        return None
    telling = sorted(asked, key=lambda term: (-abs(asked[term]), term))[:MAX_TERMS]
    return {"indices": sorted(telling), "values": [asked[term] for term in sorted(telling)]}
