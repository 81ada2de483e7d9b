"""The options of commands on collections, each written once."""

import math
from typing import Annotated

import typer

from embedmill.console.cli.typed import dollars, duration

DAY_SECONDS = 86_400.0


def _read_bound(text: str) -> float:
    """Dollars, without bound for `none`; raises BadParameter."""
    return math.inf if text == "none" else float(dollars(text))


def _read_days(text: str) -> float:
    """Days of a duration, 0 for `none`; raises BadParameter."""
    return 0.0 if text == "none" else duration(text) / DAY_SECONDS


Name = Annotated[str, typer.Argument(metavar="NAME", help="The collection's name.")]
ChunkTokens = Annotated[int | None, typer.Option("--chunk-tokens", help="Size that chunks aim at, 16 to 1024 tokens.")]
ChunkOverlap = Annotated[
    int | None, typer.Option("--chunk-overlap", help="Most tokens that a chunk repeats of the one before.")
]
Validator = Annotated[
    str | None, typer.Option("--validator", help="rules, off, or a model such as anthropic/claude-opus-4-7.")
]
Policy = Annotated[
    str | None, typer.Option("--policy", help="What a model validator does: gate (before embedding) or audit (beside).")
]
Redact = Annotated[
    str | None,
    typer.Option("--redact", help="Hide values before anything is made of a text: off, patterns, or names too."),
]
RedactKeep = Annotated[
    list[str] | None,
    typer.Option("--redact-keep", metavar="VALUE", help="A value that stays; again for more, '' for none."),
]
RejectBelow = Annotated[
    int | None, typer.Option("--reject-below", help="Under gate, chunks with a lower score are rejected; 1 keeps all.")
]
Rank = Annotated[
    bool | None,
    typer.Option(
        "--rank/--no-rank", help="Have models rank what is found here, or not, whatever is set; each query costs money."
    ),
]
Expand = Annotated[
    bool | None, typer.Option("--expand/--no-expand", help="Look for synonyms of what a query names too; see terms.")
]
Normalise = Annotated[
    bool | None,
    typer.Option("--normalise/--no-normalise", help="Have a model word questions as the documents do; costs money."),
]
Decompose = Annotated[
    bool | None,
    typer.Option("--decompose/--no-decompose", help="Have a model divide compound questions; each costs money."),
]
Domain = Annotated[
    str | None,
    typer.Option(
        "--domain", help="What the documents are about, for models that read questions; 2,000 characters at most."
    ),
]
Access = Annotated[
    str | None, typer.Option("--access", help="Access level of documents that say none; no row is written for it.")
]
Owner = Annotated[str | None, typer.Option("--owner", help="Who owns documents that name nobody.")]
KeepQueries = Annotated[
    bool | None,
    typer.Option("--keep-queries/--no-keep-queries", help="Keep what queries say with their records, or forget it."),
]
FastModel = Annotated[
    str | None, typer.Option("--fast-model", help="Model that sifts and divides here, or off; '' is as everywhere.")
]
RankModel = Annotated[
    str | None, typer.Option("--rank-model", help="Model that grades here, or off; '' is as everywhere.")
]
AnswerModel = Annotated[
    str | None, typer.Option("--answer-model", help="Model that answers here, or off; '' is the one that grades.")
]
SimilarityWeight = Annotated[
    float | None,
    typer.Option("--similarity-weight", help="What similarity counts beside what a model says, from 0 to 1."),
]
Candidates = Annotated[int | None, typer.Option("--candidates", help="So many hits are sifted, 1 to 200.")]
Ranked = Annotated[int | None, typer.Option("--ranked", help="So many of those that passed are graded.")]
MaxUsd = Annotated[
    float | None,
    typer.Option(
        "--max-usd", metavar="USD", parser=_read_bound, help="Most that a query may cost here, or none for no limit."
    ),
]
Retain = Annotated[
    float | None,
    typer.Option(
        "--retain",
        metavar="90d",
        parser=_read_days,
        help="Erase documents so long after they came; or none.",
    ),
]
