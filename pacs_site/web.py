"""The web server: Granian's command line, its workers stoppable from their first moment.

A forked worker begins with the handlers of the server: a signal to stop would be noted for that
one and end nothing in the worker, which reads the code for seconds before its own are set.
"""

import os
import signal

from granian.cli import entrypoint


def _end_at_a_signal() -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)


if __name__ == "__main__":
    os.register_at_fork(after_in_child=_end_at_a_signal)
    entrypoint()  # type: ignore[no-untyped-call]
