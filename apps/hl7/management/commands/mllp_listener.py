"""Run the MLLP listener."""

import os
import signal
import socket
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import connections

from apps.hl7 import listener
from apps.hl7.mllp.server import Limits, MllpServer


class Command(BaseCommand):
    help = "Listen for HL7 v2 messages over MLLP. SIGTERM lets messages in work finish."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the arguments."""
        parser.add_argument("--host", default="0.0.0.0")  # noqa: S104 -- a listener for the network
        parser.add_argument("--port", type=int, default=settings.ISOCENTER_MLLP_PORT)
        parser.add_argument("--processes", type=int, default=1, help="that share the socket")
        parser.add_argument("--connections", type=int, default=64, help="in each process")
        parser.add_argument("--max-bytes", type=int, default=Limits.max_bytes)
        parser.add_argument("--idle-seconds", type=float, default=Limits.idle_seconds)

    def handle(self, *args: Any, **options: Any) -> None:
        """Listen until SIGTERM or SIGINT."""
        try:
            sock = socket.create_server((options["host"], options["port"]), backlog=128)
        except OSError as error:
            message = f"cannot listen on {options['host']}:{options['port']}: {error.strerror}"
            raise CommandError(message) from error
        limits = Limits(
            max_connections=options["connections"],
            max_bytes=options["max_bytes"],
            idle_seconds=options["idle_seconds"],
        )
        self.stdout.write(f"MLLP listener on {options['host']}:{options['port']}")
        self.stdout.flush()
        connections.close_all()
        with sock:
            if options["processes"] > 1:
                _fork_and_wait(sock, limits, options["processes"])
            else:
                _serve(sock, limits)


def _serve(sock: socket.socket, limits: Limits) -> None:
    server = MllpServer(
        sock,
        listener.handle,
        reject=listener.reject,
        limits=limits,
        on_thread_end=listener.release,
    )
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: server.stop())
    server.serve()


def _fork_and_wait(sock: socket.socket, limits: Limits, count: int) -> None:
    """Keep `count` processes on one socket; one that dies is replaced until we are stopped."""
    children: set[int] = set()
    stopping = False

    def stop(*_: object) -> None:
        nonlocal stopping
        stopping = True
        for pid in children:
            os.kill(pid, signal.SIGTERM)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    while not stopping or children:
        while len(children) < count and not stopping:
            pid = os.fork()
            if pid == 0:
                _serve(sock, limits)
                os._exit(0)
            children.add(pid)
        ended, _ = os.wait()
        children.discard(ended)
