"""Settings: `EMBEDMILL_*` environment variables over `embedmill.toml` over defaults, read once and frozen."""

import json
import os
import re
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, PositiveInt, ValidationError, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from embedmill.shared.errors import SettingsError
from embedmill.shared.ledger import MOST_USD
from embedmill.shared.wording import reword

CONFIG_FILE = "embedmill.toml"
REDIS_SCHEMES = ("redis://", "rediss://", "unix://")

# Requests, tokens in, tokens out and inputs a minute.
LimitName = Literal["rpm", "tpm", "otpm", "ipm"]


class Settings(BaseSettings):
    """Everything that can be configured; no other module reads the environment."""

    model_config = SettingsConfigDict(env_prefix="EMBEDMILL_", frozen=True, extra="forbid", toml_file=CONFIG_FILE)

    home: Path = Field(Path("~/.embedmill"), description="Folder of all embedded state.")
    database_url: str = Field("", description="Tracking database; empty means SQLite in the home folder.")
    database_statement_seconds: float = Field(300.0, gt=0, description="Longest run of one statement on a server.")
    database_outage_seconds: float = Field(
        120.0, ge=0, description="How long a database server that is away is waited for before a process gives up."
    )
    cache_url: str = Field(
        "",
        description="Embedding cache: `postgresql://…`, `redis://…`, or `file:///PATH` for one host; "
        "empty means where the tracking database is.",
    )
    cache_max_mb: int = Field(0, ge=0, description="Most that cached vectors may take, in MiB; 0 means no limit.")
    cache_document_days: float = Field(
        0.0, ge=0, description="Vectors of documents that nobody used for so long are forgotten; 0 keeps them."
    )
    cache_query_days: float = Field(
        30.0, ge=0, description="Vectors of queries that nobody repeated for so long are forgotten; 0 keeps them."
    )
    cache_verdict_days: float = Field(
        0.0, ge=0, description="Verdicts that nobody used for so long are forgotten; 0 keeps them."
    )
    cache_verdict_max_mb: int = Field(0, ge=0, description="Most that verdicts may take, in MiB; 0 means no limit.")
    cache_result_minutes: float = Field(
        60.0, ge=0, description="So long results and answers of models are kept, until documents change; 0 keeps none."
    )
    cache_grade_hours: float = Field(
        24.0, ge=0, description="So long models' grades of what a query found are kept; 0 keeps none."
    )
    cache_answer_max_mb: int = Field(
        64, ge=1, description="Most that results, answers, grades and sub-queries may take, in MiB; the oldest go."
    )
    key: str = Field(
        "",
        description="Root key, which wraps all others: `file://PATH`, `env://NAME` or `kms://KEY-ID`; empty means one "
        "that is made for the installation.",
    )
    token: str = Field(
        "", repr=False, description="Token of whoever calls (`embedmill tokens create`); empty means the home's owner."
    )
    identity_file: Path | None = Field(
        None, description="File of principals and the hashes of their tokens, beside those that were issued here."
    )
    audit: Literal["on", "strict", "off"] = Field(
        "on",
        description="Whether a record is written of who did what; `strict` refuses to read a home that cannot be "
        "written, `off` records nothing.",
    )
    audit_anchors: str = Field(
        "",
        description="Where the audit's anchors are kept: `file://…` or `s3://…`, best in other hands; empty means a "
        "folder of the home.",
    )
    audit_anchor_minutes: float = Field(60.0, gt=0, description="So often the audit is anchored, if it has grown.")
    audit_keep_days: float = Field(0.0, ge=0, description="Records of the audit are kept for so long; 0 keeps them.")
    broker_url: str = Field(
        "embedded://", description="Where wake-ups travel: `embedded://`, `redis://…`, `sqs://` or `amqp://…`."
    )
    sqs_prefix: str = Field(
        "", description="Begins the names of SQS queues, so that installations can share an account."
    )
    sqs_queues: dict[str, str] = Field(
        {}, description="SQS queues that exist already, as JSON: stage to URL; then none is listed or created."
    )
    blob_url: str = Field("", description="Blob store; empty means a folder in the home folder.")
    vector_url: str = Field(
        "embedded://", description="Vector store: `embedded://` (in the home), `postgresql://…` or `pinecone://INDEX`."
    )
    embedding: str = Field(
        "local", description="Embedding model of new collections: `local`, `openai/text-embedding-3-large`, …"
    )
    validator: str = Field(
        "rules", description="Validator of new collections: `rules`, `off`, or a model as `anthropic/claude-opus-4-7`."
    )
    validation_policy: str = Field(
        "gate",
        description="What a model validator does in new collections: `gate` or `audit`.",
    )
    validation_concurrency: int = Field(4, ge=1, le=64, description="Calls to a validator that one worker has out.")
    terms_sample: float = Field(
        0.05, ge=0, le=1, description="Share of documents whose terms a model validator collects; 0 turns it off."
    )
    workers: int = Field(0, ge=0, le=256, description="Most worker processes of `ingest`; 0 means one per core.")
    embed_max_concurrency: int = Field(
        0, ge=0, le=10_000, description="Most requests at once that the embedding provider allows; 0 means no limit."
    )
    grace_seconds: float = Field(
        45.0, ge=0, le=3600, description="How long a worker that is told to stop may finish what it holds."
    )
    worker_silence_seconds: float = Field(
        0.0,
        ge=0,
        description="After so long without a message, though its queues have work, an idle worker is replaced; "
        "0 means three leases, at least 30 s.",
    )
    lease_seconds: float = Field(30.0, gt=0.2, description="How long a claim lives without a heartbeat.")
    max_attempts: int = Field(3, ge=1, le=100, description="Attempts of one stage before a document is dead-lettered.")
    retry_base_seconds: float = Field(2.0, ge=0, description="First back-off after a transient failure; it doubles.")
    retry_max_seconds: float = Field(300.0, ge=0, description="Longest back-off between two attempts.")
    outage_minutes: float = Field(
        30.0, ge=0, description="So long a document waits for a provider that fails before it is dead-lettered."
    )
    high_water: int = Field(2048, ge=1, description="Most documents out at once for one job; the rest stays pending.")
    batch_documents: int = Field(256, ge=1, le=400, description="Most documents in one message.")
    batch_tokens: int = Field(300_000, ge=1, description="Most tokens in one message, estimated before chunking.")
    parser_seconds: float = Field(60.0, gt=0, description="Wall-clock limit for parsing one document.")
    parser_memory_mb: int = Field(1024, ge=64, description="Memory limit of the parser's process.")
    parser_characters: int = Field(20_000_000, ge=1000, description="Most characters of text taken from one document.")
    secret_scanner: Literal["own", "kingfisher"] = Field(
        "own",
        description="What looks for secrets where values are redacted: `kingfisher` does beside our own patterns.",
    )
    redaction_seconds: float = Field(
        60.0, gt=0, description="Most seconds that names are looked for in one document, where its policy is `names`."
    )
    ocr: Literal["off", "auto"] = Field(
        "off", description="Read pages without text from their picture: `auto` does where tesseract is installed."
    )
    ocr_languages: tuple[str, ...] = Field(
        ("eng",),
        min_length=1,
        description='Languages of such pages as tesseract names them, as JSON: `["deu", "eng"]`.',
    )
    ocr_pages: int = Field(100, ge=1, description="Most pages of a document that are read from their picture.")
    max_document_mb: int = Field(256, ge=1, description="Largest file that is read, in MiB.")
    prices: Path | None = Field(None, description="Price file in TOML, merged over the packaged one; see spend.md.")
    allow_unpriced: bool = Field(
        default=False, description="Let calls without a known price through, shown as `unpriced`."
    )
    limits: dict[str, dict[LimitName, PositiveInt]] = Field(
        {}, description="Provider limits a minute as JSON, by provider or provider/model: `rpm`, `tpm`, `otpm`, `ipm`."
    )
    vendor_gateways: tuple[str, ...] = Field(
        (),
        description="Addresses that stand for the vendor itself, as JSON: of gateways that only pass requests on. "
        "What they answer is kept and found as the vendor's.",
    )
    search_seconds: float = Field(
        10.0,
        gt=0,
        description="How long a search waits for the embedding model, and for shards; it answers without them then.",
    )
    fast_model: str = Field(
        "",
        description="Model or reranker that sifts what a search found, as `anthropic/claude-haiku-5-5`, or `off`; with "
        "it or the next one set, searches are ranked by models.",
    )
    rank_model: str = Field(
        "", description="Model that grades what passed, and answers: as `anthropic/claude-opus-4-7`, or `off`."
    )
    answer_model: str = Field("", description="Model that answers in the place of the one that grades, or `off`.")
    query_max_usd: float | None = Field(
        None,
        ge=0,
        le=MOST_USD,
        allow_inf_nan=False,
        description="Most dollars that a query may cost; empty: as much as its steps take.",
    )
    rank_seconds: float = Field(45.0, gt=0, description="How long each of these models may take for one search.")
    record_queries: bool = Field(
        default=True,
        description="Whether each query leaves a record of numbers and hashes, for `stats` and `feedback`.",
    )
    record_days: float = Field(
        90.0, ge=0, description="Records of queries that nobody judged are forgotten after so long; 0 keeps them."
    )
    word_weight: float | None = Field(
        None,
        ge=0,
        description="What words count beside meaning in hybrid search (`eval --tune`); empty: as the model needs it.",
    )
    limits_url: str = Field("", description="Redis for fleet-wide limits; empty means the broker's or the database.")
    provider_concurrency: int = Field(8, ge=1, le=256, description="Most requests at once to a model, per process.")
    bulk_gather_seconds: float = Field(
        60.0, ge=0, description="How long the batch lane gathers what a job wants before it sends less than it could."
    )
    bulk_max_requests: int = Field(
        50_000, ge=1, le=100_000, description="Most requests of one batch, as far as its vendor takes so many."
    )
    bulk_poll_seconds: float = Field(
        15.0, gt=0, description="First pause between two looks at a batch; it grows with its age, up to 20 times."
    )
    bulk_returns: int = Field(
        3, ge=1, description="After expiring so often, or being cancelled by others, a request is made at once instead."
    )
    bulk_lost_seconds: float = Field(
        180.0, ge=0, description="How long a batch whose creation was not answered is looked for at its vendor."
    )
    circuit_failures: int = Field(
        5, ge=1, description="So many failed calls, in all processes, open a circuit when few others are answered."
    )
    circuit_seconds: float = Field(2.0, gt=0, description="First rest of an open circuit; it doubles to 5 minutes.")
    allow_private_addresses: str = Field(
        "",
        description="Private addresses that pages are asked of: `1` for all, or `HOST` and `HOST:PORT` with commas.",
    )
    web_contact: str = Field(
        "", description="Web or mail address of whoever answers for crawls; sites are told with every request."
    )
    web_logins: dict[str, str] = Field(
        {},
        repr=False,
        description='Logins of sites, as JSON: `{"https://wiki.corp": "user:password"}`, or `"Bearer TOKEN"`.',
    )
    web_delay_seconds: float = Field(
        0.1, ge=0, description="Shortest pause between two requests to one host; longer if the host is slow or asks."
    )
    web_hosts: int = Field(8, ge=1, le=32, description="Hosts that are asked at once, each for one page at a time.")
    web_seconds: float = Field(30.0, gt=0, description="Longest that an answer of a site may take, as a whole.")
    web_max_mb: int = Field(64, ge=1, description="Largest page or file that is taken from a site, in MiB, inflated.")
    web_gone_seconds: float = Field(
        5.0, ge=0, description="So long after a page said that it is gone it is asked again, before it leaves."
    )
    log_level: str = Field("warning", description="Least severe log event that is printed to stderr.")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Environment over file over defaults; no dotenv, no secrets folder."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)

    @field_validator("allow_private_addresses", mode="before")
    @classmethod
    def _as_text(cls, given: Any) -> Any:
        return "1" if given is True else "" if given is False else given

    @field_validator("limits_url")
    @classmethod
    def _is_redis(cls, url: str) -> str:
        if url and not url.startswith(REDIS_SCHEMES):
            raise ValueError(f"only Redis is taken: {', '.join(REDIS_SCHEMES)}")
        return url

    def beyond_environment(self) -> dict[str, str]:
        """The variables that give another process of ours these settings, as far as it does not read them by itself."""
        read = load_settings()
        values = self.model_dump(mode="json")
        differing = {name: value for name, value in values.items() if getattr(self, name) != getattr(read, name)}
        texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in differing.items()}
        return {f"EMBEDMILL_{name.upper()}": text for name, text in texts.items()}

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


