"""What a walk leaves out unless it is asked for: hidden things, what tools make and fetch, and files of secrets.

A thing that is named is taken; what is below a folder that is named is judged again. Names that mean one thing only
count by themselves. A name that people give to documents too (`build`, `target`, `vendor`) counts beside a file of the
tool that makes such a folder.
"""

import re
from collections.abc import Collection
from enum import StrEnum
from typing import Final

_ADVICE: Final = "--hidden takes it, or name it as a SOURCE"


class LeftOut(StrEnum):
    """Why something was left out, as its note says it."""

    HIDDEN = f"it is hidden; {_ADVICE}"
    DEPENDENCIES = f"it is a dependency or build folder; {_ADVICE}"
    VERSION_CONTROL = "it is a folder of version control; name it as a SOURCE to take it"
    CREDENTIALS = f"it is a file for credentials; {_ADVICE}"
    PRIVATE_KEY = f"it is a private key; {_ADVICE}"

    def counted(self, count: int) -> str:
        """How many, in words."""
        one, many = _WORDS[self]
        return f"{count} {one if count == 1 else many}"


_WORDS = {
    LeftOut.HIDDEN: ("hidden", "hidden"),
    LeftOut.DEPENDENCIES: ("dependency or build folder", "dependency or build folders"),
    LeftOut.VERSION_CONTROL: ("folder of version control", "folders of version control"),
    LeftOut.CREDENTIALS: ("file for credentials", "files for credentials"),
    LeftOut.PRIVATE_KEY: ("private key", "private keys"),
}


def _names(words: str) -> frozenset[bytes]:
    return frozenset(words.encode().split())


_VERSION_CONTROL = _names(".git .hg .svn .bzr .jj _darcs")
_TOOLS = _names(
    "node_modules bower_components jspm_packages __pycache__ __pypackages__ venv virtualenv site-packages "
    "dist-packages elm-stuff dist-newstyle .venv .virtualenv .tox .nox .eggs .mypy_cache .pytest_cache .ruff_cache "
    ".hypothesis .ipynb_checkpoints .cache .gradle .m2 .cargo .rustup .npm .yarn .pnpm-store .next .nuxt "
    ".svelte-kit .parcel-cache .turbo .terraform .serverless .bundle .dart_tool .stack-work .ccls-cache"
)
_TOOL_SUFFIXES = (b".dist-info", b".egg-info")
_PYTHON = _names("pyproject.toml setup.py setup.cfg")
_NODE = _names("package.json")
_JVM = _names("pom.xml build.gradle build.gradle.kts build.sbt")
_DOTNET = (b".csproj", b".fsproj", b".vbproj", b".sln")
# Common names, and files beside them that say which tool made the folder.
_BESIDE = {
    b"target": _JVM | _names("Cargo.toml"),
    b"build": _PYTHON | _NODE | _JVM | _names("CMakeLists.txt meson.build pubspec.yaml"),
    b"dist": _PYTHON | _NODE,
    b"coverage": _NODE,
    b"htmlcov": _PYTHON,
    b"vendor": _names("go.mod composer.json Gemfile"),
    b"Pods": _names("Podfile"),
    b"Carthage": _names("Cartfile"),
    b"deps": _names("mix.exs rebar.config"),
    b"_build": _names("mix.exs rebar.config dune-project"),
    b"zig-out": _names("build.zig"),
    b"zig-cache": _names("build.zig"),
}
# Files that tools put into a folder which is theirs, whatever its name is.
_INSIDE = _names("pyvenv.cfg CACHEDIR.TAG")

_KEY_NAMES = _names(
    "id_rsa id_dsa id_ecdsa id_ecdsa_sk id_ed25519 id_ed25519_sk ssh_host_rsa_key ssh_host_dsa_key "
    "ssh_host_ecdsa_key ssh_host_ed25519_key secring.gpg"
)
_KEY_SUFFIXES = (b".p12", b".pfx", b".jks", b".jceks", b".bks", b".keystore", b".kdbx", b".kdb", b".ppk",
                 b".keychain", b".keychain-db")  # fmt: skip
