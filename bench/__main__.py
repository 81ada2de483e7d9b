"""`python -m bench [brokers | ingest | retrieval | scale | submit] …`: one benchmark, `ingest` by default."""

import sys

from bench import brokers, ingest, retrieval, scale, submit


def main() -> None:
    """Run the benchmark that is named first."""
    name, *arguments = sys.argv[1:] or ["ingest"]
    match name:
        case "brokers":
            brokers.main(arguments)
        case "retrieval":
            retrieval.main(arguments)
        case "scale":
            scale.main(arguments)
        case "submit":
            submit.main(arguments)
        case "ingest":
            ingest.main(arguments)
        case _:
            ingest.main(sys.argv[1:])


main()
