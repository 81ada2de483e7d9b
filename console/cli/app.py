"""The command line: names, options and help; what a command does is imported when it is called."""

import os
import sys
from shlex import quote
from typing import Annotated

import typer
from typer.main import get_command

from embedmill.console.cli import ask as ask_cli
from embedmill.console.cli import audit as audit_cli
from embedmill.console.cli import backups as backups_cli
from embedmill.console.cli import budget as budget_cli
from embedmill.console.cli import bulk as bulk_cli
from embedmill.console.cli import cache as cache_cli
from embedmill.console.cli import collections as collections_cli
from embedmill.console.cli import dlq as dlq_cli
from embedmill.console.cli import doctor as doctor_cli
from embedmill.console.cli import documents as documents_cli
from embedmill.console.cli import erasures as erasures_cli
from embedmill.console.cli import evaluation as evaluation_cli
from embedmill.console.cli import feedback as feedback_cli
from embedmill.console.cli import ingest as ingest_cli
from embedmill.console.cli import jobs as jobs_cli
from embedmill.console.cli import keys as keys_cli
from embedmill.console.cli import parse as parse_cli
from embedmill.console.cli import redact as redact_cli
from embedmill.console.cli import review as review_cli
from embedmill.console.cli import search as search_cli
from embedmill.console.cli import simulate as simulate_cli
from embedmill.console.cli import sources as sources_cli
from embedmill.console.cli import spend as spend_cli
from embedmill.console.cli import stats as stats_cli
from embedmill.console.cli import tokens as tokens_cli
from embedmill.console.cli import verify as verify_cli
from embedmill.console.cli import watching as watching_cli
from embedmill.console.cli import workers as workers_cli
from embedmill.console.cli.options import AsJson
from embedmill.console.cli.output import DONE, FAILED, USAGE, print_error, print_json, print_line, print_notice
from embedmill.shared.starting import start_lightly
from embedmill.shared.wording import reword

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(documents_cli.app, name="documents")
app.add_typer(sources_cli.app, name="sources")
app.add_typer(erasures_cli.app, name="erasures")
app.add_typer(jobs_cli.app, name="jobs")
app.add_typer(dlq_cli.app, name="dlq")
app.add_typer(workers_cli.app, name="workers")
app.add_typer(collections_cli.app, name="collections")
app.add_typer(feedback_cli.app, name="feedback")
app.add_typer(review_cli.app, name="review")
app.add_typer(budget_cli.app, name="budget")
app.add_typer(cache_cli.app, name="cache")
app.add_typer(keys_cli.app, name="keys")
app.add_typer(tokens_cli.app, name="tokens")
app.add_typer(audit_cli.app, name="audit")
app.add_typer(bulk_cli.app, name="bulk")

TEXTUAL = frozenset({"search", "ask"})
"""Commands that take any text."""

RESUMED = frozenset(
    {"ingest", "submit", "jobs", "dlq", "verify", "bulk", "collections", "workers", "cache", "erase", "watch"}
)
"""Commands of which what was done stays done, and that take up the rest when they are given again."""

# What typer returns in the place of a KeyboardInterrupt; no command ends so by itself.
TYPER_INTERRUPTED = 130


def main() -> int:
    """Run a command; returns 0 done, 1 failed, 2 usage, 3 finished with dead letters."""
    start_lightly()
    # One matrix product of a search is too small for two threads, and workers are processes already.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
    debug = len(arguments) < len(sys.argv) - 1
    return _run(arguments, debug=debug)


def _print_version(value: bool) -> None:
    if value:
        from embedmill.shared import VERSION

        print_line(f"embedmill {VERSION}")
        raise typer.Exit


