"""What a collection's settings mean: names and bounds, and the hash that tells whether a document is up to date."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from embedmill.shared.addresses import digest
from embedmill.shared.errors import SettingsError
from embedmill.shared.providers.models.table import is_model
from embedmill.shared.providers.rerankers.table import is_reranker
from embedmill.shared.redaction.policy import OWN, policy_id, require_policy

# Part of every settings hash: to be raised when parsing or chunking begins to give other chunks for the same bytes.
PIPELINE_VERSION = "2"

VALIDATORS = ("rules", "off")
POLICIES = ("gate", "audit")
MAX_SHARDS = 256
MAX_CANDIDATES = 200
UNCHOSEN = {"chosen": False}
"""Of a setting that nobody chooses: it says how something stands."""
OBFUSCATED, PLAIN = "obfuscated", "plain"
OFF = "off"
"""The name of no model."""


@dataclass(frozen=True, slots=True)
class CollectionSettings:
    """Settings of one collection; sizes in tokens. Raises SettingsError for values outside their bounds."""

    embedding: str
    validator: str = "rules"
    policy: str = "gate"
    reject_below: int = 2
    chunk_tokens: int = 384
    chunk_overlap: int = 32
    shards: int = 1
    rank: bool = False
    """Whether models rank what is found here, unless a query says otherwise."""
    unranked: bool = field(default=False, metadata=UNCHOSEN)
    """Whether none do, whatever is set for everywhere: somebody has said so."""
    expand: bool = False
    """Whether other names of what a query names are looked for too, unless a query says otherwise."""
    normalise: bool = False
    """Whether a model words questions as the documents would, unless a query says otherwise."""
    decompose: bool = False
    """Whether a model divides questions that ask several things, unless a query says otherwise."""
    domain: str = ""
    """What the owner says of what the documents are about, for models that read a question."""
    access: str = "internal"
    """The access level of documents that say none, and whose sources say none."""
    owner: str = ""
    """Who owns documents that name nobody, and whose sources name nobody."""
    keep_queries: bool = False
    """Whether the texts of queries are kept with their records."""
    fast_model: str = ""
    """The model that sifts and divides here, `off` for none; empty: as everywhere."""
    rank_model: str = ""
    """The model that grades here, in the same way."""
    answer_model: str = ""
    """The model that answers here, in the same way; where nothing names one, the one that grades."""
    similarity_weight: float = 0.3
    """What similarity counts beside what a model says, of 1."""
    candidates: int = 50
    """So many that similarity puts up are sifted."""
    ranked: int = 20
    """So many of those that passed are graded."""
    redact: str = OFF
    """What is replaced by placeholders before anything is made of a document (`shared/redaction`)."""
    redact_keep: Sequence[str] = ()
    """Values that stay, however they are written: a company's own addresses and numbers."""
    retain_days: float = 0.0
    """So long a document is kept after it was taken in or changed, and what is known of it; 0: always."""
    encrypt: bool = False
    """Whether what is stored of the collection is encrypted; its documents, and what tells of their texts."""
    resealing: bool = field(default=False, metadata=UNCHOSEN)
    """Whether what is stored is being written anew, and some of it is not as `encrypt` says yet."""
    vectors: str = OBFUSCATED
    """How an encrypted collection's vectors are kept in a store of somebody else's: `obfuscated` or `plain`."""
    max_usd: float | None = None
    """Most dollars that a query may cost here, unless it says otherwise; None: as everywhere."""

    def __post_init__(self) -> None:
        if self.validator not in VALIDATORS and not is_model(self.validator):
            known = ", ".join(VALIDATORS)
            raise SettingsError(f"unknown validator {self.validator!r}; there are {known}, anthropic/MODEL, …")
        if self.policy not in POLICIES:
            raise SettingsError(f"unknown validation policy {self.policy!r}; there are {', '.join(POLICIES)}")
        if not 1 <= self.reject_below <= 5:
            raise SettingsError(f"rejecting below {self.reject_below}: scores go from 1 to 5")
        if not 16 <= self.chunk_tokens <= 1024:
            raise SettingsError(f"chunks of {self.chunk_tokens} tokens: choose from 16 to 1024")
        if not 0 <= self.chunk_overlap <= self.chunk_tokens // 2:
            raise SettingsError(f"an overlap of {self.chunk_overlap} tokens: choose at most half the chunk size")
        if not 1 <= self.shards <= MAX_SHARDS:
            raise SettingsError(f"{self.shards} shards: choose from 1 to {MAX_SHARDS}")
        require_policy(self.redact)
        # What was stored is a list.
        object.__setattr__(self, "redact_keep", tuple(self.redact_keep))
        if not 0 <= self.retain_days < math.inf:
            raise SettingsError(f"documents are kept for {self.retain_days:g} days: choose 0, which is always, or more")
        if self.vectors not in (OBFUSCATED, PLAIN):
            raise SettingsError(f"unknown way to keep vectors {self.vectors!r}; there are {OBFUSCATED}, {PLAIN}")
        self._check_stages()

    @property
    def obfuscates(self) -> bool:
        """Whether vectors are rotated before a store of somebody else's has them."""
        return (self.encrypt or self.resealing) and self.vectors == OBFUSCATED

    def _check_stages(self) -> None:
        sifts = is_model(self.fast_model) or is_reranker(self.fast_model)
        known = {self.fast_model: sifts} | {name: is_model(name) for name in (self.rank_model, self.answer_model)}
        for name in (name for name, is_known in known.items() if name not in ("", OFF) and not is_known):
            raise SettingsError(f"no model {name!r}; write anthropic/MODEL, openai/MODEL, bedrock/MODEL, or {OFF}")
        if not 0 <= self.similarity_weight <= 1:
            raise SettingsError(f"a weight of similarity of {self.similarity_weight:g}: choose from 0 to 1")
        if not 1 <= self.ranked <= self.candidates <= MAX_CANDIDATES:
            asked = f"{self.ranked} of {self.candidates} candidates are to be graded"
            raise SettingsError(f"{asked}: choose from 1 to {MAX_CANDIDATES}, and no more to grade than to sift")
        if self.max_usd is not None and not 0 <= self.max_usd < math.inf:
            raise SettingsError(f"at most {self.max_usd:g} dollars for a query: choose 0 or more")

    @property
    def gates(self) -> bool:
        """Whether a model decides about chunks before they are embedded."""
        return self.policy == "gate" and is_model(self.validator)

    @property
    def audits(self) -> bool:
        """Whether a model looks at samples, and the rules decide."""
        return self.policy == "audit" and is_model(self.validator)

    def as_json(self) -> dict[str, Any]:
        """Plain JSON, as it is stored."""
        return asdict(self)

    def fingerprint(
        self, *, model: str, embedder_endpoint: str = "", validator_endpoint: str = "", secret_scanner: str = OWN
    ) -> str:
        """Hash of everything but the text that shapes a document's vectors; `model` is the embedder's own name.

        Endpoints say who answers; they are empty for vendors and for models on this machine. The scanner is one of
        redaction.
        """
        validator = "rules" if self.audits else self.validator
        if self.gates:
            validator = f"{validator}/{self.reject_below}"
        shape = (str(self.chunk_tokens), str(self.chunk_overlap), validator, model)
        judged_at = validator_endpoint if self.gates else ""
        whose = (embedder_endpoint, judged_at) if embedder_endpoint or judged_at else ()
        hidden = ("redact", policy_id(self.redact, secret_scanner, self.redact_keep)) if self.redact != OFF else ()
        return digest("settings", PIPELINE_VERSION, *shape, *whose, *hidden)


def read_collection_settings(stored: Mapping[str, Any]) -> CollectionSettings:
    """The settings of a stored collection; unknown keys, from a newer release, are refused."""
    try:
        return CollectionSettings(**stored)
    except TypeError as error:
        raise SettingsError(f"the collection has settings of another release: {error}") from None
