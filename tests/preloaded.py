"""Loads what nearly any command loads, when it is imported: for the process that `tests.forked` forks commands from."""

import contextlib
import gc
import importlib
import os
import pkgutil

from embedmill.shared.starting import start_lightly
from tests import cheaper

# What is loaded on demand elsewhere, and takes a second of every worker that asks for it.
SDKS = ("anthropic", "boto3", "openai", "pinecone", "psycopg", "redis")
PACKAGES = (
    "embedmill.console",
    "embedmill.producers",
    "embedmill.retrieval",
    "embedmill.shared.db",
    "embedmill.workers",
)

# As the command does before numpy is there.
os.environ["OPENBLAS_NUM_THREADS"] = "1"
start_lightly()
for package in PACKAGES:
    for module in pkgutil.walk_packages(importlib.import_module(package).__path__, f"{package}."):
        if "migrations" not in module.name and not module.name.endswith("__main__"):
            # Of an extra that is not installed.
            with contextlib.suppress(ImportError):
                importlib.import_module(module.name)
importlib.import_module("embedmill.workers.processes.forkserver").load()
for sdk in SDKS:
    with contextlib.suppress(ImportError):
        importlib.import_module(sdk)
cheaper.share_service_models()
cheaper.share_compiled_statements()
importlib.import_module("tests.rehearsed").rehearse()
gc.freeze()
