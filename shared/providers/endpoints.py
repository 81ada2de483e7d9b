"""Who answers for a provider: the vendor itself, or a simulator, gateway or proxy at an address of its own.

An endpoint is one spelling of a base URL: scheme, host, port and path, and nothing that is secret. It is empty for the
vendor itself, in whatever region, and for models on this machine. What was answered at one endpoint is never taken for
the answer of another: it is part of the addresses of vectors and verdicts, and of what makes a document up to date.
"""

import ipaddress
import os
import re
from collections.abc import Collection
from urllib.parse import urlsplit

EMBEDDINGS, MODELS, RERANKERS = "embeddings", "models", "rerankers"
VARIABLES = {
    (EMBEDDINGS, "openai"): ("OPENAI_BASE_URL",),
    (EMBEDDINGS, "cohere"): ("CO_API_URL",),
    (EMBEDDINGS, "bedrock"): ("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", "AWS_ENDPOINT_URL"),
    (RERANKERS, "cohere"): ("CO_API_URL",),
    (RERANKERS, "bedrock"): ("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", "AWS_ENDPOINT_URL"),
    (RERANKERS, "pinecone"): ("PINECONE_CONTROLLER_HOST",),
    (MODELS, "openai"): ("OPENAI_BASE_URL",),
    (MODELS, "anthropic"): ("ANTHROPIC_BASE_URL",),
    (MODELS, "bedrock"): ("ANTHROPIC_BEDROCK_MANTLE_BASE_URL",),
}
"""The environment variables by which the vendors' SDKs are pointed elsewhere; the first that is set holds."""
VENDOR_HOSTS = re.compile(
    r"([a-z0-9-]+\.)?api\.openai\.com|api\.anthropic\.com|api\.cohere\.(com|ai)|api\.pinecone\.io"
    r"|([a-z0-9-]+\.)*bedrock[a-z-]*(\.[a-z0-9-]+)*\.(amazonaws\.com|amazonaws\.com\.cn|api\.aws)"
)
DEFAULT_PORTS = {"http": 80, "https": 443}
_TRUE = frozenset({"1", "true", "yes", "on"})


def find_endpoint(family: str, provider: str, *, gateways: Collection[str] = ()) -> str:
    """Where a provider is asked by this process; `gateways` are addresses that stand for the vendor."""
    url = _find_url(family, provider)
    found = normalise(url) if url else ""
    return "" if is_vendor_endpoint(found) or found in {normalise(gateway) for gateway in gateways} else found


def find_variable(family: str, provider: str) -> str:
    """The environment variable by which a provider is asked elsewhere; empty where none is set."""
    return next((name for name in VARIABLES.get((family, provider), ()) if os.environ.get(name, "").strip()), "")


def is_vendor_endpoint(url: str) -> bool:
    """Whether an address is a vendor's own; an empty one is, because SDKs go there by default."""
    if not url:
        return True
    scheme, _, rest = normalise(url).partition("://")
    return scheme == "https" and VENDOR_HOSTS.fullmatch(rest.partition("/")[0]) is not None


def describe_endpoint(endpoint: str) -> str:
    """An endpoint in words for people: `the vendor`, `a simulator or proxy on this machine (…)`, `a gateway (…)`."""
    if is_vendor_endpoint(endpoint):
        return "the vendor"
    kind = "a simulator or proxy on this machine" if _is_loopback(endpoint) else "a gateway, not the vendor"
    return f"{kind} ({endpoint})"


def normalise(url: str) -> str:
    """One spelling of an address: lower-case, without default port, trailing slashes, credentials and query."""
    try:
        parts = urlsplit(url.strip())
        host, port = (parts.hostname or "").rstrip("."), parts.port
    except ValueError:
        # No request can go there; it is still the same address each time.
        return url.strip().rpartition("@")[2].lower()
    scheme = parts.scheme.lower()
    host = f"[{host}]" if ":" in host else host
    shown = f":{port}" if port is not None and port != DEFAULT_PORTS.get(scheme) else ""
    path = re.sub("/+", "/", parts.path).rstrip("/")
    return f"{scheme}://{host}{shown}{path}"


def _find_url(family: str, provider: str) -> str:
    if provider == "bedrock" and family != MODELS:
        return _find_aws_url()
    return _from_environment(VARIABLES.get((family, provider), ()))


def _find_aws_url() -> str:
    """As botocore finds it, which reads AWS's own configuration files too."""
    if os.environ.get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "").lower() in _TRUE:
        return ""
    variables = _from_environment(VARIABLES[EMBEDDINGS, "bedrock"])
    return variables or _from_aws_files()


def _from_aws_files() -> str:
    try:
        from botocore.configprovider import ConfiguredEndpointProvider
        from botocore.exceptions import BotoCoreError
        from botocore.session import Session
    except ModuleNotFoundError:
        return ""
    session = Session()
    try:
        scoped = session.get_scoped_config()
        found = ConfiguredEndpointProvider(
            full_config=session.full_config, scoped_config=scoped, client_name="bedrock-runtime"
        ).provide()
    except BotoCoreError:
        return ""  # a profile that there is not: the first request says so
    return str(found or "")


def _from_environment(names: Collection[str]) -> str:
    return next((value for name in names if (value := os.environ.get(name, "").strip())), "")


def _is_loopback(endpoint: str) -> bool:
    host = urlsplit(endpoint).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
