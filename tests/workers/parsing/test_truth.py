"""Every file of the truth is read as a person reads it: the blocks stand beside it, in `NAME.truth`.

A file is kept in `truth/files/` where its format is text, and made by a function in `truth/made.py` where it is not.
`python -m tests.workers.parsing.truth FILE` writes how a file is read today.
"""

from pathlib import Path

import pytest

from tests.workers.parsing.making import read
from tests.workers.parsing.truth.made import MADE
from tests.workers.parsing.truth.written import read_truth, written

FILES = Path(__file__).parent / "truth" / "files"
OWN = ("title: ", "-- page ")
KEPT = sorted(path.name for path in FILES.iterdir() if path.suffix != ".truth")


@pytest.mark.parametrize("name", sorted([*KEPT, *MADE]))
def test_a_file_is_read_as_a_person_reads_it(name: str) -> None:
    data = MADE[name]() if name in MADE else (FILES / name).read_bytes()
    truth = (FILES / f"{name}.truth").read_text(encoding="utf-8")
    assert written(read(data, name)) == read_truth(truth)


def test_every_truth_has_its_file() -> None:
    assert {path.stem for path in FILES.glob("*.truth")} == {*KEPT, *MADE}


@pytest.mark.parametrize("name", ["same", "valves"])
def test_one_document_is_read_alike_from_every_format(name: str) -> None:
    """But for its title and pages, which not every format has; LibreOffice saved the second one."""
    truths = {
        path.name: [line for line in read_truth(path.read_text(encoding="utf-8")) if not line.startswith(OWN)]
        for path in FILES.glob(f"{name}.*.truth")
    }
    assert len(truths) >= 5
    assert all(truth == truths[f"{name}.html.truth"] for truth in truths.values())
