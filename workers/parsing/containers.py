"""Owns archives and mailboxes that come as a document, as in a mail: what is in them is read as parts of it."""

from io import BytesIO

from embedmill.shared.containers.entries import ContainerEntry, Damage, Inside
from embedmill.shared.containers.walk import ContainerBudget, ContainerLimits, opener_of, walk
from embedmill.shared.errors import DocumentError, UnsupportedDocument
from embedmill.workers.parsing import detect
from embedmill.workers.parsing.draft import Draft
from embedmill.workers.parsing.parse import parse

_NAMES = {
    detect.ZIP: "a.zip", detect.TAR: "a.tar", detect.GZIP: "a.gz", detect.BZIP2: "a.bz2", detect.XZ: "a.xz",
    detect.MBOX: "a.mbox",
}  # fmt: skip


def read(data: bytes, draft: Draft) -> None:
    """Each file under its path; what cannot be read is noted by name, and costs nothing else."""
    if draft.depth >= draft.limits.attachment_depth:
        raise UnsupportedDocument("it is an archive in a document, too deep to be opened")
    limits = draft.limits
    bounds = ContainerLimits(
        members=limits.archive_members,
        bytes=limits.archive_bytes,
        ratio=limits.archive_ratio,
        ratio_floor=limits.archive_ratio_floor,
        depth=max(limits.attachment_depth - draft.depth, 1),
        nested_bytes=limits.archive_bytes,
    )
    name = draft.name if opener_of(draft.name, data[:4096]) else _NAMES[draft.media_type]
    for count, inside in enumerate(walk(BytesIO(data), name, ContainerBudget(bounds, len(data))), start=1):
        if count > limits.attachments:
            draft.note(f"more than {limits.attachments} files are in it; the others were left out")
            return
        _read_member(inside, draft)


def _read_member(inside: Inside, draft: Draft) -> None:
    if not isinstance(inside, ContainerEntry):
        draft.note(f"left out: {inside.path}: {inside.reason}")
        return
    try:
        data = inside.open().read()
        document = parse(data, name=inside.path, limits=draft.room, depth=draft.depth + 1)
    except Damage as error:
        draft.note(f"left out: {inside.path}: {error}")
    except DocumentError as error:
        if isinstance(error.__cause__, MemoryError):
            raise
        draft.note(f"left out: {inside.path}: {error}")
    else:
        draft.part()
        draft.heading(inside.path, level=1)
        draft.extend(document, below=1, name=inside.path)
