"""The doctor: a check that fails in a way that nobody thought of is reported, and hides no other."""

from pathlib import Path

import pytest

from embedmill.console.cli.session import opened
from embedmill.console.services import doctor
from embedmill.console.services.doctor import Check
from embedmill.console.services.doctor_models import probe_embedders, probe_query_models
from embedmill.producers.submission import create_collection
from embedmill.shared import stages
from embedmill.shared.db import pools
from embedmill.shared.errors import EmbedmillError
from embedmill.shared.outcomes import Park
from embedmill.shared.runtime import Runtime
from embedmill.shared.settings import Settings
from embedmill.shared.states import State
from embedmill.simulators.anthropic import AnthropicSimulator
from embedmill.simulators.faults import Fault
from embedmill.simulators.openai import OpenAISimulator
from embedmill.simulators.serving import running
from tests.shared.db.tracker import Tracker

AWAY = "redis://127.0.0.1:9/0"


def test_a_check_that_raises_something_foreign_hides_no_other(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def odd(_: Runtime) -> str:
        raise RuntimeError("odd")

    monkeypatch.setitem(doctor._PROBES, "broker", odd)
    checks = {check.name: check for check in doctor.examine(lambda: settings).checks}
    assert [name for name, check in checks.items() if not check.ok] == ["broker"]
    assert checks["broker"].detail == "RuntimeError: odd"
    assert list(checks)[-1] == "sources"


@pytest.mark.parametrize(
    ("url", "told"), [("mysql://x/y", ": mysql:// is not supported"), ("nonsense", " is no address of a database")]
)
def test_a_database_that_is_not_supported_is_one_error(settings: Settings, url: str, told: str) -> None:
    wrong = settings.model_copy(update={"database_url": url})
    (found,) = (check for check in doctor.examine(lambda: wrong).checks if not check.ok)
    assert (found.name, found.detail) == ("settings", f"EMBEDMILL_DATABASE_URL{told}")
    assert found.hint.startswith("Give postgresql://")


def test_the_key_of_every_validator_in_use_is_tried_for_nothing(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def validator() -> Check:
        return next(check for check in doctor.examine(lambda: settings).checks if check.name == "validator")

    assert validator().detail == "rules; no model is asked"
    with running(AnthropicSimulator()) as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        with opened(settings) as runtime:
            create_collection(runtime, "judged", validator="anthropic/claude-opus-4-7")
        assert "serves claude-opus-4-7" in validator().detail
        assert "a simulator or proxy on this machine (http://127.0.0.1:" in validator().detail
        server.simulator.faults.add(Fault(kind="status", status=401, times=None))
        assert (validator().ok, "ANTHROPIC_API_KEY" in validator().detail) == (False, True)
        assert server.simulator.bill.as_json()["totals"] == {}


def test_the_languages_of_ocr_are_looked_for(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ocr(**changes: object) -> Check:
        wanted = settings.model_copy(update=changes)
        return next(check for check in doctor.examine(lambda: wanted).checks if check.name == "ocr")

    monkeypatch.setenv("PATH", str(tmp_path))
    assert ocr().detail == "off"
    assert "Install tesseract-ocr" in ocr(ocr="auto").hint
    program = tmp_path / "tesseract"
    program.write_text("#!/bin/sh\necho eng\necho deu\n")
    program.chmod(0o755)
    assert ocr(ocr="auto", ocr_languages=("deu",)).detail == "tesseract reads deu"
    lacking = ocr(ocr="auto", ocr_languages=("eng", "chi_sim"))
    assert (lacking.ok, lacking.hint) == (False, "Install tesseract-ocr-chi-sim.")


def test_a_database_that_is_away_is_reported_at_once(
    settings: Settings,
) -> None:
    # Long enough to outlast the test, should anybody wait.
    unreachable = {"database_url": "postgresql://127.0.0.1:9/none", "database_outage_seconds": 3600.0}
    away = settings.model_copy(update=unreachable)
    checks = {check.name: check for check in doctor.examine(lambda: away).checks}
    assert "cannot be reached" in checks["database"].detail
    assert not checks["database"].ok
    assert checks["workers"] == Check("workers", ok=False, detail="the same as database")
    assert checks["blobs"].ok


def test_every_bad_key_of_every_embedder_in_use_is_named_with_who_needs_it(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("OPENAI_API_KEY", "CO_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    with opened(settings) as runtime:
        create_collection(runtime, "oa", embedding="openai/text-embedding-3-large")
        create_collection(runtime, "co", embedding="cohere/embed-v4.0")
    check = next(check for check in doctor.examine(lambda: settings).checks if check.name == "embedding")
    assert not check.ok
    assert "collection oa: openai has no key: OPENAI_API_KEY is not set" in check.detail
    assert "collection co: cohere has no key" in check.detail
    assert check.hint


@pytest.mark.parametrize(
    ("changed", "check", "told", "next_"),
    [
        ({"validator": "nonsense"}, "validator", "unknown validator 'nonsense'", ""),
        ({"validation_policy": "nonsense"}, "validator", "unknown validation policy", ""),
        ({"rank_model": "nonsense"}, "queries", "no model 'nonsense'", "Is the name right?"),
        ({"rank_model": "anthropic/claude-opus-4-7"}, "queries", "ANTHROPIC_API_KEY is not set", ""),
        (
            {"rank_model": "anthropic/nonsense"},
            "queries",
            "no price for anthropic/nonsense",
            "Is the name right? The nearest with a price: anthropic/claude-",
        ),
        ({"fast_model": "cohere/rerank-v3.5"}, "queries", "CO_API_KEY is not set", ""),
        ({"fast_model": "pinecone/bge-reranker-v2-m3"}, "queries", "PINECONE_API_KEY is not set", ""),
        ({"answer_model": "openai/gpt-5", "rank_model": "off", "fast_model": "openai/gpt-5"}, "queries", "OPENAI", ""),
        (
            {"prices": Path("/none")},
            "prices",
            "EMBEDMILL_PRICES: /none cannot be read: No such file or directory",
            "Set EMBEDMILL_PRICES to a file",
        ),
        (
            {"validator": "openai/nonsense"},
            "prices",
            "no price for openai/nonsense, operation 'message'",
            "Is the name right? The nearest with a price: openai/",
        ),
        ({"limits_url": AWAY}, "limits", "the limits' Redis cannot be reached", "EMBEDMILL_LIMITS_URL says where"),
        ({"vector_url": "postgresql://u@127.0.0.1:9/x"}, "vectors", "no answer", "EMBEDMILL_VECTOR_URL says where"),
    ],
)
def test_every_setting_that_work_or_a_query_would_stumble_over_is_found(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, changed: dict[str, object], check: str, told: str, next_: str
) -> None:
    for name in ("ANTHROPIC_API_KEY", "CO_API_KEY", "OPENAI_API_KEY", "PINECONE_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    wrong = settings.model_copy(update=changed)
    with opened(wrong) as runtime:
        found = doctor._check(check, lambda: doctor._PROBES[check](runtime))
    assert (found.ok, told in found.detail) == (False, True), found.detail
    assert (next_ in found.hint, found.hint != "") == (True, True)


@pytest.mark.parametrize(
    ("changed", "first", "others"),
    [
        ({"prices": Path("/none")}, "prices", ["embedding"]),
        ({"limits_url": AWAY}, "limits", ["embedding"]),
        ({"limits_url": AWAY, "broker_url": AWAY}, "broker", ["limits", "embedding"]),
    ],
)
def test_what_several_checks_stumble_over_is_told_once(
    settings: Settings, changed: dict[str, object], first: str, others: list[str]
) -> None:
    wrong = settings.model_copy(update=changed)
    failed = [check for check in doctor.examine(lambda: wrong).checks if not check.ok]
    assert [check.name for check in failed] == [first, *others]
    assert {check.detail for check in failed[1:]} == {f"the same as {first}"}


def test_where_nobody_answers_the_variable_that_says_where_is_named(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "any")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    wrong = settings.model_copy(update={"embedding": "openai/text-embedding-3-large"})
    with opened(wrong) as runtime:
        found = doctor._check("embedding", lambda: doctor._PROBES["embedding"](runtime))
    assert "(http://127.0.0.1:9/v1)" in found.detail
    assert found.hint.startswith("OPENAI_BASE_URL says where")


def test_a_model_that_a_collection_has_for_queries_is_tried_for_nothing(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running(AnthropicSimulator()) as server, opened(settings) as runtime:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        assert probe_query_models(runtime) == "no model takes part in them"
        create_collection(runtime, "ranked", rank=True, fast_model="cohere/rerank-v3.5")
        monkeypatch.setenv("CO_API_KEY", "any")
        assert "serves claude-opus-4-7" in probe_query_models(runtime)
        assert "cohere is set up; whether it takes the key, only a paid call" in probe_query_models(runtime)
        server.simulator.faults.add(Fault(kind="status", status=401, times=None))
        with pytest.raises(EmbedmillError, match="claude-opus-4-7, of collection ranked: "):
            probe_query_models(runtime)
        assert server.simulator.bill.as_json()["totals"] == {}


def test_a_key_that_its_vendor_accepts_again_is_found_at_once_and_wakes_what_waited(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running(OpenAISimulator()) as server, opened(settings) as runtime:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        create_collection(runtime, "paid", embedding="openai/text-embedding-3-small")
        server.simulator.faults.add(Fault(kind="status", status=401))
        with pytest.raises(EmbedmillError, match="does not accept the key"):
            probe_embedders(runtime)
        tracker = Tracker(runtime.database)
        claim = tracker.take(["file:///a"])
        tracker.settle(claim, Park("key", 60.0))
        assert "text-embedding-3-small" in probe_embedders(runtime)
        assert tracker.states() == [State.PENDING]


def test_a_home_that_others_may_look_into_and_work_that_nobody_takes_are_told(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(settings) as runtime:
        Tracker(runtime.database).submit(["file:///a"])
        runtime.home.chmod(0o750)
        assert "warning: others than its owner may look into it: chmod" in doctor._home(runtime)
        runtime.home.chmod(0o700)
        assert doctor._home(runtime) == str(runtime.home)
    workers = next(check for check in doctor.examine(lambda: settings).checks if check.name == "workers")
    assert (workers.ok, workers.hint) == (False, "embedmill workers start")
    assert "none running, and 1 document waits for them" in workers.detail
    with opened(settings) as runtime:
        with runtime.database.write() as connection:
            for queue in stages.names():
                pools.scale_pool(connection, queue, 0)
        told = doctor._workers(runtime)
    assert "warning: the queue chunk is scaled to 0: embedmill workers scale chunk N" in told
    assert told.endswith("(1 document of unfinished jobs)")


def test_a_home_on_a_full_disk_is_told_once(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    with opened(settings):
        pass
    monkeypatch.setattr("embedmill.console.services.doctor.has_room", lambda _: False)
    monkeypatch.setattr("embedmill.console.services.doctor.LEAST_FREE_BYTES", 2**80)
    failed = {check.name: check.detail for check in doctor.examine(lambda: settings).checks if not check.ok}
    assert failed.pop("home").endswith("is on a full disk; what is there can be read")
    assert failed == {"disk": "the same as home"}


def test_a_database_for_several_whose_vectors_or_texts_are_in_one_home_is_warned_of(settings: Settings) -> None:
    assert "its vectors and texts are kept in this home" in doctor._say_kept_here(settings)
    elsewhere = settings.model_copy(update={"vector_url": "pinecone://x", "blob_url": "s3://b/p"})
    assert doctor._say_kept_here(elsewhere) == ""


def test_a_limit_of_nobody_is_told(settings: Settings) -> None:
    with opened(settings.model_copy(update={"limits": {"opnai/x": {"tpm": 1}, "openai": {"tpm": 1}}})) as runtime:
        told = doctor._check("limits", lambda: doctor._PROBES["limits"](runtime))
    assert told.detail.endswith("; warning: EMBEDMILL_LIMITS names nobody that is asked: opnai/x; did you mean openai?")
