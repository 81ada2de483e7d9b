"""`embedmill workers`: run worker pools in the foreground, look at them, and say what is wanted of them."""

from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Any

import typer

from embedmill.console.cli.options import AsJson
from embedmill.console.cli.output import FAILED, print_error, print_line, print_result, print_table
from embedmill.console.rendering import counted, to_json
from embedmill.shared import stages

if TYPE_CHECKING:
    from embedmill.console.services.running import StartedWorkers
    from embedmill.console.services.workers import Drained, HostHealth, PoolOrder, WorkerReport, WorkersReport

app = typer.Typer(no_args_is_help=True, help="Run workers; list, scale, pause and drain them.")

Queue = Annotated[
    str, typer.Argument(metavar="QUEUE", help=f"A queue: {', '.join(stages.names()[:-1])} or {stages.last()}.")
]

MOST_SLOTS = 1024


@app.command()
def start(
    queue: Annotated[
        list[str], typer.Option("--queue", metavar="QUEUE[=N]", help="Serve a queue with N slots; may be repeated.")
    ] = [],  # noqa: B006 - typer copies defaults
    concurrency: Annotated[
        int | None,
        typer.Option(min=1, max=MOST_SLOTS, help="Slots where no N is given; 1 a queue, one a core for all queues."),
    ] = None,
    pool: Annotated[
        str | None, typer.Option(help="prefork (or processes), or threads; by default what suits each queue.")
    ] = None,
    max_tasks: Annotated[int, typer.Option(min=0, help="Replace a worker process after so many batches.")] = 0,
    max_memory_mb: Annotated[int, typer.Option(min=0, help="Replace a worker process above so much memory.")] = 0,
    grace: Annotated[
        float | None, typer.Option(min=0, help="Seconds to finish what is in hand; by default as set.")
    ] = None,
    without_chores: Annotated[
        bool, typer.Option("--without-chores", help="Leave dispatching and rescuing to other processes.")
    ] = False,
    only_chores: Annotated[
        bool, typer.Option("--only-chores", help="Run no workers: dispatch, rescue and tidy for those elsewhere.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Work in the foreground until SIGTERM.

    Every queue and the chores, unless --queue chooses queues.
    """
    from embedmill.console.cli.session import heard, opened_to_work
    from embedmill.console.services import workers
    from embedmill.console.services.running import WorkshopOptions, run_workers
    from embedmill.workers.processes.children import Recycling

    if only_chores and (queue or without_chores):
        raise typer.BadParameter("--only-chores goes with neither --queue nor --without-chores")

    def announce(started: "StartedWorkers") -> None:
        print_result(started, _print_started, as_json=as_json)

    slots = _read_slots(queue, concurrency or 1)
    recycling = Recycling(max_tasks, max_memory_mb)
    with opened_to_work() as runtime, heard(quiet=True) as listener:
        options = WorkshopOptions(recycling, grace, with_chores=not without_chores, watches=not without_chores)
        pools = [] if only_chores else workers.plan_pools(runtime.settings, slots, concurrency=concurrency, kind=pool)
        with suppress(KeyboardInterrupt):
            run_workers(runtime, pools, options=options, on_started=announce, listener=listener)
        if not as_json:
            print_line("workers stopped")


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """List worker processes, pools and supervisors."""
    from embedmill.console.cli.session import opened_to_read
    from embedmill.console.services import workers

    with opened_to_read() as runtime:
        found = workers.list_workers(runtime)
    print_result(found, _print_workers, as_json=as_json)


@app.command()
def health(as_json: AsJson = False) -> None:
    """End with 0 if a supervisor of this host lives.

    For the health checks of containers: it ends with 1 if none said lately that it lives.
    """
    from embedmill.console.cli.session import opened_to_read
    from embedmill.console.services import workers

    with opened_to_read() as runtime:
        found = workers.check_health(runtime)
    print_result(found, _print_health, as_json=as_json)
    if not found.healthy:
        raise typer.Exit(FAILED)


@app.command()
def scale(
    queue: Queue,
    slots: Annotated[
        int | None, typer.Argument(metavar="N", min=0, max=MOST_SLOTS, help="Slots over all supervisors.")
    ] = None,
    reset: Annotated[bool, typer.Option("--reset", help="Go back to what supervisors were started with.")] = False,
    wait: Annotated[float, typer.Option(min=0, help="Wait so many seconds for the workers to follow.")] = 0.0,
    force: Annotated[bool, typer.Option("--force", help="Go beyond what the provider allows.")] = False,
    as_json: AsJson = False,
) -> None:
    """Set how many slots a queue has in all.

    Every supervisor that serves the queue takes its share.
    """
    from embedmill.console.cli.session import opened
    from embedmill.console.services import workers

    if (slots is None) != reset:
        raise typer.BadParameter("give either a number of slots or --reset")
    with opened() as runtime:
        order = workers.scale_queue(runtime, queue, slots, force=force, wait_seconds=wait)
    _show_order(order, as_json=as_json)


@app.command()
def pause(queue: Queue, as_json: AsJson = False) -> None:
    """Let no worker claim work of a queue.

    What runs is finished.
    """
    from embedmill.console.cli.session import opened
    from embedmill.console.services import workers

    with opened() as runtime:
        order = workers.pause_queue(runtime, queue)
    _show_order(order, as_json=as_json)


@app.command()
def resume(queue: Queue, as_json: AsJson = False) -> None:
    """Let workers claim work of a queue again."""
    from embedmill.console.cli.session import opened
    from embedmill.console.services import workers

    with opened() as runtime:
        order = workers.resume_queue(runtime, queue)
    _show_order(order, as_json=as_json)


@app.command()
def drain(
    worker: Annotated[list[str], typer.Argument(metavar="WORKER", help="Names of workers.")] = [],  # noqa: B006
    queue: Annotated[str | None, typer.Option("--queue", help="Instead, scale a queue to nothing.")] = None,
    all_: Annotated[bool, typer.Option("--all", help="Instead, every worker.")] = False,
    wait: Annotated[float, typer.Option(min=0, help="Wait so many seconds for them to go.")] = 0.0,
    as_json: AsJson = False,
) -> None:
    """Let workers finish what they hold, and stop.

    They are not replaced.
    """
    from embedmill.console.cli.session import opened
    from embedmill.console.services import workers

    if sum((bool(worker), queue is not None, all_)) != 1:
        raise typer.BadParameter("name workers, or give --queue QUEUE, or --all")
    if queue is not None:
        scale(queue, 0, wait=wait, as_json=as_json)
        return
    with opened() as runtime:
        done = workers.drain_workers(runtime, None if all_ else worker, wait_seconds=wait)
    print_result(done, _print_drained, as_json=as_json)
    if done.stopped is False:
        raise typer.Exit(FAILED)


def _print_started(started: "StartedWorkers") -> None:
    print_line(f"{counted(started.slots, 'slot')} started; SIGTERM or Ctrl-C stops them after the batch in hand")


def _print_workers(found: "WorkersReport") -> None:
    columns = ("id", "kind", "queues", "host", "pid", "state", "busy", "slots", "work", "rate", "rss_mb", "age")
    idle = all(pool.desired == 0 for pool in found.pools)
    empty = "no workers: every queue is scaled to 0" if idle else "no workers: embedmill workers start"
    print_table([_row(worker) for worker in found.workers], columns, empty=empty)
    if any(pool.desired is not None or pool.paused for pool in found.pools):
        print_table(found.pools, ("queue", "desired", "actual", "paused", "revision"), empty="")


def _row(worker: "WorkerReport") -> dict[str, Any]:
    work = ", ".join(f"{held.documents} {held.stage} {held.seconds:.0f}s" for held in worker.current)
    return {**to_json(worker), "queues": " ".join(worker.queues), "work": work}


def _print_health(found: "HostHealth") -> None:
    count = len(found.supervisors)
    print_line(f"{count} supervisor{'s' * (count > 1)} on this host" if found.healthy else "no supervisor on this host")


def _show_order(order: "PoolOrder", *, as_json: bool) -> None:
    print_result(order, _print_order, as_json=as_json)
    if order.converged is False:
        print_error("the workers have not followed yet", "embedmill workers list")
        raise typer.Exit(FAILED)


def _print_order(order: "PoolOrder") -> None:
    before, after = order.before, order.after
    if before.desired != after.desired:
        old, new = ("as started" if value is None else value for value in (before.desired, after.desired))
        print_line(f"{order.queue}: desired {old} -> {new}")
    if before.paused != after.paused:
        print_line(f"{order.queue}: paused {before.paused} -> {after.paused}")
    if (before.desired, before.paused) == (after.desired, after.paused):
        print_line(f"{order.queue}: nothing changed")
    if not order.supervisors:
        print_line("nobody serves this queue now; whoever starts to will follow")


def _print_drained(done: "Drained") -> None:
    for name in done.draining:
        print_line(f"{name} finishes what it holds and stops")
    for change in done.pools:
        print_line(f"{change.queue}: {change.before.desired} -> {change.after.desired} slots")


def _read_slots(entries: Sequence[str], default: int) -> list[tuple[str, int]]:
    """Queues and their slots from `QUEUE` or `QUEUE=N`."""
    return [_read_entry(entry, default) for entry in entries]


def _read_entry(entry: str, default: int) -> tuple[str, int]:
    name, _, count = entry.partition("=")
    if count and not (count.isdigit() and 1 <= int(count) <= MOST_SLOTS):
        raise typer.BadParameter(f"{entry!r}: write {name}=N with N from 1 to {MOST_SLOTS}", param_hint="--queue")
    return name, int(count or default)
