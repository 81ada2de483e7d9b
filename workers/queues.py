"""Names on the wire: the queue, the dead-letter queue and the task of each stage."""


def queue_name(stage: str) -> str:
    """The queue of a stage."""
    return f"embedmill-{stage}"


def task_name(stage: str) -> str:
    """The stable name of a stage's task, which is not its function's path."""
    return f"embedmill.{stage}"
