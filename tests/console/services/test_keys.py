"""Keys as a person sees them: shown without their bytes, made in a file, wrapped anew."""

from pathlib import Path

import pytest

from embedmill.console.services import collections, doctor, keys
from embedmill.console.services.opening import open_runtime
from embedmill.shared.errors import KeyUnavailable, UserError
from embedmill.shared.runtime import Runtime
from embedmill.shared.settings import Settings


def test_keys_are_shown_with_their_collections_and_roots(runtime: Runtime, tmp_path: Path) -> None:
    collections.create_collection(runtime, "sealed", encrypt=True, embedding="hash")
    shown = keys.show_keys(runtime)
    (key,) = [key for key in shown.keys if key.kind == "data"]
    assert (key.collection, key.state, key.here) == ("sealed", "current", True)
    assert key.root == shown.root


def test_a_key_file_is_made_once(runtime: Runtime, tmp_path: Path) -> None:
    made = keys.make_key(runtime, tmp_path / "root")
    assert made.setting == f"file://{tmp_path / 'root'}"
    assert (tmp_path / "root").stat().st_mode & 0o777 == 0o600
    with pytest.raises(UserError, match="there already"):
        keys.make_key(runtime, tmp_path / "root")


def test_after_a_rotation_only_the_new_root_opens(runtime: Runtime, settings: Settings, tmp_path: Path) -> None:
    collections.create_collection(runtime, "sealed", encrypt=True, embedding="hash")
    made = keys.make_key(runtime, tmp_path / "root")
    done = keys.rotate_keys(runtime, to=made.setting)
    assert done.rewrapped >= 1
    assert keys.rotate_keys(runtime, to=made.setting).rewrapped == 0
    with open_runtime(settings.model_copy(update={"key": made.setting})) as after:
        assert {key.here for key in keys.show_keys(after).keys} == {True}
        assert after.vault.current_key(1) is not None
    with open_runtime(settings) as again:
        assert keys.rotate_keys(again, to=made.setting).rewrapped == 0, "one that was cut short is taken up"
    other = keys.make_key(runtime, tmp_path / "other")
    with open_runtime(settings) as named:
        assert keys.rotate_keys(named, to=other.setting, old=[made.setting]).rewrapped == done.rewrapped
    with open_runtime(settings.model_copy(update={"key": made.setting})) as back:
        assert keys.rotate_keys(back, old=[other.setting]).rewrapped == done.rewrapped
    with open_runtime(settings) as before:
        assert {key.here for key in keys.show_keys(before).keys} == {False}
        with pytest.raises(KeyUnavailable, match=done.root):
            before.vault.current_key(1)


def test_a_key_is_made_without_a_key_and_one_that_is_set_later_is_asked_for(
    runtime: Runtime, settings: Settings, tmp_path: Path
) -> None:
    made = keys.make_key(runtime, tmp_path / "root")
    assert not keys.show_keys(runtime).keys
    runtime.keys.derive("audit")

    with open_runtime(settings.model_copy(update={"key": made.setting})) as after:
        assert "embedmill keys rotate" in doctor._PROBES["keys"](after)
        unused = keys.rotate_keys(after).unused
        assert unused is not None
        assert f"{unused} opens only copies from before" in doctor._PROBES["keys"](after)
        Path(unused.removeprefix("file://")).unlink()
        assert "warning" not in doctor._PROBES["keys"](after)
