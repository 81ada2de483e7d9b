"""Owns what was measured of each embedding model on judged collections; a model that is not here was not measured."""

from collections.abc import Mapping
from dataclasses import dataclass

from embedmill.retrieval.fusion import UNMEASURED_MODEL, Fusion
from embedmill.retrieval.relevance import Calibration


@dataclass(frozen=True, slots=True)
class MeasuredModel:
    """What is known of a model.

    `nearness` says how near a hit is by its cosine and its words, `cosine` by its cosine alone (`bench.relevance`).
    `scripts` are those of the languages that its cosines were measured with, any where there are none: in others they
    say little but that two texts are in one language. `fusion` is what words count beside its cosines
    (`bench.retrieval`); a model that nobody measured is taken for a strong one.
    """

    nearness: Calibration | None = None
    cosine: Calibration | None = None
    scripts: frozenset[str] = frozenset()
    fusion: Fusion = UNMEASURED_MODEL


UNMEASURED = MeasuredModel()
ENGLISH = frozenset({"latin"})
BY_WORDS = Calibration(cosine=0, words=16.9, bias=-5.3)
"""How near a hit is by its words alone, whatever the model."""

MODELS: Mapping[str, MeasuredModel] = {
    "local": MeasuredModel(
        nearness=Calibration(cosine=16.0, words=11.3, bias=-8.9),
        cosine=Calibration(cosine=20.6, words=0, bias=-6.9),
        scripts=ENGLISH,
        fusion=Fusion(1.0, own_scale=False),
    ),
    "local/minilm": MeasuredModel(
        nearness=Calibration(cosine=11.3, words=7.7, bias=-6.1),
        cosine=Calibration(cosine=18.3, words=0, bias=-6.3),
        scripts=ENGLISH,
        fusion=Fusion(0.35, own_scale=False),
    ),
    # Its cosines alone tell nothing: queries of few words are far from every text.
    "hash": MeasuredModel(
        nearness=Calibration(cosine=13.0, words=17.0, bias=-8.9),
        fusion=Fusion(1.0, own_scale=False),
    ),
}


def measured(embedding: str) -> MeasuredModel:
    """What is known of an embedder by its name, of whatever size."""
    return MODELS.get(embedding.partition("@")[0], UNMEASURED)
