"""What the kernel sends a process when its parent ends, however that ends."""

import ctypes
import sys

_PR_SET_PDEATHSIG = 1  # sys/prctl.h


def send_at_parents_end(number: int) -> None:
    """Have this process get a signal then; of a parent that has ended before, whoever asks for it has to see."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, number)
