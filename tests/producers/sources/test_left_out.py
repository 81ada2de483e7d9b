"""A walk leaves out what is hidden, what tools make and what holds secrets, says so, and takes it when asked."""

import os
from pathlib import Path

import pytest

from embedmill.producers.sources.base import FileItem, Skipped
from embedmill.producers.sources.folder import FolderSource
from embedmill.producers.sources.listing import ListSource
from embedmill.producers.sources.named import FileSource
from embedmill.shared.files import HEAD_BYTES
from embedmill.shared.left_out.names import LeftOut, reason_by_file_name
from embedmill.shared.left_out.secrets_inside import reason_by_content
from embedmill.shared.uris import uri_to_path

KEY = b"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n"
CERTIFICATE = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"


def write(root: Path, *names: str, data: bytes = b"words") -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)


def walked(root: Path, *, hidden: bool = False, include: tuple[str, ...] = ()) -> tuple[set[str], dict[str, str]]:
    """What was taken, and what was left out for which reason, by path below the root."""

    def relative(uri: str) -> str:
        return os.fsdecode(os.path.relpath(uri_to_path(uri), bytes(root)))

    items = list(FolderSource(bytes(root), include, hidden=hidden))
    taken = {relative(item.uri) for item in items if isinstance(item, FileItem)}
    return taken, {relative(item.uri): item.reason for item in items if isinstance(item, Skipped)}


def test_a_project_gives_its_documents_and_one_note_for_each_thing_that_is_left_out(tmp_path: Path) -> None:
    write(tmp_path, ".env", ".aws/credentials", ".ssh/id_rsa", ".venv/lib/x.py", "node_modules/x/i.js", "keys/id_rsa")
    write(tmp_path, "readme.txt", "src/.hidden.md", "src/__pycache__/a.txt")
    taken, left = walked(tmp_path)
    assert taken == {"readme.txt"}
    assert left == {
        ".env": LeftOut.CREDENTIALS,
        ".aws": LeftOut.HIDDEN,
        ".ssh": LeftOut.HIDDEN,
        ".venv": LeftOut.DEPENDENCIES,
        "node_modules": LeftOut.DEPENDENCIES,
        "keys/id_rsa": LeftOut.PRIVATE_KEY,
        "src/.hidden.md": LeftOut.HIDDEN,
        "src/__pycache__": LeftOut.DEPENDENCIES,
    }
    everything, nothing = walked(tmp_path, hidden=True)
    assert len(everything) == 9
    assert not nothing


@pytest.mark.parametrize(
    ("folder", "marker"),
    [
        ("target", "Cargo.toml"),
        ("target", "pom.xml"),
        ("build", "pyproject.toml"),
        ("build", "package.json"),
        ("build", "CMakeLists.txt"),
        ("dist", "setup.py"),
        ("vendor", "go.mod"),
        ("Pods", "Podfile"),
        ("obj", "App.csproj"),
        ("cmake-build-debug", "CMakeLists.txt"),
    ],
)
def test_a_common_name_is_a_build_folder_only_beside_what_builds_it(tmp_path: Path, folder: str, marker: str) -> None:
    write(tmp_path, f"{folder}/a.md", f"books/{folder}/b.md")
    assert walked(tmp_path)[0] == {f"{folder}/a.md", f"books/{folder}/b.md"}
    write(tmp_path, marker)
    taken, left = walked(tmp_path)
    assert taken == {marker, f"books/{folder}/b.md"}
    assert left == {folder: LeftOut.DEPENDENCIES}


def test_an_environment_under_any_name_is_known_by_what_is_in_it(tmp_path: Path) -> None:
    write(
        tmp_path, "py311/pyvenv.cfg", "py311/lib/x.py", "cache/CACHEDIR.TAG", "cache/y.txt", "x-1.0.dist-info/METADATA"
    )
    assert walked(tmp_path) == (set(), dict.fromkeys(("py311", "cache", "x-1.0.dist-info"), LeftOut.DEPENDENCIES))


def test_a_folder_that_is_named_is_taken_but_not_what_is_hidden_in_it(tmp_path: Path) -> None:
    write(tmp_path, ".notes/a.md", ".notes/.b.md", ".notes/.c/d.md", ".notes/id_ed25519")
    taken, left = walked(tmp_path / ".notes")
    assert taken == {"a.md"}
    assert set(left) == {".b.md", ".c", "id_ed25519"}
    write(tmp_path, "node_modules/package.json", "node_modules/pyvenv.cfg")
    assert walked(tmp_path / "node_modules")[0] == {"package.json", "pyvenv.cfg"}


