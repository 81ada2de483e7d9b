"""Options that several commands have, under one name and one help."""

from typing import Annotated

import typer

from embedmill.console.cli.typed import dollars

Collection = Annotated[
    str,
    typer.Option(
        "--collection",
        "-c",
        help="Collection; ingest and submit make it. Where a token reaches one only, that one is meant.",
        show_default="default",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]
Rank = Annotated[
    bool | None,
    typer.Option("--rank/--no-rank", help="Have models rank what is found, and answer, or not; it costs money."),
]
Expand = Annotated[
    bool | None, typer.Option("--expand/--no-expand", help="Look for synonyms of what the query names too, or not.")
]
Normalise = Annotated[
    bool | None,
    typer.Option("--normalise/--no-normalise", help="Have a model word the query as the documents do; costs money."),
]
Decompose = Annotated[
    bool | None,
    typer.Option(
        "--decompose/--no-decompose", help="Have a model divide a question that asks several things; costs money."
    ),
]
NoCache = Annotated[
    bool, typer.Option("--no-cache", help="Ask models again, whatever they answered before, and keep nothing of it.")
]
MaxUsd = Annotated[
    float | None,
    typer.Option(
        "--max-usd",
        metavar="USD",
        parser=lambda text: float(dollars(text)),
        help="Most that the query may cost; what has no room in it is left out, and 0 lets no paid call be made.",
    ),
]
Explain = Annotated[bool, typer.Option("--explain", help="Tell what each step cost, and which hits it moved.")]
