"""Compatibility with Celery and kombu 5.7.0, which stop working when a broker fails; applied to these versions only.

What is mended (docs/facts.md, docs/decisions/0006): a Redis connection that is lost with a task in
hand is closed twice, after which every acknowledgement fails and the worker ends; one failed receive from SQS ends the
worker; and a receive from SQS that is never answered is waited on for ever.
tests/workers/brokers/test_celery_compat.py fails as soon as a release no longer does so.
"""

import celery
import kombu

from embedmill.shared.logs import get_logger

log = get_logger()

PATCHED = {"celery": "5.7.0", "kombu": "5.7.0"}


def is_needed() -> bool:
    """Whether the installed versions are those that the patches were made for and tried with."""
    installed = {"celery": celery.__version__, "kombu": kombu.__version__}
    if installed == PATCHED:
        return True
    log.warning("compat.skipped", **installed)
    return False


def close_once(connection: kombu.Connection) -> None:
    """Turn further closings of a lost Redis connection into nothing; `Connection.collect()` closes it anyway."""
    if is_needed() and connection.transport.driver_type == "redis":
        connection.close = connection.release = lambda: None