def test_a_folder_with_the_end_of_a_tools_name_is_a_folder_of_documents(tmp_path: Path) -> None:
    write(tmp_path, "packages/a.md", "kit/b.md", "dist-packages/c.md")
    assert walked(tmp_path) == ({"packages/a.md", "kit/b.md"}, {"dist-packages": LeftOut.DEPENDENCIES})


def test_a_file_that_is_named_or_listed_is_taken_whatever_it_is(tmp_path: Path) -> None:
    write(tmp_path, ".env", "id_rsa", data=KEY)
    (tmp_path / "list").write_text(".env\nid_rsa\n")
    assert isinstance(next(iter(FileSource(bytes(tmp_path / ".env")))), FileItem)
    listed = ListSource.of_file(bytes(tmp_path / "list"), base=bytes(tmp_path))
    assert all(isinstance(item, FileItem) for item in listed)


def test_what_the_patterns_do_not_want_is_not_counted_as_left_out(tmp_path: Path) -> None:
    write(tmp_path, ".env", "a.md", "key.pem", data=KEY)
    write(tmp_path, "b.md")
    assert walked(tmp_path, include=("*.md",)) == ({"b.md"}, {"a.md": LeftOut.PRIVATE_KEY})


@pytest.mark.parametrize(
    "name",
    [".netrc", ".pgpass", ".npmrc", ".env.local", "prod.env", "credentials", "secrets.yml", "client_secret_1.json"],
)
def test_files_for_credentials_are_known_by_name(tmp_path: Path, name: str) -> None:
    write(tmp_path, name)
    assert walked(tmp_path) == (set(), {name: LeftOut.CREDENTIALS})


@pytest.mark.parametrize(
    "name",
    [
        "rootkey.csv",
        "rootkey (1).csv",
        "ci_accessKeys.csv",
        "accessKeys.csv",
        "new_user_credentials.csv",
        "prod.env.bak",
        "ENV.BAK",
        "app.env.production",
        "prod.env.txt",
        "git-credentials",
        "pgpass",
        "terraform.tfvars",
        "prod.auto.tfvars.json",
        "terraform.tfvars.old",
        "kubeconfig",
        "prod.kubeconfig",
        "kubeconfig.yaml",
        "htpasswd",
        ".htpasswd",
        "shadow",
        "shadow.bak",
        "credentials.json~",
        "secrets.yml.1",
        "env.production",
        "ENV.local.bak",
        "npmrc",
        "rclone.conf",
        "wp-config.php",
        "client.ovpn",
    ],
)
def test_more_files_for_credentials_and_the_copies_that_people_keep(name: str) -> None:
    assert reason_by_file_name(name.encode()) is LeftOut.CREDENTIALS


@pytest.mark.parametrize("name", ["id_rsa.bak", "id_ed25519.old", "id_ecdsa~", "ID_RSA.ORIG.2", "a.p12.bak"])
def test_copies_of_keys_are_keys(name: str) -> None:
    assert reason_by_file_name(name.encode()) is LeftOut.PRIVATE_KEY


@pytest.mark.parametrize(
    "name",
    [
        "prod.env.example",
        "prod.env.sample",
        "app.env.local.template",
        "about.env.md",
        "env.production.example",
        "env.md",
        "rclone.md",
        "wp-config-sample.php",
        "env",
        "environment.bak",
        "report.bak",
        "id_rsa.pub",
        "id_card.md",
        "shadow.md",
        "shadows",
        "kubeconfig.md",
        "htpasswd.html",
        "rootkey.md",
        "accessKeys.md",
        "credentials.md",
        "tfvars.md",
        "keys.csv",
    ],
)
def test_what_is_named_after_such_a_file_is_a_document(name: str) -> None:
    assert reason_by_file_name(name.encode()) is None


def test_an_example_of_settings_is_only_hidden() -> None:
    assert reason_by_file_name(b".env.example") is LeftOut.HIDDEN


