"""`embedmill redact`: what the redaction policy finds in a text."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from embedmill.console.cli.options import AsJson
from embedmill.console.cli.output import print_json, print_json_lines, print_notice
from embedmill.shared.harmless import harmless_lines

if TYPE_CHECKING:
    from embedmill.console.services.redacting import RedactedText

STDIN = Path("-")


def redact(
    file: Annotated[Path, typer.Argument(metavar="[FILE]", help="The text; standard input if not given.")] = STDIN,
    policy: Annotated[
        str, typer.Option("--policy", help="patterns, or names too, which needs the extra.")
    ] = "patterns",
    jsonl: Annotated[
        bool, typer.Option("--jsonl", help='Read lines of JSON with "id" and "text", and print one of each.')
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show a text without personal data and secrets.

    Placeholders stand in their places. Nothing is stored. With --json, what was found where; offsets are in characters
    of the text that was given.
    """
    from embedmill.console.cli.session import read_settings
    from embedmill.console.services.redacting import TextRedactor

    redactor = TextRedactor(policy, scanner=read_settings().secret_scanner)
    with _opened(file) as opened:
        if jsonl:
            print_json_lines(redactor.redact_lines(opened))
            return
        found = redactor.redact(opened.read())
    if as_json:
        print_json(found)
    else:
        print_redacted(found)


def _opened(file: Path) -> BinaryIO:
    from embedmill.shared.errors import UserError

    try:
        return sys.stdin.buffer if file == STDIN else file.open("rb")
    except OSError as error:
        raise UserError(f"{file}: {error.strerror}", hint="Check the path and its permissions.") from None


def print_redacted(found: "RedactedText") -> None:
    """The text, as it is but on a terminal, and on stderr how much was found."""
    from collections import Counter

    text = harmless_lines(found.text) if sys.stdout.isatty() else found.text
    sys.stdout.buffer.write(text.encode("utf-8", "replace"))
    sys.stdout.buffer.flush()
    counts = Counter(span.type for span in found.spans)
    print_notice(", ".join(f"{count:,} {type_}" for type_, count in counts.most_common()) or "nothing was found")
