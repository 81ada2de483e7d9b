"""What a worker process holds open beyond the shared runtime: the parser with its child process."""

from functools import cached_property
from typing import TYPE_CHECKING

from shared.db.work import RetryPolicy
from shared.runtime import Runtime

if TYPE_CHECKING:
    from workers.parsing.sandbox import Parser


class WorkerRuntime(Runtime):
    """The runtime of a process that works on stages."""

    @cached_property
    def parser(self) -> "Parser":
        """The parser and its child process."""
        from workers.parsing.limits import ParserLimits
        from workers.parsing.sandbox import Parser

        return Parser(ParserLimits.from_settings(self.settings))

    @property
    def retry(self) -> RetryPolicy:
        """Back-off between attempts."""
        return RetryPolicy(self.settings.retry_base_seconds, self.settings.retry_max_seconds)

    def close(self) -> None:
        """Release everything that was opened."""
        if "parser" in vars(self):
            self.parser.close()
        super().close()