@pytest.mark.parametrize(
    "name", ["id_rsa", "ID_ED25519", "a.p12", "a.PFX", "a.jks", "a.kdbx", "a.keystore", "a.ppk", "login.keychain-db"]
)
def test_keys_are_known_by_name(tmp_path: Path, name: str) -> None:
    write(tmp_path, name)
    assert walked(tmp_path) == (set(), {name: LeftOut.PRIVATE_KEY})


@pytest.mark.parametrize(
    "data",
    [
        KEY,
        b"\n\n" + KEY,
        b"\xef\xbb\xbf" + KEY.replace(b"\n", b"\r\n"),
        b"\xff\xfe" + KEY.decode().encode("utf-16-le"),
        CERTIFICATE + KEY,
        b"# the key of the old server\n" + KEY,
        b"Bag Attributes\n    friendlyName: x\nKey Attributes: <No Attributes>\n" + KEY,
        b"-----BEGIN EC PARAMETERS-----\nBg==\n-----END EC PARAMETERS-----\n" + KEY,
        b"-----BEGIN PGP PRIVATE KEY BLOCK-----\n\nlQ\n-----END PGP PRIVATE KEY BLOCK-----",
        b"-----BEGIN RSA PRIVATE KEY-----\n" + b"A" * HEAD_BYTES,
        b"PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none\n",
        b"# created: 2024-01-01\n# public key: age1x\nAGE-SECRET-KEY-1QQ\n",
    ],
)
def test_a_file_that_is_a_key_is_known_by_its_content(data: bytes) -> None:
    assert reason_by_content(b"notes.txt", data) is LeftOut.PRIVATE_KEY


@pytest.mark.parametrize(
    "data",
    [
        b"[default]\naws_access_key_id = A\naws_secret_access_key = x\n",
        b'{"type": "service_account", "client_email": "a@b", "private_key": "-----BEGIN PRIVATE KEY-----\\nA"}',
        b'{"installed": {"client_id": "a", "client_secret": "b"}}',
        b'{"keys": [{"kty": "RSA", "n": "x", "d": "y"}]}',
        b"machine example.org login me password hunter2\n",
    ],
)
def test_a_file_of_credentials_is_known_by_its_content(data: bytes) -> None:
    assert reason_by_content(b"notes.txt", data) is LeftOut.CREDENTIALS


@pytest.mark.parametrize(
    ("name", "data"),
    [
        (b"README.md", b"# Keys\n\nA key looks like this:\n\n" + KEY + b"\nKeep it safe.\n"),
        (b"README.md", b"# Keys\n" + KEY + b"Then run the command.\n"),
        (b"a.md", b"-----BEGIN PRIVATE KEY----- is how a key begins.\n"),
        (b"a.md", b"Set it up:\n\n    aws_secret_access_key = x\n\nand go.\n"),
        (b"a.md", b"aws_secret_access_key = x goes into the file\nthat is called credentials, below your home.\n"),
        (b"server.pem", CERTIFICATE),
        (b"ca.crt", CERTIFICATE * 3),
        (b"a.key", b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"),
        (b"talk.key", b"PK\x03\x04 a presentation"),
        (b"id_rsa.pub", b"ssh-rsa AAAA me@here\n"),
        (b"keys.json", b'{"keys": [{"kty": "RSA", "n": "x", "e": "AQAB"}]}'),
        (b"doc.json", b'{"title": "Keys", "body": "-----BEGIN PRIVATE KEY-----\\nA", "private_key": "see below"}'),
        (b"doc.json", b'{"private_key" and no JSON'),
        (b"doc.txt", b"machine learning login password\n"),
        (b"empty.pem", b""),
    ],
)
def test_what_is_public_or_only_mentions_a_secret_is_a_document(name: bytes, data: bytes) -> None:
    assert reason_by_content(name, data) is None


@pytest.mark.parametrize("name", [b"server.pem", b"server.key", b"AuthKey.p8"])
def test_a_file_named_as_a_key_is_one_unless_it_shows_that_it_is_public(name: bytes) -> None:
    assert reason_by_content(name, b"\x30\x82\x04\xa4") is LeftOut.PRIVATE_KEY


def test_counts_are_said_in_words() -> None:
    assert [LeftOut.PRIVATE_KEY.counted(n) for n in (1, 2)] == ["1 private key", "2 private keys"]
    assert {reason.counted(2) for reason in LeftOut}
