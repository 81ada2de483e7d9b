"""`embedmill backup` and `embedmill restore`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from embedmill.console.cli.options import AsJson
from embedmill.console.cli.output import DONE, FAILED, print_line, print_result, print_warning
from embedmill.console.rendering import documents_of

if TYPE_CHECKING:
    from embedmill.console.services.backups import Backup, LostObjects, VerifiedBackup
    from embedmill.console.services.restoring import Restored

SHOWN = 3
"""Documents that are named whose text is not in a backup."""

Folder = Annotated[Path, typer.Argument(metavar="FOLDER", help="The folder of the backup.")]


def backup(
    path: Folder,
    verify: Annotated[bool, typer.Option("--verify", help="Only read one that is there, and check it.")] = False,
    without_key: Annotated[
        bool, typer.Option("--without-key", help="Leave out installation.key, which you keep elsewhere.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Write a backup while work goes on, or check one.

    It holds records, stored texts, paid vectors and the embedded store. What is not in it is named.
    """
    from embedmill.console.cli.session import opened
    from embedmill.console.services.backups import make_backup, verify_backup

    if verify:
        found = verify_backup(path)
        print_result(found, _print_verified, as_json=as_json)
        raise typer.Exit(DONE if found.ok else FAILED)
    with opened() as runtime:
        made = make_backup(runtime, path, with_key=not without_key)
    print_result(made, _print_backup, as_json=as_json)
    raise typer.Exit(FAILED if made.lost.objects else DONE)


def restore(
    path: Folder,
    replace: Annotated[bool, typer.Option("--replace", help="Put aside a home that is there.")] = False,
    receipts: Annotated[
        list[Path], typer.Option("--receipts", metavar="FOLDER", help="Further receipts of erasures; may be repeated.")
    ] = [],  # noqa: B006 - typer copies defaults
    as_json: AsJson = False,
) -> None:
    """Restore a backup into the home and database set.

    What was erased since is erased again, and what the vector store lacks is made anew for nothing.
    """
    from embedmill.console.cli.session import heard, read_settings
    from embedmill.console.services.restoring import restore_backup

    with heard(quiet=as_json) as listener:
        done = restore_backup(read_settings(), path, receipt_folders=receipts, replace=replace, listener=listener)
    print_result(done, _print_restored, as_json=as_json)
    raise typer.Exit(FAILED if done.waits_for else DONE)


def _print_backup(made: "Backup") -> None:
    print_line(f"backup of {made.made}: {made.path}")
    print_line(f"  {made.files} files, {made.bytes / 2**20:.1f} MiB: {made.objects} objects, {made.shards} shards")
    print_line(f"  key: {made.key}")
    for missing in made.missing:
        print_warning(f"not in it: {missing}")
    _warn_of_lost(made.lost, "are gone")


def _warn_of_lost(lost: "LostObjects", gone: str) -> None:
    """That an installation was not whole of which a backup is."""
    if not lost.objects:
        return
    named = ", ".join([*lost.examples[:SHOWN], *(["…"] if lost.documents > SHOWN else [])])
    texts = documents_of(lost.documents) + (f" ({named})" if lost.examples else "")
    objects = f"{lost.objects} of the stored objects that records name"
    print_warning(f"{objects} {gone}, with the text of {texts}: embedmill verify --repair reads their sources again")


def _print_verified(found: "VerifiedBackup") -> None:
    said = "it is not as it was written" if found.faults else "it is as it was written"
    print_line(f"backup of {found.made}, {found.files} files: {said}")
    for fault in found.faults:
        print_warning(fault)
    _warn_of_lost(found.lost, "were gone when it was made")


def _print_restored(done: "Restored") -> None:
    print_line(f"restored into {done.home} as of {done.made}: {documents_of(done.documents)}")
    print_line(f"  {done.tombstones} tombstones; {documents_of(done.erased)} erased since, and again now")
    print_line(f"  {documents_of(done.repaired)} indexed again")
    if done.aside:
        print_warning(f"the home of before is in {done.aside}: delete it when you do not need it")
    for missing in done.missing:
        print_warning(f"was not in the backup: {missing}")
    _warn_of_lost(done.lost, "were gone when the backup was made")
    if done.waits_for:
        print_warning(f"an erasure is not done: {done.waits_for}. It goes on with the workers")
