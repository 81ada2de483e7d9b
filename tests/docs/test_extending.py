"""The page on extending tells the truth: its modules and entries are put in place, and what they make is used."""

import importlib.machinery
import io
import re
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from embedmill.producers.sources.open import open_sources, source_from_spec
from embedmill.producers.sources.options import SourceOptions
from embedmill.shared import origins, stages
from embedmill.shared.errors import FlowControl
from embedmill.shared.ledger import Tokens
from embedmill.shared.providers.embeddings import table as embedders
from embedmill.shared.providers.embeddings.table import open_embedder
from embedmill.shared.providers.vectorstores import table as stores
from embedmill.shared.providers.vectorstores.base import StoreOptions, VectorStore
from embedmill.shared.providers.vectorstores.table import open_vector_store
from embedmill.shared.spend.prices import Prices
from embedmill.shared.states import State
from embedmill.workers.runtime import WorkerRuntime
from tests.contracts.rows import StoreFactory
from tests.contracts.vectorstore import VectorStoreContract
from tests.corpus import text_of
from tests.shared.db.tracker import Tracker
from tests.workers.conftest import runtime, tracker
from tests.workers.working import embed_by_hash, submit_sources, work_off

__all__ = ["runtime", "tracker"]

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
MODULES = dict(re.findall(r"<!-- module: ([\w.]+) -->\n```python\n(.*?)```", TEXT, re.DOTALL))
PACKAGES = dict(re.findall(r"<!-- package: (\w+) -->\n```python\n(.*?)```", TEXT, re.DOTALL))
ENTRIES = dict(re.findall(r"<!-- entry: (\w+) -->\n```python\n(.*?)```", TEXT, re.DOTALL))
(PRICES,) = re.findall(r"<!-- prices -->\n```toml\n(.*?)```", TEXT, re.DOTALL)


@pytest.fixture(autouse=True)
def written(monkeypatch: pytest.MonkeyPatch) -> None:
    """The modules of the page, where it says that they are, and its entries in their tables."""
    for name, code in MODULES.items():
        module = ModuleType(name)
        monkeypatch.setitem(sys.modules, name, module)
        exec(compile(code, name, "exec"), vars(module))
    stage = _evaluated(ENTRIES["STAGES"], stages)
    place = stages.names().index("embed")
    monkeypatch.setattr(stages, "STAGES", (*stages.STAGES[:place], stage, *stages.STAGES[place:]))
    tables = {"ORIGINS": origins, "EMBEDDERS": embedders, "STORES": stores}
    for name, module in tables.items():
        for key, entry in _evaluated(f"{{{ENTRIES[name]}}}", module).items():
            monkeypatch.setitem(vars(module)[name], key, entry)


def _evaluated(code: str, module: ModuleType) -> Any:
    return eval(code, vars(module).copy())


def test_every_block_of_code_on_the_page_is_run() -> None:
    assert len(re.findall("^```python", TEXT, re.MULTILINE)) == len(MODULES) + len(ENTRIES) + len(PACKAGES) == 9


