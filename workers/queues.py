"""Names on the wire: the queue, the dead-letter queue and the task of each stage."""

from embedmill.shared.states import Stage


def queue_name(stage: Stage) -> str:
    """The queue of a stage."""
    return f"embedmill-{stage}"


def task_name(stage: Stage) -> str:
    """The stable name of a stage's task, which is not its function's path."""
    return f"embedmill.{stage}"
