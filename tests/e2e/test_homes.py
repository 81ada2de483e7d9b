"""Homes that are shared, unusable or full: a clear error, nothing lost, and the next run completes."""

import os
import resource
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.command import Command, Ran, finish
from tests.corpus import write_corpus

KIB = 1024


def require_clear(ran: Ran) -> None:
    """Failed in one line with a next step."""
    assert ran.status == 1, ran
    assert ran.json["error"] and ran.json["hint"]
    assert "Traceback" not in ran.stderr


def test_two_folders_are_ingested_into_one_home_at_once(cli: Command, tmp_path: Path) -> None:
    folders = [write_corpus(tmp_path / name, 40) for name in ("first", "second")]
    processes = [cli.start("ingest", folder, "--json") for folder in folders]
    for process in processes:
        ran = finish(process)
        assert ran.status == 0, ran
        assert ran.json["documents"]["completed"] == 40
    assert len({row["document"] for row in cli.export().values()}) == 80
    assert cli.json("verify")["ok"]


def test_many_commands_may_make_the_home_at_once(cli: Command, tmp_path: Path) -> None:
    new = cli.with_settings(home=str(tmp_path / "new"))
    processes = [new.start("jobs", "list", "--json") for _ in range(6)]
    for process in processes:
        ran = finish(process)
        assert (ran.status, ran.json) == (0, {"jobs": []}), ran


def test_a_home_that_is_a_file_is_refused(cli: Command, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("here already")
    require_clear(cli.with_settings(home=str(tmp_path / "file")).run("jobs", "list", "--json"))
    require_clear(cli.with_settings(home=str(tmp_path / "file" / "below")).run("jobs", "list", "--json"))


@pytest.mark.parametrize("name", ["a?b", "c%41#d", "e?mode=ro&x='y; z"])
def test_a_home_may_have_any_name_and_is_nobody_else_s(cli: Command, tmp_path: Path, name: str) -> None:
    (tmp_path / "a.txt").write_text("a document of one home")
    odd = cli.with_settings(home=str(tmp_path / "homes" / name))
    assert odd.json("ingest", tmp_path / "a.txt")["documents"]["completed"] == 1
    assert (odd.home / "tracking.db").is_file()
    assert [path.name for path in (tmp_path / "homes").iterdir()] == [name]
    assert odd.json("verify")["ok"]


def test_a_damaged_database_is_named_as_such(cli: Command) -> None:
    cli.json("jobs", "list")
    for path in cli.home.glob("tracking.db*"):
        path.unlink()
    (cli.home / "tracking.db").write_bytes(b"no database at all " * 500)
    require_clear(cli.run("jobs", "list", "--json"))


@pytest.fixture
def frozen_home(cli: Command, tmp_path: Path) -> Iterator[Command]:
    """A home that cannot be written: read-only by mode, or by mount for root, whom no mode stops."""
    corpus = write_corpus(tmp_path / "corpus", 3)
    cli.json("ingest", corpus)
    if os.geteuid() != 0:
        os.chmod(cli.home, 0o500)
        yield cli
        os.chmod(cli.home, 0o700)
        return
    if _mount("--bind", str(cli.home), str(cli.home)) or _mount("-o", "remount,ro,bind", str(cli.home)):
        pytest.skip("root may not mount here")
    yield cli
    subprocess.run(["umount", cli.home], check=True)


def _mount(*arguments: str) -> int:
    return subprocess.run(["mount", *arguments], capture_output=True, check=False).returncode


def test_a_read_only_home_is_refused_in_one_line(frozen_home: Command, tmp_path: Path) -> None:
    for command in (("ingest", tmp_path / "corpus"), ("verify", "--repair"), ("jobs", "pause", "1")):
        refused = frozen_home.run(*command, "--json")
        require_clear(refused)
        assert f"{frozen_home.home} cannot be written" in refused.stdout + refused.stderr


READING = (
    "jobs list",
    "jobs show 1",
    "documents list",
    "sources list",
    "collections show default",
    "dlq list",
    "spend",
)


def test_a_read_only_home_is_read_as_it_stands(frozen_home: Command) -> None:
    for command in (*READING, "verify"):
        ran = frozen_home.run(*command.split(), "--json")
        assert ran.status == 0, ran
        assert f"{frozen_home.home} cannot be written: it is read as it stands" in ran.stderr
    examined = frozen_home.run("doctor", "--json")
    checks = {check["name"]: check for check in examined.json["checks"]}
    assert (checks["home"]["ok"], checks["database"]["detail"]) == (False, "SQLite, for one host; read as it stands")
    assert checks["vectors"]["ok"]


def test_a_read_only_home_is_searched_as_it_stands(frozen_home: Command) -> None:
    ran = frozen_home.run("search", "document", "--json")
    assert ran.status == 0, ran
    assert len({hit["document"] for hit in ran.json["hits"]}) == 3
    assert f"{frozen_home.home} cannot be written" in ran.stderr
    assert len({row["document"] for row in frozen_home.export().values()}) == 3


def limit_files(kib: int) -> Callable[[], None]:
    """No file may grow beyond the limit: what a full disk looks like to whoever writes."""

    def lower() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (kib * KIB, resource.RLIM_INFINITY))

    return lower


