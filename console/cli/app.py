"""The command line: names, options and help; what a command does is imported when it is called."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from typer.main import get_command

from embedmill.console.cli import budget as budget_cli
from embedmill.console.cli import bulk as bulk_cli
from embedmill.console.cli import cache as cache_cli
from embedmill.console.cli import collections as collections_cli
from embedmill.console.cli import dlq as dlq_cli
from embedmill.console.cli import documents as documents_cli
from embedmill.console.cli import jobs as jobs_cli
from embedmill.console.cli import review as review_cli
from embedmill.console.cli import search as search_cli
from embedmill.console.cli import sources as sources_cli
from embedmill.console.cli import spend as spend_cli
from embedmill.console.cli import workers as workers_cli
from embedmill.console.cli.output import DONE, FAILED, USAGE, print_error, print_json, print_line, print_notice
from embedmill.shared.ledger import Lane
from embedmill.shared.starting import start_lightly
from embedmill.shared.wording import reword

if TYPE_CHECKING:
    from embedmill.producers.sources.open import SourceOptions

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(documents_cli.app, name="documents")
app.add_typer(sources_cli.app, name="sources")
app.add_typer(jobs_cli.app, name="jobs")
app.add_typer(dlq_cli.app, name="dlq")
app.add_typer(workers_cli.app, name="workers")
app.add_typer(collections_cli.app, name="collections")
app.add_typer(review_cli.app, name="review")
app.add_typer(budget_cli.app, name="budget")
app.add_typer(cache_cli.app, name="cache")
app.add_typer(bulk_cli.app, name="bulk")

Sources = Annotated[
    list[str], typer.Argument(metavar="SOURCE", help="Files, folders, JSONL or CSV files; - reads a list of files.")
]
Collection = Annotated[str, typer.Option("--collection", "-c", help="Collection; made on first use.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]
Include = Annotated[list[str], typer.Option("--include", help="Only files that match this glob; may be repeated.")]
Exclude = Annotated[list[str], typer.Option("--exclude", help="No files that match this glob; may be repeated.")]
Fields = Annotated[
    list[str],
    typer.Option("--field", help="Name of a row's field, as text=body; of id, text, title, uri, metadata."),
]
Hidden = Annotated[
    bool, typer.Option("--hidden", help="Take hidden files, dependency folders and keys in folders too.")
]
NullSeparated = Annotated[bool, typer.Option("--null", "-0", help="A list of files is separated by NUL, not newline.")]


# What typer returns in the place of a KeyboardInterrupt; no command ends so by itself.
TYPER_INTERRUPTED = 130


RetryDead = Annotated[bool, typer.Option("--retry-dead", help="Try again what failed for good before.")]
AllowDeletes = Annotated[
    bool, typer.Option("--allow-deletes", help="Remove vanished documents though they are more than a fifth.")
]
Priority = Annotated[
    int | None, typer.Option(min=-100, max=100, help="Urgency: the higher is served first; 0 if not given.")
]
Weight = Annotated[int | None, typer.Option(min=1, max=100, help="Share among jobs of one priority; 1 if not given.")]
LaneOption = Annotated[
    Lane | None,
    typer.Option(
        "--lane", help="`bulk` asks models in the vendors' batches: half the price, within a day; live if not given."
    ),
]
JobName = Annotated[str | None, typer.Option("--name", help="What to call the job.")]


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
        return _interrupted(as_json=as_json) if status == TYPER_INTERRUPTED else status
    except typer.TyperException as error:
        return _misused(error, as_json=as_json)
    except (KeyboardInterrupt, typer.Abort):
        return _interrupted(as_json=as_json)
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
        print_error(f"the machine refused: {error.strerror or error}", "run it with --debug", as_json=as_json)
        return FAILED
    except Exception as error:
        if debug:
            raise
        message = f"a fault of Embedmill: {type(error).__name__}"
        print_error(message, "run it with --debug and report it", as_json=as_json)
        return FAILED


def _misused(error: typer.TyperException, *, as_json: bool) -> int:
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
    print_error(said.replace("Invalid value for ", "").replace(": must", " must"), f"{command} -h", as_json=as_json)
    return USAGE


def _named(arguments: list[str]) -> str:
    """The command that the arguments begin with, as `embedmill dlq list`."""
    commands, names = {"embedmill": get_command(app)}, ["embedmill"]
    for argument in arguments:
        commands = getattr(commands[names[-1]], "commands", {})
        if argument not in commands:
            break
        names.append(argument)
    return " ".join(names)


def _interrupted(*, as_json: bool) -> int:
    print_error("interrupted", "run the same command again: it takes up what is left", as_json=as_json)
    return FAILED


@app.command()
def ingest(
    sources: Sources,
    collection: Collection = "default",
    include: Include = [],  # noqa: B006 - typer copies defaults
    exclude: Exclude = [],  # noqa: B006
    field: Fields = [],  # noqa: B006
    hidden: Hidden = False,
    null: NullSeparated = False,
    allow_deletes: AllowDeletes = False,
    retry_dead: RetryDead = False,
    priority: Priority = None,
    weight: Weight = None,
    lane: LaneOption = None,
    name: JobName = None,
    as_json: AsJson = False,
) -> None:
    """Put documents in and work here until they are indexed."""
    from embedmill.console.services.ingesting import Request
    from embedmill.console.services.ingesting import ingest as run

    options = _options(include, exclude, field, null=null, hidden=hidden)
    request = Request(tuple(sources), collection, options, allow_deletes, priority, weight, lane, name, retry_dead)
    report, status = run(request, quiet=as_json)
    if as_json:
        print_json(report)
    raise typer.Exit(status)


@app.command()
def submit(
    sources: Sources,
    collection: Collection = "default",
    include: Include = [],  # noqa: B006
    exclude: Exclude = [],  # noqa: B006
    field: Fields = [],  # noqa: B006
    hidden: Hidden = False,
    null: NullSeparated = False,
    allow_deletes: AllowDeletes = False,
    retry_dead: RetryDead = False,
    priority: Priority = None,
    weight: Weight = None,
    lane: LaneOption = None,
    name: JobName = None,
    as_json: AsJson = False,
) -> None:
    """Put documents in for the workers, and return at once."""
    from embedmill.console.services.ingesting import Request, print_submitted
    from embedmill.console.services.ingesting import submit as run

    options = _options(include, exclude, field, null=null, hidden=hidden)
    request = Request(tuple(sources), collection, options, allow_deletes, priority, weight, lane, name, retry_dead)
    report, status = run(request)
    if as_json:
        print_json(report)
    else:
        print_submitted(report)
    raise typer.Exit(status)


@app.command()
def estimate(
    sources: Sources,
    collection: Collection = "default",
    include: Include = [],  # noqa: B006
    exclude: Exclude = [],  # noqa: B006
    field: Fields = [],  # noqa: B006
    hidden: Hidden = False,
    null: NullSeparated = False,
    as_json: AsJson = False,
) -> None:
    """Say what an ingest would take and cost.

    Documents, chunks, tokens, calls and dollars per stage. Nothing is stored or spent.
    """
    from embedmill.console.services.estimates import estimate as run
    from embedmill.console.services.estimates import print_estimate

    report = run(sources, collection, _options(include, exclude, field, null=null, hidden=hidden))
    if as_json:
        print_json(report)
    else:
        print_estimate(report)
    raise typer.Exit(FAILED if report["refused"] else DONE)


@app.command()
def parse(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The file to read.")],
    collection: Annotated[
        str | None, typer.Option("--collection", "-c", help="Cut it as this collection does; as usual if not given.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show what is read from a file.

    Its text, structure, notes and chunks. Nothing is stored.
    """
    from embedmill.console.services.parsing import parse_file, print_reading

    found = parse_file(file, collection=collection)
    if as_json:
        print_json(found)
    else:
        print_reading(found)


