"""A writing process for the tests: writes batches, some of whose ids other writers share, and acknowledges each."""

import sys
from pathlib import Path

from embedmill.shared.providers.vectorstores.embedded.store import EmbeddedVectorStore
from tests.contracts.rows import DIMENSIONS, make_row

BATCHES = 40
ROWS = 50
SHARED_EVERY = 4


def main(root: str, writer: str) -> None:
    store = EmbeddedVectorStore(Path(root), dimensions=DIMENSIONS)
    for batch in range(BATCHES):
        document = f"shared{batch}" if batch % SHARED_EVERY == 0 else f"w{writer}-{batch}"
        rows = [make_row(document, ordinal, text=f"apple {document} number{ordinal}") for ordinal in range(ROWS)]
        store.upsert("s", rows)
        sys.stdout.write(f"{document}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
