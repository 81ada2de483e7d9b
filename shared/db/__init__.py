"""The tracking database: the only package that imports SQLAlchemy.

It names asyncio and the metadata of packages, and uses them for engines of other kinds than ours: loading both would be
an eighth of a short command.
"""

from embedmill.shared.starting import loaded_when_used

with loaded_when_used({"asyncio": ("iscoroutine",), "importlib.metadata": ()}):
    import sqlalchemy.dialects.sqlite  # noqa: F401 - what it imports gets the stand-ins
