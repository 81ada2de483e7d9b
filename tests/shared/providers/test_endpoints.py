"""Who answers: one spelling of each address, and none for the vendor itself."""

from contextlib import closing
from pathlib import Path

import pytest

from embedmill.shared.configuration import load_settings
from embedmill.shared.providers.embeddings.table import open_embedder
from embedmill.shared.providers.endpoints import (
    EMBEDDINGS,
    MODELS,
    VARIABLES,
    describe_endpoint,
    find_endpoint,
    is_vendor_endpoint,
    normalise,
)
from embedmill.shared.providers.models.table import open_model
from embedmill.shared.runtime import Runtime
from embedmill.workers.validation.obtaining import judge_name


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No address is set, and AWS's files are empty."""
    for name in {name for names in VARIABLES.values() for name in names}:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))


@pytest.mark.parametrize(
    ("spelled", "address"),
    [
        ("http://127.0.0.1:8080/v1", "http://127.0.0.1:8080/v1"),
        ("HTTP://127.0.0.1:8080/v1/", "http://127.0.0.1:8080/v1"),
        ("https://Gateway.Example.COM:443//v1//", "https://gateway.example.com/v1"),
        ("http://gateway.example.com.:80", "http://gateway.example.com"),
        ("https://me:secret@gateway.example.com/v1?key=secret#x", "https://gateway.example.com/v1"),
        ("https://gateway.example.com/V1", "https://gateway.example.com/V1"),
        ("http://[::1]:8080/", "http://[::1]:8080"),
        (" https://gateway.example.com/v1 ", "https://gateway.example.com/v1"),
        ("http://me:secret@host:port/v1", "host:port/v1"),
    ],
)
def test_an_address_has_one_spelling_and_holds_no_secret(spelled: str, address: str) -> None:
    assert normalise(spelled) == address


@pytest.mark.parametrize(
    "url",
    [
        "",
        "https://api.openai.com/v1",
        "https://API.openai.com:443/v1/",
        "https://eu.api.openai.com/v1",
        "https://api.anthropic.com",
        "https://api.cohere.com",
        "https://api.cohere.ai/v2",
        "https://bedrock-runtime.us-east-1.amazonaws.com",
        "https://bedrock-runtime-fips.us-gov-west-1.amazonaws.com",
        "https://bedrock-runtime.cn-north-1.amazonaws.com.cn",
        "https://vpce-1-2.bedrock-runtime.eu-west-1.vpce.amazonaws.com",
        "https://bedrock-mantle.eu-west-1.api.aws/anthropic",
    ],
)
def test_the_vendor_is_one_in_every_region(url: str) -> None:
    assert is_vendor_endpoint(url)
    assert describe_endpoint(url) == "the vendor"


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("http://127.0.0.1:8080/v1", "on this machine"),
        ("http://localhost:8080/v1", "on this machine"),
        ("https://mine.openai.azure.com/openai/v1", "not the vendor"),
        ("http://api.openai.com/v1", "not the vendor"),
        ("https://api.openai.com.example.com/v1", "not the vendor"),
        ("https://example.com/api.openai.com", "not the vendor"),
    ],
)
def test_everybody_else_is_named(url: str, told: str) -> None:
    assert not is_vendor_endpoint(url)
    assert told in describe_endpoint(url)


@pytest.mark.parametrize(("family", "provider"), VARIABLES)
def test_each_provider_is_found_by_its_own_variables(
    family: str, provider: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert find_endpoint(family, provider) == ""
    for name in reversed(VARIABLES[family, provider]):
        monkeypatch.setenv(name, f"http://127.0.0.1:1/{name}/")
        assert find_endpoint(family, provider) == f"http://127.0.0.1:1/{name}"
    assert find_endpoint(family, "local") == ""


def test_a_gateway_may_stand_for_the_vendor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "https://gateway.example.com/anthropic/")
    assert find_endpoint(MODELS, "anthropic", gateways=["https://other.example.com"]) != ""
    assert find_endpoint(MODELS, "anthropic", gateways=["HTTPS://me@Gateway.example.com:443/anthropic"]) == ""


def test_aws_own_files_are_read_and_can_be_ignored(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "config").write_text("[default]\nendpoint_url = http://127.0.0.1:7\n")
    assert find_endpoint(EMBEDDINGS, "bedrock") == "http://127.0.0.1:7"
    monkeypatch.setenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true")
    assert find_endpoint(EMBEDDINGS, "bedrock") == ""


@pytest.mark.parametrize(
    ("name", "variable"),
    [
        ("openai/text-embedding-3-small", "OPENAI_BASE_URL"),
        ("cohere/embed-v4.0", "CO_API_URL"),
        ("bedrock/amazon.titan-embed-text-v2:0", "AWS_ENDPOINT_URL"),
    ],
)
def test_vectors_of_another_endpoint_have_other_addresses(
    name: str, variable: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    vendor = open_embedder(name, cache_dir=tmp_path)
    addresses = {vendor.address("text"), vendor.address("text", input_type="query")}
    for port in (1, 2):
        for spelled in (f"http://127.0.0.1:{port}/v1", f"HTTP://me:secret@127.0.0.1:{port}/v1/"):
            monkeypatch.setenv(variable, spelled)
            addresses.add(open_embedder(name, cache_dir=tmp_path).address("text"))
    assert len(addresses) == 4


def test_models_know_who_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    assert open_model("openai/gpt-5-mini").endpoint == ""
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:1/v1")
    assert open_model("openai/gpt-5-mini").endpoint == "http://127.0.0.1:1/v1"


def test_what_a_gateway_that_stands_for_the_vendor_answers_is_kept_and_found_as_the_vendors(
    monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    def addresses() -> tuple[bytes, str]:
        with closing(Runtime(load_settings(), process_id="test")) as runtime:
            embedder, model = runtime.embedder("openai/text-embedding-3-small"), runtime.model("openai/gpt-5.6-luna")
            return embedder.address("text"), judge_name(model)

    vendors = addresses()
    monkeypatch.setenv("OPENAI_BASE_URL", "https://gateway.example.com/v1")
    elsewhere = addresses()
    assert not set(elsewhere) & set(vendors)
    monkeypatch.setenv("EMBEDMILL_VENDOR_GATEWAYS", '["https://GATEWAY.example.com/v1/", "https://other.example.com"]')
    assert addresses() == vendors
