"""What the Python API does for trust: erasures, backups, tokens, keys, the audit; see docs/python.md.

What a program does not call is not loaded.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from embedmill.console.services.documents import EVERY_DOCUMENT, DocumentQuery
from embedmill.lender import Lender
from embedmill.shared.access.principals import Role
from embedmill.shared.durations import parse_since
from embedmill.shared.errors import UsageError

if TYPE_CHECKING:
    from embedmill.console.services.auditing import AuditRecords, AuditVerification, Format, MadeAnchor
    from embedmill.console.services.backups import Backup, VerifiedBackup
    from embedmill.console.services.erasing import ErasedDocuments, ErasurePreview, ListedErasure
    from embedmill.console.services.keys import KeyReports, MadeKey, Rotated
    from embedmill.console.services.receipts import VerifiedReceipt
    from embedmill.console.services.resealing import Resealed
    from embedmill.console.services.tokens import TokenReport

EVERYTHING = ("*",)


class Trust(Lender):
    """Methods with the commands' names over the runtimes that a mill lends."""

    def preview_erasure(
        self, *names: str, query: DocumentQuery = EVERY_DOCUMENT, subject: str | None = None
    ) -> "ErasurePreview":
        """How many documents `erase` would erase, and how many others have the same content; raises the same."""
        from embedmill.console.services import erasing

        with self._lend() as runtime:
            return erasing.preview_erasure(runtime, names, query, subject=subject)

    def erase(
        self,
        *names: str,
        query: DocumentQuery = EVERY_DOCUMENT,
        subject: str | None = None,
        patience: timedelta = timedelta(minutes=2),
    ) -> "ErasedDocuments":
        """Erase documents for good: by id, URI or path, all of a query, or those in which a person is named.

        Nothing asks again: it is done. For so long it waits for workers and stores; what it still waits for then is in
        the result's `waits_for`. Raises UsageError, NotFound.
        """
        from embedmill.console.services import erasing

        with self._work_alone() as runtime:
            return erasing.erase_documents(
                runtime,
                names,
                query,
                subject=subject,
                listener=self._listener(),
                patience_seconds=patience.total_seconds(),
            )

    def erasures(self, *, limit: int = 100) -> "Sequence[ListedErasure]":
        """The newest erasures, and what those wait for that are not done."""
        from embedmill.console.services import erasing

        with self._lend() as runtime:
            return erasing.list_erasures(runtime, limit=limit).erasures

    def receipt(self, erasure: str) -> Mapping[str, Any]:
        """The receipt of an erasure, by its id; raises NotFound while there is none."""
        from embedmill.console.services import erasing

        with self._lend() as runtime:
            return erasing.show_receipt(runtime, erasure)

    def verify_receipt(self, receipt: str | os.PathLike[str]) -> "VerifiedReceipt":
        """Whether a receipt, by its path or its erasure's id, is genuine and nothing of it is here again."""
        from embedmill.console.services import receipts

        with self._lend() as runtime:
            return receipts.verify_receipt(runtime, os.fspath(receipt))

    def lift_tombstones(self, *names: str, collection: str | None = None) -> int:
        """Let documents in again, by their names, marks or erasures; how many. Raises NotFound."""
        from embedmill.console.services import erasing

        with self._lend() as runtime:
            return erasing.lift_tombstones(runtime, names, collection=collection).lifted

    def backup(self, folder: str | os.PathLike[str], *, with_key: bool = True) -> "Backup":
        """Write a backup into a new folder while work goes on; raises UsageError, StorageFailed."""
        from embedmill.console.services import backups

        with self._lend() as runtime:
            return backups.make_backup(runtime, Path(folder), with_key=with_key)

    def tokens(self, *, ended: bool = False) -> "Sequence[TokenReport]":
        """Tokens that can be used, the oldest first; with `ended`, those that cannot be any more, too."""
        from embedmill.console.services import tokens

        with self._lend() as runtime:
            return tokens.list_tokens(runtime, ended=ended).tokens

    def create_token(
        self,
        name: str,
        *,
        role: Role | str = Role.VIEWER,
        collections: Sequence[str] = EVERYTHING,
        levels: Sequence[str] = EVERYTHING,
        expires: timedelta | None = None,
    ) -> "TokenReport":
        """A token for somebody of that name; its text is in the result's `token`, this once.

        It reaches every collection and level, or those that are listed. Raises UsageError, AccessDenied.
        """
        from embedmill.console.services import tokens

        with self._lend() as runtime:
            return tokens.create_token(
                runtime,
                name,
                role=_role(role),
                collections=_some(collections, "collections"),
                levels=_some(levels, "levels"),
                seconds=None if expires is None else expires.total_seconds(),
            )

    def revoke_token(self, id_: str) -> None:
        """End a token at once; raises NotFound, and UsageError for one that was ended before."""
        from embedmill.console.services import tokens

        with self._lend() as runtime:
            tokens.revoke_token(runtime, id_)

    def audit(
        self,
        *,
        collection: str | None = None,
        since: str | None = None,
        principal: str | None = None,
        action: str | None = None,
        limit: int = 100,
        after: str | None = None,
    ) -> "AuditRecords":
        """Who did what, newest first, from a time (`2026-11-25`, `7d`) on; raises NotFound, UsageError."""
        from embedmill.console.services import auditing

        with self._lend() as runtime:
            return auditing.list_records(
                runtime,
                collection=collection,
                since=_begin(since),
                principal=principal,
                action=action,
                limit=limit,
                after=after,
            )

    def verify_audit(self, *, collection: str | None = None) -> "AuditVerification":
        """Whether every record is as it was written, against the chains and their anchors; raises NotFound."""
        from embedmill.console.services import auditing

        with self._lend() as runtime:
            return auditing.verify_records(runtime, collection=collection)

    def export_audit(
        self, *, collection: str | None = None, since: str | None = None, form: "Format" = "jsonl"
    ) -> Iterator[Mapping[str, Any]]:
        """Every record as it was written, or as an event of OCSF, streamed; raises NotFound."""
        from embedmill.console.services import auditing

        with self._lend() as runtime:
            yield from auditing.export_records(runtime, collection=collection, since=_begin(since), form=form)

    def anchor_audit(self) -> "MadeAnchor":
        """Write down where the chains end, signed; raises StorageFailed."""
        from embedmill.console.services import auditing

        with self._lend() as runtime:
            return auditing.anchor_records(runtime)

    def keys(self) -> "KeyReports":
        """Which keys there are, under which root; no key's bytes."""
        from embedmill.console.services import keys

        with self._lend() as runtime:
            return keys.show_keys(runtime)

    def make_key(self, path: str | os.PathLike[str]) -> "MadeKey":
        """Make a root key in a file that only its owner reads; raises UserError for one that is there."""
        from embedmill.console.services import keys

        with self._lend() as runtime:
            return keys.make_key(runtime, Path(path))

    def rotate_keys(self, *, to: str | None = None, old: Sequence[str] = ()) -> "Rotated":
        """Wrap all keys by another root key, as `embedmill keys rotate` does; raises KeyUnavailable, SettingsError."""
        from embedmill.console.services import keys

        with self._lend() as runtime:
            return keys.rotate_keys(runtime, to=to, old=old)

    def re_encrypt(self, collection: str) -> "Resealed":
        """Write all that is stored of a collection anew under a new key; raises NotFound, UserError, KeyUnavailable."""
        from embedmill.console.services import resealing

        with self._work_alone() as runtime:
            return resealing.reseal_collection(runtime, collection, listener=self._listener())

    def decrypt(self, collection: str) -> "Resealed":
        """Write it anew without a key; raises the same, and UsageError for one that is not encrypted."""
        from embedmill.console.services import resealing

        with self._work_alone() as runtime:
            return resealing.reseal_collection(runtime, collection, wanted="decrypt", listener=self._listener())


def verify_backup(folder: str | os.PathLike[str]) -> "VerifiedBackup":
    """Whether a backup is as it was written; needs no installation. Raises UsageError for what is none."""
    from embedmill.console.services import backups

    return backups.verify_backup(Path(folder))


def _role(name: str) -> Role:
    try:
        return Role(name)
    except ValueError:
        raise UsageError(f"there is no role {name!r}: there are {', '.join(Role)}") from None


def _some(names: Sequence[str], what: str) -> Sequence[str]:
    """Services take none for all, which an empty list of a program's hardly means."""
    if not names or isinstance(names, str):
        raise UsageError(f"{what} is no list of names", hint=f"For all of them, leave {what} out.")
    return names


def _begin(since: str | None) -> float | None:
    return None if since is None else parse_since(since)
