"""How many associations each listening process serves, in memory that they share.

Python runs one thread of a process at a time: four associations over two processes go a fifth
faster as two and two than as four and none, and who accepts first is chance.
"""

import mmap
import time

YIELD_S = 0.001


class Share:
    """What one process knows of its own count and those of the others."""

    def __init__(self, counts: memoryview, place: int) -> None:
        self._counts = counts
        self._place = place

    def note(self, associations: int) -> None:
        """Write down how many this process serves."""
        self._counts[self._place] = associations

    def give_way(self) -> None:
        """Let a process that serves fewer take what has come, if it does so at once."""
        if self._counts[self._place] > min(self._counts):
            time.sleep(YIELD_S)


def shares(processes: int) -> list[Share]:
    """Return one for each process; before they are forked."""
    counts = memoryview(mmap.mmap(-1, 4 * processes)).cast("I")
    return [Share(counts, place) for place in range(processes)]
