"""The conditions of `embedmill documents delete --where`."""

import pytest
import typer

from embedmill.console.cli.documents import read_where
from embedmill.console.services.documents import DocumentQuery
from embedmill.shared.states import DocumentState


def test_conditions_are_read() -> None:
    asked = read_where(["state=dead", "job=3", "uri=*.pdf", "noted=true", "metadata.team=a=b"], collection="c")
    assert asked == DocumentQuery("c", DocumentState.DEAD, job=3, uri="*.pdf", noted=True, metadata={"team": "a=b"})
    assert read_where([], collection="c").is_everything
    assert not read_where(["stale="], collection=None).is_everything


@pytest.mark.parametrize("condition", ["state=odd", "job=x", "colour=red", "state=", "metadata.=x", "noted=maybe"])
def test_a_condition_without_a_meaning_is_refused(condition: str) -> None:
    with pytest.raises(typer.BadParameter, match="--where"):
        read_where([condition], collection=None)
