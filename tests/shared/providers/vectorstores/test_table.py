"""The table of vector stores."""

from pathlib import Path

import pytest

from embedmill.shared.errors import MissingExtra, SettingsError
from embedmill.shared.providers.vectorstores import table
from embedmill.shared.providers.vectorstores.base import StoreOptions
from embedmill.shared.providers.vectorstores.embedded.store import EmbeddedVectorStore
from embedmill.shared.providers.vectorstores.table import STORES, find_offer, open_vector_store
from tests.contracts.rows import make_row
from tests.shared.providers.books import Books


def test_the_embedded_store_lives_in_the_home_folder(tmp_path: Path) -> None:
    store = open_vector_store("embedded://", StoreOptions(home=tmp_path, collection_key="c-1", dimensions=8))
    assert isinstance(store, EmbeddedVectorStore)
    store.upsert("s", [make_row()])
    assert (tmp_path / "vectors" / "c-1" / "s.db").is_file()


@pytest.mark.parametrize(("url", "extra"), [("pinecone://index", "pinecone"), ("postgresql://host/db", "pgvector")])
def test_a_missing_package_is_named_with_its_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str, extra: str
) -> None:
    monkeypatch.setattr(table, "find_spec", lambda _: None)
    with pytest.raises(MissingExtra) as refused:
        open_vector_store(url, StoreOptions(home=tmp_path, collection_key="c", dimensions=8))
    assert f"embedmill[{extra}]" in refused.value.hint


@pytest.mark.parametrize("url", ["", "chroma://x", "embedded"])
def test_an_unknown_scheme_is_a_settings_error(tmp_path: Path, url: str) -> None:
    with pytest.raises(SettingsError, match="embedded://"):
        open_vector_store(url, StoreOptions(home=tmp_path, collection_key="c", dimensions=8))


def test_only_pinecone_bills_its_requests() -> None:
    offers = {scheme: find_offer(f"{scheme}://somewhere") for scheme in STORES}
    assert {scheme for scheme, offer in offers.items() if offer is not None} == {"pinecone"}


def test_a_store_that_bills_nothing_asks_no_meter(tmp_path: Path) -> None:
    store = open_vector_store(
        "embedded://", StoreOptions(home=tmp_path, collection_key="c-1", dimensions=8, meter=Books(room=0))
    )
    assert store.with_meter(Books(room=0)) is store
    store.upsert("s", [make_row()])
    assert store.count_versions("s", {"d1": "v1"}) == {"d1": 1}
    store.close()
