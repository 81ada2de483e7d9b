"""Generated text: small corpora whose every chunk is different, the same on every machine."""

import random
from collections import Counter
from pathlib import Path

from embedmill.shared.addresses import document_id
from embedmill.shared.sharding import shard_for

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


def write_spread_corpus(folder: Path, each: int, *, shards: int, collection: str = "default") -> Path:
    """`each` text files for every shard of a new collection, wherever the folder is: its name is in their hashes."""
    folder.mkdir(parents=True, exist_ok=True)
    names = [f"v1-{number:03}" for number in range(shards)]
    written: Counter[str] = Counter()
    number = 0
    while written.total() < each * shards:
        path = folder / f"{number:04}.txt"
        shard = shard_for(document_id(collection, path.as_uri()), names)
        if written[shard] < each:
            path.write_text(text_of(number))
            written[shard] += 1
        number += 1
    return folder
