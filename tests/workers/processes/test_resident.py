"""The memory of this process, as its supervisor and operators are told of it."""

from pathlib import Path

import psutil
import pytest

from embedmill.workers.processes import resident


@pytest.mark.parametrize("pages", [Path("/proc/self/statm"), Path("/nowhere")])
def test_the_memory_of_this_process_is_what_the_system_says(monkeypatch: pytest.MonkeyPatch, pages: Path) -> None:
    monkeypatch.setattr(resident, "_PAGES", pages)
    told = psutil.Process().memory_info().rss
    assert resident.measure_resident() == pytest.approx(told, rel=0.2)
