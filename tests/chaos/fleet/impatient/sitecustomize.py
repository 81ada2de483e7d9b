"""Loaded by every interpreter whose PYTHONPATH has this folder: brokers hand messages out again after seconds.

The real time, a quarter of an hour, is a constant of ours and no setting.
"""

import os

import embedmill.workers.brokers.remote

embedmill.workers.brokers.remote.VISIBILITY_SECONDS = int(os.environ["VISIBILITY_SECONDS"])
