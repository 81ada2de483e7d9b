"""Tokens: shown once, kept as a hash, ending in time or at once; and principals of an identity file."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from embedmill.console.listening import Listener
from embedmill.console.services import auditing, collections, jobs, tokens, working
from embedmill.console.services.doctor import _settings
from embedmill.console.services.opening import open_runtime
from embedmill.console.services.reach import every_reached
from embedmill.console.services.running import StartedWorkers, run_workers
from embedmill.console.services.serving import Trace, serves
from embedmill.shared.access.principals import Principal, Right, Role
from embedmill.shared.access.tokens import hash_token, make_token
from embedmill.shared.db.schema import access_token
from embedmill.shared.errors import AccessDenied, NotFound, SettingsError, TokenRefused, UsageError
from embedmill.shared.runtime import Runtime
from embedmill.shared.settings import Settings
from embedmill.shared.states import JobState
from tests.logs import captured_logs
from tests.shared.db.tracker import Tracker


def principal_of(settings: Settings, token: str | None, **changes: object) -> Principal:
    with open_runtime(settings.model_copy(update={"token": token, **changes})) as opened:
        return opened.principal


def test_a_token_names_its_principal_and_is_kept_as_a_hash(runtime: Runtime, settings: Settings) -> None:
    made = tokens.create_token(runtime, "page", collections=["handbook"], levels=["Public"], seconds=3600)
    found = principal_of(settings, made.token)
    assert found == Principal("page", Role.VIEWER, frozenset({"handbook"}), frozenset({"public"}), "local", made.id)
    assert made.token is not None
    runtime.close()
    held = b"".join(path.read_bytes() for path in settings.home_path.rglob("*") if path.is_file())
    assert made.token.encode() not in held
    assert made.token.split("_", 2)[2].encode() not in held
    assert hash_token(made.token).encode() in held


def test_a_token_is_listed_without_its_text(runtime: Runtime) -> None:
    made = tokens.create_token(runtime, "page", role=Role.OPERATOR)
    (listed,) = tokens.list_tokens(runtime).tokens
    assert (listed.id, listed.token, listed.state) == (made.id, None, "valid")
    assert (listed.collections, listed.levels) == (["*"], ["*"])


def test_a_token_that_was_revoked_names_nobody_at_the_next_call(runtime: Runtime, settings: Settings) -> None:
    made = tokens.create_token(runtime, "ops", role=Role.OPERATOR)
    with open_runtime(settings.model_copy(update={"token": made.token})) as opened:
        jobs.list_jobs(opened)
        tokens.revoke_token(runtime, made.id)
        with pytest.raises(TokenRefused):
            jobs.list_jobs(opened)
    assert tokens.list_tokens(runtime).tokens == []
    assert [each.state for each in tokens.list_tokens(runtime, ended=True).tokens] == ["revoked"]
    with pytest.raises(UsageError):
        tokens.revoke_token(runtime, made.id)


def read_on(runtime: Runtime, revoke: Callable[[], object], trace: Trace = Trace.READ) -> None:
    @serves("pieces", Right.READ, every_reached, trace=trace)
    def pieces(runtime: Runtime) -> Iterator[int]:
        yield 1
        revoke()
        yield 2

    given = pieces(runtime)
    assert next(given) == 1
    next(given)


def work_on(runtime: Runtime, revoke: Callable[[], object]) -> None:
    def started(_told: StartedWorkers) -> None:
        revoke()

    run_workers(runtime, [], on_started=started)


def wait_on(runtime: Runtime, revoke: Callable[[], object]) -> None:
    listener = Listener(on_progress=lambda _told: revoke(), every_seconds=0.0)
    (job,) = jobs.list_jobs(runtime).jobs
    working.wait(runtime, job.id, seconds=30, listener=listener)


@pytest.mark.parametrize("go_on", [read_on, work_on, wait_on])
def test_what_takes_long_ends_with_its_token(
    runtime: Runtime,
    settings: Settings,
    tracker: Tracker,
    monkeypatch: pytest.MonkeyPatch,
    go_on: Callable[[Runtime, Callable[[], object]], None],
) -> None:
    monkeypatch.setattr("embedmill.shared.runtime.LOOK_SECONDS", 0.0)
    monkeypatch.setattr(working, "WATCH_SECONDS", 0.0)
    assert tracker.get_job().state is JobState.RUNNING
    made = tokens.create_token(runtime, "ops", role=Role.OPERATOR)
    with open_runtime(settings.model_copy(update={"token": made.token})) as opened, pytest.raises(TokenRefused):
        go_on(opened, lambda: tokens.revoke_token(runtime, made.id))


@pytest.mark.parametrize("trace", [Trace.READ, Trace.EACH])
def test_who_is_refused_in_the_midst_of_an_answer_is_on_record(
    runtime: Runtime, settings: Settings, monkeypatch: pytest.MonkeyPatch, trace: Trace
) -> None:
    monkeypatch.setattr("embedmill.shared.runtime.LOOK_SECONDS", 0.0)
    made = tokens.create_token(runtime, "page")
    with open_runtime(settings.model_copy(update={"token": made.token})) as opened, pytest.raises(TokenRefused):
        read_on(opened, lambda: tokens.revoke_token(runtime, made.id), trace)
    last, *_ = auditing.list_records(runtime, action="pieces").records
    assert (last.principal, last.outcome) == ("page", "refused: TokenRefused")


def test_a_token_ends_when_its_time_is_over(runtime: Runtime, settings: Settings, tracker: Tracker) -> None:
    made = tokens.create_token(runtime, "ops", role=Role.OPERATOR, seconds=3600)
    with runtime.database.write() as connection:
        connection.execute(access_token.update().values(expires_at=access_token.c.expires_at - 3601))
    with pytest.raises(TokenRefused):
        principal_of(settings, made.token)
    assert tokens.list_tokens(runtime).tokens == []


@pytest.mark.parametrize(
    "text", ["nonsense", "emt_000000000000_" + "a" * 43, make_token().text], ids=["word", "unknown", "of another home"]
)
def test_what_is_no_token_here_is_refused_in_one_way(runtime: Runtime, settings: Settings, text: str) -> None:
    tokens.create_token(runtime, "page")
    with pytest.raises(TokenRefused) as caught:
        principal_of(settings, text)
    assert text not in str(caught.value)


def test_a_token_with_a_right_id_and_another_secret_is_refused(runtime: Runtime, settings: Settings) -> None:
    made = tokens.create_token(runtime, "page")
    with pytest.raises(TokenRefused):
        principal_of(settings, f"emt_{made.id}_{'a' * 43}")


def test_nobody_gives_away_more_than_they_have(runtime: Runtime) -> None:
    admin = Principal("somebody", Role.ADMIN, frozenset({"mine"}))
    with runtime.acting_for(admin):
        for wanted in ((), ("mine", "theirs")):
            with pytest.raises(AccessDenied):
                tokens.create_token(runtime, "friend", collections=wanted)
        mine = tokens.create_token(runtime, "friend", collections=["mine"])
    theirs = tokens.create_token(runtime, "stranger", collections=["theirs"])
    with runtime.acting_for(admin):
        assert [each.id for each in tokens.list_tokens(runtime).tokens] == [mine.id]
        with pytest.raises(NotFound):
            tokens.revoke_token(runtime, theirs.id)
        with pytest.raises(AccessDenied):
            collections.create_collection(runtime, "theirs")


def test_levels_are_for_viewers(runtime: Runtime) -> None:
    with pytest.raises(UsageError):
        tokens.create_token(runtime, "ops", role=Role.OPERATOR, levels=["public"])


def write_identities(path: Path, token: str, **changes: str) -> Path:
    lines = {"name": '"page"', "role": '"viewer"', "token_sha256": f'"{hash_token(token)}"'} | changes
    path.write_text("\n".join(["[[principal]]", *(f"{name} = {value}" for name, value in lines.items())]))
    return path


def test_an_identity_file_names_principals_by_hashes(runtime: Runtime, settings: Settings, tmp_path: Path) -> None:
    file = write_identities(tmp_path / "who.toml", "open sesame", collections='["handbook"]')
    found = principal_of(settings, "open sesame", identity_file=file)
    assert (found.name, found.collections, found.levels) == ("page", frozenset({"handbook"}), None)
    with pytest.raises(TokenRefused):
        principal_of(settings, "open sesam", identity_file=file)


def test_two_principals_with_one_token_are_refused(runtime: Runtime, settings: Settings, tmp_path: Path) -> None:
    file = write_identities(tmp_path / "who.toml", "t")
    file.write_text("\n".join(2 * [file.read_text()]).replace('"page"', '"boss"', 1))
    with pytest.raises(SettingsError, match="boss, page has the token of another"):
        principal_of(settings, "t", identity_file=file)


def test_an_identity_file_that_others_may_change_is_warned_of_once(
    runtime: Runtime, settings: Settings, tmp_path: Path
) -> None:
    file = write_identities(tmp_path / "who.toml", "t")
    file.chmod(0o646)
    with captured_logs() as events:
        for _ in range(2):
            principal_of(settings, "t", identity_file=file)
    told = f"others may read and change {file}: chmod go= {file}"
    assert [event["message"] for event in events] == [told]
    with_file = settings.model_copy(update={"identity_file": file})
    assert _settings(lambda: with_file) == f"warning: {told}"
    file.chmod(0o600)
    assert _settings(lambda: with_file) == "all known"


def test_an_identity_expires(runtime: Runtime, settings: Settings, tmp_path: Path) -> None:
    yesterday = (datetime.now(UTC) - timedelta(days=1)).date().isoformat()
    file = write_identities(tmp_path / "who.toml", "open sesame", expires=yesterday)
    with pytest.raises(TokenRefused):
        principal_of(settings, "open sesame", identity_file=file)


@pytest.mark.parametrize(
    "changes", [{"role": '"king"'}, {"token_sha256": '"open sesame"'}, {"levels": '["a b"]'}, {"x": "1"}]
)
def test_an_identity_file_that_is_wrong_is_refused_without_a_word_of_it(
    runtime: Runtime, settings: Settings, tmp_path: Path, changes: dict[str, str]
) -> None:
    file = write_identities(tmp_path / "who.toml", "t", **changes)
    with pytest.raises(SettingsError) as caught:
        principal_of(settings, "t", identity_file=file)
    assert "sesame" not in str(caught.value)
