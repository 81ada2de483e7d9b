"""Which keys of a bucket are wanted: as paths of files would be, though they are none."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from embedmill.producers.sources.base import Skipped
from embedmill.producers.sources.globs import Globs, Unmatched
from embedmill.producers.sources.unsupported import reason_by_name
from embedmill.shared.buckets.names import BucketPlace
from embedmill.shared.left_out.names import LeftOut, is_version_control, reason_by_file_name, reason_by_folder_name


def as_name(text: str) -> bytes:
    """A part of a key as names of files are: bytes."""
    return text.encode("utf-8", "surrogatepass")


@dataclass(slots=True)
class KeyFilter:
    """Asked about every key in turn; what stands before the last `/` of the place's key is not looked at."""

    place: BucketPlace
    globs: Globs
    unmatched: Unmatched
    hidden: bool
    _skipped: list[Skipped] = field(default_factory=list, init=False)
    # The folder that was judged last, and what of it is left out: keys of a folder come one after another.
    _folder: str | None = field(default=None, init=False)
    _left: str | None = field(default=None, init=False)
    _said: str | None = field(default=None, init=False)

    def takes(self, key: str) -> bool:
        """Whether a key is wanted; what is left out of what the patterns want is in `skipped` then."""
        relative = key[self._base :]
        path = as_name(relative)
        if not self.globs.takes(path):
            return False
        self.unmatched.meet(path)
        folder, slash, name = relative.rpartition("/")
        if folder + slash != self._folder:
            self._enter(folder + slash)
        if self._left is not None:
            return False
        if reason := self._leaves(as_name(name)):
            self._skipped.append(Skipped(self.place.at(key).uri, reason))
            return False
        return True

    def skipped(self) -> Iterator[Skipped]:
        """What was left out since this was last asked: a folder once."""
        while self._skipped:
            yield self._skipped.pop()

    @property
    def _base(self) -> int:
        return self.place.key.rfind("/") + 1

    def _enter(self, folder: str) -> None:
        self._folder, self._left = folder, None
        parts = folder.split("/")[:-1]
        for count, part in enumerate(parts, start=1):
            if reason := self._leaves_folder(as_name(part)):
                self._leave("/".join(parts[:count]) + "/", reason)
                return

    def _leave(self, folder: str, reason: LeftOut) -> None:
        self._left = folder
        if folder != self._said:
            self._said = folder
            whole = self.place.key[: self._base] + folder
            self._skipped.append(Skipped(self.place.at(whole).uri, reason))

    def _leaves_folder(self, name: bytes) -> LeftOut | None:
        if name in (b"", b".", b".."):
            return None
        if self.hidden:
            return LeftOut.VERSION_CONTROL if is_version_control(name) else None
        return reason_by_folder_name(name, beside=())

    def _leaves(self, name: bytes) -> str | None:
        if self.hidden:
            left = LeftOut.VERSION_CONTROL if is_version_control(name) else None
        else:
            left = reason_by_file_name(name) if name not in (b".", b"..") else None
        return left or reason_by_name(name)
