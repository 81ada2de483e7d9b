"""The wheel: one name at the top, and it runs where others have packages by the names of our folders."""

import json
import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
OTHERS = ("shared", "workers", "console", "producers", "retrieval", "simulators")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture
def environment(wheel: Path, tmp_path: Path) -> Path:
    """A new environment with the wheel, our dependencies, and packages of other people's that do not bear importing."""
    made = tmp_path / "environment"
    venv.create(made)
    packages = made / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(packages)
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    for folder in (packages, tmp_path):
        for name in OTHERS:
            (folder / name).mkdir()
            (folder / name / "__init__.py").write_text("raise SystemExit('a package of somebody else')")
    return made


def test_one_name_is_installed_with_all_that_runs_and_no_tests(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    top = {name.split("/")[0] for name in names}
    assert {name for name in top if not name.endswith(".dist-info")} == {"embedmill"}
    tracked = subprocess.run(["git", "ls-files", *OTHERS], cwd=ROOT, capture_output=True, text=True, check=True)
    assert {f"embedmill/{path}" for path in tracked.stdout.splitlines()} <= set(names)


def test_it_runs_beside_packages_by_the_names_of_our_folders(environment: Path, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("The copper lantern hangs in the harbour.")
    settings = {"EMBEDMILL_HOME": str(tmp_path / "home"), "PATH": os.environ["PATH"]}

    def run(*arguments: str) -> str:
        command = [str(environment / "bin" / "python"), "-m", "embedmill.console", *arguments, "--json"]
        done = subprocess.run(command, cwd=tmp_path, env=settings, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return str(done.stdout)

    assert json.loads(run("ingest", "a.txt"))["documents"]["completed"] == 1
    assert json.loads(run("search", "copper lantern"))["hits"][0]["text"].startswith("The copper lantern")
