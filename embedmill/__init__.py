"""Embedmill: a queue-based embedding pipeline; the folders of the checkout are its packages.

`embedmill.open()` is its Python API (docs/python.md); it is loaded when it is asked for.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from embedmill.api import Mill, open, restore, verify_backup  # noqa: A004 - it is called as embedmill.open

__all__ = ["Mill", "open", "restore", "verify_backup"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from embedmill import api

    return getattr(api, name)
