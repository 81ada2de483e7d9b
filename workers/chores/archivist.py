"""The archivist: anchors the audit at intervals, and lets go what has been kept for long enough."""

from embedmill.shared.access.principals import Principal, Role
from embedmill.shared.audit.trail import AuditEntry
from embedmill.shared.db import audit
from embedmill.shared.db.audit import INSTALLATION
from embedmill.shared.db.clock import read_clock
from embedmill.shared.errors import EmbedmillError
from embedmill.shared.logs import get_logger
from embedmill.shared.runtime import Runtime
from embedmill.workers.chores.anchoring import anchor_chains

log = get_logger()

MICRO, DAY_SECONDS = 1_000_000, 86_400
ITSELF = Principal("archivist", Role.AUDITOR, address="local")


class Archivist:
    """Anchors what has grown since the last time."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._anchored: dict[str, int] = {}

    def anchor(self) -> None:
        """Write an anchor, if any chain has grown; one that cannot be written is written the next time."""
        runtime = self._runtime
        ends = {head.chain: head.seq for head in runtime.database.query(audit.list_heads)}
        if not runtime.trail.is_kept or ends == self._anchored:
            return
        try:
            made = anchor_chains(runtime, ITSELF)
        except EmbedmillError as error:
            log.error("audit.not_anchored", error=str(error))
            return
        self._anchored = dict(made.ends) if made else {}

    def let_go(self) -> int:
        """Let records go whose time is over, which is itself on record; returns how many went."""
        runtime, days = self._runtime, self._runtime.settings.audit_keep_days
        if not days:
            return 0
        before = int((runtime.database.query(read_clock) - days * DAY_SECONDS) * MICRO)
        total = 0
        for head in runtime.database.query(audit.list_heads):
            gone = runtime.database.transact(audit.let_go, head, before=before, sealer=runtime.trail.key(head.chain))
            if gone:
                entry = AuditEntry("audit.let_go", "done", head.chain, {"records": gone})
                runtime.trail.write(INSTALLATION, ITSELF, entry)
            total += gone
        return total
