"""The listening processes: one socket a door, several processes, a bounded number of threads each.

The parent binds, forks and watches; each child accepts for itself. A thread serves one
association after another and keeps its database connection, so that a short association costs
no connection set-up. SIGTERM drains: nothing new is accepted, each association finishes the
message in hand, then everything ends.

A child also drains when its parent is gone, however it went: the pipe between them closes.
"""

import ctypes
import os
import select
import signal
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from types import FrameType

import structlog

from apps.dimse.domain import End
from apps.dimse.shares import Share, shares
from apps.dimse.upper.acceptor import Association
from apps.dimse.upper.provider import Limits, Provider
from apps.dimse.upper.tls import OurTls

log = structlog.get_logger("isocenter.dimse")

PROCESSES, MAX_ASSOCIATIONS, DRAIN_S = 2, 50, 30.0
"""Defaults: listening processes, associations of each at a time, seconds to end in."""
_BACKLOG = 512
_REJECTING_EXTRA = 64
_HANDSHAKES = 64
_THREAD_IDLE_S = 60.0
_THREADS_KEPT = 4
"""They stay, for the database session of a thread takes as long to warm up as many images take."""
_BIND_TRIES, _BIND_PAUSE_S = 50, 0.1
_RESTART_PAUSE_S = 0.5
_M_ARENA_MAX, _ARENAS = -8, 2
"""Parameter of mallopt(3), and its value."""


@dataclass(frozen=True, slots=True)
class ListenerConfig:
    """How the listener runs.

    Attributes:
        tls_port: of the TLS door, open where `tls` is given.
    """

    host: str
    port: int
    processes: int
    max_associations: int
    drain_s: float
    limits: Limits
    tls_port: int = 0
    tls: OurTls | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """An accepted connection; whether there is room is known after a TLS handshake only."""

    association: Association
    full: bool


class Crew:
    """Threads that serve associations, the most recently used first."""

    def __init__(self, *, max_associations: int, before: Callable[[], None]) -> None:
        self._max = max_associations
        self._before = before
        self._lock = threading.Lock()
        self._idle: list[_Hand] = []
        self._active: set[Association] = set()
        self._shaking: set[Association] = set()
        self._gone = threading.Condition(self._lock)

    def take(
        self,
        sock: socket.socket,
        address: str,
        provider: Provider,
        limits: Limits,
        tls: OurTls | None = None,
    ) -> None:
        """Serve the connection in a thread; beyond the bound only to refuse it, then not at all.

        Where all places are taken, the one that has waited longest for a message gives its own up.
        A TLS handshake has bounds of its own, so that connections that do not finish it take no
        place from associations.
        """
        with self._lock:
            count = len(self._active)
            dropped = (
                len(self._shaking) >= _HANDSHAKES if tls else count >= self._max + _REJECTING_EXTRA
            )
            if dropped:
                sock.close()
                log.warning("connection dropped", address=address, associations=count)
                return
            association = Association(sock, address, provider, limits, tls)
            if tls:
                self._shaking.add(association)
            full = not tls and self._enter(association)
            hand = self._idle.pop() if self._idle else None
        if hand is None:
            hand = _Hand(self)
            hand.start()
        hand.give(Job(association, full=full))

    def size(self) -> int:
        """Return how many connections are served."""
        return len(self._active) + len(self._shaking)

    def _enter(self, association: Association) -> bool:
        """Put it among those that are served; return whether it is there to be refused only."""
        limits = association.limits
        full = len(self._active) >= self._max and not self._make_room(limits.crowded_idle_s)
        self._active.add(association)
        return full

    def _make_room(self, idle_s: float) -> bool:
        """End the idlest association, if it has been idle for so long."""
        idlest = max(self._active, key=lambda one: one.idle_s)
        if idlest.idle_s <= idle_s:
            return False
        idlest.drain("idle while others waited for room", End.TIMED_OUT)
        return True

    def serve(self, job: Job) -> None:
        """Run one association; called in a hand's thread."""
        association, full = job.association, job.full
        try:
            if association in self._shaking:
                if not association.secure():
                    return
                with self._lock:
                    full = self._enter(association)
                    self._shaking.discard(association)
            self._before()
            association.run(full=full)
        finally:
            with self._lock:
                self._active.discard(association)
                self._shaking.discard(association)
                self._gone.notify_all()

    def wait_for_work(self, hand: "_Hand") -> None:
        """Put a thread among the idle ones."""
        with self._lock:
            self._idle.append(hand)

    def dismiss(self, hand: "_Hand") -> bool:
        """Take a thread from the idle ones; False where it stays, or work was given to it."""
        with self._lock:
            if hand in self._idle and len(self._idle) > _THREADS_KEPT:
                self._idle.remove(hand)
                return True
            return False

    def drain(self, seconds: float) -> int:
        """End every association after its message; return how many did not end in time."""
        deadline = time.monotonic() + seconds
        with self._lock:
            for hand in self._idle:
                hand.give(None)
            self._idle.clear()
            for association in self._active | self._shaking:
                association.drain()
            while (self._active or self._shaking) and (left := deadline - time.monotonic()) > 0:
                self._gone.wait(left)
            return len(self._active) + len(self._shaking)


