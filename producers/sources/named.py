"""One file that a user named, by itself or in a list."""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from embedmill.producers.sources.base import FileItem, Item, Problem, ReadContext, Skipped, Source, Spec
from embedmill.producers.sources.file import Opening
from embedmill.producers.sources.members import read_file
from embedmill.producers.sources.slack.looks import Exports
from embedmill.producers.sources.tables import remark_on_document
from embedmill.shared.files import describe_mode, describe_os_error
from embedmill.shared.uris import path_to_uri


@dataclass(frozen=True, slots=True)
class FileSource(Source):
    """One file, read through links because the user named it; `path` is absolute."""

    kind: ClassVar[str] = "file"
    hides_only_below: ClassVar[bool] = True

    path: bytes

    @property
    def spec(self) -> Spec:
        """The file's URI."""
        return {"kind": self.kind, "uri": path_to_uri(self.path)}

    def read(self, context: ReadContext) -> Iterator[Item]:
        """One item, or those of what is in the file."""
        exports = Exports()
        for item in exports.watch(named_file(self.path)):
            yield item
            if isinstance(item, FileItem) and not item.container:
                context.remarks += filter(None, [remark_on_document(item.uri, self.path)])
        context.remarks += exports.remarks()


def named_file(path: bytes) -> Iterator[Item]:
    """The items of a file that was named, whatever it is called; a folder is a Problem: nobody said to walk it."""
    uri = path_to_uri(path)
    try:
        mode = os.stat(path).st_mode
    except OSError as error:
        yield Problem(uri, describe_os_error(error))
        return
    if stat.S_ISDIR(mode):
        yield Problem(uri, "a folder; give it as a SOURCE of its own to ingest what is in it")
    elif not stat.S_ISREG(mode):
        yield Skipped(uri, f"{describe_mode(mode)} holds no document")
    else:
        yield from read_file(path, Opening(path))
