"""`python -m bench [NAME] …`: one benchmark, `ingest` by default; each says with --help what it takes."""

import sys
from importlib import import_module

NAMES = (
    "ablation",
    "answers",
    "audit",
    "brokers",
    "buckets",
    "crawl",
    "decomposition",
    "disk",
    "documents",
    "embeddings",
    "encodings",
    "encryption",
    "estimates",
    "fidelity",
    "full",
    "ingest",
    "limits",
    "million",
    "parsing",
    "pgvector",
    "records",
    "recovery",
    "redaction",
    "relevance",
    "remote",
    "replays",
    "retrieval",
    "scale",
    "slack",
    "stumbling",
    "submit",
    "tables",
    "validation",
    "webpages",
    "words",
)


def main() -> None:
    """Run the benchmark that is named first."""
    name, arguments = "ingest", sys.argv[1:]
    if arguments and arguments[0] in NAMES:
        name, *arguments = arguments
    import_module(f"bench.{name}").main(arguments)


main()
