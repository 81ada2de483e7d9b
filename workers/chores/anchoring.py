"""Makes anchors of all chains, each of which is on record itself, so that one that is gone is missed."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from embedmill.shared.access.principals import Principal
from embedmill.shared.audit.anchors import make_anchor, open_place
from embedmill.shared.audit.trail import AuditEntry
from embedmill.shared.db import audit
from embedmill.shared.runtime import Runtime


@dataclass(frozen=True, slots=True)
class NewAnchor:
    """An anchor, and the places where the chains end that have not grown since, its own record counted."""

    name: str
    ends: Mapping[str, int]


def anchor_chains(runtime: Runtime, principal: Principal) -> NewAnchor | None:
    """Write an anchor of all chains, for somebody; None where nothing is on record. Raises StorageFailed."""
    heads = runtime.database.query(audit.list_heads)
    if not heads:
        return None
    name, content = make_anchor(heads, runtime.keys, now=datetime.now(UTC))
    open_place(runtime.settings.audit_anchors, home=runtime.home).put(name, content)
    seq = runtime.trail.write(audit.INSTALLATION, principal, AuditEntry(audit.ANCHORED, "done", name))
    ends = {head.chain: head.seq for head in heads}
    own = {audit.INSTALLATION: seq} if seq == ends.get(audit.INSTALLATION, 0) + 1 else {}
    return NewAnchor(name, ends | own)
