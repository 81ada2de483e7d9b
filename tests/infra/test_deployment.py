"""The container files, as far as they can be checked without an engine."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from embedmill.shared import stages
from embedmill.shared.settings import NAMES
from tests.command import EMBEDMILL, Command

ROOT = Path(__file__).parents[2]
DOCKERFILE = ROOT / "infra" / "Dockerfile"
GRACE_SECONDS = 45


@pytest.fixture(scope="module")
def compose() -> Any:
    return yaml.safe_load((ROOT / "docker-compose.yml").read_text())


def ours(compose: Any) -> dict[str, Any]:
    return {name: service for name, service in compose["services"].items() if "build" in service}


def workers(compose: Any) -> dict[str, Any]:
    return {name: service for name, service in ours(compose).items() if service["command"][:2] == ["workers", "start"]}


def test_the_compose_file_follows_the_specification(compose: Any) -> None:
    schema = json.loads((Path(__file__).parent / "compose-spec.json").read_text())
    assert [error.message for error in jsonschema.Draft7Validator(schema).iter_errors(compose)] == []


def test_the_schema_refuses_a_service_that_compose_would_refuse(compose: Any) -> None:
    schema = json.loads((Path(__file__).parent / "compose-spec.json").read_text())
    wrong = {**compose, "services": {"embed": {"comand": ["workers", "start"]}}}
    assert list(jsonschema.Draft7Validator(schema).iter_errors(wrong))


def test_every_stage_has_its_workers_and_one_service_runs_the_chores(compose: Any) -> None:
    commands = {name: service["command"] for name, service in workers(compose).items()}
    queues = {argument.partition("=")[0] for command in commands.values() for argument in command}
    assert set(stages.names()) <= queues
    assert [name for name, command in commands.items() if "--without-chores" not in command] == ["scheduler"]


def test_the_commands_of_the_services_are_commands_of_embedmill(compose: Any, cli: Command) -> None:
    accepted = cli.run("workers", "start", "--help").stdout + cli.run("workers", "--help").stdout
    given = {a for service in workers(compose).values() for a in service["command"] if a.startswith("--")}
    assert {option for option in given if option not in accepted} == set()


def test_every_variable_of_ours_is_a_setting(compose: Any) -> None:
    known = {f"EMBEDMILL_{name.upper()}" for name in NAMES}
    given = {name for service in ours(compose).values() for name in service.get("environment", {})}
    assert {name for name in given if name.startswith("EMBEDMILL_")} <= known
    in_image = set(re.findall(r"\b(EMBEDMILL_\w+)=", DOCKERFILE.read_text()))
    assert in_image <= known


def test_a_service_that_is_waited_for_as_healthy_has_a_health_check(compose: Any) -> None:
    services = compose["services"]
    awaited = {
        name
        for service in services.values()
        for name, wanted in service.get("depends_on", {}).items()
        if wanted["condition"] == "service_healthy"
    }
    assert awaited
    assert {name for name in awaited if "test" not in services[name].get("healthcheck", {})} == set()


def test_our_containers_are_unprivileged_and_cannot_write_their_own_files(compose: Any) -> None:
    for name, service in ours(compose).items():
        assert service["read_only"], name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
    users = re.findall(r"^USER (.+)$", DOCKERFILE.read_text(), re.MULTILINE)
    assert users
    assert not users[-1].startswith(("0", "root"))


def test_workers_are_given_longer_than_their_grace_time_to_stop(compose: Any) -> None:
    for name, service in workers(compose).items():
        assert int(service["stop_grace_period"].removesuffix("s")) > GRACE_SECONDS, name


def test_every_image_of_others_names_its_version(compose: Any) -> None:
    images = [service["image"] for service in compose["services"].values()]
    assert [image for image in images if ":" not in image or image.endswith(":latest")] == []


def test_the_dockerfile_has_nothing_for_its_linter_to_say() -> None:
    hadolint = Path(sys.executable).with_name("hadolint")
    found = subprocess.run([hadolint, "--no-color", DOCKERFILE], capture_output=True, text=True, check=False)
    assert (found.returncode, found.stdout) == (0, "")


def test_the_dockerfile_copies_every_package_and_what_they_need() -> None:
    copied = re.findall(r"^COPY (?:--\S+ )*(\S+) \S+$", DOCKERFILE.read_text(), re.MULTILINE)
    assert {path for path in copied if not path.startswith("/venv") and not (ROOT / path).exists()} == set()
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"bench", "tests"}
    assert packages <= set(copied)


def test_the_command_of_the_image_runs_from_a_plain_folder(tmp_path: Path) -> None:
    launcher = (ROOT / "infra" / "embedmill").read_text().replace("exec python", f"exec {sys.executable}")
    script = tmp_path / "embedmill"
    script.write_text(launcher)
    ran = subprocess.run(
        ["sh", script, "version"],
        env={"PYTHONPATH": str(ROOT)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    expected = subprocess.run([EMBEDMILL, "version"], capture_output=True, text=True, check=True)
    assert ran.stdout == expected.stdout


def test_the_image_installs_the_versions_that_were_tested() -> None:
    def pins(path: Path) -> set[str]:
        return set(re.findall(r"^[A-Za-z0-9_.-]+==\S+", path.read_text(), re.MULTILINE))

    image = pins(ROOT / "infra" / "requirements.lock")
    assert image < pins(ROOT / "requirements.lock")
    assert not {pin for pin in image if pin.startswith(("pytest", "mypy", "moto", "ruff"))}
