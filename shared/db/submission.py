"""What is submitted: one document as its source gives it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Submission:
    """One document as its source gives it: what to work on, and where the worker finds it.

    Where only its state is known, `content_hash` is "" and `version` that of the state (`version_of_state`). What
    `is_held` is read from a copy, which is kept before there is work: until then `origin` has no `ref`.
    """

    document_id: str
    uri: str
    title: str
    content_hash: str
    settings_hash: str
    version: str
    size: int
    origin: Mapping[str, Any]
    state: str = ""
    is_held: bool = False
