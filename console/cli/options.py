"""Options that several commands have, under one name and one help."""

from typing import Annotated

import typer

Collection = Annotated[str, typer.Option("--collection", "-c", help="Collection; made on first use.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]