def load_settings(**overrides: Any) -> Settings:
    """Read the settings once; raises SettingsError with one line per wrong setting."""
    try:
        return Settings(**overrides)
    except ValidationError as error:
        lines = (f"{_place(e['loc'])} {reword(e['msg'])}" for e in error.errors())
        raise SettingsError("; ".join(lines), hint="See docs/configuration.md.") from None
    except ValueError as error:
        raise SettingsError(_reword_source(str(error)), hint="See docs/configuration.md.") from None


def _place(path: tuple[int | str, ...]) -> str:
    """A setting, and the place within it: `EMBEDMILL_LIMITS openai.rpm`."""
    name, *inner = (str(part) for part in path if part != "[key]")
    return " ".join(filter(None, (f"EMBEDMILL_{name.upper()}", ".".join(inner))))


def _reword_source(message: str) -> str:
    """What pydantic-settings says of a source that it cannot read."""
    if found := re.search(r'field "(\w+)" from source "EnvSettingsSource"', message):
        return f"EMBEDMILL_{found[1].upper()} is no JSON"
    return f"{CONFIG_FILE}: {message}"


def unknown_variables() -> list[str]:
    """Names of `EMBEDMILL_*` variables that mean nothing, most likely typing errors; for a warning."""
    known = {name.upper() for name in Settings.model_fields}
    given = {key.removeprefix("EMBEDMILL_") for key in os.environ if key.startswith("EMBEDMILL_")}
    return [f"EMBEDMILL_{name}" for name in sorted(given - known)]
