"""`python -m bench [ingest | retrieval | embeddings | limits | validation] …`: one benchmark; `ingest` by default."""

import sys

from bench import embeddings, ingest, limits, retrieval, validation


def main() -> None:
    """Run the benchmark that is named first."""
    name, *arguments = sys.argv[1:] or ["ingest"]
    match name:
        case "retrieval":
            retrieval.main(arguments)
        case "limits":
            limits.main(arguments)
        case "embeddings":
            embeddings.main(arguments)
        case "validation":
            validation.main(arguments)
        case "ingest":
            ingest.main(arguments)
        case _:
            ingest.main(sys.argv[1:])


main()
