"""The reconciler: takes what the broker itself gave up and gives the work back, so that no innocent is lost there."""

import json

from embedmill.shared import stages
from embedmill.shared.db import queueing, unreadable
from embedmill.shared.db.engine import Database
from embedmill.shared.logs import get_logger
from embedmill.workers.brokers.base import Broker, DeadMessage, chosen_headers
from embedmill.workers.messages import BatchMessage, UnreadableMessage, decode
from embedmill.workers.queues import task_name

log = get_logger()

# Messages in one go; the next comes with the next round.
LIMIT = 100


def reconcile(database: Database, broker: Broker) -> int:
    """Empty the broker's dead-letter queues into the database; returns how many messages were there.

    A broker counts deliveries, not failures: what it gives up may never have been tried (docs/facts.md). Work that
    is still queued becomes pending; whether it is at fault is for its own attempts to show.
    """
    count = broker.drain_dead(lambda message: _settle(database, message), limit=LIMIT)
    if count:
        log.warning("reconciler.dead_letters", messages=count)
    return count


def _settle(database: Database, message: DeadMessage) -> None:
    try:
        batch = _read(message)
    except UnreadableMessage as error:
        with database.write() as connection:
            unreadable.record(
                connection,
                queue=message.queue,
                reason=str(error),
                body=message.body,
                headers=chosen_headers(message.headers),
            )
        return
    with database.write() as connection:
        returned = queueing.put_back(connection, batch.stage, batch.work)
    log.warning("reconciler.returned", stage=batch.stage, work=len(batch.work), returned=returned)


def _read(message: DeadMessage) -> BatchMessage:
    """The batch in a Celery message's body; raises UnreadableMessage."""
    if message.headers.get("task") not in [task_name(stage) for stage in stages.names()]:
        raise UnreadableMessage(f"unknown task {str(message.headers.get('task'))[:100]!r}")
    try:
        arguments, _, _ = json.loads(message.body)
        (body,) = arguments
    except (ValueError, TypeError):
        raise UnreadableMessage("not a task's arguments") from None
    return decode(body)
