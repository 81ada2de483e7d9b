"""What is sent in the clear to another machine is told, whichever setting says so."""

import pytest

from embedmill.console.services import transit
from embedmill.console.services.doctor import probe_all
from embedmill.shared.errors import SettingsError
from embedmill.shared.runtime import Runtime
from embedmill.shared.settings import Settings
from embedmill.workers.brokers.securing import secured


@pytest.mark.parametrize(
    "url",
    [
        "redis://cache.example:6379/0",
        "amqp://u:p@broker.example",
        "http://gateway.example/v1",
        "postgresql://u:p@db.example/mill",
        "postgresql+psycopg://u:p@db.example/mill?sslmode=prefer",
        "pinecone://?host=http://index.example",
    ],
)
def test_what_can_be_read_on_its_way_is_plain(url: str) -> None:
    assert transit.is_plain(url)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "embedded://",
        "redis://127.0.0.1:6379",
        "amqp://localhost",
        "http://[::1]:9000",
        "rediss://cache.example",
        "amqps://broker.example",
        "sqs://",
        "https://gateway.example",
        "postgresql://u:p@db.example/mill?sslmode=verify-full&sslrootcert=/ca.pem",
        "postgresql:///mill?host=/run/postgresql",
        "pinecone://mill",
    ],
)
def test_what_is_encrypted_or_stays_here_is_not(url: str) -> None:
    assert not transit.is_plain(url)


def test_each_setting_and_variable_is_named(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "http://gateway.example/v1")
    changed = settings.model_copy(update={"limits_url": "redis://limits.example", "broker_url": "redis://localhost"})
    assert transit.find_plain(changed) == ["EMBEDMILL_LIMITS_URL", "OPENAI_BASE_URL"]


def test_doctor_warns_of_what_is_plain_and_names_missing_keys(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://bucket.example")
    monkeypatch.setattr("embedmill.console.services.doctor._PROBES", _only("keys", "transit"))
    runtime.keys.derive("anything")
    checks = {check.name: check for check in probe_all(runtime)}
    assert "AWS_ENDPOINT_URL_S3" in checks["transit"].detail
    assert checks["keys"].ok


def _only(*names: str) -> dict[str, object]:
    from embedmill.console.services.doctor import _PROBES

    return {name: _PROBES[name] for name in names}


def test_rabbitmq_is_asked_by_name_under_a_checked_certificate() -> None:
    found = secured("amqps://u:p@broker.example:5671/mill?ssl_ca_certs=/ca.pem")
    assert found["broker_url"] == "amqps://u:p@broker.example:5671/mill"
    assert found["broker_use_ssl"]["server_hostname"] == "broker.example"
    assert found["broker_use_ssl"]["ca_certs"] == "/ca.pem"
    assert found["broker_use_ssl"]["cert_reqs"].name == "CERT_REQUIRED"
    assert secured("amqp://broker.example") == {}
    with pytest.raises(SettingsError, match="ssl_ca_certs"):
        secured("amqps://broker.example?cafile=/ca.pem")
