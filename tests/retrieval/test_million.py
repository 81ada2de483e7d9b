"""The benchmark at size, at a small one: every figure of the goal is told, and what was filled is used again."""

import json
from pathlib import Path

import pytest

from bench import million

DATA = {"docs": [{"text": f"valve number {n} of pump {n % 7} is open " * 9} for n in range(60)]}
DATA["queries"] = [{"text": f"which valve of pump {n}"} for n in range(20)]
FIGURES = ("first answer after the process began, s", "hybrid p95 ms", "resident MB", "recall@10 of dense")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    for name in ("cranfield", "pyfaq"):
        folder = tmp_path / "data" / name
        folder.mkdir(parents=True)
        for kind, lines in DATA.items():
            (folder / f"{kind}.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    return tmp_path / "data"


def test_every_figure_of_the_goal_is_told(
    tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(million, "LATEST_LOOKED_FOR", 1)
    options = [f"--folder={tmp_path}", f"--data={data}", "--rows=300", "--shards", "2", "--queries=4"]
    found: dict[str, str] = {}
    for part in ("fill", "ask", "sift", "beside"):
        million.main([*options, f"--part={part}"])
        found |= json.loads(capsys.readouterr().out)
    assert set(FIGURES) <= found.keys()
    assert found["recall@10 of dense"].startswith("1.000")
    assert "goal 2" in found["p95 beside it, times alone"]
    assert "goal 2" in found["found after being written, at most s"]
    assert "missed" in million._of_goal(51, 50)
