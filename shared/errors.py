"""The error tree: every failure that Embedmill names, answering whose fault it is and whether a retry can help.

EmbedmillError
├── UserError                 the caller's input or settings; nothing was changed
│   ├── UsageError
│   ├── SettingsError
│   ├── SourceError
│   ├── NotFound
│   ├── AccessDenied
│   │   └── TokenRefused
│   ├── MissingExtra
│   ├── UnknownPrice
│   ├── HomeInUse
│   ├── ScanStopped
│   │   ├── ScanTakenOver
│   │   └── SourceClosed
│   └── ProviderRefused
├── DocumentError             this document's fault: dead-letter it, its neighbours go on
│   ├── UnreadableDocument
│   │   ├── EncryptedDocument
│   │   ├── NoText
│   │   └── UnsupportedDocument
│   ├── ParserLimitExceeded
│   ├── ReaderMissing
│   ├── RedactionFailed
│   ├── InputRefused
│   │   └── InputTooLong
│   └── SourceGone
├── TransientError            nobody's fault for long: try again, counted as an attempt
│   ├── ParserCrashed
│   ├── WorkerLost
│   ├── ProviderUnavailable
│   │   └── BrokerUnavailable
│   ├── BlobMissing
│   └── VectorsLost
├── FlowControl               not a failure: park, no attempt is used
│   ├── KeyRefused
│   ├── KeyUnavailable
│   └── NotYetErased
└── InternalError             our fault
    ├── IllegalTransition
    ├── StorageFailed
    │   ├── ShardDamaged
    │   ├── SealBroken
    │   ├── AuditUnwritten
    │   ├── DatabaseAway
    │   └── TransactionLost
    └── BadVector
"""

from collections.abc import Mapping

LONGEST_WAIT_SECONDS = 86_400.0
"""A wait that others ask for, as by Retry-After, is kept as told up to a day; a longer one is none."""
KEY_SECONDS = 60.0
"""So long work waits, and a provider is left alone, after it did not accept a key."""


class EmbedmillError(Exception):
    """Base of all; `hint` is the next step for whoever reads it."""

    retryable = False
    hint = ""

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        if hint is not None:
            self.hint = hint


class UserError(EmbedmillError):
    """The caller's input or settings are wrong; a retry without a change cannot help."""


class UsageError(UserError):
    """An argument of a command has no meaning: the command ends with 2, and has done nothing."""


class SettingsError(UserError):
    """A setting has no meaning or contradicts another."""


class SourceError(UserError):
    """A source cannot be enumerated at all."""


class NotFound(UserError):
    """A job, document, collection or dead letter by that name does not exist."""


class AccessDenied(UserError):
    """Whoever calls may not do that; the message says nothing of what there is."""

    hint = "Ask an administrator for a token that may: embedmill tokens create (docs/access.md)."


class TokenRefused(AccessDenied):
    """A token names nobody here."""

    hint = "EMBEDMILL_TOKEN holds it; an administrator makes new ones: embedmill tokens create NAME."


class MissingExtra(UserError):
    """An optional dependency is not installed; the message names the extra."""


class UnknownPrice(UserError):
    """A call whose price is not known is not made: it would be counted as free."""


class HomeInUse(UserError):
    """The home folder cannot be used: read-only, not a folder, or made by a newer version."""


class ScanStopped(UserError):
    """The sources of a job are read no further, because of what somebody did to the job; nothing was half-written."""


class ScanTakenOver(ScanStopped):
    """Another process reads the sources now; whatever this one has seen since is void."""


class SourceClosed(ScanStopped):
    """The source was removed while it was being read."""


class ProviderRefused(UserError):
    """A provider does not accept the model, the settings or the request; the message says what to look at."""

    hint = "Correct the setting, the address or the key's rights, then replay; `embedmill doctor` tries it."


class DocumentError(EmbedmillError):
    """This document's fault; it becomes a dead letter at once and its neighbours go on."""


class UnreadableDocument(DocumentError):
    """The bytes are not a whole document of their type."""

    hint = "Open the file with its own program; if it is damaged, replace it and ingest it again."


class EncryptedDocument(UnreadableDocument):
    """A password is needed."""

    hint = "Save a copy without a password and ingest that."


