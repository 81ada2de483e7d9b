"""Generated text: small corpora whose every chunk is different, the same on every machine."""

import random
from pathlib import Path

WORDS = (
    "river stone lantern harvest engine valley copper meadow signal winter garden anchor bridge candle desert "
    "forest harbour island journey kernel ladder mirror needle orchard pencil quarry ribbon shadow timber umbrella"
).split()


def text_of(number: int, *, paragraphs: int = 6, edition: int = 1) -> str:
    """A document of a few chunks; another edition has other paragraphs."""
    chosen = random.Random(f"{number}/{edition}")
    return "\n\n".join(
        f"Document {number}, paragraph {p}, edition {edition}. "
        + " ".join(f"{' '.join(chosen.choices(WORDS, k=11))}." for _ in range(12))
        for p in range(paragraphs)
    )


def write_corpus(folder: Path, count: int, *, paragraphs: int = 6) -> Path:
    """`count` text files, named by number."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        (folder / f"{number:04}.txt").write_text(text_of(number, paragraphs=paragraphs))
    return folder
