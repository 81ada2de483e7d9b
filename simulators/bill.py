"""What a simulator would have charged for: counted per model and operation, at the moment the work is done."""

import threading
from collections import Counter
from typing import Any


class Bill:
    """Amounts by model and operation. Work counts as soon as it is done, also when its answer is lost on the way."""

    def __init__(self) -> None:
        self._lines: dict[tuple[str, str], Counter[str]] = {}
        self._lock = threading.Lock()

    def charge(self, model: str, operation: str, **amounts: int) -> None:
        """Add one request and the amounts, such as tokens_in, tokens_out, cache_read or read_units."""
        with self._lock:
            line = self._lines.setdefault((model, operation), Counter())
            line.update({"requests": 1, **amounts})

    def clear(self) -> None:
        """Start a new bill."""
        with self._lock:
            self._lines.clear()

    def total(self, amount: str) -> int:
        """The sum of one amount over all lines."""
        with self._lock:
            return sum(line[amount] for line in self._lines.values())

    def as_json(self) -> dict[str, Any]:
        """`{"lines": [{"model", "operation", "requests", …}], "totals": {"requests", …}}`."""
        with self._lock:
            lines = [
                {"model": model, "operation": operation, **line}
                for (model, operation), line in sorted(self._lines.items())
            ]
            totals: Counter[str] = sum(self._lines.values(), Counter())
        return {"lines": lines, "totals": dict(totals)}
