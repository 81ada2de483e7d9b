"""Does the work: the Celery app, one thin task per stage, the stages and the background chores."""
