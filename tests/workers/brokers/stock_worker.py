"""A worker with Celery's own consumer or with ours, run by test_celery_compat.py beside it: URL, FILE, CONSUMER."""

import sys
import time
from pathlib import Path

from celery import Celery

url, file, consumer = sys.argv[1:]
app = Celery("stock", broker=url)
app.conf.update(
    worker_consumer=consumer,
    task_acks_late=True,
    task_default_queue="stock",
    worker_enable_remote_control=False,
    broker_connection_retry_on_startup=True,
)


@app.task(name="stock.hold")
def hold() -> None:
    """Make the file and wait until it is gone."""
    held = Path(file)
    held.touch()
    while held.exists():
        time.sleep(0.02)


options = ["--pool=threads", "--concurrency=4", "--without-gossip", "--without-mingle", "--loglevel=WARNING"]
app.worker_main(["worker", *options])
