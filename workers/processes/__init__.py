"""The processes of workers: the supervisor that runs a pool, and the worker that runs batches."""
