"""Imported first by the web server's entry, since reading the code takes seconds.

A worker begins with the handlers of the server it was forked from: a signal to stop would be noted
for that one and end nothing here. Until the worker's own are set, it ends the worker.
"""

import signal

for _number in (signal.SIGTERM, signal.SIGINT):
    signal.signal(_number, signal.SIG_DFL)
