"""An erasure while a document's texts are at a vendor: the batch is stopped and deleted, and nobody else pays twice."""

from contextlib import suppress
from pathlib import Path

import pytest

from embedmill.shared.db.schema import document
from embedmill.shared.erasing import ASKED
from embedmill.shared.errors import NotYetErased
from embedmill.simulators.faults import Fault
from embedmill.simulators.openai import OpenAISimulator
from embedmill.workers.erasing import eraser
from tests.corpus import text_of
from tests.waiting import wait_until
from tests.workers.bulk.line import Line

TEXTS = {f"{n}": text_of(n) for n in range(4)}


def id_of(line: Line[OpenAISimulator], name: str) -> str:
    return str(next(row["id"] for row in line.tracker.rows(document) if row["uri"].endswith(f"/{name}.txt")))


@pytest.mark.parametrize("partial", [False, True], ids=["before it was begun", "when half was answered"])
def test_a_batch_with_a_text_of_an_erased_document_is_deleted_at_its_vendor(
    line: Line[OpenAISimulator], tmp_path: Path, *, partial: bool
) -> None:
    if partial:
        line.vendor.faults.add(Fault(kind="partial", path="/v1/batches"))
    line.submit(tmp_path / "docs", TEXTS)
    line.park()
    line.round()
    assert line.states() == ["submitted"]
    assert line.vendor.lane.files
    gone = id_of(line, "1")
    id = eraser.begin(line.runtime, [gone], cause=ASKED)

    def erased() -> bool:
        line.vendor.clock.advance(1.0)
        with suppress(NotYetErased):
            eraser.carry_out(line.runtime, id)
            return True
        return False

    wait_until(erased, "the document is erased")
    assert line.states() == ["ended"]
    assert line.vendor.lane.files == [], "neither the requests nor their results are there"
    assert all(entry["document_id"] != gone for entry in line.entries())
    line.finish()
    assert line.outcomes() == {"0": "indexed", "2": "indexed", "3": "indexed"}
    assert line.paid() == line.vendor.bill.total("tokens_in")
    assert {key.partition("/")[0] for key in line.stored()} == {"0", "2", "3"}
