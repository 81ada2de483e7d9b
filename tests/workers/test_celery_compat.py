"""The compatibility patch: it is looked at again with every release of Celery."""

import celery

from workers.celery_compat import BROKEN


def test_the_installed_celery_is_one_that_the_patch_was_tried_with() -> None:
    assert tuple(int(part) for part in celery.__version__.split(".")[:3]) in BROKEN, (
        "a new Celery: run tests/e2e/test_redis.py without ResilientConsumer; drop the patch if a kill of Redis with a "
        "task in hand leaves the worker alive, else add the version to BROKEN"
    )