@app.callback(
    help="Turn documents into a verified, searchable vector index.",
    epilog="embedmill COMMAND -h explains a command; --debug, anywhere, shows tracebacks.",
)
def _embedmill(
    version: Annotated[
        bool, typer.Option("--version", "-V", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


def _run(arguments: list[str], *, debug: bool) -> int:
    from embedmill.shared.errors import EmbedmillError, SettingsError, UsageError

    as_json = "--json" in arguments
    try:
        status = app(arguments, prog_name="embedmill", standalone_mode=False) or DONE
        return _interrupted(arguments, as_json=as_json) if status == TYPER_INTERRUPTED else status
    except typer.TyperException as error:
        return _misused(error, arguments, as_json=as_json)
    except (KeyboardInterrupt, typer.Abort):
        return _interrupted(arguments, as_json=as_json)
    except BrokenPipeError:
        sys.stderr.close()
        return FAILED
    except EmbedmillError as error:
        if debug:
            raise
        hint = error.hint or (f"{_named(arguments)} -h" if isinstance(error, UsageError) else "")
        print_error(str(error), hint, as_json=as_json)
        return USAGE if isinstance(error, SettingsError | UsageError) else FAILED
    except OSError as error:
        if debug:
            raise
        where = f"{error.filename}: " if error.filename is not None else ""
        message = f"the machine refused: {where}{error.strerror or error}"
        print_error(message, "run it with --debug", as_json=as_json)
        return FAILED
    except Exception as error:
        if debug:
            raise
        message = f"a fault of Embedmill: {type(error).__name__}"
        print_error(message, "run it with --debug and report it", as_json=as_json)
        return FAILED


def _misused(error: typer.TyperException, arguments: list[str], *, as_json: bool) -> int:
    """Say how a command is used."""
    context = getattr(error, "ctx", None)
    message = error.format_message()
    if message.startswith("Usage: "):
        # A group without a command answers with its help.
        sys.stderr.write(f"{message}\n")
        return USAGE
    if context is not None:
        print_notice(" ".join(context.get_usage().split()))
    command = context.command_path if context is not None else "embedmill"
    said = reword(message.removeprefix("Invalid value: ").rstrip("."))
    hint = _after_dashes(error, arguments, command) or f"{command} -h"
    print_error(said.replace("Invalid value for ", "").replace(": must", " must"), hint, as_json=as_json)
    return USAGE


def _after_dashes(error: typer.TyperException, arguments: list[str], command: str) -> str:
    """How to write a text that was taken for options as it begins with a sign, as "-40 degrees"; empty for others."""
    option = getattr(error, "option_name", "")
    if command.removeprefix("embedmill ") not in TEXTUAL or not option:
        return ""
    meant = (a for a in arguments if a.startswith(option) and (a != option or option[1:].isdigit()))
    return next((f"{command} -- {quote(text)}" for text in meant), "")


def _named(arguments: list[str]) -> str:
    """The command that the arguments begin with, as `embedmill dlq list`."""
    commands, names = {"embedmill": get_command(app)}, ["embedmill"]
    for argument in arguments:
        commands = getattr(commands[names[-1]], "commands", {})
        if argument not in commands:
            break
        names.append(argument)
    return " ".join(names)


def _interrupted(arguments: list[str], *, as_json: bool) -> int:
    resumed = not RESUMED.isdisjoint(arguments[:1])
    hint = "run the same command again: it takes up what is left" if resumed else ""
    print_error("interrupted", hint, as_json=as_json)
    return FAILED


app.command()(ingest_cli.ingest)
app.command()(ingest_cli.submit)
app.command()(ingest_cli.estimate)
app.command()(watching_cli.watch)
app.command()(parse_cli.parse)
app.command()(redact_cli.redact)
app.command()(search_cli.search)
app.command()(ask_cli.ask)
app.command()(search_cli.export)
app.command("eval")(evaluation_cli.evaluate)
app.command()(stats_cli.stats)
app.command()(verify_cli.verify)
app.command()(erasures_cli.erase)
app.command()(backups_cli.backup)
app.command()(backups_cli.restore)
app.command()(spend_cli.spend)
app.command()(doctor_cli.doctor)


app.command()(simulate_cli.simulate)


@app.command()
def version(as_json: AsJson = False) -> None:
    """Print the version."""
    from embedmill.shared import VERSION

    if as_json:
        print_json({"version": VERSION})
    else:
        print_line(f"embedmill {VERSION}")
