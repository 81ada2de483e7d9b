"""`embedmill workers`: run worker pools in the foreground, look at them, and say what is wanted of them."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from embedmill.console.cli.output import FAILED, print_error, print_json, print_line, print_table
from embedmill.shared import stages

if TYPE_CHECKING:
    from embedmill.shared.db.engine import Connection
    from embedmill.shared.settings import Settings
    from embedmill.workers.processes.pools import PoolSpec

app = typer.Typer(no_args_is_help=True, help="Run workers; list, scale, pause and drain them.")

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]
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
    from embedmill.console.cli.session import Options, Workshop, interruptible, opened
    from embedmill.workers.processes.supervisor import Recycling

    if only_chores and (queue or without_chores):
        raise typer.BadParameter("--only-chores goes with neither --queue nor --without-chores")
    options = Options(Recycling(max_tasks, max_memory_mb), grace, with_chores=not without_chores)
    with opened() as runtime, interruptible():
        pools = [] if only_chores else _pools(queue, concurrency, pool, runtime.settings)
        slots = sum(spec.slots for spec in pools)
        try:
            with Workshop(runtime, pools, options=options) as workshop:
                workshop.start_workers()
                if as_json:
                    print_json({"supervisor": runtime.process_id, "slots": slots})
                else:
                    print_line(f"{slots} slots started; SIGTERM or Ctrl-C stops them after the batch in hand")
                workshop.run_until(lambda: False)
        except KeyboardInterrupt:
            if not as_json:
                print_line("workers stopped")


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """List worker processes, pools and supervisors."""
    from embedmill.console.cli.session import opened
    from embedmill.console.services.workers import describe

    with opened() as runtime:
        found = describe(runtime)
    if as_json:
        print_json(found)
        return
    rows = [row | {"queues": " ".join(row["queues"]), "work": _work(row)} for row in found["workers"]]
    columns = ("id", "kind", "queues", "host", "pid", "state", "busy", "slots", "work", "rate", "rss_mb", "age")
    print_table(rows, columns, empty="no workers: embedmill workers start")
    if any(pool["desired"] is not None or pool["paused"] for pool in found["pools"]):
        print_table(found["pools"], ("queue", "desired", "actual", "paused", "revision"), empty="")


@app.command()
def health(as_json: AsJson = False) -> None:
    """End with 0 if a supervisor of this host lives.

    For the health checks of containers: it ends with 1 if none said lately that it lives.
    """
    from embedmill.console.cli.session import opened
    from embedmill.console.services.workers import find_local_supervisors

    with opened() as runtime:
        found = find_local_supervisors(runtime)
    if as_json:
        print_json({"healthy": bool(found), "supervisors": found})
    else:
        print_line(f"{len(found)} supervisors on this host" if found else "no supervisor on this host")
    if not found:
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
    from embedmill.shared.db import pools

    if (slots is None) != reset:
        raise typer.BadParameter("give either a number of slots or --reset")
    stage = _stage(queue)
    with opened() as runtime:
        if slots is not None and not force:
            _require_below_cap(stage, slots, runtime.settings)
        before, after = _changed(runtime, stage, lambda connection: pools.scale_pool(connection, stage, slots))
        report = _change(runtime, stage, before=before, after=after, wait=wait)
    _print_change(report, as_json=as_json)


@app.command()
def pause(queue: Queue, as_json: AsJson = False) -> None:
    """Let no worker claim work of a queue.

    What runs is finished.
    """
    _set_paused(queue, paused=True, as_json=as_json)


@app.command()
def resume(queue: Queue, as_json: AsJson = False) -> None:
    """Let workers claim work of a queue again."""
    _set_paused(queue, paused=False, as_json=as_json)


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
    from embedmill.console.services.workers import await_stopped, drain_workers, live_workers

    if sum((bool(worker), queue is not None, all_)) != 1:
        raise typer.BadParameter("name workers, or give --queue QUEUE, or --all")
    if queue is not None:
        scale(queue, 0, wait=wait, as_json=as_json)
        return
    with opened() as runtime:
        report = drain_workers(runtime, live_workers(runtime) if all_ else worker)
        stopped = await_stopped(runtime, report["draining"], seconds=wait) if wait else None
    if as_json:
        print_json(report | ({} if stopped is None else {"stopped": stopped}))
    else:
        for name in report["draining"]:
            print_line(f"{name} finishes what it holds and stops")
        for change in report["pools"]:
            print_line(f"{change['queue']}: {change['before']['desired']} -> {change['after']['desired']} slots")
    if stopped is False:
        raise typer.Exit(FAILED)


def _set_paused(queue: str, *, paused: bool, as_json: bool) -> None:
    from embedmill.console.cli.session import opened
    from embedmill.shared.db import pools

    stage = _stage(queue)
    with opened() as runtime:
        turn = pools.pause_pool if paused else pools.resume_pool
        before, after = _changed(runtime, stage, lambda connection: turn(connection, stage))
        report = _change(runtime, stage, before=before, after=after)
    _print_change(report, as_json=as_json)


def _changed(runtime: Any, stage: str, change: Callable[[Any], Any]) -> tuple[Any, Any]:
    """A pool before a change and after it, in one transaction."""
    from embedmill.shared.db import pools

    def make(connection: "Connection") -> tuple[Any, Any]:
        return pools.read_pools(connection)[stage], change(connection)

    changed: tuple[Any, Any] = runtime.database.transact(make)
    return changed


def _change(runtime: Any, stage: str, *, before: Any, after: Any, wait: float = 0.0) -> dict[str, Any]:
    from embedmill.console.services.workers import await_slots, describe_change

    report = describe_change(runtime, stage, before, after)
    return report | {"converged": await_slots(runtime, stage, seconds=wait)} if wait else report


def _print_change(report: Mapping[str, Any], *, as_json: bool) -> None:
    before, after = report["before"], report["after"]
    if as_json:
        print_json(report)
    else:
        for name, unset in (("desired", "as started"), ("paused", None)):
            if before[name] != after[name]:
                old, new = (unset if value is None else value for value in (before[name], after[name]))
                print_line(f"{report['queue']}: {name} {old} -> {new}")
        if before["desired"] == after["desired"] and before["paused"] == after["paused"]:
            print_line(f"{report['queue']}: nothing changed")
        if not report["supervisors"]:
            print_line("nobody serves this queue now; whoever starts to will follow")
    if report.get("converged") is False:
        print_error("the workers have not followed yet", "embedmill workers list")
        raise typer.Exit(FAILED)


def _work(row: Mapping[str, Any]) -> str:
    return ", ".join(f"{c['documents']} {c['stage']} {c['seconds']:.0f}s" for c in row["current"])


def _pools(entries: list[str], concurrency: int | None, pool: str | None, settings: "Settings") -> list["PoolSpec"]:
    from embedmill.workers.processes.pools import PoolSpec

    kind = _kind(pool)
    if not entries:
        return [PoolSpec(slots=concurrency or settings.worker_count, kind=kind)]
    slots: dict[str, int] = {}
    for entry in entries:
        stage, count = _slots(entry, concurrency or 1)
        slots[stage] = slots.get(stage, 0) + count
    for stage, count in slots.items():
        _require_below_cap(stage, count, settings)
    return [PoolSpec((stage,), count, kind) for stage, count in slots.items()]


def _kind(pool: str | None) -> Any:
    from embedmill.workers.processes.pools import PoolKind

    kinds = {None: None, "processes": PoolKind.PREFORK} | {str(kind): kind for kind in PoolKind}
    if pool not in kinds:
        raise typer.BadParameter(f"unknown pool {pool!r}; there are prefork and threads", param_hint="--pool")
    return kinds[pool]


def _slots(entry: str, default: int) -> tuple[str, int]:
    name, _, count = entry.partition("=")
    stage = _stage(name, hint="--queue")
    if count and not (count.isdigit() and 1 <= int(count) <= MOST_SLOTS):
        raise typer.BadParameter(f"{entry!r}: write {name}=N with N from 1 to {MOST_SLOTS}", param_hint="--queue")
    return stage, int(count or default)


def _stage(name: str, *, hint: str = "QUEUE") -> str:
    if name not in stages.names():
        raise typer.BadParameter(f"unknown queue {name!r}; there are {', '.join(stages.names())}", param_hint=hint)
    return name


def _require_below_cap(stage: str, slots: int, settings: "Settings") -> None:
    from embedmill.shared.errors import UserError
    from embedmill.workers.processes.pools import provider_cap

    cap = provider_cap(stage, settings)
    if cap is not None and slots > cap.slots:
        raise UserError(
            f"{slots} slots for {stage}: its provider has a use for {cap.slots} ({cap.setting}), "
            "and the requests of more would only be refused",
            hint=f"Take at most {cap.slots}, raise the setting if the provider allows more, or scale with --force.",
        )
