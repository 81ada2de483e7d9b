"""Which connections are encrypted, as the settings say, and which are not and leave the machine."""

import ipaddress
import os
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

from embedmill.shared.providers.endpoints import VARIABLES
from embedmill.shared.settings import Settings

PLAIN_SCHEMES = frozenset({"redis", "amqp", "http"})
CHECKING = frozenset({"require", "verify-ca", "verify-full"})
"""Values of Postgres' `sslmode` with which nothing is sent in the clear."""
AWS = ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL_SQS", "AWS_ENDPOINT_URL_KMS")
PINECONE = "PINECONE_CONTROLLER_HOST"
URLS = {
    "EMBEDMILL_DATABASE_URL": "database_url",
    "EMBEDMILL_CACHE_URL": "cache_url",
    "EMBEDMILL_BROKER_URL": "broker_url",
    "EMBEDMILL_VECTOR_URL": "vector_url",
    "EMBEDMILL_LIMITS_URL": "limits_url",
}


def find_plain(settings: Settings) -> list[str]:
    """The names of settings and variables whose connections are not encrypted and leave the machine."""
    return [name for name, url in _addresses(settings) if is_plain(url)]


def is_plain(url: str) -> bool:
    """Whether what is sent to a URL can be read on its way: by its scheme and options, unless it is this machine."""
    parts = urlsplit(url)
    options = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    scheme = parts.scheme.partition("+")[0]
    if scheme == "postgresql":
        hosts = [parts.hostname or options.get("host", "")]
        return options.get("sslmode", "") not in CHECKING and not all(map(_is_here, hosts))
    if scheme == "pinecone":
        return is_plain(options.get("host", ""))
    return scheme in PLAIN_SCHEMES and not _is_here(parts.hostname or "")


def _addresses(settings: Settings) -> Iterator[tuple[str, str]]:
    yield from ((name, str(getattr(settings, field))) for name, field in URLS.items())
    variables = {name for names in VARIABLES.values() for name in names} | {*AWS, PINECONE}
    yield from ((name, os.environ.get(name, "").strip()) for name in sorted(variables))


def _is_here(host: str) -> bool:
    """Whether a host is this machine; none, and a folder of a socket, are."""
    if not host or host.startswith("/") or host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
