"""What changes are compared by before and after in the audit: settings, limits, pools and jobs, without texts."""

from collections.abc import Mapping
from typing import Any

from embedmill.shared.db import budgets, collections, jobs
from embedmill.shared.db.pools import read_pools
from embedmill.shared.errors import NotFound
from embedmill.shared.runtime import Runtime

UNTOLD = frozenset({"domain"})
"""Settings that are texts of their owner's."""


def settings(runtime: Runtime, given: Mapping[str, Any]) -> Any:
    """The settings of a collection by its name."""
    found = runtime.database.query(collections.find_collection, given["name"])
    kept = {} if found is None else {name: value for name, value in found.settings.items() if name not in UNTOLD}
    return {name: str(value) if isinstance(value, float) else value for name, value in kept.items()}


def job_state(runtime: Runtime, given: Mapping[str, Any]) -> Any:
    """How a job stands and is served."""
    try:
        job = runtime.database.query(jobs.get_job, given["job_id"])
    except NotFound:
        return None
    return {"state": str(job.state), "priority": job.priority, "weight": job.weight, "lane": str(job.lane)}


def pool(runtime: Runtime, given: Mapping[str, Any]) -> Any:
    """What is wanted of a queue."""
    found = runtime.database.query(read_pools).get(given["queue"])
    return None if found is None else {"desired": found.desired, "paused": found.paused}


def limits(runtime: Runtime, given: Mapping[str, Any]) -> Any:
    """A budget's limits, by its scope and name."""
    found = runtime.database.query(budgets.list_budgets)
    mine = (each for each in found if (each.scope, each.name) == (given["scope"], given["name"]))
    return next(({"microusd": each.limit_microusd, "tokens": each.limit_tokens} for each in mine), None)