class NoText(UnreadableDocument):
    """The document was read and holds no text but pictures, as a scan does."""

    hint = (
        "If its pages are scanned images, save it as a PDF unless it is one, and set EMBEDMILL_OCR=auto where "
        "tesseract is installed, or run OCR over it."
    )


class UnsupportedDocument(UnreadableDocument):
    """No parser for this kind of content."""

    hint = "Convert the file to a supported format, or exclude it with --exclude."


class ParserLimitExceeded(DocumentError):
    """Parsing went over its time, memory or output limit, as a decompression bomb does.

    `setting` is the one that raises the limit, where there is one.
    """

    hint = "If the file is genuine, split it, or pack it otherwise; the message of a limit that can be raised says how."

    def __init__(self, message: str, *, setting: str = "", hint: str | None = None) -> None:
        self.setting = setting
        if setting:
            hint = f"If the file is genuine, raise {setting} and replay, or split the file."
        super().__init__(message, hint=hint)


class ReaderMissing(DocumentError):
    """A package that this kind of content is read with is not installed, or not whole; the document is well."""

    hint = "Install Embedmill again (in a checkout: `make setup`), restart the workers, and replay."


class RedactionFailed(DocumentError):
    """Values could not be looked for in the text, so it goes no further."""

    hint = "Choose another redaction policy and replay, or leave the document out."


class InputRefused(DocumentError):
    """A provider refuses this one text, whoever is beside it."""

    hint = "Look at the text; if it should be accepted, replay it, otherwise leave it out."


class InputTooLong(InputRefused):
    """A text is longer than the model takes; it is never cut off in silence."""

    hint = "Choose a smaller --chunk-tokens for the collection, or a model that takes longer texts."


class SourceGone(DocumentError):
    """The source was there when it was submitted and is not any more."""

    hint = "Ingest the source again; a file that is really gone is then removed from the index."


class TransientError(EmbedmillError):
    """May go away by itself; retried with back-off until the attempts are used up."""

    retryable = True


class ParserCrashed(TransientError):
    """The parser's process died while it held this document alone."""

    hint = "Replay once; if it dies again, convert the file to another format."


class WorkerLost(TransientError):
    """The worker that held the lease died or stopped answering."""

    hint = "If only this document does it, it kills its worker: look at its size and type."


class ProviderUnavailable(TransientError):
    """A provider could not be reached, answered with a server error, or answered with something that makes no sense.

    Its document waits, uses up no attempt, and is dead-lettered after EMBEDMILL_OUTAGE_MINUTES of it at the earliest.
    `may_be_billed` when the request may have been carried out: its answer came too late, was cut off or made no sense.
    """

    def __init__(self, message: str, *, hint: str | None = None, may_be_billed: bool = True) -> None:
        super().__init__(message, hint=hint)
        self.may_be_billed = may_be_billed


class BrokerUnavailable(ProviderUnavailable):
    """The broker could not be reached or refused; work is safe in the database and is sent when it is back."""

    hint = "Work goes on when the broker is back; see EMBEDMILL_BROKER_URL, docs/brokers.md and embedmill doctor."


class BlobMissing(TransientError):
    """A stored object is gone or damaged; the document goes back to its source."""

    hint = "Ingest its source again: its text is read and stored anew."


class VectorsLost(TransientError):
    """The cache forgets a document's vectors before they are indexed, again and again; each time they cost anew."""

    hint = "Give the cache more room (EMBEDMILL_CACHE_MAX_MB, or Redis' maxmemory without eviction), then replay."


