"""What the person at the keyboard sees while an installation starts.

Read by `bootstrap.py` too, before the environment exists: standard library only.
"""

import contextlib
import sys
import time
from collections.abc import Iterator

WIDTH = 44


def say(text: str = "") -> None:
    """Print a line at once, also where the output is a file or a pipe."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


@contextlib.contextmanager
def step(name: str) -> Iterator[None]:
    """Print a step's name when it begins, and its seconds when it has ended."""
    sys.stdout.write(f"  {name} ".ljust(WIDTH, "."))
    sys.stdout.flush()
    began = time.monotonic()
    try:
        yield
    except BaseException:
        say(" failed")
        raise
    say(f" {time.monotonic() - began:6.1f} s")
