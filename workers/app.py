"""The Celery app of worker processes: `celery -A embedmill.workers.app`, and ours."""

from celery import Celery

from embedmill.shared.configuration import load_settings
from embedmill.workers.brokers.table import configuration

app = Celery("embedmill", include=["embedmill.workers.tasks"], set_as_current=False)
app.add_defaults(lambda: configuration(load_settings()))