app.command()(search_cli.search)
app.command()(search_cli.export)


@app.command()
def verify(
    collection: Annotated[str | None, typer.Option("--collection", "-c", help="Only this collection.")] = None,
    repair: Annotated[bool, typer.Option("--repair", help="Mend what differs.")] = False,
    as_json: AsJson = False,
) -> None:
    """Compare the records with the vector store.

    It names what is missing, orphaned or stale in the store.
    """
    from embedmill.console.services.verifying import print_verification
    from embedmill.console.services.verifying import verify as run

    report = run(collection, repair=repair, quiet=as_json)
    if as_json:
        print_json(report)
    else:
        print_verification(report)
    raise typer.Exit(DONE if report["ok"] else FAILED)


app.command()(spend_cli.spend)


@app.command()
def doctor(as_json: AsJson = False) -> None:
    """Check settings, services, keys and workers."""
    from embedmill.console.services.doctor import examine, print_checks

    checks = examine()
    ok = all(check["ok"] for check in checks)
    if as_json:
        print_json({"ok": ok, "checks": checks})
    else:
        print_checks(checks)
    raise typer.Exit(DONE if ok else FAILED)


@app.command()
def simulate(
    name: Annotated[
        str, typer.Argument(metavar="PROVIDER", help="One of openai, anthropic, cohere, bedrock and pinecone.")
    ],
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 takes a free one.")] = 0,
    host: Annotated[str, typer.Option(help="Address to listen on; the loopback interface unless told.")] = "127.0.0.1",
    tpm: Annotated[
        int | None, typer.Option("--tpm", min=1, help="Tokens a minute and model; no limit if absent.")
    ] = None,
    rpm: Annotated[int | None, typer.Option("--rpm", min=1, help="Requests a minute and model.")] = None,
    latency_ms: Annotated[int, typer.Option("--latency-ms", min=0, help="Least time of an answer.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Act as a paid provider, to rehearse a run.

    It prints the variables to set.

    It is told what to do over HTTP, as docs/simulators.md shows: POST /_sim/faults orders refusals, delays, cuts and
    spoiled answers, POST /_sim/verdicts scripts what the model thinks, GET /_sim/bill is what it would charge.
    """
    from embedmill.console.cli.simulating import Rehearsal
    from embedmill.console.cli.simulating import simulate as run

    run(Rehearsal(name, host, port, tpm, rpm, latency_ms), as_json=as_json)


@app.command()
def version(as_json: AsJson = False) -> None:
    """Print the version."""
    from embedmill.shared import VERSION

    if as_json:
        print_json({"version": VERSION})
    else:
        print_line(f"embedmill {VERSION}")


def _options(include: list[str], exclude: list[str], field: list[str], *, null: bool, hidden: bool) -> "SourceOptions":
    from embedmill.producers.sources.open import SourceOptions
    from embedmill.producers.sources.rows import FieldMap

    names = dict(_field(entry) for entry in field)
    return SourceOptions(tuple(include), tuple(exclude), FieldMap(**names), null, hidden)


def _field(entry: str) -> tuple[str, str]:
    name, _, column = entry.partition("=")
    if name not in ("id", "text", "title", "uri", "metadata") or not column:
        raise typer.BadParameter(f"{entry!r}: write id=NAME, text=NAME, title=NAME, uri=NAME or metadata=NAME")
    return name, column
