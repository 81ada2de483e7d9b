"""Keys: the same for the same purpose for ever, wrapped by a root, and refused in a line where that is not here."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from embedmill.shared.db.engine import Database
from embedmill.shared.db.keyring import DATA, ROOT, SECRET, find_keys, rewrap_keys
from embedmill.shared.db.opening import open_database
from embedmill.shared.errors import KeyUnavailable, SettingsError
from embedmill.shared.privacy.keys import KEY_FILE, Keys, is_signed, rewrapped
from embedmill.shared.privacy.roots import Root, open_root
from tests.shared.db.tracker import Tracker


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    opened = open_database(database_url)
    yield opened
    opened.close()


def write_key(path: Path, byte: bytes = b"\x01") -> str:
    path.write_bytes(byte * 32)
    return f"file://{path}"


def test_what_is_derived_is_the_same_in_every_process(database: Database, tmp_path: Path) -> None:
    one, other = (Keys(database, url="", folder=tmp_path) for _ in range(2))
    assert one.derive("audit") == other.derive("audit")
    assert one.key_id == other.key_id
    assert one.mac("subject", "a@b.example", "docs") == other.mac("subject", b"a@b.example", "docs")


def test_purposes_and_collections_have_keys_of_their_own(database: Database, tmp_path: Path) -> None:
    keys = Keys(database, url="", folder=tmp_path)
    assert len({keys.derive("a", "bc"), keys.derive("ab", "c"), keys.derive("abc"), keys.derive("", "abc")}) == 4


def test_a_signature_is_checked_with_the_public_key_alone(database: Database, tmp_path: Path) -> None:
    keys = Keys(database, url="", folder=tmp_path)
    signature = keys.sign(b"receipt")
    assert keys.verify(b"receipt", signature)
    assert is_signed(keys.public_key, b"receipt", signature)
    assert not keys.verify(b"receipts", signature)


def test_the_key_that_is_made_for_a_home_is_read_by_its_owner_only(tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path / 'tracking.db'}")
    Keys(database, url="", folder=tmp_path).derive("audit")
    assert (tmp_path / KEY_FILE).stat().st_mode & 0o777 == 0o600
    database.close()


def test_data_keys_are_found_again_by_their_ids(database: Database, tmp_path: Path) -> None:
    tracker = Tracker(database)
    url = write_key(tmp_path / "root")
    keys = Keys(database, url=url, folder=tmp_path)
    with database.write() as connection:
        first = keys.create_data_key(connection, tracker.collection.id, keys.root)
    with database.write() as connection:
        second = keys.create_data_key(connection, tracker.collection.id, keys.root)
    again = Keys(database, url=url, folder=tmp_path)
    assert again.current_data_key(tracker.collection.id).id == second
    assert again.data_key(first).material != again.data_key(second).material


def test_a_missing_or_wrong_root_is_named(database: Database, tmp_path: Path) -> None:
    Keys(database, url=write_key(tmp_path / "root"), folder=tmp_path).derive("audit")
    with pytest.raises(KeyUnavailable, match="EMBEDMILL_KEY is not set"):
        Keys(database, url="", folder=tmp_path).derive("audit")
    with pytest.raises(KeyUnavailable, match="names another one"):
        Keys(database, url=write_key(tmp_path / "wrong", b"\x02"), folder=tmp_path).derive("audit")


def test_a_root_that_is_set_later_leaves_what_was_made_before(database: Database, tmp_path: Path) -> None:
    before = Keys(database, url="", folder=tmp_path).derive("audit")
    assert Keys(database, url=write_key(tmp_path / "root"), folder=tmp_path).derive("audit") == before


@pytest.mark.parametrize(
    "content",
    [b"\x07" * 32, b"07" * 32 + b"\n", b"BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=\n"],
    ids=["bytes", "hex", "base64"],
)
def test_a_key_is_the_same_in_each_form(database: Database, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "root").write_bytes(content)
    (tmp_path / "plain").write_bytes(b"\x07" * 32)
    made = Keys(database, url=f"file://{tmp_path / 'root'}", folder=tmp_path).root.id
    assert made == Keys(database, url=f"file://{tmp_path / 'plain'}", folder=tmp_path).root.id


def test_a_key_in_the_environment_is_read_by_its_name(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MILL_ROOT", "07" * 32)
    keys = Keys(database, url="env://MILL_ROOT", folder=tmp_path)
    assert len(keys.derive("audit")) == 32
    monkeypatch.delenv("MILL_ROOT")
    with pytest.raises(KeyUnavailable, match="MILL_ROOT"):
        Keys(database, url="env://MILL_ROOT", folder=tmp_path).derive("audit")


def test_what_is_no_key_is_refused(database: Database, tmp_path: Path) -> None:
    (tmp_path / "short").write_text("secret")
    with pytest.raises(KeyUnavailable, match="32 bytes"):
        Keys(database, url=f"file://{tmp_path / 'short'}", folder=tmp_path).derive("audit")
    with pytest.raises(KeyUnavailable, match="cannot be read"):
        Keys(database, url=f"file://{tmp_path / 'none'}", folder=tmp_path).derive("audit")
    with pytest.raises(SettingsError, match="kms://"):
        Keys(database, url="vault://x", folder=tmp_path).derive("audit")


def rotate(database: Database, keys: Keys, to: Root) -> int:
    """What the service does with them."""
    stored = [key for kind in (SECRET, DATA) for key in database.query(find_keys, kind)]
    left = [rewrapped(key, keys.unwrap(key), to) for key in stored if key.root_id != to.id]
    database.transact(rewrap_keys, left)
    keys.settle_root(to)
    return len(left)


def test_a_rotation_wraps_every_key_anew_and_leaves_what_they_are(database: Database, tmp_path: Path) -> None:
    tracker = Tracker(database)
    old, new = write_key(tmp_path / "old"), write_key(tmp_path / "new", b"\x02")
    keys = Keys(database, url=old, folder=tmp_path)
    secret = keys.derive("audit")
    with database.write() as connection:
        key_id = keys.create_data_key(connection, tracker.collection.id, keys.root)
    material = keys.data_key(key_id).material
    assert rotate(database, keys, open_root(new)) == 2
    after = Keys(database, url=new, folder=tmp_path)
    assert after.derive("audit") == secret
    assert after.data_key(key_id).material == material
    with pytest.raises(KeyUnavailable):
        Keys(database, url=old, folder=tmp_path).derive("audit")


def test_the_installations_own_root_is_changed_for_a_new_one(database: Database, tmp_path: Path) -> None:
    keys = Keys(database, url="", folder=tmp_path)
    secret, before = keys.derive("audit"), keys.root.id
    rotate(database, keys, keys.next_root())
    after = Keys(database, url="", folder=tmp_path)
    assert after.derive("audit") == secret
    assert after.root.id != before
    assert len(list(tmp_path.glob(f"{KEY_FILE}*"))) + len(database.query(find_keys, ROOT)) == 1


def test_a_rotation_that_was_cut_short_opens_with_what_there_is(database: Database, tmp_path: Path) -> None:
    keys = Keys(database, url="", folder=tmp_path)
    secret = keys.derive("audit")
    new = keys.next_root()
    assert Keys(database, url="", folder=tmp_path).derive("audit") == secret
    stored = database.query(find_keys, SECRET)
    database.transact(rewrap_keys, [rewrapped(key, keys.unwrap(key), new) for key in stored])
    assert Keys(database, url="", folder=tmp_path).derive("audit") == secret


def test_no_data_key_is_made_under_a_wrong_root(database: Database, tmp_path: Path) -> None:
    """Not even where the installation's secret opens: no root would open both keys any more."""
    tracker = Tracker(database)
    Keys(database, url="", folder=tmp_path).derive("audit")
    right = Keys(database, url=write_key(tmp_path / "right"), folder=tmp_path)
    wrong = Keys(database, url=write_key(tmp_path / "wrong", b"\x02"), folder=tmp_path)
    with database.write() as connection:
        right.create_data_key(connection, tracker.collection.id, right.root)
    with pytest.raises(KeyUnavailable, match=right.root.id), database.write() as connection:
        wrong.create_data_key(connection, tracker.collection.id, wrong.root)
    with database.write() as connection:
        right.create_data_key(connection, tracker.collection.id, right.root)
    wrong.admit_root(right.root)
    assert rotate(database, wrong, wrong.root) == 3


def test_a_root_of_its_own_that_wraps_nothing_any_more_is_told_and_never_takes_anothers_place(
    database: Database, tmp_path: Path
) -> None:
    keys = Keys(database, url="", folder=tmp_path)
    secret = keys.derive("audit")
    named = Keys(database, url=write_key(tmp_path / "named"), folder=tmp_path)
    assert named.leans_on_own_root()
    keys.next_root()  # a rotation that was cut short
    rotate(database, named, named.root)
    assert not named.leans_on_own_root()
    left = named.unused_own_root()
    assert left == (f"file://{tmp_path / KEY_FILE}" if database.is_sqlite else "")
    if left:
        rotate(database, named, open_root(left))
        assert Keys(database, url="", folder=tmp_path).derive("audit") == secret
        assert not (tmp_path / f"{KEY_FILE}.next").exists()
