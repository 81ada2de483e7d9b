"""How connections to RabbitMQ are encrypted: by options of the URL, with the names that redis' client has for them."""

import ssl
from typing import Any
from urllib.parse import parse_qsl, urlsplit, urlunsplit

from embedmill.shared.errors import SettingsError

NAMES = {"ssl_ca_certs": "ca_certs", "ssl_certfile": "certfile", "ssl_keyfile": "keyfile"}
CHECK = "ssl_cert_reqs"
CHECKS = {"required": ssl.CERT_REQUIRED, "none": ssl.CERT_NONE}


def secured(url: str) -> dict[str, Any]:
    """Celery's settings for a URL; nothing for one that is not encrypted.

    The server's certificate is checked, and that it is the host's, unless `ssl_cert_reqs=none` says otherwise. Raises
    SettingsError.
    """
    parts = urlsplit(url)
    if parts.scheme != "amqps":
        return {}
    given = dict(parse_qsl(parts.query))
    check = given.pop(CHECK, "required").lower()
    unknown = sorted(given.keys() - NAMES.keys())
    if unknown or check not in CHECKS:
        known = ", ".join([*NAMES, f"{CHECK}=required|none"])
        raise SettingsError(f"EMBEDMILL_BROKER_URL: amqps:// takes {known}")
    options: dict[str, Any] = {NAMES[name]: value for name, value in given.items()}
    checks = {"server_hostname": parts.hostname} if check == "required" else {}
    return {
        "broker_url": urlunsplit((parts.scheme, parts.netloc, parts.path, "", "")),
        "broker_use_ssl": {**options, **checks, "cert_reqs": CHECKS[check]},
    }
