"""Telling from the start of a file that it holds credentials: each form of such files, and what must be in it.

A page that explains a form is a document: all of a file has to have the form, with a value where the secret is.
"""

import re
from collections.abc import Iterator
from typing import Any

import orjson

BEGINNINGS = (b"#", b";", b"[", b"aws_", b"AWS_", b"machine", b"default", b"{", b"---", b"%YAML", b"apiVersion:",
              b"kind:", b"metadata:", b"type:", b"data:", b"stringData:", b"clusters:", b"contexts:", b"preferences:",
              b"current-context:", b"users:", b"immutable:")  # fmt: skip
"""How those begin that are not known by a word inside or by their first line."""

_INI = re.compile(rb"[ \t]*(?:[#;].*|\[[^\]\n]*\]|[\w.-]+[ \t]*=.*)?")
_CNF = re.compile(rb"[ \t]*(?:[#;!].*|\[[^\]\n]*\]|[\w.-]+[ \t]*(?:=.*)?)?")
_SETTING = re.compile(
    rb"[ \t]*(?:[#;].*|\[[^\]\n]*\]|(?:(?:export|set)[ \t]+)?[\w.-]+[ \t]*=.*|\w[\w .-]{0,40}:[ \t]*\S*[ \t]*)?"
)
_YAML = re.compile(rb"(?:[ \t#%-].*|[\w.-]+:(?:[ \t].*)?)?")

_AWS = re.compile(rb"^[ \t]*aws_(?:secret_access_key|session_token)[ \t]*=[ \t]*\S", re.MULTILINE | re.IGNORECASE)
_AWS_ID = re.compile(rb"(?<![A-Za-z0-9])A[KS]IA[A-Z0-9]{16}(?![A-Za-z0-9])")
_AWS_SECRET = re.compile(rb"(?<![A-Za-z0-9/+])[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+])")
_AWS_PAIR = re.compile(
    rb"(?:A[KS]IA[A-Z0-9]{16}(?:[ \t]{0,8}[,;:]|[ \t]{1,8}|\r?\n)[ \t]{0,8}[A-Za-z0-9/+]{40}(?!\S)\s*)+"
)
_AWS_COLUMNS = {b"access key id", b"secret access key"}
_NETRC = re.compile(rb"\s*(?:#.*\n\s*)*(?:machine\s+\S+|default)\s+login\s+\S+\s+password\s+\S")
_WIREGUARD = re.compile(rb"^[ \t]*PrivateKey[ \t]*=[ \t]*[A-Za-z0-9+/]{43}=[ \t]*\r?$", re.MULTILINE | re.IGNORECASE)
_MYSQL = re.compile(
    rb"^[ \t]*\[(?:client|mysql(?!d\]))[^\]\n]*\][^\[]*?^[ \t]*password[ \t]*=[ \t]*[^\s#;]",
    re.MULTILINE | re.IGNORECASE,
)
_TOKEN_LINE = re.compile(
    rb"""[ \t]*(?:(?:export[ \t]+)?[\w.-]{1,60}[ \t]*[=:][ \t]*)?["']?"""
    rb"(?:gh[opsur]_\w{20,}|github_pat_\w{20,}|xox[a-z]-[\w-]{10,}|xapp-[\w-]{10,}|sk-[\w-]{20,}|sk_live_\w{10,}"
    rb"""|glpat-[\w.-]{20,}|npm_\w{30,}|pypi-[\w-]{50,}|hf_\w{30,})["']?[ \t]*"""
)
_OPENING_BYTES = 4096
"""So much is looked at first: most documents show there that they have no such form."""

_KUBE_USERS = re.compile(rb"^users:", re.MULTILINE)
_KUBE_SECRET = re.compile(rb"^[ \t-]+(?:token|client-key-data|password):[ \t]*[^\s#]", re.MULTILINE)
_SECRET_KIND = re.compile(rb"^kind:[ \t]*[\"']?Secret[\"']?[ \t]*(?:#.*)?\r?$", re.MULTILINE)
_SECRET_DATA = re.compile(rb"^(?:data|stringData):[ \t]*(?:\r?\n[ \t]+[^\s:]+:|\{[^}\n]*:)", re.MULTILINE)
_YAML_END = re.compile(rb"^---", re.MULTILINE)

_JSON_MARKS = (b'"private_key"', b'_secret"', b'"kty"', b'"auths"', b'"SecretAccessKey"', b'"Secret"', b'"users"')
_SECRET_FIELDS = ({"private_key", "client_email"}, {"client_id", "client_secret"}, {"kty", "d"},
                  {"AccessKeyId", "SecretAccessKey"})  # fmt: skip
