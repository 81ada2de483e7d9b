"""A background chore is one thread, whoever pokes it."""

import threading

from embedmill.workers.chores.background import BackgroundChore

A_MOMENT = 0.05


class Poked(BackgroundChore):
    """Is poked by another thread while it looks for work, and works until it is told to end."""

    name = "poked"
    quiet_seconds = 0.0

    def __init__(self) -> None:
        super().__init__()
        self.looks, self.began, self.looked_again = 0, 0, threading.Event()
        self.other = threading.Thread(target=self.poke)

    def has_work(self) -> bool:
        self.looks += 1
        if self.looks == 1:
            self.other.start()
            self.looked_again.wait(A_MOMENT)
        else:
            self.looked_again.set()
        return True

    def work(self) -> None:
        self.began += 1
        self._ended.wait()


def test_two_who_poke_at_once_start_one_thread() -> None:
    chore = Poked()
    chore.poke()
    chore.other.join()
    assert chore.is_busy
    chore.close(seconds=60.0)
    assert (chore.looks, chore.began, chore.is_busy) == (1, 1, False)
