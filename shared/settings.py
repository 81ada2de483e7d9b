"""Settings: everything that can be configured, each with its default and what it does, frozen."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal, TypeVar, cast

from embedmill.shared.ledger import MOST_USD

REDIS_SCHEMES = ("redis://", "rediss://", "unix://")

T = TypeVar("T")

# Requests, tokens in, tokens out and inputs a minute.
LimitName = Literal["rpm", "tpm", "otpm", "ipm"]


def setting(default: T, description: str, *, shown: bool = True, ruled: bool = False, **bounds: Any) -> T:
    """A setting's default and what it does; `bounds` are pydantic's, and one that is `ruled` has a rule of its own."""
    about = {"description": description, "bounds": bounds, "ruled": ruled}
    if isinstance(default, dict):
        return cast("T", field(default_factory=dict, repr=shown, metadata=about))
    return field(default=default, repr=shown, metadata=about)


@dataclass(frozen=True)
class Settings:
    """Everything that can be configured; no other module reads the environment."""

    home: Path = setting(Path("~/.embedmill"), "Folder of all embedded state.")
    database_url: str = setting("", "Tracking database; empty means SQLite in the home folder.")
    database_statement_seconds: float = setting(300.0, "Longest run of one statement on a server.", gt=0)
    database_outage_seconds: float = setting(
        120.0, "How long a database server that is away is waited for before a process gives up.", ge=0
    )
    cache_url: str = setting(
        "",
        "Embedding cache: `postgresql://…`, `redis://…`, or `file:///PATH` for one host; "
        "empty means where the tracking database is.",
    )
    cache_max_mb: int = setting(0, "Most that cached vectors may take, in MiB; 0 means no limit.", ge=0)
    cache_document_days: float = setting(
        0.0, "Vectors of documents that nobody used for so long are forgotten; 0 keeps them.", ge=0
    )
    cache_query_days: float = setting(
        30.0, "Vectors of queries that nobody repeated for so long are forgotten; 0 keeps them.", ge=0
    )
    cache_verdict_days: float = setting(0.0, "Verdicts that nobody used for so long are forgotten; 0 keeps them.", ge=0)
    cache_verdict_max_mb: int = setting(0, "Most that verdicts may take, in MiB; 0 means no limit.", ge=0)
    cache_result_minutes: float = setting(
        60.0, "So long results and answers of models are kept, until documents change; 0 keeps none.", ge=0
    )
    cache_grade_hours: float = setting(
        24.0, "So long models' grades of what a query found are kept; 0 keeps none.", ge=0
    )
    cache_answer_max_mb: int = setting(
        64, "Most that results, answers, grades and sub-queries may take, in MiB; the oldest go.", ge=1
    )
    key: str = setting(
        "",
        "Root key, which wraps all others: `file://PATH`, `env://NAME` or `kms://KEY-ID`; empty means one "
        "that is made for the installation.",
    )
    token: str = setting(
        "", "Token of whoever calls (`embedmill tokens create`); empty means the home's owner.", shown=False
    )
    identity_file: Path | None = setting(
        None, "File of principals and the hashes of their tokens, beside those that were issued here."
    )
    audit: Literal["on", "strict", "off"] = setting(
        "on",
        "Whether a record is written of who did what; `strict` refuses to read a home that cannot be "
        "written, `off` records nothing.",
    )
    audit_anchors: str = setting(
        "",
        "Where the audit's anchors are kept: `file://…` or `s3://…`, best in other hands; empty means a "
        "folder of the home.",
    )
    audit_anchor_minutes: float = setting(60.0, "So often the audit is anchored, if it has grown.", gt=0)
    audit_keep_days: float = setting(0.0, "Records of the audit are kept for so long; 0 keeps them.", ge=0)
    broker_url: str = setting(
        "embedded://", "Where wake-ups travel: `embedded://`, `redis://…`, `sqs://` or `amqp://…`."
    )
    sqs_prefix: str = setting("", "Begins the names of SQS queues, so that installations can share an account.")
    sqs_queues: dict[str, str] = setting(
        {}, "SQS queues that exist already, as JSON: stage to URL; then none is listed or created."
    )
    blob_url: str = setting("", "Blob store; empty means a folder in the home folder.")
    vector_url: str = setting(
        "embedded://", "Vector store: `embedded://` (in the home), `postgresql://…` or `pinecone://INDEX`."
    )
    embedding: str = setting("local", "Embedding model of new collections: `local`, `openai/text-embedding-3-large`, …")
    validator: str = setting(
        "rules", "Validator of new collections: `rules`, `off`, or a model as `anthropic/claude-opus-4-7`."
    )
    validation_policy: str = setting("gate", "What a model validator does in new collections: `gate` or `audit`.")
    validation_concurrency: int = setting(4, "Calls to a validator that one worker has out.", ge=1, le=64)
    terms_sample: float = setting(
        0.05, "Share of documents whose terms a model validator collects; 0 turns it off.", ge=0, le=1
    )
    workers: int = setting(0, "Most worker processes of `ingest`; 0 means one per core.", ge=0, le=256)
    embed_max_concurrency: int = setting(
        0, "Most requests at once that the embedding provider allows; 0 means no limit.", ge=0, le=10_000
    )
    grace_seconds: float = setting(
        45.0, "How long a worker that is told to stop may finish what it holds.", ge=0, le=3600
    )
    worker_silence_seconds: float = setting(
        0.0,
        "After so long without a message, though its queues have work, an idle worker is replaced; "
        "0 means three leases, at least 30 s.",
        ge=0,
    )
    lease_seconds: float = setting(30.0, "How long a claim lives without a heartbeat.", gt=0.2)
    max_attempts: int = setting(3, "Attempts of one stage before a document is dead-lettered.", ge=1, le=100)
    retry_base_seconds: float = setting(2.0, "First back-off after a transient failure; it doubles.", ge=0)
    retry_max_seconds: float = setting(300.0, "Longest back-off between two attempts.", ge=0)
    outage_minutes: float = setting(
        30.0, "So long a document waits for a provider that fails before it is dead-lettered.", ge=0
    )
    high_water: int = setting(2048, "Most documents out at once for one job; the rest stays pending.", ge=1)
    batch_documents: int = setting(256, "Most documents in one message.", ge=1, le=400)
    batch_tokens: int = setting(300_000, "Most tokens in one message, estimated before chunking.", ge=1)
    parser_seconds: float = setting(60.0, "Wall-clock limit for parsing one document.", gt=0)
    parser_memory_mb: int = setting(1024, "Memory limit of the parser's process.", ge=64)
    parser_characters: int = setting(20_000_000, "Most characters of text taken from one document.", ge=1000)
    secret_scanner: Literal["own", "kingfisher"] = setting(
        "own", "What looks for secrets where values are redacted: `kingfisher` does beside our own patterns."
    )
    redaction_seconds: float = setting(
        60.0, "Most seconds that names are looked for in one document, where its policy is `names`.", gt=0
    )
    ocr: Literal["off", "auto"] = setting(
        "off", "Read pages without text from their picture: `auto` does where tesseract is installed."
    )
    ocr_languages: tuple[str, ...] = setting(
        ("eng",), 'Languages of such pages as tesseract names them, as JSON: `["deu", "eng"]`.', min_length=1
    )
    ocr_pages: int = setting(100, "Most pages of a document that are read from their picture.", ge=1)
    max_document_mb: int = setting(256, "Largest file that is read, in MiB.", ge=1)
    prices: Path | None = setting(None, "Price file in TOML, merged over the packaged one; see spend.md.")
    allow_unpriced: bool = setting(default=False, description="Let calls without a price through, shown as `unpriced`.")
    limits: dict[str, dict[LimitName, int]] = setting(
        {}, "Provider limits a minute as JSON, by provider or provider/model: `rpm`, `tpm`, `otpm`, `ipm`."
    )
    vendor_gateways: tuple[str, ...] = setting(
        (),
        "Addresses that stand for the vendor itself, as JSON: of gateways that only pass requests on. "
        "What they answer is kept and found as the vendor's.",
    )
    search_seconds: float = setting(
        10.0, "How long a search waits for the embedding model, and for shards; it answers without them then.", gt=0
    )
    fast_model: str = setting(
        "",
        "Model or reranker that sifts what a search found, as `anthropic/claude-haiku-5-5`, or `off`; with "
        "it or the next one set, searches are ranked by models.",
    )
    rank_model: str = setting(
        "", "Model that grades what passed, and answers: as `anthropic/claude-opus-4-7`, or `off`."
    )
    answer_model: str = setting("", "Model that answers in the place of the one that grades, or `off`.")
    query_max_usd: float | None = setting(
        None,
        "Most dollars that a query may cost; empty: as much as its steps take.",
        ge=0,
        le=MOST_USD,
        allow_inf_nan=False,
    )
    rank_seconds: float = setting(45.0, "How long each of these models may take for one search.", gt=0)
    record_queries: bool = setting(
        default=True,
        description="Whether each query leaves a record of numbers and hashes for `stats` and `feedback`.",
    )
    record_days: float = setting(
        90.0, "Records of queries that nobody judged are forgotten after so long; 0 keeps them.", ge=0
    )
    word_weight: float | None = setting(
        None, "What words count beside meaning in hybrid search (`eval --tune`); empty: as the model needs it.", ge=0
    )
    limits_url: str = setting("", "Redis for fleet-wide limits; empty means the broker's or the database.", ruled=True)
    provider_concurrency: int = setting(8, "Most requests at once to a model, per process.", ge=1, le=256)
    bulk_gather_seconds: float = setting(
        60.0, "How long the batch lane gathers what a job wants before it sends less than it could.", ge=0
    )
    bulk_max_requests: int = setting(
        50_000, "Most requests of one batch, as far as its vendor takes so many.", ge=1, le=100_000
    )
    bulk_poll_seconds: float = setting(
        15.0, "First pause between two looks at a batch; it grows with its age, up to 20 times.", gt=0
    )
    bulk_returns: int = setting(
        3, "After expiring so often, or being cancelled by others, a request is made at once instead.", ge=1
    )
    bulk_lost_seconds: float = setting(
        180.0, "How long a batch whose creation was not answered is looked for at its vendor.", ge=0
    )
    circuit_failures: int = setting(
        5, "So many failed calls, in all processes, open a circuit when few others are answered.", ge=1
    )
    circuit_seconds: float = setting(2.0, "First rest of an open circuit; it doubles to 5 minutes.", gt=0)
    allow_private_addresses: str = setting(
        "", "Private addresses that pages are asked of: `1` for all, or `HOST` and `HOST:PORT` with commas."
    )
    web_contact: str = setting(
        "", "Web or mail address of whoever answers for crawls; sites are told with every request."
    )
    web_logins: dict[str, str] = setting(
        {}, 'Logins of sites, as JSON: `{"https://wiki.corp": "user:password"}`, or `"Bearer TOKEN"`.', shown=False
    )
    web_delay_seconds: float = setting(
        0.1, "Shortest pause between two requests to one host; longer if the host is slow or asks.", ge=0
    )
    web_hosts: int = setting(8, "Hosts that are asked at once, each for one page at a time.", ge=1, le=32)
    web_seconds: float = setting(30.0, "Longest that an answer of a site may take, as a whole.", gt=0)
    web_max_mb: int = setting(64, "Largest page or file that is taken from a site, in MiB, inflated.", ge=1)
    web_proxy_resolves: bool = setting(
        default=False,
        description="Give names of hosts to the proxy (HTTPS_PROXY, HTTP_PROXY), which then answers for private "
        "addresses. Without it names are looked up and checked here, and the proxy is given the address.",
    )
    web_gone_seconds: float = setting(
        5.0, "So long after a page said that it is gone it is asked again, before it leaves.", ge=0
    )
    log_level: str = setting("warning", "Least severe log event that is printed to stderr.")

    def model_copy(self, *, update: Mapping[str, Any]) -> "Settings":
        """The same with other values, which are not checked."""
        return replace(self, **update)

    @property
    def home_path(self) -> Path:
        """The home folder, absolute, with `~` resolved."""
        return Path(os.path.abspath(self.home.expanduser()))

    @property
    def prices_path(self) -> Path | None:
        """The user's price file, with `~` resolved."""
        return self.prices and self.prices.expanduser()

    @property
    def database(self) -> str:
        """The tracking database's URL with the default filled in."""
        return self.database_url or f"sqlite:///{self.home_path / 'tracking.db'}"

    @property
    def cache_keep_seconds(self) -> dict[str, float]:
        """For how long entries of caches are kept without being used, by kind; 0 means always."""
        days = {
            "document": self.cache_document_days,
            "query": self.cache_query_days,
            "verdict": self.cache_verdict_days,
        }
        return {kind: 86_400 * value for kind, value in days.items()}

    @property
    def answer_keep_seconds(self) -> dict[str, float]:
        """For how long what models answered about queries is kept, by kind; what is not there is not kept at all."""
        minutes, hours = self.cache_result_minutes, self.cache_grade_hours
        of_results = dict.fromkeys(("result", "answer"), 60 * minutes) if minutes else {}
        return {"plan": 86_400 * self.cache_query_days} | of_results | ({"grade": 3600 * hours} if hours else {})

    @property
    def max_document_bytes(self) -> int:
        """The largest file that is read, in bytes."""
        return self.max_document_mb * 1024 * 1024

    @property
    def beat_seconds(self) -> float:
        """How often processes say that they are alive."""
        return min(5.0, self.lease_seconds / 4)

    @property
    def silent_seconds(self) -> float:
        """After so long without a sign of life a process counts as lost."""
        return max(self.lease_seconds, 3 * self.beat_seconds)

    @property
    def hung_seconds(self) -> float:
        """After so long without a message, though there is work, an idle worker counts as hung."""
        return self.worker_silence_seconds or max(3 * self.lease_seconds, 30.0)

    @property
    def worker_count(self) -> int:
        """Worker processes to start: as set, or one per core that this process may use."""
        return self.workers or len(os.sched_getaffinity(0))


NAMES = tuple(each.name for each in fields(Settings))
