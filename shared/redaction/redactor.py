"""The redactor: texts of one document in, the same texts with placeholders out, and what was replaced where.

Values are in what it is given and nowhere else: neither what it returns nor what it raises holds one.
"""

import hmac
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import quote, unquote

from embedmill.shared.errors import EmbedmillError, RedactionFailed
from embedmill.shared.redaction.finding import Finding, united
from embedmill.shared.redaction.normal import normal_form, possible_forms
from embedmill.shared.redaction.placeholders import (
    Placeholders,
    has_placeholder,
    is_beside_placeholder,
    stem_of,
)
from embedmill.shared.redaction.policy import MARK, NAMES, OFF, OWN, policy_id, require_policy

if TYPE_CHECKING:
    from embedmill.shared.sealing.derivation import KeySource

Given = TypeVar("Given")
Made = TypeVar("Made")

USUAL_SECONDS = 60.0
"""So long names are looked for in a text."""
SUBJECT_BYTES = 16
"""Of a hash, so many tell one value from all others."""
ADDRESS_CHARACTERS = 12

MORE_MEMORY = "Give the process more memory and replay, or split the document."

GAP = "\n\n"

_PARTS = re.compile("([/?&#])")
_MAY_HOLD = re.compile(
    r"@|%40|=40|[0-9](?:[^0-9]{0,6}[0-9]){3}|:[0-9A-Fa-f]*:|[A-Za-z0-9_-]{16}|[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}\."
    r"|[=:].{6}|[\[({<] ?(?:at|dot|\.|@)|dot ",
    re.IGNORECASE,
)
"""What every value has that a part of a URI could be."""


@dataclass(slots=True)
class Span:
    """`[start, end)`, in characters of the text that was given, became the placeholder.

    It is not frozen, as that makes each of the thousands of a text take three times as long.
    """

    type: str
    start: int
    end: int
    placeholder: str


@dataclass(frozen=True, slots=True)
class Redacted:
    """A text with placeholders, and what they stand for, in order."""

    text: str
    spans: tuple[Span, ...] = ()

    def place(self, offset: int) -> int:
        """Where a place of the redacted text is in the text that was given; of one within a placeholder, its value."""
        longer = 0
        for span in self.spans:
            start = span.start + longer
            if offset < start:
                break
            if offset < start + len(span.placeholder):
                return span.start
            longer += len(span.placeholder) - (span.end - span.start)
        return offset - longer


@dataclass(frozen=True, slots=True)
class RedactedTexts:
    """The texts of one document; how many values of each type, and a keyed hash of each, by which it is found again."""

    texts: Sequence[Redacted]
    counts: dict[str, int]
    subjects: frozenset[bytes]


