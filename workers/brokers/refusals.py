"""Receives that a broker refused this process: temporary ones slow it down, permanent ones are counted for `doctor`."""

from embedmill.shared.logs import get_logger

log = get_logger()

LONGEST_PAUSE_SECONDS = 30.0
# Answers by which SQS says that asking again cannot help until somebody changes something.
PERMANENT = ("AccessDenied", "QueueDoesNotExist", "NonExistentQueue", "InvalidClientTokenId", "SignatureDoesNotMatch")


class Refusals:
    """Failed receives of this process: how many in a row, how many in all that were permanent, and the last of them."""

    def __init__(self) -> None:
        self.in_a_row = 0
        self.permanent = 0
        self.last_permanent = ""

    def failed(self, operation: str, error: Exception) -> None:
        """Count a failure; the first of a row, and every permanent one that is new, is logged."""
        reason = " ".join(str(error).split())[:300]
        name = next((name for name in PERMANENT if name in reason), None)
        if name is not None:
            self.permanent += 1
            if name not in self.last_permanent:
                log.error("sqs.receive_refused", operation=operation, reason=name)
            self.last_permanent = f"{operation}: {name}"
        elif not self.in_a_row:
            log.warning("sqs.receive_failed", operation=operation, reason=reason)
        self.in_a_row += 1

    def succeeded(self) -> None:
        """A receive was answered."""
        if self.in_a_row:
            log.warning("sqs.receives_again", failed=self.in_a_row)
        self.in_a_row = 0

    @property
    def pause_seconds(self) -> float:
        """How long to wait before the next receive: it doubles."""
        return min(0.25 * 2.0 ** min(self.in_a_row, 16), LONGEST_PAUSE_SECONDS) if self.in_a_row else 0.0


refusals = Refusals()