_KUBE_FIELDS = ("token", "client-key-data", "password")
_DOCKER_FIELDS = ("auth", "identitytoken", "registrytoken", "password")


def is_credentials(text: bytes) -> bool:
    """Whether a file that begins with this text is one of credentials."""
    if _is_tokens(text) or _is_aws_pair(text):
        return True
    if not text.startswith(BEGINNINGS):
        return False
    return _is_settings(text) or _is_netrc(text) or _is_kubernetes(text) or _is_json(text)


def _has_form(text: bytes, line_form: re.Pattern[bytes]) -> bool:
    return all(line_form.fullmatch(line.rstrip()) for line in text.splitlines())


def _opens_in_form(text: bytes, line_form: re.Pattern[bytes]) -> bool:
    opening = text if len(text) <= _OPENING_BYTES else text[:_OPENING_BYTES].rpartition(b"\n")[0]
    return _has_form(opening, line_form)


def _is_tokens(text: bytes) -> bool:
    """Nothing but tokens of well-known vendors, with or without a name before each."""
    if len(text) > _OPENING_BYTES or not _TOKEN_LINE.match(text):
        return False
    return all(not line.strip() or _TOKEN_LINE.fullmatch(line) for line in text.splitlines())


def _is_aws_pair(text: bytes) -> bool:
    """An access key's id and its secret, as the console gives them away or as people note them down."""
    opening = text[:_OPENING_BYTES]
    if b"AKIA" not in opening and b"ASIA" not in opening:
        return False
    if not _AWS_ID.search(opening) or not _AWS_SECRET.search(opening):
        return False
    return _AWS_PAIR.fullmatch(text) is not None or _has_aws_columns(text) or _has_form(text, _SETTING)


def _has_aws_columns(text: bytes) -> bool:
    first = text.split(b"\n", 1)[0]
    return {cell.strip(b" \t\r\"'").lower() for cell in re.split(rb"[,;\t]", first)} >= _AWS_COLUMNS


def _is_settings(text: bytes) -> bool:
    """AWS's file of credentials, WireGuard's of a private key, or MySQL's with a password of its client."""
    if not _opens_in_form(text, _CNF):
        return False
    lower = text.lower()
    if b"aws_" in lower and _AWS.search(text) and _has_form(text, _INI):
        return True
    if b"privatekey" in lower and _WIREGUARD.search(text) and _has_form(text, _INI):
        return True
    return b"password" in lower and _MYSQL.search(text) is not None and _has_form(text, _CNF)


def _is_netrc(text: bytes) -> bool:
    return _NETRC.match(text) is not None


def _is_kubernetes(text: bytes) -> bool:
    """The way into a cluster, or an object of the kind Secret with something in it."""
    if not _opens_in_form(text, _YAML) or b"apiVersion:" not in text:
        return False
    is_config = _KUBE_USERS.search(text) and _KUBE_SECRET.search(text)
    holds = is_config or any(_SECRET_KIND.search(part) and _SECRET_DATA.search(part) for part in _YAML_END.split(text))
    return bool(holds) and _has_form(text, _YAML)


def _is_json(text: bytes) -> bool:
    """A key or secret of a cloud, a private JSON Web Key, Docker's logins, or what Kubernetes keeps."""
    if not text.startswith(b"{") or not any(mark in text for mark in _JSON_MARKS):
        return False
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return False
    return any(_is_secret_object(part) for part in _parts(value))


def _parts(value: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The object itself, and those in the places where such files have them."""
    found = [value, *(value.get(name) for name in ("installed", "web", "AccessKey", "Credentials"))]
    for name in ("keys", "items"):
        listed = value.get(name)
        found += listed if isinstance(listed, list) else []
    return (part for part in found if isinstance(part, dict))


def _is_secret_object(part: dict[str, Any]) -> bool:
    if any(part.keys() >= fields for fields in _SECRET_FIELDS):
        return True
    if part.get("kind") == "Secret" and (part.get("data") or part.get("stringData")):
        return True
    auths, users = part.get("auths"), part.get("users")
    if isinstance(auths, dict) and _any_has(auths.values(), _DOCKER_FIELDS):
        return True
    if "apiVersion" not in part or not isinstance(users, list):
        return False
    return _any_has((user.get("user") for user in users if isinstance(user, dict)), _KUBE_FIELDS)


def _any_has(values: Any, fields: tuple[str, ...]) -> bool:
    return any(isinstance(value, dict) and any(value.get(field) for field in fields) for value in values)
