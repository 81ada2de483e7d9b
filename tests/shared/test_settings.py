"""Settings: environment over file over defaults, and one line for each that is wrong."""

from pathlib import Path

import pytest

from embedmill.shared.configuration import load_settings, unknown_variables
from embedmill.shared.errors import SettingsError


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_environment_wins_over_the_file_and_the_file_over_the_default(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert load_settings().max_attempts == 3
    (folder / "embedmill.toml").write_text('max_attempts = 5\nembedding = "hash"\n')
    assert (load_settings().max_attempts, load_settings().embedding) == (5, "hash")
    monkeypatch.setenv("EMBEDMILL_MAX_ATTEMPTS", "7")
    assert load_settings().max_attempts == 7


@pytest.mark.parametrize(
    ("name", "value"),
    [("WORKERS", "-1"), ("LEASE_SECONDS", "soon"), ("BATCH_DOCUMENTS", "401"), ("MAX_ATTEMPTS", "0")]
    + [("QUERY_MAX_USD", usd) for usd in ("inf", "nan", "1e400", "1e300", "1000000001", "-1")],
)
def test_a_wrong_setting_is_named_as_its_variable(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"EMBEDMILL_{name}", value)
    with pytest.raises(SettingsError, match=f"EMBEDMILL_{name}"):
        load_settings()


@pytest.mark.parametrize("limits", ["nonsense", '{"openai": {"tokens": 5}}', '{"openai": {"tpm": 0}}', "[]"])
def test_limits_without_meaning_are_refused(monkeypatch: pytest.MonkeyPatch, limits: str) -> None:
    monkeypatch.setenv("EMBEDMILL_LIMITS", limits)
    with pytest.raises(SettingsError, match=r"(?i)limits"):
        load_settings()


def test_limits_may_stand_in_the_file(folder: Path) -> None:
    (folder / "embedmill.toml").write_text('[limits.openai]\ntpm = 5\n[limits."openai/large"]\nrpm = 2\n')
    assert load_settings().limits == {"openai": {"tpm": 5}, "openai/large": {"rpm": 2}}


def test_every_wrong_setting_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMBEDMILL_WORKERS", "many")
    monkeypatch.setenv("EMBEDMILL_HIGH_WATER", "0")
    with pytest.raises(SettingsError, match=r"WORKERS.*HIGH_WATER"):
        load_settings()


@pytest.mark.parametrize("content", ["max_attempts = 0", "no_such_setting = 1", "not toml at all ["])
def test_a_wrong_file_is_a_wrong_setting(folder: Path, content: str) -> None:
    (folder / "embedmill.toml").write_text(content)
    with pytest.raises(SettingsError):
        load_settings()


def test_a_variable_that_means_nothing_is_noticed_with_what_is_meant(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LEASE_SECOND", "ZZZ", "RANK_MODEL"):
        monkeypatch.setenv(f"EMBEDMILL_{name}", "2")
    meant = {"EMBEDMILL_LEASE_SECOND": "did you mean EMBEDMILL_LEASE_SECONDS?", "EMBEDMILL_ZZZ": ""}
    assert unknown_variables() == meant


def test_the_home_folder_is_absolute_and_knows_its_user(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.setenv("HOME", str(folder))
    assert load_settings().home_path == folder / ".embedmill"
    monkeypatch.setenv("EMBEDMILL_HOME", "below")
    assert load_settings().home_path == folder / "below"


def test_limits_are_kept_in_redis_or_in_the_database_and_nowhere_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMBEDMILL_LIMITS_URL", "rediss://broker/1")
    assert load_settings().limits_url == "rediss://broker/1"
    monkeypatch.setenv("EMBEDMILL_LIMITS_URL", "postgresql://db/limits")
    with pytest.raises(SettingsError, match=r"EMBEDMILL_LIMITS_URL.*redis://"):
        load_settings()
