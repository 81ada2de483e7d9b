"""The command line: names, options and help; what a command does is imported when it is called."""

import errno
import sys
from collections.abc import Sequence
from pkgutil import resolve_name
from shlex import quote
from typing import Annotated

import typer
from typer.main import get_command

from embedmill.console.cli.output import DONE, FAILED, USAGE, print_error, print_line, print_notice
from embedmill.console.cli.plain import read_plainly
from embedmill.shared.starting import keep_little_free, start_lightly
from embedmill.shared.wording import reword

PACKAGE = "embedmill.console.cli"
GROUPS = (
    "documents",
    "sources",
    "erasures",
    "jobs",
    "dlq",
    "workers",
    "collections",
    "feedback",
    "review",
    "budget",
    "cache",
    "keys",
    "tokens",
    "audit",
    "bulk",
)
"""Groups of commands, each the `app` of a module of its name, in the order of the help."""
COMMANDS = {
    "ingest": "ingest:ingest",
    "submit": "ingest:submit",
    "estimate": "ingest:estimate",
    "watch": "watching:watch",
    "parse": "parse:parse",
    "redact": "redact:redact",
    "search": "search:search",
    "ask": "ask:ask",
    "export": "search:export",
    "eval": "evaluation:evaluate",
    "stats": "stats:stats",
    "verify": "verify:verify",
    "erase": "erasures:erase",
    "backup": "backups:backup",
    "restore": "backups:restore",
    "spend": "spend:spend",
    "doctor": "doctor:doctor",
    "simulate": "simulate:simulate",
    "version": "version:version",
}
"""The other commands by the functions that they are."""

TEXTUAL = frozenset({"search", "ask"})
"""Commands that take any text."""

RESUMED = frozenset(
    {"ingest", "submit", "jobs", "dlq", "verify", "bulk", "collections", "workers", "cache", "erase", "watch"}
)
"""Commands of which what was done stays done, and that take up the rest when they are given again."""

READING = frozenset({"submit", "watch", "sources"})
"""Commands that may read a large source for hours; an ingest sees to its memory itself, with that of its workers."""

# What typer returns in the place of a KeyboardInterrupt; no command ends so by itself.
TYPER_INTERRUPTED = 130


def main() -> int:
    """Run a command; returns 0 done, 1 failed, 2 usage, 3 finished with dead letters."""
    start_lightly()
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
    debug = len(arguments) < len(sys.argv) - 1
    if not READING.isdisjoint(arguments[:1]):
        keep_little_free()
    return _run(arguments, debug=debug)


def _print_version(value: bool) -> None:
    if value:
        from embedmill.shared import VERSION

        print_line(f"embedmill {VERSION}")
        raise typer.Exit


def _embedmill(
    version: Annotated[
        bool, typer.Option("--version", "-V", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


def command_line(arguments: Sequence[str] = ()) -> typer.Typer:
    """What understands these arguments: where they begin with a command, that one alone is loaded; else every one."""
    app = typer.Typer(
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback(
        help="Turn documents into a verified, searchable vector index.",
        epilog="embedmill COMMAND -h explains a command; --debug, anywhere, shows tracebacks.",
    )(_embedmill)
    known = next((name for name in arguments[:1] if name in COMMANDS or name in GROUPS), None)
    for name in GROUPS:
        if known in (None, name):
            app.add_typer(resolve_name(f"{PACKAGE}.{name}:app"), name=name)
    for name, function in COMMANDS.items():
        if known in (None, name):
            app.command(name)(resolve_name(f"{PACKAGE}.{function}"))
    return app


def _run(arguments: list[str], *, debug: bool) -> int:
    from embedmill.shared.errors import EmbedmillError, SettingsError, UsageError

    as_json = "--json" in arguments
    try:
        command = get_command(command_line(arguments))
        read_plainly(command)
        status = command.main(arguments, prog_name="embedmill", standalone_mode=False) or DONE
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
        is_full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        print_error(message, "free some disk space" if is_full else "run it with --debug", as_json=as_json)
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
    commands, names = {"embedmill": get_command(command_line(arguments))}, ["embedmill"]
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
