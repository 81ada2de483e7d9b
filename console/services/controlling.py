"""What users do with a job: pause, resume, cancel, and change how urgent it is."""

from collections.abc import Callable
from dataclasses import dataclass

from embedmill.console.listening import NOBODY, Listener, Notice
from embedmill.console.services.bulk import is_anybody_at_chores, tell_batches_out
from embedmill.console.services.lanes import tell_obstacles
from embedmill.console.services.progress import name_re_encryption, tell_unstaffed
from embedmill.console.services.reach import in_job
from embedmill.console.services.serving import serves
from embedmill.console.services.states import job_state
from embedmill.shared.access.principals import Right
from embedmill.shared.db import jobs
from embedmill.shared.db.collections import Collection, get_collection_by_id
from embedmill.shared.db.engine import Connection
from embedmill.shared.db.jobs import Job
from embedmill.shared.ledger import Lane
from embedmill.shared.runtime import Runtime
from embedmill.shared.states import JobState


@dataclass(frozen=True, slots=True)
class JobControl:
    """A job after an order: its state, and whether its sources were read to their end."""

    job: int
    state: JobState
    read: bool


@dataclass(frozen=True, slots=True)
class JobUrgency:
    """How urgent a job is, and in which lane its calls go."""

    job: int
    priority: int
    weight: int
    lane: Lane


@serves("jobs.pause", Right.OPERATE, in_job(), told=("job_id",), state=job_state)
def pause(runtime: Runtime, job_id: int) -> JobControl:
    """Stop sending a job's work; what runs is finished. Raises NotFound, IllegalTransition."""
    return _control(runtime, job_id, jobs.pause_job)


@serves("jobs.resume", Right.OPERATE, in_job(), told=("job_id",), state=job_state)
def resume(runtime: Runtime, job_id: int, *, listener: Listener = NOBODY) -> JobControl:
    """Let a paused job go on, and say what it takes where nobody does its work; raises NotFound, IllegalTransition."""
    done = _control(runtime, job_id, jobs.resume_job)
    tell_unstaffed(runtime, [job_id], listener)
    return done


@serves("jobs.cancel", Right.OPERATE, in_job(), told=("job_id",), state=job_state)
def cancel(runtime: Runtime, job_id: int, *, listener: Listener = NOBODY) -> JobControl:
    """End a job; what is indexed stays, and what is written anew. Raises NotFound, IllegalTransition."""
    done = _control(runtime, job_id, jobs.cancel_job)
    job = runtime.database.query(jobs.get_job, job_id)
    if (found := job.rewriting) is not None:
        command = name_re_encryption(job.collection, decrypts=found.decrypts)
        listener.on_notice(Notice(f"{job.collection} is written anew in part, and this writes the rest: {command}"))
    if not is_anybody_at_chores(runtime):
        tell_batches_out(runtime, job_id, listener)
    return done


def _control(runtime: Runtime, job_id: int, order: Callable[[Connection, int], None]) -> JobControl:
    def change(connection: Connection) -> JobControl:
        order(connection, job_id)
        job = jobs.get_job(connection, job_id)
        return JobControl(job_id, job.state, job.is_read or job.rewriting is not None)

    return runtime.database.transact(change)


@serves("jobs.update", Right.OPERATE, in_job(), told=("job_id", "priority", "weight", "lane"), state=job_state)
def update(
    runtime: Runtime,
    job_id: int,
    *,
    priority: int | None = None,
    weight: int | None = None,
    lane: Lane | None = None,
    name: str | None = None,
    listener: Listener = NOBODY,
) -> JobUrgency:
    """Change what is given of an unfinished job; raises NotFound, UserError."""

    def change(connection: Connection) -> tuple[Job, Collection]:
        jobs.update_job(connection, job_id, priority=priority, weight=weight, lane=lane, name=name)
        job = jobs.get_job(connection, job_id)
        return job, get_collection_by_id(connection, job.collection_id)

    job, collection = runtime.database.transact(change)
    tell_obstacles(runtime, collection, lane, listener)
    return JobUrgency(job_id, job.priority, job.weight, job.lane)
