"""The interface of batch APIs: stage, create, find again, look, read, cancel, delete; any step may be lost."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from embedmill.shared.errors import EmbedmillError, FlowControl, ProviderUnavailable
from embedmill.shared.providers.translation import read_json, unreadable, was_never_sent

CANCELLED, EXPIRED, UNREADABLE = "cancelled", "expired", "unreadable"
GONE = frozenset({404, 410})
NO_LINE = "gone"
"""Stands for the lines of results that are not there any more: it is none that can be read."""
UNREACHABLE_SECONDS = 30.0
HTTP_LIBRARIES = ("httpx", "httpcore")
"""Beginnings of the names of the modules below the SDKs."""


@dataclass(frozen=True, slots=True)
class BatchRequest:
    """One request of a batch; `custom_id` comes back with its result, and `body` is what a call at once would send."""

    custom_id: str
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class BatchStatus:
    """What the vendor says of a batch: its own word, whether it has ended, its files, and what it failed with."""

    id: str
    state: str
    has_ended: bool
    expires_at: float | None = None
    input_file: str | None = None
    result_files: tuple[str, ...] = ()
    error: EmbedmillError | None = None


@dataclass(frozen=True, slots=True)
class BatchResult:
    """One request's end: the vendor's answer, an error, or why there is none (`cancelled`, `expired`, `unreadable`).

    What cannot be read may have been answered, and billed; its id is empty where that cannot be read either.
    """

    custom_id: str
    body: Any = None
    error: EmbedmillError | None = None
    unanswered: str = ""

    @property
    def says_nothing(self) -> bool:
        """Whether there is neither an answer nor why there is none."""
        return self.body is None and self.error is None and not self.unanswered


@dataclass(frozen=True, slots=True)
class Search:
    """What became of a submission whose answer was lost; `is_open` while it cannot be told."""

    found: BatchStatus | None = None
    is_open: bool = False


@dataclass(frozen=True, slots=True)
class Lost:
    """A submission whose answer was lost: its mark, its requests, when it was made (seconds since 1970)."""

    mark: str
    requests: int
    since: float
    is_ours: Callable[[Sequence[str]], Collection[str]] = field(default=lambda _: ())
    """Which of some of the vendor's ids belong to other batches that are known."""


class BatchApi(ABC):
    """One vendor's batches. Raises what its calls at once raise.

    Of `create` nobody knows whether it took effect after ProviderUnavailable; after every other error it did not.
    """

    provider: str
    foreseen: tuple[type[Exception], ...]
    """What the SDK raises, and what comes of reading an answer that is not what it promises."""
    stages: bool = True
    """Whether anything is sent to the vendor before `create`."""
    max_requests: int
    max_inputs: int | None = None
    max_bytes: int = 100 * 1000**2
    """Below what vendors take, so that a batch is held in memory by those who send it."""

    @abstractmethod
    def size(self, request: BatchRequest) -> int:
        """Bytes that a request takes of a batch."""

    @abstractmethod
    def stage(self, requests: Sequence[BatchRequest], *, mark: str) -> str | None:
        """Upload the requests where the vendor wants that first; returns the file's id."""

    @abstractmethod
    def create(self, requests: Sequence[BatchRequest], *, file_id: str | None, mark: str) -> BatchStatus:
        """Have the batch made; from here on it is carried out and billed."""

    @abstractmethod
    def find(self, lost: Lost) -> Search:
        """Look for a batch that may have been made."""

    @abstractmethod
    def look(self, id: str) -> BatchStatus | None:
        """The batch now; None when the vendor has none by that id any more."""

    @abstractmethod
    def results(self, status: BatchStatus) -> Iterator[BatchResult]:
        """Results of a batch that has ended, in no order; one that is `unreadable` for each line or file that is so.

        Raises ProviderUnavailable when the vendor does not answer.
        """

    @abstractmethod
    def cancel(self, id: str) -> None:
        """Ask that nothing more of a batch is done; what was done is answered, and billed."""

    @abstractmethod
    def delete(self, status: BatchStatus) -> None:
        """Remove results and files of a batch that has ended from the vendor; what is gone already is no error."""

    @abstractmethod
    def delete_staged(self, mark: str, file_id: str | None) -> None:
        """Remove what `stage` left when no batch was made of it."""

    @abstractmethod
    def translate(self, error: Exception) -> EmbedmillError:
        """Our error for one that is foreseen."""

    @contextmanager
    def translating(self) -> Iterator[None]:
        """Errors of the SDK, of the HTTP library below it, and of answers that make no sense, as ours."""
        try:
            yield
        except EmbedmillError:
            raise
        except self.foreseen as error:
            if was_never_sent(error):
                message = f"{self.provider} could not be reached"
                raise FlowControl(message, reason="circuit", retry_after_seconds=UNREACHABLE_SECONDS) from None
            raise self.translate(error) from None
        except Exception as error:
            # While a body is read, the SDKs leave the HTTP library's own errors as they are.
            if type(error).__module__.startswith(HTTP_LIBRARIES):
                raise ProviderUnavailable(f"{self.provider} broke off") from None
            raise

    def read_lines(self, lines: Iterator[str]) -> Iterator[BatchResult]:
        """Results of the lines of a file; an answer that breaks off is one more that cannot be read."""
        try:
            for line in lines:
                if line.strip():
                    yield self._read_line(line)
        except ProviderUnavailable as error:
            if not error.may_be_billed:
                raise
            yield BatchResult("", unanswered=UNREADABLE)

    def _read_line(self, line: str) -> BatchResult:
        found: Any = None
        try:
            found = read_json(line.encode())
            result = self.read_result(found)
            if isinstance(result.custom_id, str):
                return replace(result, error=unreadable(self.provider)) if result.says_nothing else result
        except (ValueError, TypeError, LookupError, AttributeError):
            pass
        id_ = found.get("custom_id") if isinstance(found, dict) else None
        return BatchResult(id_ if isinstance(id_, str) else "", unanswered=UNREADABLE)

    @abstractmethod
    def read_result(self, line: Any) -> BatchResult:
        """The result of a line; raises ValueError, TypeError, LookupError or AttributeError when it is none."""

    def close(self) -> None:  # noqa: B027 - not all hold connections
        """Release connections."""