class _Hand(threading.Thread):
    """One thread of the crew."""

    def __init__(self, crew: Crew) -> None:
        super().__init__(daemon=True, name="association")
        self._crew = crew
        self._given: SimpleQueue[Job | None] = SimpleQueue()

    def give(self, job: Job | None) -> None:
        """Let it serve an association, or end."""
        self._given.put(job)

    def run(self) -> None:
        from django.db import connections

        try:
            while True:
                try:
                    job = self._given.get(timeout=_THREAD_IDLE_S)
                except Empty:
                    if self._crew.dismiss(self):
                        return
                    continue  # it stays; or a job is on its way
                if job is None:
                    return
                self._crew.serve(job)
                job = None  # its buffers are not kept while the thread waits
                self._crew.wait_for_work(self)
        finally:
            connections.close_all()


def bind(host: str, port: int) -> socket.socket:
    """Return the listening socket, waiting a few seconds for a predecessor to let go of the port.

    Raises:
        OSError: the port stays taken.
    """
    for attempt in range(_BIND_TRIES):
        sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind((host, port))
            sock.listen(_BACKLOG)
        except OSError:
            sock.close()
            if attempt == _BIND_TRIES - 1:
                raise
            time.sleep(_BIND_PAUSE_S)
        else:
            sock.settimeout(0)
            return sock
    raise AssertionError


Doors = list[tuple[socket.socket, OurTls | None]]
"""The listening sockets, each with what a connection to it is wrapped in."""


class Child:
    """The accepting process."""

    def __init__(
        self,
        config: ListenerConfig,
        doors: Doors,
        parent: int,
        provider: Provider,
        share: Share,
    ) -> None:
        self._config = config
        self._doors = doors
        self._parent = parent
        self._provider = provider
        self._share = share
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_write, False)
        os.set_blocking(self._wake_read, False)
        signal.set_wakeup_fd(self._wake_write)

    def run(self) -> None:
        """Accept until told to stop or orphaned, then drain."""
        from django.db import close_old_connections

        config = self._config
        crew = Crew(max_associations=config.max_associations, before=close_old_connections)
        poll = select.poll()
        for sock, _ in self._doors:
            poll.register(sock, select.POLLIN)
        for descriptor in (self._wake_read, self._parent):
            poll.register(descriptor, select.POLLIN)
        while not (ready := self._ready(poll)) & {self._wake_read, self._parent}:
            self._share.note(crew.size())
            self._share.give_way()
            for door, tls in self._doors:
                if door.fileno() in ready:
                    self._accept(crew, door, tls)
        for door, _ in self._doors:
            door.close()
        left = crew.drain(config.drain_s)
        self._provider.close()
        log.info("listener process ends", associations_cut=left)

    @staticmethod
    def _ready(poll: select.poll) -> set[int]:
        return {descriptor for descriptor, _ in poll.poll()}

    def _accept(self, crew: Crew, door: socket.socket, tls: OurTls | None) -> None:
        try:
            sock, address = door.accept()
        except BlockingIOError:
            return  # another process took it
        except OSError as error:
            log.warning("accept failed", error=str(error))
            time.sleep(_BIND_PAUSE_S)  # out of file descriptors: let some go first
            return
        crew.take(sock, str(address[0]), self._provider, self._config.limits, tls)


def _noted(_number: int, _frame: FrameType | None) -> None:
    """Let the wake-up descriptor do the work."""


def _share_arenas() -> None:
    """Have the threads share the allocator's arenas, where it is glibc.

    It gives each of many threads one of its own. What storms of associations left in those, in
    pieces, grew from storm to storm though nothing held it.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, _ARENAS)


class Listener:
    """The parent: forks the accepting processes and keeps their number."""

    def __init__(self, config: ListenerConfig, make_provider: Callable[[], Provider]) -> None:
        self._config = config
        self._make_provider = make_provider
        self._children: dict[int, tuple[Share, float]] = {}
        self._stopping = False

    def run(self) -> None:
        """Serve until SIGTERM or SIGINT."""
        config = self._config
        _share_arenas()
        doors: Doors = [(bind(config.host, config.port), None)]
        if config.tls is not None:
            doors.append((bind(config.host, config.tls_port), config.tls))
        alive_read, alive_write = os.pipe()
        signal.signal(signal.SIGTERM, self._stop)
        signal.signal(signal.SIGINT, self._stop)
        for share in shares(config.processes):
            self._fork(share, doors, alive_read, alive_write)
        log.info(
            "listening",
            host=config.host,
            port=config.port,
            tls_port=config.tls_port if config.tls else None,
            processes=config.processes,
        )
        while self._children:
            pid, status = os.wait()
            share, started = self._children.pop(pid)
            if self._stopping:
                continue
            log.error("listener process died", pid=pid, status=status)
            if time.monotonic() - started < _RESTART_PAUSE_S:
                time.sleep(_RESTART_PAUSE_S)
            self._fork(share, doors, alive_read, alive_write)
        for door, _ in doors:
            door.close()

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        self._stopping = True
        for pid in self._children:
            os.kill(pid, signal.SIGTERM)

    def _fork(self, share: Share, doors: Doors, alive_read: int, alive_write: int) -> None:
        share.note(0)
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
        pid = os.fork()
        if not pid:
            os.close(alive_write)
            code = 1
            try:
                signal.signal(signal.SIGTERM, _noted)
                signal.signal(signal.SIGINT, signal.SIG_IGN)
                provider = self._make_provider()
                child = Child(self._config, doors, alive_read, provider, share)
                signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM, signal.SIGINT})
                child.run()
                code = 0
            except Exception:
                log.exception("listener process failed")
            finally:
                os._exit(code)
        self._children[pid] = share, time.monotonic()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM, signal.SIGINT})