class Redactor:
    """Redacts by a policy, but for the values to `keep`. Without `keys` there are no subjects and no addresses."""

    def __init__(
        self,
        policy: str,
        keys: "Callable[[], KeySource] | None" = None,
        collection: str = "",
        *,
        seconds: float = USUAL_SECONDS,
        scanner: str = OWN,
        keep: Sequence[str] = (),
    ) -> None:
        self.policy = require_policy(policy)
        self.id = policy_id(policy, scanner, keep)
        """What decides which values are found."""
        self._scanner = scanner
        self._seconds = seconds
        self._keep = keep
        self._keys = keys
        self._collection = collection
        self._plain_folder: str | None = None
        """The last one of an address in which nothing was found, as of a thousand files in a row."""

    @property
    def is_on(self) -> bool:
        return self.policy != OFF

    def require(self) -> None:
        """Load what the policy needs; raises MissingExtra."""
        if self.policy == NAMES:
            from embedmill.shared.redaction.names import require_model

            require_model()
        if self.is_on and self._scanner != OWN:
            from embedmill.shared.redaction.vendor_keys import require_scanner

            require_scanner()

    def redact(self, text: str) -> Redacted:
        """One text on its own; raises RedactionFailed."""
        return self.redact_all([text]).texts[0]

    def redact_all(self, texts: Sequence[str]) -> RedactedTexts:
        """The texts of one document, in which the same value has the same placeholder; raises RedactionFailed."""
        if not self.is_on:
            return RedactedTexts([Redacted(text) for text in texts], {}, frozenset())
        return self._guarded(self._redact_all, texts)

    def address(self, uri: str) -> str:
        """A URI without values: each is a hash instead, so that two URIs stay two; raises RedactionFailed."""
        if not self.is_on:
            return uri
        return self._guarded(self._address, uri)

    def content_hash(self, content_hash: str) -> str:
        """A hash of a text that nobody can try guesses against; short texts are guessed by a plain one."""
        if not self.is_on:
            return content_hash
        assert self._keys is not None
        return self._keys().mac("content", content_hash, self._collection).hex()

    def subjects_of(self, value: str) -> frozenset[bytes]:
        """The hashes under which a value that somebody names may have been kept."""
        return frozenset(map(self._subject, _forms_of(value)))

    def _guarded(self, make: Callable[[Given], Made], given: Given) -> Made:
        """What a library raises may quote the text."""
        try:
            return make(given)
        except EmbedmillError:
            raise
        except MemoryError:
            raise RedactionFailed("redaction failed (MemoryError)", hint=MORE_MEMORY) from None
        except Exception as error:  # noqa: BLE001 - whatever it is, the text does not go on
            raise RedactionFailed(f"redaction failed ({type(error).__name__})") from None

    def _redact_all(self, texts: Sequence[str]) -> RedactedTexts:
        """All texts are looked through at once, which costs less; no value goes on over the empty line between two."""
        whole = GAP.join(texts)
        placeholders = Placeholders(whole)
        forms: dict[str, str] = {}
        given: dict[tuple[str, str], str] = {}
        spans = []
        for finding in self._find(whole):
            written = finding.type, whole[finding.start : finding.end]
            placeholder = given.get(written)
            if placeholder is None:
                form = normal_form(*written)
                forms.setdefault(form, finding.type)
                given[written] = placeholder = placeholders.of(finding.type, form)
            spans.append(Span(finding.type, finding.start, finding.end, placeholder))
        counts = Counter(forms.values())
        subjects = frozenset(map(self._subject, forms)) if self._keys is not None else frozenset[bytes]()
        return RedactedTexts(divide(texts, spans), dict(sorted(counts.items())), subjects)

    def _find(self, text: str) -> Iterable[Finding]:
        found = self._looked_for(text)
        return [f for f in found if not self._stays(f, text)] if self._keep else found

    def _stays(self, finding: Finding, text: str) -> bool:
        return normal_form(finding.type, text[finding.start : finding.end]) in self._kept_forms

    @cached_property
    def _kept_forms(self) -> frozenset[str]:
        return frozenset(form for value in self._keep for form in _forms_of(value))

    def _looked_for(self, text: str) -> Iterable[Finding]:
        found = _with_repeats(_scan(text), text)
        if self.policy == NAMES:
            from embedmill.shared.redaction.names import find_names

            found = united([*found, *find_names(text, seconds=self._seconds)])
        if self._scanner != OWN:
            from embedmill.shared.redaction.vendor_keys import find_vendor_keys

            found = united([*found, *find_vendor_keys(text)])
        if has_placeholder(text):
            return [f for f in found if not is_beside_placeholder(text, f.start, f.end)]
        return found

    def _address(self, uri: str) -> str:
        folder, slash, name = uri.rpartition("/")
        if folder != self._plain_folder:
            shown = self._parts(folder)
            if shown != folder:
                return shown + slash + self._parts(name)
            self._plain_folder = folder
        return folder + slash + self._parts(name)

    def _parts(self, uri: str) -> str:
        return "".join(map(self._part, _PARTS.split(uri)))

    def _part(self, part: str) -> str:
        readable = unquote(part)
        if not _MAY_HOLD.search(readable):
            return part
        found = [each for each in _scan(readable) if not (self._keep and self._stays(each, readable))]
        if not found:
            return part
        parts: list[str] = []
        before = 0
        for finding in found:
            parts += readable[before : finding.start], self._hashed(finding, readable)
            before = finding.end
        return quote("".join([*parts, readable[before:]]), safe="/?#[]@!$&'()*+,;=:%")

    def _hashed(self, finding: Finding, text: str) -> str:
        value = text[finding.start : finding.end].encode("utf-8", "surrogatepass")
        mac = hmac.digest(self._address_key, value, "sha256")
        return f"{MARK}{stem_of(finding.type).replace('_', '-')}-{_letters(mac)}"

    def _subject(self, form: str) -> bytes:
        return hmac.digest(self._subject_key, form.encode("utf-8", "surrogatepass"), "sha256")[:SUBJECT_BYTES]

    @cached_property
    def _subject_key(self) -> bytes:
        assert self._keys is not None
        return self._keys().derive("subject", self._collection)

    @cached_property
    def _address_key(self) -> bytes:
        assert self._keys is not None
        return self._keys().derive("uri", self._collection)


def divide(texts: Sequence[str], spans: Sequence[Span]) -> list[Redacted]:
    """Each text with its own of the spans, which are in order and of all texts with gaps between them.

    The placeholder of a value that goes over several texts is in the first of them.
    """
    if not spans:
        return [Redacted(text) for text in texts]
    if len(texts) == 1:
        return [_with_placeholders(texts[0], spans)]
    divided, start, number = [], 0, 0
    for text in texts:
        own: list[Span] = []
        end = start + len(text)
        while number < len(spans) and spans[number].start < end:
            span = spans[number]
            if span.end > start:
                shown = span.placeholder if span.start >= start else ""
                own.append(Span(span.type, max(span.start, start) - start, min(span.end, end) - start, shown))
            if span.end > end:
                break
            number += 1
        divided.append(_with_placeholders(text, own))
        start = end + len(GAP)
    return divided


def _with_placeholders(text: str, spans: Sequence[Span]) -> Redacted:
    parts: list[str] = []
    before = 0
    for span in spans:
        parts += text[before : span.start], span.placeholder
        before = span.end
    return Redacted("".join([*parts, text[before:]]) if spans else text, tuple(spans))


def _forms_of(value: str) -> set[str]:
    """The normal forms that a value may have that somebody names."""
    return {normal_form(f.type, value[f.start : f.end]) for f in _scan(value)} | set(possible_forms(value))


def _scan(text: str) -> list[Finding]:
    """The patterns are loaded when a text is first looked through."""
    from embedmill.shared.redaction.scanning import scan

    return scan(text)


def _with_repeats(found: list[Finding], text: str) -> list[Finding]:
    """With the places where a value stands again that only a word before it gave away."""
    from embedmill.shared.redaction.repeats import find_repeats

    again = find_repeats(found, text)
    return united([*found, *again]) if again else found


def _letters(mac: bytes) -> str:
    """Letters only: no pattern takes them for a number."""
    return "".join(chr(97 + byte % 26) for byte in mac[:ADDRESS_CHARACTERS])