@pytest.mark.parametrize(
    ("kib", "documents"), [(600, 60), *(pytest.param(kib, 200, marks=pytest.mark.chaos) for kib in (150, 300, 1200))]
)
def test_a_disk_that_fills_up_loses_nothing(cli: Command, tmp_path: Path, kib: int, documents: int) -> None:
    corpus = write_corpus(tmp_path / "corpus", documents)
    failed = finish(cli.launch("ingest", corpus, "--json", preexec_fn=limit_files(kib)))
    require_clear(failed)
    require_recovered(cli, corpus, documents)


@pytest.fixture
def small_disk(cli: Command, tmp_path: Path) -> Iterator[Command]:
    """A home on a disk of its own that holds 3 MiB."""
    home = tmp_path / "disk"
    home.mkdir()
    if os.geteuid() != 0 or _mount("-t", "tmpfs", "-o", "size=3m", "tmpfs", str(home)):
        pytest.skip("a small disk needs root and the right to mount")
    yield cli.with_settings(home=str(home))
    subprocess.run(["umount", "--lazy", home], check=True)


def test_a_home_on_a_full_disk_completes_when_there_is_room(small_disk: Command, tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "corpus", 200)
    require_clear(small_disk.run("ingest", corpus, "--json"))
    assert shutil.disk_usage(small_disk.home).free < 3 * KIB * KIB
    subprocess.run(["mount", "-o", "remount,size=200m", small_disk.home], check=True)
    require_recovered(small_disk, corpus, 200)


def test_a_home_on_a_full_disk_is_read_and_searched(small_disk: Command, tmp_path: Path) -> None:
    small_disk.json("ingest", write_corpus(tmp_path / "corpus", 3))
    with suppress(OSError), (small_disk.home / "filling").open("wb", buffering=0) as filling:
        while True:
            filling.write(bytes(KIB))
    assert shutil.disk_usage(small_disk.home).free == 0
    found = small_disk.run("search", "document", "--json")
    assert (found.status, found.json["degraded"]) == (0, False), found
    assert len({hit["document"] for hit in found.json["hits"]}) == 3
    assert f"{small_disk.home} is on a full disk: it is read as it stands" in found.stderr
    assert small_disk.json("verify")["ok"]
    assert small_disk.json("cache", "show")["kinds"]["document"]["entries"] > 0


def require_recovered(command: Command, corpus: Path, documents: int) -> None:
    report = command.json("ingest", corpus)
    assert report["documents"]["completed"] + report["documents"]["unchanged"] == documents
    assert report["documents"]["dead"] == 0
    assert len({row["document"] for row in command.export().values()}) == documents
    assert command.json("verify")["ok"]


def test_a_package_of_the_same_name_in_the_current_folder_is_not_taken_for_ours(cli: Command, tmp_path: Path) -> None:
    for name in ("workers", "shared"):
        (cli.folder / name).mkdir()
        (cli.folder / name / "__init__.py").write_text("raise ImportError('not ours')")
    corpus = write_corpus(tmp_path / "documents", 2)
    assert cli.json("ingest", corpus)["documents"]["completed"] == 2


def test_workers_that_cannot_start_end_the_command_and_lose_nothing(cli: Command, tmp_path: Path) -> None:
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(
        "import os\nfrom altering import in_workers\nin_workers(lambda: os._exit(9))\n"
    )
    corpus = write_corpus(tmp_path / "documents", 2)
    ran = cli.altered_when_loaded_by(folder).run("ingest", corpus)
    assert (ran.status, "status 9 before they are ready" in ran.stderr) == (1, True), ran
    assert cli.json("ingest", corpus)["documents"]["completed"] == 2