@pytest.mark.parametrize("name", [*MODULES, *PACKAGES])
def test_the_code_is_as_the_house_wants_it(name: str) -> None:
    path = f"{name.removeprefix('embedmill.').replace('.', '/')}.py"
    checked = [sys.executable, "-m", "ruff", "check", "--stdin-filename", path, "-"]
    done = subprocess.run(
        checked, input=(MODULES | PACKAGES)[name], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert done.returncode == 0, done.stdout


def test_another_package_brings_a_source_by_its_entry_point(
    runtime: WorkerRuntime, tracker: Tracker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = tmp_path / "installed"
    info = installed / "acme_notes-1.0.dist-info"
    info.mkdir(parents=True)
    ((name, code),) = PACKAGES.items()
    (points,) = re.findall(r"<!-- entry point -->\n```toml\n(.*?)```", TEXT, re.DOTALL)
    (installed / f"{name}.py").write_text(code)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-notes\nVersion: 1.0\n")
    ((group, entries),) = tomllib.loads(points)["project"]["entry-points"].items()
    told = "".join(f"{scheme} = {place}\n" for scheme, place in entries.items())
    (info / "entry_points.txt").write_text(f"[{group}]\n{told}")
    (tmp_path / "a.note").write_text(f"The title\n{text_of(1)}")
    monkeypatch.syspath_prepend(str(installed))
    monkeypatch.setattr(origins, "_find_entry_point", origins._find_entry_point.__wrapped__)
    sources = open_sources([f"notes:{tmp_path}"], options=SourceOptions(), stdin=io.BytesIO())
    assert source_from_spec(sources[0].spec) == sources[0]
    embed_by_hash(runtime, tracker)
    submit_sources(runtime, tracker, sources)
    work_off(runtime, tracker)
    assert tracker.states() == [State.COMPLETED]
    assert [row["title"] for row in tracker.rows()] == ["The title"]


def test_the_stage_refuses_and_lets_pass(runtime: WorkerRuntime, tracker: Tracker, tmp_path: Path) -> None:
    embed_by_hash(runtime, tracker)
    for name, text in (("long.txt", text_of(0)), ("short.txt", "Two words")):
        (tmp_path / name).write_text(text)
    tracker.submit([(tmp_path / name).as_uri() for name in ("long.txt", "short.txt")])
    work_off(runtime, tracker)
    assert tracker.states() == [State.COMPLETED, State.DEAD]


def test_the_source_is_ingested_and_what_left_it_is_missed(
    runtime: WorkerRuntime, tracker: Tracker, tmp_path: Path
) -> None:
    embed_by_hash(runtime, tracker)
    url = f"zip://{tmp_path / 'notes.zip'}"
    _pack(tmp_path / "notes.zip", {"a.md": text_of(0), "b.md": text_of(1)})
    sources = open_sources([url], options=SourceOptions(), stdin=io.BytesIO())
    assert [source_from_spec(source.spec) for source in sources] == sources
    submit_sources(runtime, tracker, sources)
    _pack(tmp_path / "notes.zip", {"a.md": text_of(0)})
    work_off(runtime, tracker)
    assert sorted(tracker.states()) == [State.COMPLETED, State.DEAD]


def _pack(path: Path, texts: Mapping[str, str]) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in texts.items():
            archive.writestr(name, text)


def test_a_source_that_is_none_is_a_problem_and_no_exception(tmp_path: Path) -> None:
    (tmp_path / "torn.zip").write_bytes(b"PK")
    for name in ("torn.zip", "absent.zip"):
        (source,) = open_sources([f"zip://{tmp_path / name}"], options=SourceOptions(), stdin=io.BytesIO())
        assert [type(item).__name__ for item in source] == ["Problem"]


class StatusError(Exception):
    """What Acme's SDK raises."""

    def __init__(self, status: int, headers: Mapping[str, str]) -> None:
        super().__init__("an answer")
        self.status, self.headers = status, headers


@pytest.fixture
def acme(monkeypatch: pytest.MonkeyPatch) -> list[StatusError]:
    """The SDK of a vendor that there is not; it raises what is put into the list, once."""
    failures: list[StatusError] = []

    def embed(model: str, texts: list[str], input_type: str) -> dict[str, Any]:
        if failures:
            raise failures.pop()
        vectors = [[len(text), 1, 0, 0] for text in texts]
        return {"vectors": vectors, "usage": {"tokens": 7}, "id": f"{model} {input_type}"}

    sdk = ModuleType("acme")
    sdk.__spec__ = importlib.machinery.ModuleSpec("acme", None)
    vars(sdk).update(StatusError=StatusError, ConnectionError=OSError)
    vars(sdk)["Client"] = lambda **_: SimpleNamespace(embed=embed, close=lambda: None, api_key="k")
    monkeypatch.setitem(sys.modules, "acme", sdk)
    return failures


def test_the_provider_embeds_and_says_what_it_is(acme: list[StatusError], tmp_path: Path) -> None:
    embedder = open_embedder("acme/embed-1", cache_dir=tmp_path)
    result = embedder.embed_many(["a", "text"])
    assert not result.errors
    np.testing.assert_allclose(np.linalg.norm(result.vectors, axis=1), 1, atol=1e-6)
    assert embedder.provider == "acme"
    assert embedder.key_hash
    assert embedder.address("a") != embedder.address("a", input_type="query")


def test_the_provider_that_asks_to_wait_is_flow_control(acme: list[StatusError], tmp_path: Path) -> None:
    acme.append(StatusError(429, {"retry-after": "3"}))
    found = open_embedder("acme/embed-1", cache_dir=tmp_path).embed_many(["a"])
    assert isinstance(found.errors[0], FlowControl)


def test_the_providers_price_is_one(tmp_path: Path) -> None:
    (tmp_path / "prices.toml").write_text(f"as_of = 2026-01-01\n{PRICES}")
    price = Prices.load(tmp_path / "prices.toml").find("acme", "embed-1", "embed")
    assert price.cost(Tokens(into=1_000_000)) == 50_000


class TestTheStore(VectorStoreContract):
    """Every promise of a vector store, kept by the page's."""

    @pytest.fixture
    def store_factory(self, written: None, tmp_path: Path) -> StoreFactory:
        def open_store(*, dimensions: int) -> VectorStore:
            return open_vector_store(f"memory://{tmp_path}", StoreOptions(tmp_path, "c1", dimensions))

        return open_store
