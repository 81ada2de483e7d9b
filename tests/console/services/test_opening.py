"""How a home is opened: closed to others, and what cannot be written is read as it stands."""

import stat
from pathlib import Path

import pytest

from embedmill.console.listening import Listener, Notice
from embedmill.console.services import doctor, opening
from embedmill.console.services.caches import show_caches
from embedmill.console.services.opening import open_runtime, open_to_read
from embedmill.shared.db.installation import name_installation
from embedmill.shared.errors import HomeInUse, StorageFailed
from embedmill.shared.homes import prepare_home
from embedmill.shared.settings import Settings
from tests.contracts.rows import unit_vector
from tests.migrated import place_migrated


@pytest.fixture
def made(settings: Settings) -> Path:
    """A home that was worked in."""
    place_migrated(settings.home_path / "tracking.db")
    with open_runtime(settings):
        pass
    return settings.home_path


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize(("mode", "kept"), [(0o555, 0o555), (0o500, 0o500), (0o750, 0o700), (0o755, 0o700)])
def test_a_home_is_closed_to_others_unless_it_is_closed_to_writes(
    settings: Settings, made: Path, mode: int, kept: int
) -> None:
    made.chmod(mode)
    with open_to_read(settings):
        pass
    found = mode_of(made)
    made.chmod(0o700)
    assert found == kept


def test_a_home_that_is_made_is_closed_to_others(settings: Settings, tmp_path: Path) -> None:
    assert mode_of(prepare_home(settings.model_copy(update={"home": tmp_path / "new"}))) == 0o700


def test_a_home_whose_folder_of_locks_refuses_is_read_as_it_stands(
    settings: Settings, made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "may_write", lambda folder: folder != made / "run")
    heard: list[Notice] = []
    with open_to_read(settings, Listener(on_notice=heard.append)) as runtime:
        assert show_caches(runtime).bytes == 0
    assert [notice.text for notice in heard] == [f"{made / 'run'} cannot be written: it is read as it stands"]
    home = next(check for check in doctor.examine(lambda: settings).checks if check.name == "home")
    assert (home.ok, f"{made / 'run'} cannot be written" in home.detail) == (False, True)
    with pytest.raises(HomeInUse, match=f"{made / 'run'} cannot be written"), open_runtime(settings):
        pass


def fill_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("console.services.opening", "console.services.doctor", "shared.db.connecting"):
        monkeypatch.setattr(f"embedmill.{module}.has_room", lambda _: False)


def test_a_full_disk_is_called_one(settings: Settings, made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill_disk(monkeypatch)
    checks = {check.name: check for check in doctor.examine(lambda: settings).checks}
    assert (checks["home"].ok, checks["home"].hint) == (False, "Free some disk space.")
    assert f"{made} is on a full disk" in checks["home"].detail
    with open_to_read(settings) as runtime:
        with pytest.raises(HomeInUse, match="is full") as caught:
            runtime.database.transact(name_installation)
        assert "Free some disk space" in caught.value.hint


def test_what_a_cache_holds_is_told_on_a_full_disk(
    settings: Settings, made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_runtime(settings) as runtime:
        runtime.cache.put_many({b"a" * 32: unit_vector(4)})
    fill_disk(monkeypatch)
    before = {path.name for path in made.iterdir()}
    with open_to_read(settings) as runtime:
        found = show_caches(runtime)
        assert found.kinds["document"].entries == 1
        assert list(runtime.cache.fetch_many([b"a" * 32])) == [b"a" * 32]
        with pytest.raises(StorageFailed):
            runtime.cache.put_many({b"b" * 32: unit_vector(4)})
    assert {path.name for path in made.iterdir()} == before
