"""Notes in the home where the audit stood when it was first written from there: one that was emptied later is missed.

It is an anchor with a keyed hash in the place of a signature, so that the first command of a home need not load what
signs. It holds from the first record on; anchors (`anchors.py`), which are kept elsewhere, hold for what comes later.
"""

import hmac
import os
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from embedmill.shared.audit.anchors import Anchor
from embedmill.shared.audit.chain import RecordFault, RecordFaultKind
from embedmill.shared.db.audit import ChainHead
from embedmill.shared.errors import StorageFailed

if TYPE_CHECKING:
    from embedmill.shared.privacy.keys import Keys

PURPOSE = "audit beginning"


def note_beginning(file: Path, head: ChainHead, keys: "Keys", *, at: str) -> None:
    """Write down, once, where a chain ends; raises StorageFailed."""
    said = [at, head.chain, head.seq, head.mac]
    content = orjson.dumps({"said": said, "mac": _mac(said, keys)})
    draft = file.with_name(f"{file.name}.{os.getpid()}")
    try:
        draft.write_bytes(content)
        os.replace(draft, file)
    except OSError as error:
        raise StorageFailed(f"where the audit begins cannot be written to {file.parent}: {error.strerror}") from None


def read_beginning(file: Path, keys: "Keys") -> Anchor | RecordFault | None:
    """What was noted; a fault where it is not as it was written, None where nothing was."""
    try:
        kept = orjson.loads(file.read_bytes())
        at, chain, seq, _ = said = kept["said"]
        if hmac.compare_digest(kept["mac"], _mac(said, keys)):
            return Anchor(file.name, at, {chain: (seq, said[3])})
    except FileNotFoundError:
        return None
    except (OSError, ValueError, LookupError, TypeError):
        pass
    return RecordFault("", 0, RecordFaultKind.CHANGED, f"{file.name} in the home is not as it was written")


def _mac(said: list[object], keys: "Keys") -> str:
    return keys.mac(PURPOSE, orjson.dumps(said)).hex()
