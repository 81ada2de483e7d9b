"""Records as events of the Open Cybersecurity Schema Framework, for systems that gather those.

Reads are Datastore Activity (6005), all else is API Activity (6003). The record itself, by which its chain is checked,
is under `unmapped`: an event is made of it, and a newer schema breaks no chain.
"""

from collections.abc import Mapping
from typing import Any

SCHEMA = "1.7.0"
CATEGORY = 6
API, DATASTORE = 6003, 6005
INFORMATIONAL = 1
READS = {
    "search": 4,
    "ask": 4,
    "eval": 4,
    "documents.list": 8,
    "documents.show": 1,
    "export": 1,
    "export.rejected": 1,
    "dlq.list": 8,
    "dlq.show": 1,
    "dlq.message": 1,
    "dlq.export": 1,
    "collections.terms": 1,
    "collections.fields": 1,
    "feedback.export": 1,
    "review.list": 8,
    "audit.export": 1,
}
"""The activity of a read: 1 read, 4 query, 8 list."""
CREATE, READ, UPDATE, DELETE = 1, 2, 3, 4
VERBS = {
    **dict.fromkeys(("create", "submit", "ingest", "add", "set", "rescan"), CREATE),
    **dict.fromkeys(("delete", "discard", "revoke", "remove", "erase", "prune", "clear", "close"), DELETE),
    **dict.fromkeys(("show", "list", "verify"), READ),
}


def to_ocsf(record: Mapping[str, Any], *, version: str) -> dict[str, Any]:
    """A record as an event; `version` is this product's."""
    class_uid, activity = _class_of(record["action"])
    failed = record["outcome"] not in ("done", "begun")
    event = {
        "category_uid": CATEGORY,
        "class_uid": class_uid,
        "activity_id": activity,
        "type_uid": class_uid * 100 + activity,
        "severity_id": INFORMATIONAL,
        "status_id": 2 if failed else 1,
        "status_detail": record["outcome"],
        "time": record["at"] // 1000,
        "metadata": {
            "version": SCHEMA,
            "uid": f"{record['chain']}/{record['seq']}",
            "product": {"name": "Embedmill", "vendor_name": "Embedmill", "version": version},
        },
        "actor": _actor_of(record),
        "src_endpoint": {"name": record.get("address", "local")},
        "unmapped": dict(record),
    }
    if class_uid == API:
        return event | {"api": {"operation": record["action"]}}
    return event | {"databucket": {"name": record["chain"] or "installation", "type_id": 99, "type": "collection"}}


def _actor_of(record: Mapping[str, Any]) -> dict[str, Any]:
    """Who did it; the first record of a chain is nobody's, so it is the program's."""
    if record["principal"]:
        return {"user": {"name": record["principal"], "type": record["role"]}}
    return {"app_name": "Embedmill"}


def _class_of(action: str) -> tuple[int, int]:
    if action in READS:
        return DATASTORE, READS[action]
    return API, VERBS.get(action.rpartition(".")[2], UPDATE)