class FlowControl(EmbedmillError):
    """Work has to wait for a rate, a budget or a circuit; `retry_after_seconds` says how long.

    `is_woken` when whoever takes the cause away wakes the work, as raising a budget does; `may_be_billed` when a
    request was sent and may have been carried out; `failure` when one was sent and failed, for the provider's fault;
    `is_told` unless the time to wait is our own guess. `headers` are those of an answer that refuses, as far as they
    tell of limits.
    """

    retryable = True

    def __init__(
        self,
        message: str,
        *,
        reason: str,
        retry_after_seconds: float,
        is_woken: bool = False,
        may_be_billed: bool = False,
        failure: ProviderUnavailable | None = None,
        is_told: bool = True,
        hint: str | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.reason = reason
        self.headers: Mapping[str, str] = {}
        self.is_told = is_told
        self.failure = failure
        self.retry_after_seconds = retry_after_seconds
        self.is_woken = is_woken
        self.may_be_billed = may_be_billed


class KeyRefused(FlowControl):
    """A provider does not accept the key, or there is none; all work that needs it waits until somebody corrects it."""

    hint = (
        "Correct it, then restart the workers that have the old one; the work goes on by itself. "
        "`embedmill doctor` tries the keys of all models and of the vector store."
    )

    def __init__(self, message: str, *, retry_after_seconds: float = KEY_SECONDS) -> None:
        super().__init__(message, reason="key", retry_after_seconds=retry_after_seconds)


class NotYetErased(FlowControl):
    """An erasure waits for somebody to let go of a document, or for a store to say that it has none of it."""

    hint = "Run it again, or leave it to the workers: it goes on where it was."

    def __init__(self, message: str) -> None:
        super().__init__(message, reason="retry", retry_after_seconds=1.0)


class KeyUnavailable(FlowControl):
    """The key that what is stored is encrypted under is not here; work waits, and nothing is lost."""

    hint = (
        "Set EMBEDMILL_KEY to the key that the installation was made with (`embedmill keys show` names it), "
        "and restart the workers; the work goes on by itself."
    )

    def __init__(self, message: str, *, retry_after_seconds: float = KEY_SECONDS) -> None:
        super().__init__(message, reason="key", retry_after_seconds=retry_after_seconds)


class InternalError(EmbedmillError):
    """Our fault, or the machine's; please report it."""


class IllegalTransition(InternalError):
    """A state change that the transition table does not have."""


class StorageFailed(InternalError):
    """The disk or the database refused a write; nothing was half-written."""

    retryable = True
    hint = "Free disk space, or mend the folder's rights or the database's connection, then run the command again."


class ShardDamaged(StorageFailed):
    """The file of a shard is no shard any more, or not all of one; what it held is stored elsewhere too."""

    hint = (
        "Run `embedmill verify --repair`: it puts the file aside and makes the shard anew; "
        "vectors that the cache has cost nothing."
    )


class SealBroken(StorageFailed):
    """Something that was encrypted is no longer as it was written, or lies where it was not written."""

    hint = "Somebody or something changed it: restore it from a copy, or ingest its source again."


class AuditUnwritten(StorageFailed):
    """What was asked was not done, or its answer is not given, as no record of it could be written."""

    hint = "Make room or rights for the tracking database; EMBEDMILL_AUDIT says what is recorded (docs/audit.md)."


class DatabaseAway(StorageFailed):
    """The database server could not be reached for as long as it is waited for."""

    hint = "Bring the database server back, then run the command again; EMBEDMILL_DATABASE_OUTAGE_SECONDS waits longer."


class TransactionLost(StorageFailed):
    """The database ended a transaction that did nothing wrong: the session was lost, or another one went first."""


class BadVector(InternalError):
    """An embedding has the wrong dimension or is not finite; it is asked for again, as any answer without sense is."""

    retryable = True
    hint = "If a replay does not help, embed the text by itself: the model cannot, or its settings are not what it has."


def is_document_fault(error_class: str) -> bool:
    """Whether errors of a class are the document's own fault: while it stays as it is, another try ends the same."""
    return error_class in _below(DocumentError)


def recall_error(error_class: str, message: str) -> EmbedmillError:
    """An error as it was stored, by the name of its class and its words."""
    return _below(EmbedmillError)[error_class](message)


def _below(error: type[EmbedmillError]) -> dict[str, type[EmbedmillError]]:
    found = {error.__name__: error}
    for child in error.__subclasses__():
        found |= _below(child)
    return found


def may_be_billed(error: BaseException) -> bool:
    """Whether a call that ended so may be on the provider's bill: an answer that came late, broke off or made no sense.

    Only what a provider refuses is certainly not; what nobody foresaw, and our own disk or database, count as billed.
    """
    if isinstance(error, ProviderUnavailable | FlowControl):
        return error.may_be_billed
    return not isinstance(error, UserError | DocumentError)