_CREDENTIAL_NAMES = _names(
    ".netrc _netrc .pgpass pgpass.conf .npmrc .yarnrc.yml .pypirc .my.cnf .mylogin.cnf .git-credentials .htpasswd "
    "htpasswd .dockercfg .dockerconfigjson .s3cfg .boto .vault-token .vault_pass .terraformrc terraform.rc "
    "credentials credentials.json credentials.toml credentials.yml credentials.yaml credentials.csv credentials.ini "
    "credentials.xml credentials.db access_tokens.db accesstokens.json application_default_credentials.json "
    "secrets.json secrets.toml secrets.yml secrets.yaml secrets.ini secrets.env netrc pgpass git-credentials shadow "
    "gshadow .htdigest htdigest npmrc pypirc rclone.conf wp-config.php"
)
_CREDENTIAL_PATTERN = re.compile(
    rb"\.env.*|.+\.env(?:\..+)?|env\.(?:local|dev|development|prod|production|staging|test)"
    rb"|.+\.ovpn|.+\.tfstate|.+\.tfvars(?:\.json)?|client[_-]secrets?.*\.json"
    rb"|service[_-]?account.*\.json|(?:.+\.)?kubeconfig(?:\.(?:ya?ml|conf|json))?"
    rb"|(?:rootkey|.*access[_-]?keys?|.*credentials)(?: ?\(\d+\))?\.csv"
)
# Files that show what a file of settings looks like, and documents about one.
_ENV_EXAMPLE = re.compile(rb".*\.env\.(?:.+\.)?(?:example|sample|template|tmpl|dist|md|rst|adoc|html?|pdf|docx)")
_COPY = re.compile(rb"(?:[._-](?:bak|backup|old|orig|save|copy|prev|swp|tmp)|\.\d{1,3}|~)+\Z")
"""What people and editors put behind the name of a file that they keep."""


def reason_by_folder_name(name: bytes, *, beside: Collection[bytes]) -> LeftOut | None:
    """Why a folder of this name is not entered; `beside` are the files next to it."""
    if name in _VERSION_CONTROL:
        return LeftOut.VERSION_CONTROL
    if name in _TOOLS or name.endswith(_TOOL_SUFFIXES) or _is_built(name, beside):
        return LeftOut.DEPENDENCIES
    return LeftOut.HIDDEN if name.startswith(b".") else None


def reason_by_folder_files(files: Collection[bytes]) -> LeftOut | None:
    """Why a folder that holds these files is passed over."""
    return None if _INSIDE.isdisjoint(files) else LeftOut.DEPENDENCIES


def reason_by_file_name(name: bytes) -> LeftOut | None:
    """Why a file of this name is not even read."""
    if name in _VERSION_CONTROL:
        return LeftOut.VERSION_CONTROL
    lower = name.lower()
    kept = _COPY.sub(b"", lower)
    if kept in _KEY_NAMES or kept.endswith(_KEY_SUFFIXES):
        return LeftOut.PRIVATE_KEY
    if kept in _CREDENTIAL_NAMES or _is_for_credentials(kept, is_copy=kept != lower):
        return LeftOut.CREDENTIALS
    return LeftOut.HIDDEN if name.startswith(b".") else None


def _is_for_credentials(name: bytes, *, is_copy: bool) -> bool:
    if name == b"env":
        return is_copy
    return _CREDENTIAL_PATTERN.fullmatch(name) is not None and _ENV_EXAMPLE.fullmatch(name) is None


def is_version_control(name: bytes) -> bool:
    """What is left out even by --hidden: it holds every document again, packed."""
    return name in _VERSION_CONTROL


def _is_built(name: bytes, beside: Collection[bytes]) -> bool:
    if name in (b"bin", b"obj"):
        return any(file.endswith(_DOTNET) for file in beside)
    if name.startswith(b"cmake-build-"):
        return b"CMakeLists.txt" in beside
    markers = _BESIDE.get(name)
    return markers is not None and not markers.isdisjoint(beside)
