"""`embedmill workers`: start worker processes in the foreground, list them."""

from typing import Annotated

import typer

from console.output import print_json, print_line, print_table

app = typer.Typer(no_args_is_help=True, help="Run workers and look at them.")

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]


@app.command()
def start(
    queue: Annotated[
        list[str], typer.Option("--queue", metavar="QUEUE[=N]", help="Serve a queue with N processes; may be repeated.")
    ] = [],  # noqa: B006 - typer copies defaults
) -> None:
    """Run every queue and the chores in the foreground until SIGTERM; --queue chooses queues."""
    from console.session import Workshop, interruptible, opened

    slots = [slot for entry in queue for slot in _slots(entry)]
    with opened() as runtime, interruptible():
        slots = slots or [()] * runtime.settings.worker_count
        try:
            with Workshop(runtime, slots) as workshop:
                workshop.start_workers()
                print_line(f"{len(slots)} workers started; SIGTERM or Ctrl-C stops them after the batch in hand")
                workshop.run_until(lambda: False)
        except KeyboardInterrupt:
            print_line("workers stopped")


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """List worker processes with their last heartbeat."""
    from console.session import opened
    from shared.db import presence
    from shared.presence import is_gone

    with opened() as runtime:
        with runtime.database.read() as connection:
            rows = presence.list_workers(connection)
        alive = [row for row in rows if not is_gone(runtime.run_folder, row["id"])]
    if as_json:
        print_json({"workers": alive})
    else:
        columns = ("id", "host", "pid", "queues", "age")
        print_table(alive, columns, empty="no workers: embedmill workers start")


def _slots(entry: str) -> list[tuple[str, ...]]:
    from shared.states import Stage

    name, _, count = entry.partition("=")
    if name not in [str(stage) for stage in Stage]:
        raise typer.BadParameter(f"unknown queue {name!r}; there are {', '.join(Stage)}", param_hint="--queue")
    if count and not (count.isdigit() and 1 <= int(count) <= 256):
        raise typer.BadParameter(f"{entry!r}: write {name}=N with N from 1 to 256", param_hint="--queue")
    return [(name,)] * int(count or 1)
